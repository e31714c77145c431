"""How far a job is, in words and as a bar."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from governance.models import Job

KINDS = {
    "match": "Matching is prepared",
    "plan": "A plan is worked out",
    "unlearn": "The run is prepared",
    "verify": "The verification is prepared",
    "report": "The report is written and signed",
    "notify": "The claimant is told",
    "attest": "The files of a version are signed",
    "paper": "A paper is written and signed",
    "engine.match": "Comparing works with records",
    "engine.unlearn": "Unlearning",
    "engine.verify": "Verifying",
    "engine.recheck": "Checking an earlier case on a later version",
    "engine.train": "Training",
    "engine.rescan": "Looking for opted-out works in a new dataset",
    "engine.patch": "Making the patch of a release",
    "engine.probe": "Probing a model",
    "engine.generate": "Writing a corpus",
}


def title(job: Job) -> str:
    """What the job does."""
    if job.shard is not None:
        return _("Unlearning, shard-%(n)02d alone") % {"n": job.shard}
    return _(KINDS.get(job.kind, job.kind))


def progress_of(job: Job, linked: bool) -> dict[str, Any]:
    """Values of the `progress` tag; without a known total the bar stands at nothing."""
    told = job.progress or {}
    done, total = told.get("step") or 0, told.get("total") or 0
    parts = [str(told["stage"])] if told.get("stage") else []
    if total:
        parts.append(_("%(done)s of %(total)s") % {"done": done, "total": total})
    if job.state == Job.State.QUEUED:
        parts = [_("waiting for a worker")]
        if job.error.get("waits"):
            why = " ".join(str(one) for one in job.error.get("messages", []))
            parts = [_("waits and is tried again every minute: %(why)s") % {"why": why}]
    return {
        "label": title(job),
        "done": min(done, total) if total else 0,
        "total": total or 1,
        "text": ", ".join(parts),
        "url": reverse("job", args=[job.pk]) if linked else "",
        "tell": spoken(job),
    }


def spoken(job: Job) -> str:
    """What is read aloud when it changes: the state, and of a running job each quarter."""
    progress = job.progress or {}
    done, total = progress.get("step") or 0, progress.get("total") or 0
    if job.state != Job.State.RUNNING or not total:
        return f"{title(job)}: {job.get_state_display()}"
    quarter = 25 * min(3, 4 * done // total)
    return _("%(job)s: running, more than %(n)d %% done") % {"job": title(job), "n": quarter}
