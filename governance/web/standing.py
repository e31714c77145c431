"""Where a case stands, in plain words for the person who asked: headline, way, findings. It never claims more than
the case's status, its approved decisions and its signed report say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Count
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.clocks import due_date
from governance.lifecycle import TRANSITIONS
from governance.models import Case, Channel, Decision, Disposition, Kind, LedgerOpening, Plan, Report, Status
from governance.policies import Permission

S = Status
Words = tuple[str, str]


def day(moment: datetime | date) -> str:
    """`2 November`."""
    return date_format(timezone.localdate(moment) if isinstance(moment, datetime) else moment, "j F")


def _privacy(case: Case) -> bool:
    return case.kind == Kind.PRIVACY


def _planning(case: Case) -> Words:
    if case.plans.filter(state__in=[Plan.State.FAILED, Plan.State.INCONCLUSIVE]).exists():
        return (
            _("Agreed. The first try was not enough."),
            _("What we tried did not pass its test, so it was not put into service. We are preparing another way."),
        )
    return _("Agreed. We are preparing to change the model."), _("How its success is judged is fixed before we begin.")


def _decision(case: Case) -> Words:
    found = case.matches.count()
    headline = ngettext(
        "We found %(n)d record. Two people decide about it.", "We found %(n)d records. Two people decide on each.", found
    ) if found else _("We found no record that matches.")  # fmt: skip
    note = _("One person proposes, a second one approves.") if found else _("A second person confirms this.")
    return headline % {"n": found}, note


#: What the headline and the sentence below it say while the case is open.
_OPEN: dict[Status, Callable[[Case], Words]] = {
    S.RECEIVED: lambda case: (
        _("We have your request."),
        _("Follow the link in our letter, so that we know the address is yours. Until then nothing is decided."),
    ),
    S.PROOF: lambda case: (
        _("Your address is confirmed."),
        _("Next we record what shows that it is you who asks.")
        if _privacy(case)
        else _("Next we record what shows that the works are yours."),
    ),
    S.REVIEW: lambda case: (_("A person is reading your request."), _("Nothing is decided by a machine.")),
    S.INFORMATION: lambda case: (
        _("We asked you a question and wait for your answer."),
        _("It stands in our last letter. Answer that letter; name your case number."),
    ),
    S.MATCHING: lambda case: (
        _("We are looking for these facts in our training data.")
        if _privacy(case)
        else _("We are looking for your works in our training data."),
        "",
    ),
    S.DECISION: _decision,
    S.PLANNING: _planning,
    S.UNLEARNING: lambda case: (
        _("Agreed. We are changing the model now."),
        _("The model in service stays as it is until the changed one has passed its test."),
    ),
    S.VERIFICATION: lambda case: (
        _("The model was changed. Now we test it."),
        _("We measure what it still knows, also after an attempt to bring it back."),
    ),
    S.RELEASE: lambda case: (
        _("The test is done. The new version waits to replace the old one."),
        _("Two people sign before it does."),
    ),
    S.REPORTING: lambda case: (_("Decided. We are writing your signed report."), ""),
    S.NOTIFICATION: lambda case: (_("Decided. Our letter is on its way."), ""),
}


def _ended(case: Case) -> Words:
    """Headline and sentence of a closed case; where a report is signed, its own headline is the sentence."""
    report = report_of(case)
    said = f"{report.headline}." if report else ""
    limit = _("What is suppressed may be recoverable; the report says what was measured.")
    return {
        Disposition.FULFILLED: (_("Your request is fulfilled."), said),
        Disposition.PARTLY: (_("Your request is partly fulfilled."), f"{said} {limit}".strip()),
        Disposition.EXCLUDED: (
            _("What you named is left out of future training."),
            _("Models already trained were not changed by this case."),
        ),
        Disposition.NO_DATA: (
            _("We found no record that matches your request."),
            _("The search covers the data sets that the report names, nothing else."),
        ),
        Disposition.NOT_FULFILLED: (_("We could not fulfil your request."), said),
        Disposition.REFUSED: (
            _("We refused your request."),
            _("The reasons, and where you can complain, stand in our letter."),
        ),
        Disposition.WITHDRAWN: (_("You took your request back."), _("The case is closed. You may file a new one.")),
    }[Disposition(case.disposition)]


def report_of(case: Case) -> Report | None:
    """The signed report, once there is one."""
    return Report.objects.filter(case=case).first()


def words(case: Case) -> Words:
    """Headline and the sentence below it, for every status and disposition."""
    status = S(case.status)
    if status == S.CLOSED or (status == S.NOTIFICATION and case.disposition == Disposition.WITHDRAWN):
        return _ended(case)
    return _OPEN[status](case)


@dataclass(frozen=True, kw_only=True)
class _Leg:
    """One part of the way: the statuses it covers, and its words while done, now and to come."""

    statuses: frozenset[Status]
    done: str
    now: str
    ahead: str


def _legs(case: Case) -> list[_Leg]:
    proof = (
        (_("You showed that it is you who asks"), _("What shows that it is you"))
        if _privacy(case)
        else (_("You showed that the works are yours"), _("What shows that the works are yours"))
    )
    rows = [
        ({S.RECEIVED}, _("You confirmed your address"), _("Confirm your address"), _("You confirm your address")),
        ({S.PROOF}, *proof, proof[1]),
        ({S.REVIEW}, _("A person read it and admitted it"), _("A person reads it"), _("A person reads it")),
        ({S.MATCHING}, _("We searched our training data"), _("We search our training data"), _("We search our training data")),
        ({S.DECISION}, _("Two people decided"), _("Two people decide"), _("Two people decide")),
        ({S.PLANNING, S.UNLEARNING}, _("A model was changed"), _("The model is being changed"), _("The model is changed")),
        ({S.VERIFICATION}, _("We tested what it still knows"), _("We test what it still knows"), _("We test what it still knows")),
        ({S.RELEASE}, _("The new version was released"), _("The new version is released"), _("The new version is released")),
        ({S.REPORTING}, _("We signed your report"), _("We write your report"), _("You receive a signed report")),
    ]  # fmt: skip
    return [_Leg(statuses=frozenset(s), done=done, now=now, ahead=ahead) for s, done, now, ahead in rows]


def _left_at(case: Case) -> dict[str, datetime]:
    """When the case last left each status, from the ledger."""
    moves = LedgerOpening.objects.filter(case=case, entry__action="case.advanced").select_related("entry")
    return {move.body["from"]: move.entry.at for move in moves.order_by("entry_id")}


def way(case: Case) -> list[dict[str, Any]]:
    """The way for the `path` tag: what was done and when, what is now, what comes."""
    received = {
        Channel.FORM: _("by this form"),
        Channel.API: _("through the interface"),
        Channel.POST: _("by post"),
        Channel.PHONE: _("by telephone"),
    }[Channel(case.channel)]
    steps = [_step("done", _("We received your request"), f"{day(case.received_on)}, {received}")]
    left, current = _left_at(case), S(case.return_to or case.status)
    legs = _legs(case)
    at = next((i for i, leg in enumerate(legs) if current in leg.statuses), len(legs))
    for index, leg in enumerate(legs):
        moments = [left[status] for status in leg.statuses if status in left]
        if index == at:
            steps.append(_now(case, leg))
        elif index < at and moments:
            steps.append(_step("done", leg.done, day(max(moments))))
        elif index > at and not case.disposition:
            steps.append(_step("next", leg.ahead))
    return [*steps, *_last(case)]


def _step(status: str, what: str, note: str = "") -> dict[str, Any]:
    return {"status": status, "what": what, "note": note}


def _now(case: Case, leg: _Leg) -> dict[str, Any]:
    if case.status == S.INFORMATION:
        return _step("now", _("We wait for your answer"), _("Our question stands in our last letter."))
    failed = case.plans.filter(state__in=[Plan.State.FAILED, Plan.State.INCONCLUSIVE]).count()
    note = ""
    if failed and S(case.status) in {S.PLANNING, S.UNLEARNING, S.VERIFICATION}:
        note = ngettext(
            "%(n)d try did not pass its test; we try another way.",
            "%(n)d tries did not pass their tests; we try another way.", failed,
        ) % {"n": failed}  # fmt: skip
    return _step("now", leg.now, note)


def _last(case: Case) -> list[dict[str, Any]]:
    if case.closed_at:
        return [_step("done", _("The case was closed"), f"{day(case.closed_at)}. {Disposition(case.disposition).label}")]
    if case.status == S.NOTIFICATION:
        return [_step("now", _("We write to you"))]
    return []


def found(case: Case) -> list[str]:
    """What was found and decided. Decisions are told once both people have signed."""
    if S(case.status) in {S.RECEIVED, S.PROOF, S.REVIEW, S.INFORMATION, S.MATCHING}:
        return []
    hits = case.matches.count()
    if not hits:
        return []
    lines = [
        ngettext("%(n)d training record matches what you sent.", "%(n)d training records match what you sent.", hits)
        % {"n": hits}
    ]
    decided = Decision.objects.filter(match__case=case, approved_at__isnull=False)
    sentences = {
        Decision.Choice.ERASE: _("%(n)d to be erased from the models."),
        Decision.Choice.EXCLUDE: _("%(n)d to be left out of future training."),
        Decision.Choice.REFUSE: _("%(n)d refused."),
    }
    counts = decided.values_list("choice").annotate(n=Count("id")).order_by("choice")
    return [*lines, *(sentences[Decision.Choice(choice)] % {"n": n} for choice, n in counts)]


def clock(case: Case) -> dict[str, Any] | None:
    """The clock for `clock_block`, with `steps`: how its date was worked out. None once the case is closed."""
    if not case.is_open:
        return None
    worked = due_date(case.law, case.received_on, paused_days=case.paused_days, extended=case.extended_on is not None)
    today = timezone.localdate()
    tone = "paused" if case.paused_on else "late" if case.due_on < today else "running"
    return {
        "received": case.received_on,
        "due": case.due_on,
        "today": today,
        "tone": tone,
        "pauses": ((case.paused_on, today),) if case.paused_on else (),
        # A rule set that changed since the case came in must not explain a date that it did not set.
        "steps": worked.steps if worked.due == case.due_on else (),
        "citation": worked.law.citation,
    }


def can_withdraw(case: Case) -> bool:
    """Whether the claimant may still take the request back."""
    step = TRANSITIONS.get((S(case.status), S.NOTIFICATION))
    return step is not None and Permission.WITHDRAW in step.by


def limits(case: Case) -> list[str]:
    """What no outcome of this case can do."""
    lines = [_("Copies of a model that others downloaded are outside our reach.")]
    if not _privacy(case):
        lines.append(_("Texts that resemble yours but were not found stay in the training data."))
    return lines


def view_of(case: Case, token: str) -> dict[str, Any]:
    """Everything that the status page shows."""
    conclusion, sentence = words(case)
    report = report_of(case)
    return {
        "number": case.number,
        "conclusion": conclusion,
        "sentence": sentence,
        "clock": clock(case),
        "steps": way(case),
        "found": found(case),
        "cannot": limits(case),
        "mail_confirmed": case.claimant.email_confirmed_at is not None or case.status != S.RECEIVED,
        "resend_url": reverse("resend", args=[token]),
        "withdraw_url": reverse("withdraw", args=[token]) if can_withdraw(case) else "",
        "verify_url": reverse("verify"),
        "reports": [_report(report, token)] if report else [],
    }


def _report(report: Report, token: str) -> dict[str, str]:
    return {
        "title": _("Report %(number)s, signed (PDF)") % {"number": report.number},
        "url": reverse("status_report", args=[token]),
        "json_url": reverse("status_evidence", args=[token]),
        "digest": report.pdf,
        "date": day(report.created_at),
    }
