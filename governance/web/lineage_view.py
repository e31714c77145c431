"""A version and its lineage: shard map, what a deletion would cost, what deletions so far have cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance import dispatch
from governance.errors import Unfit
from governance.models import ModelVersion, Plan
from governance.services import lineages
from governance.services.unlearning import run_of
from governance.web.case_history import method_title
from governance.web.shard_map import count, percent, shard_map, times

Context = dict[str, Any]
#: Sizes of a request that the table names, and those between which the curve is drawn.
NAMED = (1, 5, 50, 500)
DRAWN = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
#: Records deleted, and the share of the lineage's training that it took.
Measured = list[tuple[int, float]]


def measured(plans: Sequence[Plan]) -> Measured:
    """What finished deletions took, oldest first, by the engine's own count of samples."""
    found: Measured = []
    for plan in plans:
        run = run_of(plan)
        if run and run.result and dispatch.store().exists(run.result):
            metrics = dispatch.read_json(run.result)["metrics"]
            found.append((int(metrics["forgotten_records"]), metrics["passes"] / plan.deletion["lineage_passes"]))
    return found


def page(version: ModelVersion, plans: Sequence[Plan]) -> Context:
    """One version."""
    context: Context = {
        "crumbs": [
            {"label": _("Models"), "url": reverse("models")},
            {"label": version.model.name, "url": reverse("model", args=[version.model.public_id])},
            {"label": _("rev. %(n)d") % {"n": version.revision}},
        ],
        "conclusion": str(version),
        "facts": _facts(version),
    }
    if not version.lineage:
        return {
            **context,
            "sentence": _("Trained without a lineage: a deletion from it is approximate, or a retraining."),
        }
    try:
        lineage = lineages.read(version.lineage)
    except Unfit as error:
        return {**context, "sentence": _("Its lineage cannot be read."), "fault": " ".join(error.messages)}
    total = sum(map(sum, lineage.counts))
    share = dispatch.expected_share(1, lineage.counts, lineage.epochs)
    return {
        **context,
        "sentence": _("Records can be deleted from it exactly; one costs %(share)s of its training on average.")
        % {"share": percent(share)},
        "shards": shard_map(lineage.counts),
        "lineage_facts": _lineage_facts(lineage),
        "cost_columns": [
            _("Records at once"),
            {"label": _("Share of the training"), "num": True},
            {"label": _("Sample passes"), "num": True},
            {"label": _("Retraining would take"), "num": True},
            {"label": _("One by one it would take"), "num": True},
        ],
        "cost_rows": [_cost_row(lineage, n, total) for n in NAMED if n <= total],
        "charts": [curve(lineage, measured(plans), version)],
        "history_columns": [_("Deletion"), {"label": _("Records"), "num": True},
                            {"label": _("Sample passes"), "num": True}, _("Lineage before")],
        "history_rows": [
            [_("no. %(n)d") % {"n": n}, count(entry["records"]), count(entry.get("passes", 0)),
             {"digest": entry["parent"]} if entry.get("parent") else ""]
            for n, entry in enumerate(lineage.meta["history"], 1)
        ],
    }  # fmt: skip


def _facts(version: ModelVersion) -> list[Any]:
    facts: list[Any] = [
        (_("State"), version.get_state_display()),
        (_("Made by"), method_title(version.method)),
        (_("Registered"), date_format(timezone.localtime(version.created_at), "j F Y")),
        (_("Trained on"), ", ".join(d.name for d in version.datasets.all()) or _("not recorded")),
        {"label": _("Weights"), "value": version.artifact, "digest": True},
    ]
    if version.parent:
        facts.insert(2, (_("From"), str(version.parent)))
    if version.lineage:
        facts.append({"label": _("Lineage, stored"), "value": version.lineage, "digest": True})
    return facts


def _lineage_facts(lineage: lineages.Lineage) -> list[Any]:
    config = lineage.meta["config"]
    together = config.get("group", "record") == "subject"
    seen = [str(c["name"]) for c in lineage.meta.get("components", []) if c.get("saw_records") is not False]
    return [
        {"label": _("Lineage, its own digest"), "value": lineage.digest, "digest": True},
        (_("Kind"), str(lineage.meta["kind"])),
        (_("Lie together"), _("all records of one subject") if together else _("nothing: each record by itself")),
        (_("Keeps its records"), _("yes") if lineage.keeps_records else _("no, a deletion needs the dataset")),
        (_("Outside of the shards"), ", ".join(seen) if seen else _("nothing that saw a record")),
        (_("Deletions so far"), str(len(lineage.meta["history"]))),
    ]


def _cost_row(lineage: lineages.Lineage, n: int, total: int) -> list[Any]:
    share = dispatch.expected_share(n, lineage.counts, lineage.epochs)
    alone = dispatch.expected_share(1, lineage.counts, lineage.epochs) * n
    whole = dispatch.deletion_cost(lineage.counts, lineage.epochs, []).lineage
    return [
        {"text": count(n), "strong": True},
        percent(share),
        count(share * whole),
        times(lineage.epochs * (total - n), share * whole),
        percent(alone),
    ]


def curve(lineage: lineages.Lineage, found: Measured, version: ModelVersion) -> Context:
    """Records deleted at once against the share of the training that it takes."""
    total = sum(map(sum, lineage.counts))
    sizes = sorted({n for n in DRAWN if n <= total} | {n for n, _share in found} | {min(total, DRAWN[-1])})
    expected = [round(100 * dispatch.expected_share(n, lineage.counts, lineage.epochs), 2) for n in sizes]
    points: dict[int, list[float]] = {}
    for n, share in found:
        points.setdefault(n, []).append(100 * share)
    sentence = _("One record takes %(one)s of the training on average, %(n)s take %(all)s.") % {
        "one": percent(expected[0] / 100), "n": count(sizes[-1]), "all": percent(expected[-1] / 100)}  # fmt: skip
    series: list[Context] = [{"name": _("expected"), "data": expected}]
    if found:
        series.append({"name": _("measured"), "data": [_mean(points.get(n)) for n in sizes]})
        deletions = ngettext("%(n)d deletion was measured", "%(n)d deletions were measured", len(found))
        sentence += " " + deletions % {"n": len(found)} + "."
    else:
        sentence += " " + _("No deletion has been measured yet.")
    return {
        "id": "cost",
        "kind": "line",
        "title": _("What a deletion takes"),
        "sentence": sentence,
        "note": _("Expected for records drawn at random; records that lie together take less."),
        "x_label": _("records deleted at once"),
        "y_label": _("% of the training"),
        "unit": "%",
        "labels": [count(n) for n in sizes],
        "sizes": sizes,
        "series": series,
        "csv_url": reverse("version_cost", args=[version.model.public_id, version.revision]),
    }


def _mean(values: list[float] | None) -> float | None:
    return round(sum(values) / len(values), 2) if values else None


def csv_rows(chart: Context) -> list[list[Any]]:
    """The curve's table."""
    head = [chart["x_label"], *(f"{s['name']}, {chart['y_label']}" for s in chart["series"])]
    return [head, *([n, *(s["data"][i] for s in chart["series"])] for i, n in enumerate(chart["sizes"]))]
