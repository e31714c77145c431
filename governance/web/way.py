"""The way of a case as its claimant reads it: what was done and when, what is now, what comes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from governance import day_words
from governance.kinds import rule
from governance.models import Case, Channel, Disposition, LedgerOpening, Plan, Status
from governance.policies import TELLING, disposition_told, findings_told
from governance.web.filing_words import joined

S = Status


@dataclass(frozen=True, kw_only=True)
class Leg:
    """One part of the way. Leaving one of its statuses `of` for one of `to` completes it; `done`, `now` and `ahead`
    are its words in the three tenses. By another move (a refusal, a withdrawal) it was left, not completed."""

    of: frozenset[Status]
    to: frozenset[Status]
    done: Any
    now: Any
    ahead: Any


def _leg(of: set[Status], to: set[Status], done: Any, now: Any, ahead: Any = None) -> Leg:
    return Leg(of=frozenset(of), to=frozenset(to), done=done, now=now, ahead=ahead or now)


def _proof(case: Case) -> Leg:
    asked = rule(case.kind)
    return _leg({S.PROOF}, {S.REVIEW}, asked.proof_done, asked.proof_ahead)


_FIRST = _leg(
    {S.RECEIVED},
    {S.PROOF},
    gettext_lazy("You confirmed your address"),
    gettext_lazy("Confirm your address"),
    gettext_lazy("You confirm your address"),
)
_REST = (
    _leg({S.REVIEW}, {S.MATCHING}, gettext_lazy("A person read it and admitted it"), gettext_lazy("A person reads it")),
    _leg(
        {S.MATCHING},
        {S.DECISION},
        gettext_lazy("We searched our training data"),
        gettext_lazy("We search our training data"),
    ),
    _leg(
        {S.DECISION}, {S.PLANNING, S.REPORTING}, gettext_lazy("Two people decided"), gettext_lazy("Two people decide")
    ),
    _leg(
        {S.PLANNING, S.UNLEARNING},
        {S.VERIFICATION},
        gettext_lazy("A model was changed"),
        gettext_lazy("The model is being changed"),
        gettext_lazy("The model is changed"),
    ),
    _leg(
        {S.VERIFICATION},
        {S.PLANNING, S.RELEASE},
        gettext_lazy("We tested what it still knows"),
        gettext_lazy("We test what it still knows"),
    ),
    _leg(
        {S.RELEASE},
        {S.REPORTING},
        gettext_lazy("The new version was released"),
        gettext_lazy("The new version is released"),
    ),
    _leg(
        {S.REPORTING},
        {S.NOTIFICATION},
        gettext_lazy("We signed your report"),
        gettext_lazy("We write your report"),
        gettext_lazy("You receive a signed report"),
    ),
)
_CHANNELS = {
    Channel.FORM: gettext_lazy("by this form"),
    Channel.API: gettext_lazy("through the interface"),
    Channel.POST: gettext_lazy("by post"),
    Channel.IMPORT: gettext_lazy("in an earlier system"),
    Channel.PHONE: gettext_lazy("by telephone"),
    Channel.HOUSE: gettext_lazy("by ourselves"),
}


def day(moment: datetime | date) -> str:
    """`2 November`; in another language as it is written there."""
    return day_words.of_year(timezone.localdate(moment) if isinstance(moment, datetime) else moment)


def way(case: Case) -> list[dict[str, Any]]:
    """The steps for the `path` tag."""
    opened = case.channel == Channel.HOUSE
    first = _("We opened the case again") if opened else _("We received your request")
    steps = [_step("done", first, joined(day(case.received_on), _CHANNELS[Channel(case.channel)]))]
    rest = _REST if findings_told(case) else tuple(leg for leg in _REST if not leg.of & TELLING)
    legs = (_FIRST, _proof(case), *rest)
    moved, current = _moves(case), S(case.return_to or case.status)
    at = next((place for place, leg in enumerate(legs) if current in leg.of), len(legs))
    for place, leg in enumerate(legs):
        moments = [moment for (of, to), moment in moved.items() if of in leg.of and to in leg.to]
        if place == at:
            steps.append(_now(case, leg))
        elif place < at and moments:
            steps.append(_step("done", leg.done, day(max(moments))))
        elif place > at and not case.disposition:
            steps.append(_step("next", leg.ahead))
    return [*steps, *_last(case)]


def _moves(case: Case) -> dict[tuple[str, str], datetime]:
    """When the case last made each move, from the ledger."""
    moves = LedgerOpening.objects.filter(case=case, entry__action="case.advanced").select_related("entry")
    return {(move.body["from"], move.body["to"]): move.entry.at for move in moves.order_by("entry_id")}


def _step(status: str, what: Any, note: str = "") -> dict[str, Any]:
    return {"status": status, "what": what, "note": note}


def _now(case: Case, leg: Leg) -> dict[str, Any]:
    if case.status == S.INFORMATION:
        return _step("now", _("We wait for your answer"), _("Our question stands in our last letter."))
    failed = case.plans.filter(state__in=[Plan.State.FAILED, Plan.State.INCONCLUSIVE]).count()
    if not failed or S(case.status) not in {S.PLANNING, S.UNLEARNING, S.VERIFICATION}:
        return _step("now", leg.now)
    note = ngettext("%(n)d try did not pass its test.", "%(n)d tries did not pass their tests.", failed) % {"n": failed}
    return _step("now", leg.now, note)


def _last(case: Case) -> list[dict[str, Any]]:
    if case.closed_at:
        told = disposition_told(case)
        note = f"{day(case.closed_at)}. {Disposition(told).label}" if told else day(case.closed_at)
        return [_step("done", _("The case was closed"), note)]
    if case.status == S.NOTIFICATION:
        return [_step("now", _("We write to you"))]
    return []
