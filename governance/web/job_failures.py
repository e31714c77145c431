"""Why a job stopped, in plain words: what happened, what the machine said, and what to do now."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance.models import Case, Job
from governance.policies import Actor, Permission, may
from governance.web.guards import roles_with


class Failure(NamedTuple):
    """Of one kind of error: what happened, and what a person does about it."""

    happened: Any
    remedy: Any


#: By the names that the engine, its worker and the sweeper of jobs give to errors.
FAILURES = {
    "ConfigError": Failure(
        gettext_lazy("the run was ordered in a way that the engine cannot carry out"),
        gettext_lazy("The same order would be refused again: choose another plan in the case, or correct what is "
                     "named above where it was set."),
    ),
    "DataError": Failure(
        gettext_lazy("data or weights that the run needs are missing or damaged"),
        gettext_lazy("Put what is named above in order (restore it in the store, or register it anew), then let the "
                     "job run again."),
    ),
    "DeviceError": Failure(
        gettext_lazy("the device was missing, full or lost"),
        gettext_lazy("End what else uses the device, or choose a plan with a smaller batch in the case. Then let the "
                     "job run again: it goes on from its last checkpoint, if it made "
                     "one."),
    ),
    "StorageError": Failure(
        gettext_lazy("the store of files or the disk refused"),
        gettext_lazy("Free space, or mend the rights or the connection, then let the job run again. What was stored "
                     "before is safe."),
    ),
    "DivergenceError": Failure(
        gettext_lazy("the training diverged: its loss is no finite number any more"),
        gettext_lazy("Where weights are named above that are no numbers, restore the model. Otherwise choose another "
                     "plan in the case, with a lower learning rate or by another method: the random numbers are fixed, "
                     "so the same order most likely diverges again."),
    ),
    "Killed": Failure(
        gettext_lazy("the engine’s process was ended from outside"),
        gettext_lazy("Most often the machine had too little memory; its system log says so (“Out of memory”). Give it "
                     "more, or choose a plan with a smaller batch. Then let the job run again: it goes on from its "
                     "last checkpoint, if it made one."),
    ),
    "EngineFault": Failure(
        gettext_lazy("the engine itself broke"),
        gettext_lazy("This is a fault of the software and not of your data. Report it with the end of the log; "
                     "another try helps only once it is mended."),
    ),
    "LeaseExpired": Failure(
        gettext_lazy("the worker fell silent"),
        gettext_lazy("See on the list of jobs, part “Workers”, whether the machine is alive, and start its worker "
                     "again. Then let the job run again: it goes on from its last checkpoint, if it made one."),
    ),
    "WorkerStopped": Failure(
        gettext_lazy("the worker was stopped"),
        gettext_lazy("Start the worker again, then let the job run again: it goes on from its last checkpoint, if it "
                     "made one."),
    ),
}  # fmt: skip
#: Letters of a failure that lists show.
WHY = 90
#: A step of the house itself that refused.
OTHER = Failure(
    gettext_lazy("a step of the house was refused"),
    gettext_lazy("Mend the cause, then let it run again."),
)
#: True of the engine, which only writes files; a step of the house may have sealed or sent something before it failed.
SAFE = gettext_lazy("Nothing was released or told to anybody by this try.")


def failure(job: Job) -> Failure:
    """What is known of the kind of this job's error."""
    return FAILURES.get(str(job.error.get("type", "")), OTHER)


def said(job: Job) -> str:
    """The words of the machine that failed, each as a sentence."""
    found = [str(one).strip() for one in job.error.get("messages", [])]
    return " ".join(_sentence(one) for one in found if one)


def _sentence(text: str) -> str:
    """With a full stop, and a capital where it begins with a word: a field's or a file's name stays as it is."""
    first = text.split()[0]
    begun = f"{text[0].upper()}{text[1:]}" if first.strip(",;").isalpha() else text
    return begun if begun[-1] in ".!?" else f"{begun}."


def why(job: Job) -> str:
    """Why it failed, beside its state in a list; the whole of it stands on the job's page."""
    if job.state != Job.State.FAILED:
        return ""
    return Truncator(said(job) or str(failure(job).happened)).chars(WHY)


def notice(job: Job) -> dict[str, Any] | None:
    """Title and text of the notice on the job's page; none where nothing failed."""
    if not job.error or job.state == Job.State.SUCCEEDED:
        return None
    found = failure(job)
    words = said(job)
    if job.state == Job.State.FAILED:
        safe = SAFE if job.kind.startswith("engine.") else ""
        return {"title": _("Stopped: %(what)s") % {"what": found.happened},
                "text": f"{words}\n{found.remedy} {safe}".strip()}  # fmt: skip
    return {"title": _("The try before stopped: %(what)s") % {"what": found.happened}, "text": words}


def ridden(job: Job, case: Case) -> str:
    """That the job is another case's, along with whose run this case's records are deleted; empty for its own."""
    if job.case is None or job.case_id == case.pk:
        return ""
    return _("This case rides along with the run of case %(number)s.") % {"number": job.case.number}


def held_up(job: Job, case: Case, actor: Actor) -> dict[str, Any]:
    """What the panel of a case says while this job holds it up: that it stopped, why, and who lets it run again."""
    if job.state == Job.State.CANCELLED:
        note = _("Stopped: the job was cancelled.")
    else:
        found = failure(job)
        note = " ".join(filter(None, [_("Stopped: %(what)s.") % {"what": found.happened}, said(job)]))
    note = f"{ridden(job, case)} {note} {_('Nothing goes on by itself, and the clock runs on.')}".strip()
    link = {"url": reverse("job", args=[job.pk])}
    if may(actor, Permission.CANCEL_JOB):
        return {"note": note, "link": {**link, "text": _("Read what to do, and let it run again")}}
    roles = ", ".join(roles_with(Permission.CANCEL_JOB))
    who = _("Once the cause is mended, it is run again by: %(roles)s.") % {"roles": roles}
    return {"note": note, "why_not": who, "link": {**link, "text": _("To the job")}}
