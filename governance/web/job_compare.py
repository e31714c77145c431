"""Runs side by side: what was set, what came out, and their courses in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance import dispatch
from governance.evidence.wording import probe_title
from governance.models import Job, JobPoint
from governance.selectors.jobs import BESIDE
from governance.templatetags.glyphs import WORDS
from governance.web.job_curves import DRAWN
from governance.web.job_failures import why
from governance.web.job_view import STATES, seconds_words
from governance.web.probes import share

Context = dict[str, Any]
NOT_SAID = "–"


def page(jobs: Sequence[Job], points: dict[Any, list[JobPoint]], others: Sequence[Job] = ()) -> Context:
    """Values of the page; `others`: what can be set beside them too."""
    if not jobs:
        return {"conclusion": _("No run was chosen")}
    names = [_name(job) for job in jobs]
    columns = [_("What"), *({"label": name, "num": False} for name in names)]
    settings = _settings(jobs)
    differs = sum(_differs(row) for row in settings)
    return {
        "crumbs": [{"label": _("Jobs"), "url": reverse("jobs")}, {"label": _("Compare")}],
        "conclusion": _("%(n)d runs side by side") % {"n": len(jobs)},
        "sentence": ngettext("They differ in %(n)d setting.", "They differ in %(n)d settings.", differs)
        % {"n": differs},
        "columns": columns,
        "rows": [
            [
                _("Job"),
                *({"text": str(job.pk)[:8], "url": reverse("job", args=[job.pk]), "mono": True} for job in jobs),
            ],
            *(
                [
                    [
                        _("Beside others"),
                        *({"text": _("Leave it out"), "url": _beside(jobs, without=job)} for job in jobs),
                    ]
                ]
                if len(jobs) > 2
                else []
            ),
            [_("Case"), *(job.case.number if job.case else NOT_SAID for job in jobs)],
            [_("State"), *(_state(job) for job in jobs)],
            [_("Verdict"), *(_verdict(job) for job in jobs)],
            [_("Time"), *(seconds_words(job) for job in jobs)],
            *_outcomes(jobs),
        ],
        "more": _more(jobs, others),
        "probe_rows": _probes(jobs),
        "setting_rows": [_marked(row) for row in sorted(settings, key=lambda row: not _differs(row))],
        "charts": [chart for chart in (_losses(jobs, points, names), _frontier(jobs, points, names)) if chart],
    }


def _beside(jobs: Sequence[Job], *, without: Job | None = None, more: Job | None = None) -> str:
    """The page with one run less, or one more."""
    kept = [str(job.pk) for job in (*jobs, *([more] if more else [])) if job != without]
    return f"{reverse('jobs_compare')}?{urlencode({'job': kept}, doseq=True)}"


def _more(jobs: Sequence[Job], others: Sequence[Job]) -> list[Context]:
    """Runs of the same kind on the same version that can be set beside these; none where the page is full."""
    if len(jobs) >= BESIDE:
        return []
    return [
        {"label": ", ".join(filter(None, [_name(one), one.case.number if one.case else "", one.get_state_display()])),
         "url": _beside(jobs, more=one)}
        for one in others if one not in jobs
    ]  # fmt: skip


def _name(job: Job) -> str:
    """Short, since it stands at the end of a line and over a column."""
    return f"{job.plan.method} {job.plan.attempt}" if job.plan else str(job.pk)[:8]


def _state(job: Job) -> Context:
    return {"state": STATES[job.state], "text": job.get_state_display(), "note": why(job)}


def _verdict(job: Job) -> Any:
    found = getattr(job.plan, "verification", None) if job.plan else None
    return {"state": found.verdict, "text": WORDS[found.verdict]} if found else NOT_SAID


def _outcomes(jobs: Sequence[Job]) -> list[list[Any]]:
    """Plain numbers of the summaries and of the verifications; what no run has is no row."""
    told = [{**job.summary, **_verified(job), "seconds": None} for job in jobs]  # the time is a row already
    names = sorted({name for one in told for name, value in one.items() if _is_number(value)})
    return [[name.replace("_", " "), *(_number(one.get(name)) for one in told)] for name in names]


def _verified(job: Job) -> dict[str, Any]:
    found = getattr(job.plan, "verification", None) if job.plan else None
    if found is None:
        return {}
    return {"forget quality": found.forget_quality, "utility": found.utility}


def _probes(jobs: Sequence[Job]) -> list[list[Any]]:
    """Each probe of any run: what the run left, and below it what was there before and what a model gives that never
    saw it. Runs may have begun from different versions, so that each tells its own."""
    found = [{probe["name"]: probe for probe in _document(job).get("probes", [])} for job in jobs]
    names = list(dict.fromkeys(name for probes in found for name in probes))
    return [[probe_title(name), *(_probe(probes.get(name)) for probes in found)] for name in names]


def _document(job: Job) -> dict[str, Any]:
    found = getattr(job.plan, "verification", None) if job.plan else None
    return found.document if found else {}


def _probe(probe: dict[str, Any] | None) -> Any:
    if probe is None:
        return NOT_SAID
    beside = [(_("before %(n)s"), probe.get("original")), (_("never seen %(n)s"), probe.get("reference"))]
    note = ", ".join(text % {"n": share(one["value"])} for text, one in beside if one)
    return {"text": share(probe["candidate"]["value"]), "note": note}


def _settings(jobs: Sequence[Job]) -> list[list[Any]]:
    plans = [
        {"method": job.plan.method, "seed": job.plan.seed, "records to forget": job.plan.forget_count,
         "policy": job.plan.policy_digest[:15], **job.plan.config} if job.plan else {}
        for job in jobs
    ]  # fmt: skip
    names = list(dict.fromkeys(name for plan in plans for name in plan))
    return [[name.replace("_", " "), *(_number(plan.get(name)) for plan in plans)] for name in names]


def _differs(row: Sequence[Any]) -> bool:
    return len(set(map(str, row[1:]))) > 1


def _marked(row: list[Any]) -> list[Any]:
    """A setting that differs says so: nobody has to compare the columns by eye."""
    return [{"text": row[0], "note": _("differs")}, *row[1:]] if _differs(row) else row


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> str:
    if value is None:
        return NOT_SAID
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _losses(jobs: Sequence[Job], points: dict[Any, list[JobPoint]], names: Sequence[str]) -> Context | None:
    courses = {job.pk: {p.step: p.values["loss"] for p in points[job.pk] if "loss" in p.values} for job in jobs}
    steps = sorted({step for course in courses.values() for step in course})
    if not steps:
        return None
    steps = steps[:: max(1, -(-len(steps) // DRAWN))]
    return {
        "id": "losses", "kind": "line", "title": _("Loss by step"), "x_label": _("step"), "y_label": _("loss"),
        "sentence": _("One line a run; a step at which a run told nothing is a gap."),
        "labels": [str(step) for step in steps], "zero": False,
        "series": [
            {"name": name, "data": [courses[job.pk].get(step) for step in steps]}
            for name, job in zip(names, jobs, strict=True)
        ],
    }  # fmt: skip


def _frontier(jobs: Sequence[Job], points: dict[Any, list[JobPoint]], names: Sequence[str]) -> Context | None:
    """All looks of all runs in one plane: forgetting to the right, what stayed upwards."""
    series = []
    for name, job in zip(names, jobs, strict=True):
        looks = [p for p in points[job.pk] if p.stage == dispatch.WATCH and "forget_probability" in p.values]
        dots = [
            {"x": round(1 - p.values["forget_probability"], 4), "label": _("step %(n)d") % {"n": p.step},
             "y": round(min((v for k, v in p.values.items() if k.endswith("_utility")), default=1.0), 4)}
            for p in looks
        ]  # fmt: skip
        if dots:
            series.append({"name": name, "data": dots})
    if not series:
        return None
    return {
        "id": "frontiers", "kind": "scatter", "title": _("Frontiers of the runs"), "labels": [], "series": series,
        "sentence": _("Further up and to the right is better; the verdict rests on the probes, not on these looks."),
        "x_label": _("forgotten (1 - probability of the answers)"), "y_label": _("lowest share that stayed"),
    }  # fmt: skip
