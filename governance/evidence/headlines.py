"""The first sentence of a report, whole for each outcome, so that every language can say it in its own order.

What stands for the things asked about (`items`) and for the records (`records`) is put where no language bends it: as a
subject of its own or after a preposition that asks for no other form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.evidence.numerals import apart, level
from governance.evidence.vocabulary import Disposition, Guarantee, Kind, Service, Verdict

if TYPE_CHECKING:
    from governance.evidence.sentences import Facts


def _items(facts: Facts) -> str:
    """What is named, for a sentence on records that were matched to it."""
    if facts.kind in (Kind.PRIVACY, Kind.OBJECTION):
        return _("the personal data of the request")
    if facts.kind is Kind.CORRECTION:
        return _("the false statements that the request names")
    if facts.kind is Kind.SAFETY:
        return _("the content that the report names")
    if facts.items == 1:
        return _("the work")
    return _("the %(n)d works") % {"n": facts.items} if facts.items else _("the works")


def _accepted(facts: Facts) -> str:
    """What was changed and measured: records, never all that a request names, of which a search may miss copies."""
    return ngettext(
        "the %(n)d record that was accepted in this case",
        "the %(n)d records that were accepted in this case",
        facts.records,
    ) % {"n": facts.records}


def fill(facts: Facts, text: str) -> str:
    """The text with what the facts put into its places."""
    return text % {
        "model": apart(facts.model), "before": facts.before, "after": facts.after,
        "items": _items(facts), "records": _accepted(facts), "n": facts.records, "probes": facts.probes,
        "confidence": level(facts.confidence),
    }  # fmt: skip


def headline(facts: Facts) -> str:
    """What the report says first."""
    if facts.disposition in (Disposition.FULFILLED, Disposition.PARTLY):
        return of_one_model(facts, fill(facts, _HEADLINES_CHANGED[facts.service](facts)))
    if facts.disposition is Disposition.NOT_FULFILLED:
        return fill(facts, _headline_not_fulfilled(facts))
    return fill(facts, _HEADLINES_UNCHANGED[facts.disposition]())


def of_one_model(facts: Facts, told: str) -> str:
    """A headline about one model, with how many others it is not about, so that nobody reads it as one about all."""
    if not facts.other_versions:
        return told
    text = _("%(headline)s; other versions that learned these records, not looked at: %(n)d")
    return text % {"headline": told, "n": facts.other_versions}


def _headline_replaced(facts: Facts) -> str:
    if facts.constructed and facts.verdict is Verdict.PASS:
        return _headline_deleted(facts) if facts.deletion else _headline_retrained(facts)
    if facts.constructed:
        return ngettext(
            "%(model)s was retrained without the %(n)d record of this case; the measurements settle nothing",
            "%(model)s was retrained without the %(n)d records of this case; the measurements settle nothing",
            facts.records,
        )
    if facts.verdict is Verdict.INCONCLUSIVE:
        return _("%(model)s was changed; the measurements settle nothing")
    if facts.guarantee is Guarantee.CERTIFIED:
        return _("A part of %(model)s was changed under a certificate of unlearning for %(records)s")
    return _headline_suppressed(facts)


def _headline_deleted(facts: Facts) -> str:
    if facts.partial:
        return ngettext(
            "The %(n)d record that was accepted in this case was deleted exactly from %(model)s",
            "The %(n)d records that were accepted in this case were deleted exactly from %(model)s",
            facts.records,
        )
    return ngettext(
        "The %(n)d record matched to %(items)s was deleted exactly from %(model)s",
        "The %(n)d records matched to %(items)s were deleted exactly from %(model)s",
        facts.records,
    )


def _headline_retrained(facts: Facts) -> str:
    if facts.partial:
        return ngettext(
            "%(model)s was retrained without the %(n)d record that was accepted in this case",
            "%(model)s was retrained without the %(n)d records that were accepted in this case",
            facts.records,
        )
    return ngettext(
        "%(model)s was retrained without the %(n)d record matched to %(items)s",
        "%(model)s was retrained without the %(n)d records matched to %(items)s",
        facts.records,
    )


def _headline_suppressed(facts: Facts) -> str:
    return ngettext(
        "The %(n)d record that was accepted in this case is suppressed in %(model)s within measured margins; what "
        "is suppressed may be recoverable",
        "The %(n)d records that were accepted in this case are suppressed in %(model)s within measured margins; "
        "what is suppressed may be recoverable",
        facts.records,
    )


_HEADLINES_CHANGED: dict[Service, Callable[[Facts], str]] = {
    Service.REPLACED: _headline_replaced,
    Service.PENDING: lambda facts: _(
        "A new version of %(model)s was made for the request; replacing the version before is still pending"
    ),
    Service.UNREACHABLE: lambda facts: _(
        "A new version of %(model)s was made for the request; a copy of the version before cannot be reached and may "
        "still answer"
    ),
    Service.SERVING: lambda facts: _(
        "A new version of %(model)s was made for the request, but the version before is still in service"
    ),
}

_HEADLINES_UNCHANGED: dict[Disposition, Callable[[], str]] = {
    Disposition.EXCLUDED: lambda: _(
        "The records that were accepted are marked to be left out of future training; models already trained were not "
        "changed by this case"
    ),
    Disposition.NO_DATA: lambda: _("No record that matches the request was found in the data searched"),
    Disposition.REFUSED: lambda: _("The request was refused"),
    Disposition.WITHDRAWN: lambda: _("The request was withdrawn and the case closed"),
}


def _headline_not_fulfilled(facts: Facts) -> str:
    if facts.verdict is Verdict.PASS:
        return _("The request is not fulfilled: a new version passed its verification but has not replaced the old one")
    if facts.verdict is Verdict.NONE:
        return _("The request is not fulfilled")
    return _("The request is not fulfilled: no plan passed its verification")
