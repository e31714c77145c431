"""A job's course as charts: the loss by step, what was forgotten and what stayed, and the one against the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from governance import dispatch
from governance.models import JobPoint

Context = dict[str, Any]
#: A curve is drawn from at most this many points; its CSV holds all.
DRAWN = 240
FORGOTTEN, UTILITY = "forget_probability", "_utility"


def charts(points: Sequence[JobPoint], kept: Mapping[str, Any]) -> list[Context]:
    """What there is to draw, empty before the first point; `kept` is what the result says of the watch."""
    losses = [point for point in points if "loss" in point.values]
    looks = [point for point in points if point.stage == dispatch.WATCH and FORGOTTEN in point.values]
    drawn = [curve(losses)] if losses else []
    return drawn + ([watch(looks, kept), frontier(looks, kept)] if len(looks) > 1 else [])


def table(points: Sequence[JobPoint]) -> list[list[Any]]:
    """All points with all their numbers, for CSV."""
    names = list(dict.fromkeys(name for point in points for name in point.values)) or ["loss"]
    return [["stage", "step", *names], *([p.stage, p.step, *(p.values.get(n) for n in names)] for p in points)]


def curve(points: Sequence[JobPoint]) -> Context:
    """The loss by step, one line a stage, at most four."""
    stages = list(dict.fromkeys(point.stage for point in points))[:4]
    every = max(1, -(-len(points) // DRAWN))
    drawn = [p for n, p in enumerate(points) if p.stage in stages and (n % every == 0 or n == len(points) - 1)]
    steps = sorted({p.step for p in drawn})
    found = {(p.stage, p.step): p.values["loss"] for p in drawn}
    lines = [[p.values["loss"] for p in points if p.stage == stage] for stage in stages]
    parts = [
        _("%(stage)s: from %(first).3g to %(last).3g") % {"stage": stage, "first": line[0], "last": line[-1]}
        for stage, line in zip(stages, lines, strict=True)
    ]
    return {
        "id": "loss",
        "kind": "line",
        "title": _("Loss by step"),
        "sentence": "; ".join(parts) + ".",
        "x_label": _("step"),
        "y_label": _("loss"),
        "labels": [str(step) for step in steps],
        "series": [
            {"name": stage or _("loss"), "data": [found.get((stage, step)) for step in steps]} for stage in stages
        ],
        "zero": False,
        "csv_url": "?format=csv",
    }


def watch(looks: Sequence[JobPoint], kept: Mapping[str, Any]) -> Context:
    """What the model still gave of the forgotten, and of what stays beside the original, look by look."""
    names = {
        FORGOTTEN: _("forgotten"),
        f"neighbours{UTILITY}": _("neighbours"),
        f"retain{UTILITY}": _("retained"),
    }
    first, last = looks[0].values, looks[-1].values
    sentence = _("Answers to forget: from %(first).2f to %(last).2f; lowest share that stayed: %(least).2f.") % {
        "first": first[FORGOTTEN],
        "last": last[FORGOTTEN],
        "least": _lowest(looks[-1]),
    }
    return {
        "id": "watch",
        "kind": "line",
        "title": _("Forgotten and kept"),
        "sentence": sentence,
        "x_label": _("step"),
        "y_label": _("share of the original"),
        "labels": [str(look.step) for look in looks],
        "series": [
            {"name": word, "data": [look.values.get(name) for look in looks]}
            for name, word in names.items()
            if any(name in look.values for look in looks)
        ],
        "zero": True,
        "limit": kept.get("utility_floor"),
        "csv_url": "?format=csv",
    }


def frontier(looks: Sequence[JobPoint], kept: Mapping[str, Any]) -> Context:
    """Each look as a point: forgetting to the right, what stayed upwards; the kept one stands apart."""
    chosen = kept.get("kept_step")
    dots = [
        {
            "x": round(1 - look.values[FORGOTTEN], 4),
            "y": round(_lowest(look), 4),
            "label": _("step %(n)d") % {"n": look.step},
        }
        for look in looks
    ]
    series = [{"name": _("looks"), "data": [d for d, look in zip(dots, looks, strict=True) if look.step != chosen]}]
    if chosen is not None:
        series.append({"name": _("kept"), "data": [d for d, k in zip(dots, looks, strict=True) if k.step == chosen]})
    return {
        "id": "frontier",
        "kind": "scatter",
        "title": _("Frontier of the run"),
        "sentence": _("Step %(n)d was kept.") % {"n": chosen} if chosen is not None else _("The run is not over."),
        "x_label": _("forgotten (1 - probability of the answers)"),
        "y_label": _("lowest share that stayed"),
        "labels": [],
        "series": [one for one in series if one["data"]],
        "csv_url": "?format=csv",
    }


def _lowest(look: JobPoint) -> float:
    return min((value for name, value in look.values.items() if name.endswith(UTILITY)), default=1.0)
