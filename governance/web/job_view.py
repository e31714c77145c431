"""Jobs in words: what ran, how far it is, its course, and the spec that repeats it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from governance import dispatch
from governance.models import Job, JobPoint
from governance.selectors.jobs import ACTIVE
from governance.selectors.paging import Page
from governance.web import job_curves, job_failures
from governance.web.job_words import KINDS, progress_of, spoken, title
from governance.web.narrowed import Choices, Narrowed

Context = dict[str, Any]
STATES = {"queued": "queued", "running": "running", "succeeded": "succeeded", "failed": "failed", "cancelled": "paused"}
REFRESH = 5
#: Where the set-up puts the engine's Python, seen from the software's folder, and where browsers put what they fetch.
PYTHON, BROWSERS = ".venv/bin/python", "~/Downloads"
#: What the engine's worker keeps of a log.
LOG_BYTES = 64 * 1024


def _when(moment: Any) -> str:
    return date_format(timezone.localtime(moment), "j M, H:i:s") if moment else ""


def seconds_words(job: Job) -> str:
    """How long it ran, or has been running."""
    if not job.started_at:
        return _("not started")
    end = job.finished_at or timezone.now()
    seconds = max(0, round((end - job.started_at).total_seconds()))
    return (
        _("%(m)d min %(s)d s") % {"m": seconds // 60, "s": seconds % 60}
        if seconds >= 60
        else _("%(s)d s") % {"s": seconds}
    )


#: By what the list is narrowed.
CHOICES: Choices = {
    "state": (gettext_lazy("State"), Job.State.choices),
    "kind": (gettext_lazy("Kind"), [(kind, gettext_lazy(said)) for kind, said in KINDS.items()]),
    "queue": (gettext_lazy("Queue"), Job.Queue.choices),
}


def listing(page: Page[Job], asked: Narrowed, active: tuple[int, int]) -> Context:
    """The list of jobs, with how many run and wait."""
    running, waiting = active
    failed = sum(job.state == Job.State.FAILED for job in page.rows)
    words = ngettext("%(n)d job is running", "%(n)d jobs are running", running) % {"n": running}
    return {
        "conclusion": _("%(running)s, %(waiting)d waiting") % {"running": words, "waiting": waiting},
        "sentence": ngettext("%(n)d of the jobs shown has failed.", "%(n)d of the jobs shown have failed.", failed)
        % {"n": failed}
        if failed
        else "",
        **asked.context(CHOICES, words=_("Case"), clear_url=reverse("jobs"), days=False),
        "columns": [
            _("Job"),
            _("Case"),
            _("State"),
            _("Progress"),
            {"label": _("Try"), "num": True},
            _("Time"),
            _("Queued"),
        ],
        "rows": [_row(job) for job in page.rows],
        "narrowed": bool(asked.query),
        "next_page_url": asked.next_url(str(page.last.pk) if page.last else ""),
        "refresh_seconds": REFRESH if running or waiting else 0,
    }


def _row(job: Job) -> list[Any]:
    case = job.case
    return [
        {"text": title(job), "url": reverse("job", args=[job.pk]), "note": _("queue %(name)s") % {"name": job.queue}},
        {"text": case.number, "url": reverse("case", args=[case.public_id]), "mono": True} if case else "",
        {"state": STATES[job.state], "text": job.get_state_display(), "note": job_failures.why(job)},
        progress_of(job, linked=False)["text"] if job.state in ACTIVE else "",
        job.attempt + 1,
        seconds_words(job),
        _when(job.created_at),
    ]


def _by_hand(job: Job, spec: Context) -> Context:
    """The job by hand, with the store of this house: the same that its engine reads and writes; where inputs were
    deleted, which, since nobody can run it then."""
    if not spec:
        return {}
    if "verb" not in spec:  # a paper's order: no engine runs it
        return {"spec_url": reverse("job_spec", args=[job.pk])}
    name, where = f"{spec['verb']}-{str(job.pk)[:8]}", shlex.quote(settings.ARTIFACTS_URL)
    refs = {field: ref for field, value in spec.items() for ref in (value if isinstance(value, list) else [value])
            if isinstance(ref, str) and ref.startswith("sha256:")}  # fmt: skip
    gone = [] if job.state in ACTIVE else [field for field, ref in refs.items() if not dispatch.exists(ref)]
    return {
        "spec_url": reverse("job_spec", args=[job.pk]),
        "command": ""
        if gone
        else f"{PYTHON} -m unlearning_engine {spec['verb']} {BROWSERS}/{name}.json --store {where} --out {name}",
        "gone": ", ".join(gone),
    }


def spec_file(job: Job) -> tuple[str, bytes]:
    """Name and bytes of the stored spec, whose digest is the one that the page names; no bytes where it was deleted."""
    spec = _spec(job)
    return (
        (f"{spec.get('verb', job.kind)}-{str(job.pk)[:8]}.json", dispatch.read_bytes(job.spec)) if spec else ("", b"")
    )


def page(
    job: Job, points: list[JobPoint], can_act: bool, siblings: Sequence[Job] = (), others: Sequence[Job] = ()
) -> Context:
    """One job; `siblings` are all jobs of its run, where shards are trained apart; `others` its like."""
    spec = _spec(job)
    progress = (
        progress_of(job, linked=False) if job.state in ACTIVE else {"label": "", "text": "", "done": 0, "total": 0}
    )
    context: Context = {
        "crumbs": [{"label": _("Jobs"), "url": reverse("jobs")}, {"label": str(job.pk)[:8]}],
        "conclusion": title(job),
        "sentence": (_("in %(time)s") if job.finished_at else _("for %(time)s")) % {"time": seconds_words(job)}
        if job.started_at
        else "",
        "job": {
            "state": STATES[job.state],
            "word": job.get_state_display(),
            **progress,
            "error": job_failures.notice(job),
            "tell": spoken(job),
        },  # fmt: skip
        "facts": _facts(job),
        "metrics": _metrics(job),
        "charts": job_curves.charts(points, _frontier(job)),
        "spec": json.dumps(spec, indent=2, ensure_ascii=False, sort_keys=True) if spec else "",
        **_by_hand(job, spec),
        "sibling_columns": [_("Job"), _("State"), _("Progress"), _("Time")],
        "sibling_rows": [_sibling(one, job) for one in siblings],
        "other_columns": [_("Run"), _("State"), _("Case"), _("Queued"), _("Step")],
        "other_rows": [_other(one, job) for one in others],
        "log_url": reverse("job_log", args=[job.pk]) if can_act and _log_ref(job) else "",
        "artefact_columns": [_("Name"), _("Digest")],
        "artefact_rows": _outputs(job),
        "refresh_seconds": REFRESH if job.state in ACTIVE else 0,
    }
    if can_act and job.state in ACTIVE:
        context |= {"action": reverse("job_cancel", args=[job.pk]), "submit": _("Cancel the job")}
    elif can_act and job.state in (Job.State.FAILED, Job.State.CANCELLED):
        context |= {"action": reverse("job_retry", args=[job.pk]), "submit": _("Let it run again")}
    return context


def _sibling(job: Job, shown: Job) -> list[Any]:
    return [
        {"text": title(job), "url": reverse("job", args=[job.pk]) if job != shown else "", "note": _("this job")
         if job == shown else ""},
        {"state": STATES[job.state], "text": job.get_state_display()},
        progress_of(job, linked=False)["text"] if job.state in ACTIVE else "",
        seconds_words(job),
    ]  # fmt: skip


def _other(one: Job, job: Job) -> list[Any]:
    both = urlencode({"job": [str(job.pk), str(one.pk)]}, doseq=True)
    return [
        {"text": str(one.plan or title(one)), "url": reverse("job", args=[one.pk])},
        {"state": STATES[one.state], "text": one.get_state_display()},
        one.case.number if one.case else "",
        _when(one.created_at),
        {"text": _("Compare"), "url": f"{reverse('jobs_compare')}?{both}"},
    ]


def _log_ref(job: Job) -> str:
    return str(job.summary.get("log") or job.error.get("log") or "")


def log_page(job: Job, text: str) -> Context:
    """The end of a log."""
    return {
        "crumbs": [
            {"label": _("Jobs"), "url": reverse("jobs")},
            {"label": str(job.pk)[:8], "url": reverse("job", args=[job.pk])},
            {"label": _("Log")},
        ],
        "conclusion": _("Log of %(job)s") % {"job": title(job)},
        "text": text,
        "cut": len(text.encode()) >= LOG_BYTES,
    }


def _spec(job: Job) -> dict[str, Any]:
    """The stored spec: digests and numbers only, so it holds no personal data. Empty where it was deleted."""
    if not job.spec or not dispatch.store().exists(job.spec):
        return {}
    return dict(dispatch.read_json(job.spec))


def _frontier(job: Job) -> dict[str, Any]:
    """What the watch of a run of unlearning kept, as its result says; empty before, and for other jobs."""
    if job.kind != "engine.unlearn" or not job.result or not dispatch.store().exists(job.result):
        return {}
    return dict(dispatch.read_json(job.result)["metrics"].get("frontier") or {})


def _outputs(job: Job) -> list[list[Any]]:
    if not job.result or not dispatch.store().exists(job.result):
        return []
    return [[name, {"digest": ref}] for name, ref in sorted(dispatch.read_json(job.result)["outputs"].items())]


def _facts(job: Job) -> list[Any]:
    case = job.case
    facts: list[Any] = [
        (_("Kind"), job.kind),
        (_("Queue"), job.queue),
        (
            _("Try"),
            _("%(n)d of at most %(most)d")
            % {"n": job.attempt + 1, "most": max(settings.JOB_MAX_ATTEMPTS, job.attempt + 1)},
        ),
        (_("Queued"), _when(job.created_at)),
    ]
    if case:
        facts.append({"label": _("Case"), "value": case.number, "url": reverse("case", args=[case.public_id])})
    if job.plan:
        facts.append((_("Plan"), str(job.plan)))
    if job.worker:
        facts.append((_("Worker"), job.worker))
    if job.error.get("type") and job.state != Job.State.SUCCEEDED:
        facts.append((_("Error"), job.error["type"]))
    if memory := (job.progress or {}).get("memory_mib"):
        facts.append((_("Memory, last told"), _("%(n).1f GiB") % {"n": memory / 1024}))
    facts += [
        (label, _when(moment))
        for label, moment in ((_("Started"), job.started_at), (_("Ended"), job.finished_at))
        if moment
    ]
    if job.spec:
        facts.append({"label": _("Spec"), "value": job.spec, "digest": True})
    if job.result:
        facts.append({"label": _("Result"), "value": job.result, "digest": True})
    return facts


def _metrics(job: Job) -> list[Any]:
    """Plain numbers and words of the summary; what is nested is in the result."""
    plain = {k: v for k, v in job.summary.items() if isinstance(v, int | float | str) and not isinstance(v, bool)}
    plain = {k: v for k, v in plain.items() if v != "" and k != "log"}  # the log has a page
    rows: list[Any] = []
    for name, value in sorted(plain.items()):
        label = name.replace("_", " ")
        if isinstance(value, str) and value.startswith("sha256:"):
            rows.append({"label": label, "value": value, "digest": True})
        else:
            rows.append((label, f"{value:.4g}" if isinstance(value, float) else value))
    return rows
