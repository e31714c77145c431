"""The words in which outcomes are told, shared by the document, its sentences and the report."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Kind(StrEnum):
    """What was asked for."""

    COPYRIGHT = "copyright"
    PRIVACY = "privacy"
    OBJECTION = "objection"
    SAFETY = "safety"
    CORRECTION = "correction"


class Verdict(StrEnum):
    """Outcome of the last verification, or NONE where nothing was verified."""

    NONE = "none"
    BAD_INPUT = "bad_input"
    DAMAGED = "damaged"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    PASS = "pass"  # noqa: S105 - an outcome


class Guarantee(StrEnum):
    """What the last method promises at best, or NONE where no method ran."""

    NONE = "none"
    EXACT = "exact"
    CERTIFIED = "certified"
    APPROXIMATE = "approximate"


class Disposition(StrEnum):
    """How the case ended."""

    FULFILLED = "fulfilled"
    PARTLY = "partly_fulfilled"
    EXCLUDED = "excluded"
    NO_DATA = "no_data_found"
    NOT_FULFILLED = "not_fulfilled"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Service(IntEnum):
    """What is known about the deployments of the version before: the worst of them."""

    REPLACED = 0
    PENDING = 1
    UNREACHABLE = 2
    SERVING = 3


class Comparison(StrEnum):
    """What a candidate's probes were compared with."""

    RETRAINED = "retrained"
    CONTROLS = "controls"


def service_of(states: list[str]) -> Service:
    """The worst state of the deployments' states (`serving`, `pending`, `replaced`, `unreachable`)."""
    return max((Service[state.upper()] for state in states), default=Service.REPLACED)
