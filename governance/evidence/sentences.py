"""What a report may say: one statement per (verdict, guarantee, disposition, service), or none at all.

Templates print these sentences and make no claims of their own. The rules:

- nothing says that works are gone while a deployment of the version before is serving, pending or unreachable;
- an approximate method is never called exact, and its pass is a measurement, not a proof of absence;
- "exact by construction" is said only when the facts of the retraining say so;
- a combination that cannot be true (a fail that fulfils) has no sentence: `ContradictionError`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.evidence.errors import ContradictionError
from governance.evidence.headlines import fill, headline
from governance.evidence.vocabulary import Comparison, Disposition, Guarantee, Kind, Service, Verdict


@dataclass(frozen=True, kw_only=True)
class Construction:
    """How a retrained model was made. The claim "exact by construction" needs every part."""

    fresh_weights: bool
    records_left_out: int
    tokenizer_independent: bool

    def whole(self, records: int) -> bool:
        """Whether nothing of the old model or of the records had a part in the new one."""
        return self.fresh_weights and self.tokenizer_independent and self.records_left_out == records > 0


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """An exact deletion from a lineage, and what the engine claims about it (`code` empty: nothing).

    `sentence` is the engine's own and is printed as it stands; `stages` says what was trained again. `records_left_out`
    counts this case's records that the new lineage no longer has.
    """

    code: str
    sentence: str
    records_left_out: int
    stages: str = ""

    def whole(self, records: int) -> bool:
        """Whether nothing that learned from the records is left out of the claim, and all of them were deleted."""
        return self.code == WHOLE_CLAIM and self.records_left_out == records > 0


#: The engine's code for: nothing that is served trained on the records. Every other code, known or not, is a narrower
#: claim. Whether the bits are those of a training without them as well is said by the sentence.
WHOLE_CLAIM = "exact"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that a statement depends on. `records` counts the records that were to be unlearned, `kept_records` those
    that matched too and were not accepted for it, `unmet_items` what is named of which no record was accepted.
    `unattacked` says what no attack, or not each, reached, where that is so; `others` names versions that learned the
    records and that the report does not look at, `other_versions` counts them.
    """

    verdict: Verdict
    guarantee: Guarantee
    disposition: Disposition
    service: Service
    kind: Kind = Kind.COPYRIGHT
    model: str = ""
    before: str = ""
    after: str = ""
    items: int = 0
    records: int = 0
    kept_records: int = 0
    unmet_items: int = 0
    probes: int = 0
    confidence: float = 0.95
    comparison: Comparison = Comparison.RETRAINED
    unproven_reference: bool = False
    attacks: int = 0
    unattacked: str = ""
    deployments: int = 0
    #: The version of the place that is worst off, where that is not the version before but an older one.
    still: str = ""
    other_versions: int = 0
    others: str = ""
    construction: Construction | None = None
    deletion: Deletion | None = None

    @property
    def partial(self) -> bool:
        """Whether less was accepted than was named or found, so that nothing may be said of all that was named."""
        return bool(self.kept_records or self.unmet_items)

    @property
    def constructed(self) -> bool:
        """Whether the facts carry "exact by construction"."""
        made = self.deletion if self.deletion is not None else self.construction
        return self.guarantee is Guarantee.EXACT and made is not None and made.whole(self.records)


@dataclass(frozen=True, kw_only=True)
class Statement:
    """`headline` and `verdict` are one line each; `claims` and `limits` whole sentences, in reading order."""

    headline: str
    verdict: str
    claims: tuple[str, ...]
    limits: tuple[str, ...]


def allowed(verdict: Verdict, guarantee: Guarantee, service: Service) -> frozenset[Disposition]:
    """The dispositions under which a case with this outcome may be closed and reported."""
    if (verdict is Verdict.NONE) != (guarantee is Guarantee.NONE):
        return frozenset()
    if verdict is Verdict.NONE:
        return frozenset(Disposition) - {Disposition.FULFILLED, Disposition.PARTLY}
    ends = {Disposition.WITHDRAWN, Disposition.EXCLUDED, Disposition.NOT_FULFILLED}
    if verdict is Verdict.PASS:
        ends = {Disposition.WITHDRAWN, Disposition.PARTLY}
        if service is not Service.REPLACED:
            ends.add(Disposition.NOT_FULFILLED)
        elif guarantee is not Guarantee.APPROXIMATE:
            ends.add(Disposition.FULFILLED)
    elif verdict is Verdict.INCONCLUSIVE and guarantee is Guarantee.EXACT:
        ends.add(Disposition.PARTLY)
    return frozenset(ends)


def statement(facts: Facts) -> Statement:
    """The only sentences that a report about these facts may print.

    Raises:
        ContradictionError: the facts cannot all be true.
    """
    if facts.disposition not in allowed(facts.verdict, facts.guarantee, facts.service):
        raise ContradictionError(
            f"A case cannot be {facts.disposition.value} with verdict {facts.verdict.value}, guarantee "
            f"{facts.guarantee.value} and the version before {facts.service.name.lower()}. Possible: "
            + (", ".join(sorted(allowed(facts.verdict, facts.guarantee, facts.service))) or "nothing")
        )
    if facts.disposition is Disposition.FULFILLED and facts.guarantee is Guarantee.EXACT and not facts.constructed:
        raise ContradictionError(
            "A case fulfilled by retraining needs fresh weights, a tokenizer made without the records, and exactly "
            "its records left out; at least one of these is not shown. Close it as partly_fulfilled."
        )
    changed = facts.disposition in (Disposition.FULFILLED, Disposition.PARTLY)
    claims = (
        (*_construction(facts), *_measurement(facts), *_deployment(facts), *not_accepted(facts), *not_looked_at(facts))
        if changed
        else (*_unchanged(facts), *not_looked_at(facts))
    )
    return Statement(headline=headline(facts), verdict=_verdict(facts), claims=claims, limits=_limits(facts, changed))


def _verdict(facts: Facts) -> str:
    if facts.verdict is Verdict.PASS:
        if facts.constructed and facts.deletion:
            return _("Exact: trained again without the records")
        if facts.constructed:
            return _("Pass, by retraining without the records")
        if facts.guarantee is Guarantee.CERTIFIED:
            return _("Pass, by a certified method")
        return _("Pass by measurement")
    return {
        Verdict.NONE: _("Nothing was verified"),
        Verdict.BAD_INPUT: _("No verdict: the verification's input was unfit"),
        Verdict.DAMAGED: _("Damaged: the changed model lost what it had to keep"),
        Verdict.FAIL: _("Fail"),
        Verdict.INCONCLUSIVE: _("Inconclusive"),
    }[facts.verdict]


def _construction(facts: Facts) -> tuple[str, ...]:
    if facts.deletion is not None:
        return _deletion(facts, facts.deletion)
    if facts.constructed:
        text = ngettext(
            "Exact by construction, by the issuer's own record of the training: retrained from fresh weights without "
            "the %(n)d record; the tokenizer was made from text in which none of the records searched stands.",
            "Exact by construction, by the issuer's own record of the training: retrained from fresh weights without "
            "the %(n)d records; the tokenizer was made from text in which none of the records searched stands.",
            facts.records,
        )
        return (fill(facts, text),)
    if facts.guarantee is Guarantee.EXACT:
        return (
            _(
                "The model was retrained, but not every condition under which retraining leaves nothing behind is "
                "shown. This report relies on the measurements alone."
            ),
        )
    if facts.guarantee is Guarantee.CERTIFIED:
        return (
            _("The certificate holds under the conditions and for the layers that its method states, nowhere else."),
        )
    return ()


def _deletion(facts: Facts, made: Deletion) -> tuple[str, ...]:
    """What was trained again, and the engine's claim in its own words; never more than that."""
    # The engine speaks of its lineage, and does not know that the version before may still answer.
    told = made.sentence if facts.service is Service.REPLACED else ""
    n = facts.records
    if facts.constructed and told:
        first = ngettext(
            "Trained again without the %(n)d record: %(stages)s.",
            "Trained again without the %(n)d records: %(stages)s.",
            n,
        )
    elif facts.constructed:
        first = ngettext(
            "Exact by construction. Trained again without the %(n)d record: %(stages)s.",
            "Exact by construction. Trained again without the %(n)d records: %(stages)s.",
            n,
        )
    elif made.code:
        first = ngettext(
            "Trained again without the %(n)d record: %(stages)s. The claim is narrower than exact.",
            "Trained again without the %(n)d records: %(stages)s. The claim is narrower than exact.",
            n,
        )
    else:
        first = ngettext(
            "Trained again without the %(n)d record: %(stages)s. Nothing shows that this is all that learned from it, "
            "so this report relies on the measurements alone.",
            "Trained again without the %(n)d records: %(stages)s. Nothing shows that this is all that learned from "
            "them, so this report relies on the measurements alone.",
            n,
        )
    filled = first % {"n": n, "stages": made.stages}
    return (filled, told) if told else (filled,)


def _measurement(facts: Facts) -> tuple[str, ...]:
    if facts.verdict is Verdict.INCONCLUSIVE:
        text = ngettext(
            "The %(probes)d probe could not be settled: at least one interval lies on both sides of its limit, or "
            "rests on too few items. Nothing is concluded from it.",
            "The %(probes)d probes could not be settled: at least one interval lies on both sides of its limit, or "
            "rests on too few items. Nothing is concluded from them.",
            facts.probes,
        )
    elif facts.constructed:
        text = ngettext(
            "As a check on the construction, %(probes)d probe was measured with %(confidence)s confidence; it does not "
            "exceed its limit.",
            "As a check on the construction, %(probes)d probes were measured with %(confidence)s confidence; none "
            "exceeds its limit.",
            facts.probes,
        )
    else:
        return tuple(filter(None, (fill(facts, _measured(facts)), facts.unattacked)))
    return (fill(facts, text),)


def _measured(facts: Facts) -> str:
    if facts.comparison is Comparison.RETRAINED and facts.unproven_reference:
        return _measured_unproven(facts)
    if facts.comparison is Comparison.RETRAINED and facts.attacks:
        return _(
            "%(model)s differs from a model that was trained without the matched records by less than the stated "
            "margins on the listed probes with %(confidence)s confidence, after the listed attack; that is a "
            "measurement, not a proof of absence."
        )
    if facts.comparison is Comparison.RETRAINED:
        return _(
            "%(model)s differs from a model that was trained without the matched records by less than the stated "
            "margins on the listed probes with %(confidence)s confidence. No attack was tried; that is a measurement, "
            "not a proof of absence."
        )
    if facts.attacks:
        return _(
            "On the listed probes, and after the listed attack, %(model)s treats %(records)s like never-seen material "
            "of the same kind, within the stated margins and with %(confidence)s confidence; that is a measurement, "
            "not a proof of absence."
        )
    return _(
        "On the listed probes %(model)s treats %(records)s like never-seen material of the same kind, within the "
        "stated margins and with %(confidence)s confidence. No attack was tried; that is a measurement, not a proof of "
        "absence."
    )


def _measured_unproven(facts: Facts) -> str:
    if facts.attacks:
        return _(
            "%(model)s differs from the reference by less than the stated margins on the listed probes with "
            "%(confidence)s confidence, after the listed attack. That the reference was trained without the matched "
            "records is the issuer's word; this is a measurement, not a proof of absence."
        )
    return _(
        "%(model)s differs from the reference by less than the stated margins on the listed probes with "
        "%(confidence)s confidence, without any attack having been tried. That the reference was trained without the "
        "matched records is the issuer's word; this is a measurement, not a proof of absence."
    )


def _deployment(facts: Facts) -> tuple[str, ...]:
    if facts.service is Service.SERVING:
        text = _("%(before)s is still in service. Until it is replaced, answers may come from it.")
    elif facts.service is Service.UNREACHABLE:
        text = _("At least one deployment of %(before)s cannot be reached. It may still answer.")
    elif facts.service is Service.PENDING:
        text = _("At least one deployment of %(before)s still waits to be replaced. Until then it may answer.")
    elif facts.deployments:
        text = _("Every deployment of %(before)s on record has been replaced by %(after)s.")
    else:
        text = _("No deployment of %(before)s is on record.")
    return (fill(replace(facts, before=facts.still or facts.before), text),)


def not_accepted(facts: Facts) -> tuple[str, ...]:
    """How much of what was named or found the change did not reach."""
    told = []
    if facts.kept_records:
        told.append(
            _("Records that matched but were not accepted: %(kept)d. The model may know them as before.")
            % {"kept": facts.kept_records}
        )
    if facts.unmet_items:
        told.append(
            _(
                "Named in the request without a record that was accepted: %(unmet)d of %(works)d (not found, not "
                "looked for, not accepted, or counted with another that is named)."
            )
            % {"unmet": facts.unmet_items, "works": facts.items}
        )
    return tuple(told)


def not_looked_at(facts: Facts) -> tuple[str, ...]:
    """Which other versions learned the records too, by the issuer's own books."""
    if not facts.others:
        return ()
    text = _(
        "Other versions on record that learned records of this case, and that nobody looked at for it: %(names)s. "
        "They may know them as before."
    )
    return (text % {"names": facts.others},)


def _unchanged(facts: Facts) -> tuple[str, ...]:
    claims: list[str] = []
    if facts.verdict is Verdict.PASS and facts.disposition is Disposition.NOT_FULFILLED:
        claims += _deployment(facts)
    elif facts.verdict not in (Verdict.NONE, Verdict.PASS):
        claims.append(_("Every plan that was tried is listed with what failed. No result of theirs was released."))
    if facts.disposition is Disposition.NO_DATA:
        claims.append(
            _("The search covers the data sets and the ways of matching listed in this report, nothing else.")
        )
    claims.append(_("This report claims nothing about what any model knows."))
    return tuple(claims)


def _limits(facts: Facts, changed: bool) -> tuple[str, ...]:
    limits = [
        _("Data sets, models and copies that are not listed here were not examined."),
        _("Copies held by others are outside the issuer's reach, also where the recipient was told."),
    ]
    if facts.verdict is not Verdict.NONE:
        limits.append(_("Only the listed probes were measured. A question, language or attack not listed may differ."))
    limits.append(
        _(
            "Search, training, probes, replacement, what became of old weights and the telling of recipients were the "
            "issuer's own work; this report proves their record, not their conduct."
        )
    )
    if changed and not facts.constructed:
        limits.append(_("Suppressed content can come back through further training, rounding or a stronger attack."))
    if changed:
        limits.append(_("Material that resembles the request but was not matched stays in the training data."))
    return tuple(limits)
