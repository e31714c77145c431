"""Errors of the governance side. Each says what was wrong and what to do; views turn them into answers."""

from __future__ import annotations

from collections.abc import Sequence


class GovernanceError(Exception):
    """Base. `messages` lists every problem found; `code` names it to programs, where it has one."""

    status = 400
    #: Whether only time is needed: work that met it waits and is tried again, however often.
    waits = False

    def __init__(self, messages: str | Sequence[str], *, code: str = "") -> None:
        self.messages: tuple[str, ...] = (messages,) if isinstance(messages, str) else tuple(messages)
        self.code = code
        super().__init__(" ".join(self.messages))


class NotAllowed(GovernanceError):
    """The policy refuses this actor."""

    status = 403


class Conflict(GovernanceError):
    """Somebody else changed the case first, or the step does not exist from here."""

    status = 409


class Unfit(GovernanceError):
    """The input or the state does not meet what the step demands."""

    status = 422


class LetterIncomplete(Unfit):
    """A letter cannot be written: a merge field or a passage is missing. Names it, the template and the language."""


class KeyDestroyed(GovernanceError):
    """The subject's key was destroyed: the data can no longer be read, by anyone."""

    status = 410


class Unavailable(GovernanceError):
    """Something outside this house does not answer; nothing is lost, and trying again later may help."""

    status = 503
