"""Every step that leads from where a case stands: the event, who may make it, what must hold, what is written."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from governance.models import Case, Status
from governance.transitions import Transition, actors, steps_from


def steps(case: Case) -> list[dict[str, Any]]:
    """For the fold on the case page: read from the same table that `advance` obeys."""
    return [_step(case, to, step) for to, step in steps_from(Status(case.status))]


def _step(case: Case, to: Status, step: Transition) -> dict[str, Any]:
    problem = step.guard.check(case) if step.guard else ""
    return {
        "to": to.label,
        "event": step.event,
        "by": ", ".join(actors(*step.by)),
        "guard": step.guard.words if step.guard else "",
        "holds": {"state": "waiting", "text": problem} if problem else {"state": "pass", "text": _("holds")},
        "evidence": ("case.advanced", *step.evidence),
    }
