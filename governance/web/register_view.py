"""The register in words and tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.models import AiModel, Dataset, Deployment, ModelVersion, Plan, Record
from governance.policies import Actor, Permission, may
from governance.selectors import catalogue as select
from governance.selectors.paging import Page
from governance.templatetags.glyphs import WORDS
from governance.web import lineage_tree
from governance.web.case_history import method_title
from governance.web.case_tabs import PLACE_STATES, deletion_words
from governance.web.figures import found_url
from governance.web.probes import share

Context = dict[str, Any]
VERSION_STATES = {
    "candidate": "waiting", "released": "pass", "retired": "paused", "reference": "decision", "rejected": "fail",
    "withdrawn": "fail",
}  # fmt: skip


def _day(moment: Any) -> str:
    return date_format(timezone.localtime(moment), "j M Y")


def places_words(places: Iterable[Deployment]) -> Context | None:
    """Where a model answers, in one state: the worst of them, with counts."""
    counts: dict[str, int] = {}
    for place in places:
        counts[place.state] = counts.get(place.state, 0) + 1
    if not counts:
        return None
    order = ("unreachable", "pending", "withdrawing", "serving", "replaced", "withdrawn")
    worst = next(state for state in order if counts.get(state))
    label = Deployment.State(worst).label
    rest = [f"{Deployment.State(s).label.lower()} {counts[s]}" for s in order if s != worst and counts.get(s)]
    state = "pass" if worst == "serving" else PLACE_STATES[worst]
    return {"state": state, "text": f"{label} {counts[worst]}", "note": ", ".join(rest)}


def models(rows: list[AiModel], waiting: dict[int, int]) -> Context:
    """The list of models."""
    found: list[Context] = []
    for model in rows:
        versions = list(model.versions.all())
        released = [v for v in versions if v.state == ModelVersion.State.RELEASED]
        serving = (
            _("rev. %(n)d of %(day)s")
            % {"n": released[0].revision, "day": _day(released[0].released_at or released[0].created_at)}
            if released
            else _("none released")
        )  # noqa: E501
        found.append({
            "name": model.name,
            "url": reverse("model", args=[model.public_id]),
            "versions": len(versions),
            "serving": serving,
            "deployments": places_words(p for v in versions for p in v.deployments.all()),
            "recipients": sum(v.given_to for v in versions),  # type: ignore[attr-defined]
            "waiting": waiting.get(model.pk, 0),
            "plans_url": f"{reverse('model', args=[model.public_id])}#plans",
        })  # fmt: skip
    count = ngettext("%(n)d model is registered", "%(n)d models are registered", len(found)) % {"n": len(found)}
    old = [m["name"] for m in found if m["deployments"] and m["deployments"]["state"] in ("waiting", "at_risk")]
    sentence = (
        _("Places of %(names)s still answer from an old version.") % {"names": ", ".join(old)}
        if old
        else _("No place is known to answer from a replaced version.")
    )
    return {
        "conclusion": count if found else _("No model is registered"),
        "sentence": sentence if found else "",
        "models": found,
        "datasets_url": reverse("datasets"),
    }


def _version(version: ModelVersion) -> list[Any]:
    made = method_title(version.method)
    return [
        {"text": _("rev. %(n)d") % {"n": version.revision}, "url": reverse("version", args=[
            version.model.public_id, version.revision]), "note": _day(version.created_at)},
        {"state": VERSION_STATES[version.state], "text": version.get_state_display()},
        {"text": made, "note": ", ".join(filter(None, [
            _("from rev. %(n)d") % {"n": version.parent.revision} if version.parent else "",
            _("with a lineage") if version.lineage else ""]))},
        {"text": ", ".join(d.name for d in version.datasets.all()) or _("not recorded"),
         "note": _("without listed records") if version.excluded else ""},
        {"digest": version.artifact},
    ]  # fmt: skip


def _places_sentence(summary: Context | None) -> str:
    if summary is None:
        return _("No version is deployed.")
    return _("Places: %(what)s") % {"what": ", ".join(filter(None, [summary["text"].lower(), summary["note"]]))}


def plans(found: AiModel, actor: Actor, candidate: ModelVersion | None = None) -> Context:
    """What was tried for a model and found, or what made a version."""
    see_cases, see_jobs = may(actor, Permission.SEE_CASES), may(actor, Permission.SEE_JOBS)
    return {
        "plan_columns": [
            _("Case"), _("Plan"), _("Verdict"), _("Found"), {"label": _("Forget quality, KS p"), "num": True},
            {"label": _("Utility kept"), "num": True}, {"label": _("Version"), "num": False},
            *([_("Runs")] if see_jobs else [])],
        "plan_rows": [_plan(one, see_cases=see_cases, see_jobs=see_jobs) for one in select.plans(found, candidate)],
    }  # fmt: skip


def _plan(plan: Plan, *, see_cases: bool, see_jobs: bool) -> list[Any]:
    """What was tried for a case: its verdict with the two numbers of the frontier, the version, and the runs."""
    seen = getattr(plan, "verification", None)
    runs = [{"text": str(job.pk)[:8], "url": reverse("job", args=[job.pk])} for job in plan.runs if see_jobs]  # type: ignore[attr-defined]
    return [
        {"text": plan.case.number, "mono": True,
         "url": reverse("case", args=[plan.case.public_id]) if see_cases else ""},
        {"text": method_title(plan.method), "note": _("plan %(n)d") % {"n": plan.attempt}},
        {"state": seen.verdict, "text": WORDS[seen.verdict]} if seen else plan.get_state_display(),
        {"text": _("every probe"), "url": found_url(seen, see_cases)} if seen else "",
        f"{seen.forget_quality:.2g}" if seen and seen.forget_quality is not None else "–",
        share(seen.utility) if seen and seen.utility is not None else "–",
        {"text": _("rev. %(n)d") % {"n": plan.candidate.revision}, "url": reverse("version", args=[
            plan.base.model.public_id, plan.candidate.revision])} if plan.candidate else "",
        *([{"links": runs} if runs else ""] if see_jobs else []),
    ]  # fmt: skip


def model(found: AiModel, actor: Actor) -> Context:
    """One model with everything that hangs on it."""
    see_cases, versions = may(actor, Permission.SEE_CASES), select.versions(found)
    places = list(select.places(found))
    released = next((v for v in versions if v.state == ModelVersion.State.RELEASED), None)
    datasets = {d.pk: d for v in versions for d in v.datasets.all()}
    facts: list[Any] = [(_("Name"), found.name), (_("Registered"), _day(found.created_at)),
                        (_("Works with"), found.get_medium_display())]  # fmt: skip
    if released:
        facts += [(_("In service"), _("rev. %(n)d") % {"n": released.revision}),
                  {"label": _("Weights"), "value": released.artifact, "digest": True}]  # fmt: skip
    return {
        "crumbs": [{"label": _("Models"), "url": reverse("models")}, {"label": found.name}],
        "conclusion": found.name,
        "sentence": _places_sentence(places_words(places)),
        "facts": facts,
        **lineage_tree.tree(versions, places, VERSION_STATES),
        "version_columns": [_("Version"), _("State"), _("Made by"), _("Trained on"), _("Weights")],
        "version_rows": [_version(v) for v in versions],
        **plans(found, actor),
        "deployment_columns": [_("Place"), _("Version"), _("State"), _("Since"), _("Replaced by")],
        "deployment_rows": [
            [p.place, _("rev. %(n)d") % {"n": p.version.revision},
             {"state": "pass" if p.state == "serving" and p.version == released else PLACE_STATES[p.state],
              "text": p.get_state_display()},
             {"text": _day(p.changed_at), "note": str(p.changed_by or "")}, str(p.replaced_by or "")]
            for p in places
        ],
        "dataset_columns": [_("Dataset"), _("Purpose"), {"label": _("Records"), "num": True}, _("Digest")],
        "dataset_rows": [
            [{"text": d.name, "url": reverse("dataset", args=[d.public_id])}, d.get_purpose_display(),
             f"{d.records_count:,}", {"digest": d.artifact}]
            for d in datasets.values()
        ],
        "recipient_columns": [_("Recipient"), _("Version"), _("Received"), _("Told of erasures")],
        "recipient_rows": [
            [r.name, _("rev. %(n)d") % {"n": r.version.revision if r.version else 0},
             date_format(r.received_on, "j M Y"),
             ngettext("%(n)d notice", "%(n)d notices", r.told) % {"n": r.told}]  # type: ignore[attr-defined]
            for r in select.recipients(found)
        ],
        "deletion_columns": [_("What"), _("Version"), _("For case"), _("Digest"), _("Deletion")],
        "deletion_rows": [
            [d.get_what_display(), _("rev. %(n)d") % {"n": d.version.revision},
             {"text": d.case.number if d.case else "", "mono": True,
              "url": reverse("case", args=[d.case.public_id]) if d.case and see_cases else ""},
             {"digest": d.artifact}, deletion_words(d)]
            for d in select.disposals(found)
        ],
    }  # fmt: skip


def datasets(rows: list[Dataset]) -> Context:
    """The list of datasets."""
    held = sum(d.held_count for d in rows)  # type: ignore[attr-defined]
    words = ngettext("%(n)d dataset", "%(n)d datasets", len(rows)) % {"n": len(rows)}
    return {
        "crumbs": [{"label": _("Models"), "url": reverse("models")}, {"label": _("Datasets")}],
        "conclusion": _("%(datasets)s, %(n)s records left out of training") % {"datasets": words, "n": f"{held:,}"},
        "sentence": _("Matching searches the training datasets. Controls are never trained on."),
        "columns": [_("Dataset"), _("Purpose"), {"label": _("Records"), "num": True},
                    {"label": _("Left out"), "num": True},
                    {"label": _("Versions"), "num": True}, _("Digest")],
        "rows": [
            [{"text": d.name, "url": reverse("dataset", args=[d.public_id]), "note": _day(d.created_at)},
             d.get_purpose_display(), f"{d.records_count:,}", f"{d.held_count:,}",  # type: ignore[attr-defined]
             d.versions_count, {"digest": d.artifact}]  # type: ignore[attr-defined]
            for d in rows
        ],
    }  # fmt: skip


def dataset(found: Dataset, page: Page[Record], *, held: bool) -> Context:
    """One dataset with a page of its records; their texts stay in the artefact store."""
    onward = {"after": page.last.record_id, **({"held": "1"} if held else {})} if page.last else {}
    unseen = _("never trained on") if found.purpose == Dataset.Purpose.CONTROLS else ""
    return {
        "crumbs": [
            {"label": _("Models"), "url": reverse("models")},
            {"label": _("Datasets"), "url": reverse("datasets")},
            {"label": found.name},
        ],
        "conclusion": found.name,
        "sentence": _("%(purpose)s, %(n)s records.")
        % {"purpose": found.get_purpose_display(), "n": f"{found.records_count:,}"},
        "facts": [
            {"label": _("Digest"), "value": found.artifact, "digest": True},
            (_("Registered"), _day(found.created_at)),
            (_("Controls for"), str(found.controls_for or _("Every model")))
            if found.purpose == Dataset.Purpose.CONTROLS
            else (_("Models"), ", ".join(map(str, found.versions.select_related("model").order_by("pk"))) or _("none")),
        ],
        "filters": [{"name": "held", "label": _("Records"), "options": [
            {"value": "", "label": _("all"), "selected": not held},
            {"value": "1", "label": _("left out of training"), "selected": held}]}],
        "columns": [_("Record"), _("Source"), _("Licence"), _("Digest"), _("Training")],
        "rows": [
            [{"text": r.record_id, "mono": True}, r.source_url, r.licence, {"digest": r.digest} if r.digest else "",
             {"state": "decision", "text": _("left out since %(day)s") % {"day": _day(r.quarantined_at)}}
             if r.quarantined_at else unseen or _("in use")]
            for r in page.rows
        ],
        "next_page_url": f"?{urlencode(onward)}" if onward else "",
    }  # fmt: skip
