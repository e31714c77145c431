"""The claimant's certificate: what was asked, done and not shown, in plain words and in their language.

It is printed from the same kind of document as the full report and may say less than `sentences`, never more: each text
follows from the same `Facts`, which `schema.validate` has held against `sentences.allowed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.evidence import figures, said, schema, thresholds_said
from governance.evidence.headlines import of_one_model
from governance.evidence.numerals import apart, number
from governance.evidence.printing import common, day, grouped
from governance.evidence.report import under_policy
from governance.evidence.sentences import Facts, not_accepted, not_looked_at
from governance.evidence.vocabulary import Disposition, Guarantee, Kind, Service, Verdict
from governance.evidence.words_used import words_used

Document = Mapping[str, Any]
#: Titles that are named, and characters of one: the rest are counted, so that the certificate stays on two pages.
NAMED, TITLE = 6, 90
REASON = 1200
#: Outcomes in which a model was changed.
_OF_A_MODEL = ("exact", "certified", "suppressed", "unsettled", "not_replaced")


def context(document: Document, evidence_digest: str) -> dict[str, Any]:
    """What `report/certificate.html` prints."""
    facts, case = schema.facts(document), document["case"]
    outcome = outcome_of(facts)
    return {
        **common(document, evidence_digest),
        "case": case,
        "number": apart(case["number"]),
        "issuer": apart(document["report"]["issuer"]),
        "received": day(case["received_on"]),
        "day": day(document["report"]["issued_at"]),
        "outcome": outcome,
        "glyph": figures.glyph(facts.verdict),
        "headline": headline(facts, outcome),
        "asked": [_asked(facts.kind) % {"issuer": apart(document["report"]["issuer"])}, *_named(document)],
        "done": _done(document, facts, outcome),
        "means": _means(outcome),
        "limits": [*_unsearched(document), *_limits(facts)],
        "reasons": _shortened(said.printed(case["reason"]), REASON),
        "remedies": case.get("remedies", []),
        "under_policy": under_policy(document),
        "laws": case["laws"],
        "digests": _digests(document),
        "words": words_used(document, plain=True),
    }


def outcome_of(facts: Facts) -> str:
    """Which of the certificate's texts fit: a guarantee that was shown, else the disposition."""
    if facts.disposition not in (Disposition.FULFILLED, Disposition.PARTLY):
        return facts.disposition.value
    if facts.service is not Service.REPLACED:
        return "not_replaced"
    if facts.verdict is Verdict.INCONCLUSIVE:
        return "unsettled"
    if facts.constructed:
        return "exact"
    return "certified" if facts.guarantee is Guarantee.CERTIFIED else "suppressed"


def headline(facts: Facts, outcome: str) -> str:
    """One sentence on how the request ended."""
    text = {
        "exact": _("%(model)s was trained again without the records that were accepted for your request"),
        "certified": _("A part of %(model)s was changed for your request, under a certificate of unlearning"),
        "suppressed": _(
            "%(model)s was changed for your request and passed our tests; what is hidden in it may come back"
        ),
        "unsettled": _("%(model)s was changed for your request; our tests do not settle what is left"),
        "not_replaced": _("A changed version of %(model)s was made; the version before may still answer"),
        "excluded": _("The records that were accepted for your request are marked to be left out of future training"),
        "no_data_found": _("We found no record that matches your request in the data that we searched"),
        "not_fulfilled": _("Your request is not fulfilled"),
        "refused": _("Your request was refused"),
        "withdrawn": _("Your request was withdrawn and is closed"),
    }[outcome]
    told = text % {"model": apart(facts.model)}
    return of_one_model(facts, told) if outcome in _OF_A_MODEL else told


def _asked(kind: Kind) -> str:
    if kind in (Kind.PRIVACY, Kind.OBJECTION):
        return _("That your personal data no longer serve to train or run the models of %(issuer)s.")
    if kind is Kind.CORRECTION:
        return _("That the models of %(issuer)s no longer say what is false about you.")
    if kind is Kind.SAFETY:
        return _("That the models of %(issuer)s no longer give out the content that you reported.")
    return _("That your works no longer serve to train or run the models of %(issuer)s.")


def _named(document: Document) -> list[str]:
    items, count = document["case"]["items"][:NAMED], document["case"]["items_count"]
    if not items:
        return []
    titles = "; ".join(_("“%(title)s”") % {"title": apart(_shortened(one["title"], TITLE))} for one in items)
    more = count - len(items)
    if more > 0:
        titles += " " + ngettext("and %(n)d more", "and %(n)d more", more) % {"n": more}
    return [_("Named: %(titles)s.") % {"titles": titles}]


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def _done(document: Document, facts: Facts, outcome: str) -> list[str]:
    counts, searched = document["matching"]["counts"], document["matching"]["searched"]
    lines = []
    if searched:
        lines.append(
            _("We searched %(searched)s records; %(found)s matched, and %(erase)s of these were accepted for removal.")
            % {"searched": number(searched), "found": number(counts["found"]), "erase": number(counts["erase"])}
        )
    if outcome in _OF_A_MODEL:
        lines += not_accepted(facts)
        lines += _tested(document, facts)
        lines += _told(document)
    return lines


def _tested(document: Document, facts: Facts) -> list[str]:
    verification = (schema.final_attempt(document) or {}).get("verification")
    lines = []
    if verification:
        passed = sum(1 for probe in verification["probes"] if probe["outcome"] == "pass")
        lines.append(
            _("Tests: %(passed)d of %(tested)d passed, by rules that were fixed before. Kinds of attack tried: %(n)d.")
            % {"passed": passed, "tested": facts.probes, "n": facts.attacks}
        )
        if facts.unattacked:
            lines.append(facts.unattacked)
        if told := thresholds_said.eased(document):
            lines.append(told)
    if places := document["deployments"]:
        replaced = sum(1 for one in places if one["state"] == "replaced")
        lines.append(
            _("Places on our records where the version before ran: %(all)d; replaced: %(replaced)d.")
            % {"all": len(places), "replaced": replaced}
        )
    return lines


def _told(document: Document) -> list[str]:
    recipients = document["recipients"]
    if not recipients:
        return []
    told = sum(1 for one in recipients if one["told_at"])
    return [
        _("Others on our records who received data or versions: %(n)d; told: %(told)d.")
        % {"n": len(recipients), "told": told}
    ]


def _means(outcome: str) -> str:
    return {
        "exact": _(
            "By our own record of its training, the new version was trained without the records that were accepted. It "
            "may still know the same facts or words from other sources."
        ),
        "certified": _(
            "A mathematical bound limits how far the part that was changed may lie from one trained without these "
            "records, under the conditions and for the layers that the full report names, and nowhere else."
        ),
        "suppressed": _(
            "The new version passed the tests, by rules that were fixed before. That is a measurement, not a proof: a "
            "determined attempt may bring back what is hidden."
        ),
        "unsettled": _("The tests settle nothing, so we conclude nothing from them. The full report lists each."),
        "not_replaced": _("Until the version before is replaced everywhere, it may still give what you named."),
        "excluded": _(
            "The records that were accepted are marked to be left out of our future training. No model was changed: "
            "what was trained before may still know them."
        ),
        "no_data_found": _(
            "The search covers the data sets and the ways of matching that the full report names, nothing else. It "
            "does not show what any model knows."
        ),
        "not_fulfilled": _("No changed version has taken the place of the one in use. The reasons stand below."),
        "refused": _("No model was changed for your request. The reasons stand below."),
        "withdrawn": _("No model was changed for your request."),
    }[outcome]


def _unsearched(document: Document) -> list[str]:
    """That what was named without a text was not looked for, as the full report tells one by one."""
    count = sum("without_text" in one for one in document["case"]["items"]) if document["matching"]["searched"] else 0
    if not count:
        return []
    return [
        _("Named without a text, by an address, a number or a file's fingerprint, and so not looked for: %(n)d.")
        % {"n": count}
    ]


def _limits(facts: Facts) -> list[str]:
    limits = [
        _("Copies of models and data that others hold are outside of our reach."),
        _("Data sets and models that the full report does not list were not examined."),
        *not_looked_at(facts),
    ]
    if facts.verdict is not Verdict.NONE:
        limits.append(_("Another question, language or attack than those tested may give another answer."))
    limits.append(
        _(
            "What is said here about search, training, tests, replacement, old weights and the telling of others is "
            "our own statement. The seal proves that we made it, not that it is right."
        )
    )
    if facts.disposition in (Disposition.FULFILLED, Disposition.PARTLY, Disposition.EXCLUDED):
        limits.append(_("Material that resembles yours but was not found stays in the data."))
    return limits


def _digests(document: Document) -> list[tuple[str, str]]:
    models = document["models"] or {}
    rows = [(_("Model before"), "before"), (_("Model after"), "after")]
    return [(label, grouped(models[name]["digest"])) for label, name in rows if models.get(name)]
