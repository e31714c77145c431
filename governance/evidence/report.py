"""From an evidence document to what the template prints: every number is formatted here, every claim comes from
`sentences`. Depends on the document alone, so that the same document always gives the same page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.evidence import (
    downstream,
    error_rates,
    figures,
    matching_rates,
    said,
    schema,
    search_scope,
    thresholds_said,
    wording,
)
from governance.evidence import outcomes as outcomes_said
from governance.evidence.numerals import apart, interval, level, number, percent
from governance.evidence.printing import common, day, grouped, moment, short
from governance.evidence.printing import ledger as ledger_of
from governance.evidence.sentences import statement
from governance.evidence.words_used import words_used

Document = Mapping[str, Any]
#: Titles of the claimant's works on the first page; the evidence has all.
NAMED = 4
#: Of those that were not looked for, where there is more room.
UNSEARCHED = 20
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def context(document: Document, evidence_digest: str) -> dict[str, Any]:
    """Everything that the template prints. `evidence_digest` is `sha256:<hex>` of the attached file."""
    final = schema.final_attempt(document)
    return {
        **common(document, evidence_digest),
        "case": document["case"],
        "said": statement(schema.facts(document)),
        "glyph": figures.glyph(schema.facts(document).verdict),
        "received": day(document["case"]["received_on"]),
        "confidence": level(schema.confidence(document)),
        "asked": _asked(document),
        "done": _done(document),
        "found": _found(final, schema.confidence(document)),
        "rates": _rates(document),
        "search": _search(document),
        "attempts": [
            {**_attempt(one, final), "changed": thresholds_said.changed_before(document, place)}
            for place, one in enumerate(document["attempts"])
        ],
        "failed_before": _failed_before(document, final),
        "eased": thresholds_said.eased(document),
        "not_covered": _not_covered(document),
        "unsearched": search_scope.unsearched(document, UNSEARCHED),
        "later": search_scope.later(document),
        "identity": _identity(document, evidence_digest),
        "signatures": [_signature(one) for one in document["signatures"]],
        "matching": search_scope.matching(document),
        "deployments": [{**one, "words": wording.state_words(one["state"]), "when": moment(one["since"])}
                        for one in document["deployments"]],
        "others": [{**one, "words": wording.version_words(one["state"]), "digest": apart(short(one["digest"]))}
                   for one in document.get("others", ())],
        "disposals": [_disposal(one) for one in document["disposals"]],
        "recipients": [{**one, "told": moment(one["told_at"]) if one["told_at"] else "", "got": day(one["received_on"])}
                       for one in document["recipients"]],
        "downstream": downstream.words(document),
        "digests": _digests(document, evidence_digest),
        "policy": document["policy"] and {**document["policy"], "when": moment(document["policy"]["recorded"]["at"])},
        "clocks": [_clock(one, document) for one in document["case"].get("clocks", ())],
        "under_policy": under_policy(document),
        "words": words_used(document),
    }  # fmt: skip


def _signature(one: Mapping[str, Any]) -> dict[str, Any]:
    """Who signed what, and when: a row of the table, and a box of the first page."""
    told = {"role": said.printed(one["role"]), "act": said.printed(one["act"])}
    return {**one, **told, "when": moment(one["at"], short=True)}


def under_policy(document: Document) -> bool:
    """Whether no law is cited that demands what was asked: an opt-out is then done under the house's own policy."""
    laws = document["case"]["laws"]
    if any("policy_only" in law for law in laws):
        return all(law.get("policy_only") for law in laws)
    return bool(document["case"]["kind"] == "copyright")


def _clock(one: Mapping[str, Any], document: Document) -> dict[str, Any]:
    """A clock of the case: its dates, what moved them, and whether this report came inside."""
    last = one["extended_due"] or one["due"]
    moved = []
    if one["extended_due"]:
        moved.append(_("extended from %(day)s: %(why)s") % {"day": day(one["due"]), "why": one["extended_why"] or "–"})
    if one["pauses"]:
        values = {"n": one["pauses"], "days": one["paused_days"]}
        moved.append(_("pauses: %(n)d, days together: %(days)d") % values)
    if one["ended_because"]:
        moved.append(_("ended: %(why)s") % {"why": one["ended_because"]})
    inside = document["report"]["issued_at"][:10] <= last
    return {
        "law": said.printed(one["law"]),
        "received": day(one["received_on"]),
        "due": day(last),
        "moved": "; ".join(moved),
        "kept": _("inside the clock") if inside else _("late"),
    }


def _asked(document: Document) -> list[str]:
    case = document["case"]
    lines = [said.printed(case["asked"])]
    if case["items"]:
        named = case["items"][:NAMED]
        titles = "; ".join(_("“%(title)s”") % {"title": apart(wording.item_words(document, item))} for item in named)
        more = case["items_count"] - len(named)
        text = (
            ngettext("Named: %(titles)s and %(n)d more.", "Named: %(titles)s and %(n)d more.", more)
            if more > 0
            else _("Named: %(titles)s.")
        )
        lines.append(text % {"titles": titles, "n": more})
    if case["proof"]:
        shown = "; ".join(f"{apart(proof['level'])}, {said.printed(proof['shown'])}" for proof in case["proof"])
        lines.append(_("Proof, as officers recorded it: %(proof)s.") % {"proof": shown.rstrip(".")})
    return lines


def _done(document: Document) -> list[str]:
    counts, searched = document["matching"]["counts"], document["matching"]["searched"]
    lines = []
    if searched:
        lines.append(
            _("Records searched: %(searched)s; matched: %(found)s, of these to be unlearned: %(erase)s.")
            % {"searched": number(searched), "found": number(counts["found"]), "erase": number(counts["erase"])}
        )
    if document["case"]["reason"]:
        lines.append(_("Reason: %(reason)s") % {"reason": said.printed(document["case"]["reason"])})
    return [*lines, *map(_with_short_digests, statement(schema.facts(document)).claims)]


def _with_short_digests(text: str) -> str:
    """A sentence for print: its digests by their ends; in full they stand on the last page and in the evidence."""
    return _DIGEST.sub(lambda found: apart(short(found.group())), text)


def _failed_before(document: Document, final: Mapping[str, Any] | None) -> str:
    others = [one for one in document["attempts"] if not final or one["number"] != final["number"]]
    if not others:
        return ""
    return ngettext(
        "Another plan was tried before and discarded; “Plans, decision and law” tells what failed.",
        "%(n)d other plans were tried and discarded; “Plans, decision and law” tells what failed.",
        len(others),
    ) % {"n": len(others)}


def _rates(document: Document) -> dict[str, Any] | None:
    """The verdict's own error rates, for a report that rests on a verdict."""
    rates, final = document.get("error_rates"), schema.final_attempt(document)
    if not rates or not final or not final["verification"]:
        return None
    return {"words": error_rates.words(rates, final["policy_digest"]), "rows": error_rates.table(rates)}


def _search(document: Document) -> dict[str, Any] | None:
    """The error rates of the search, for a report that rests on one."""
    rates = document.get("matching_rates")
    if not rates or not document["matching"]["searched"]:
        return None
    return matching_rates.context(rates, document["matching"].get("searches", ()))


def _found(final: Mapping[str, Any] | None, confidence: float) -> dict[str, Any] | None:
    if not final or not final["verification"]:
        return None
    verification = final["verification"]
    probes = verification["probes"]
    outcomes = Counter(probe["outcome"] for probe in probes if probe["outcome"] != "reported")
    return {
        "first": figures.chart(figures.headline_probes(probes), 230),
        "all": figures.chart(probes, 300),
        "table": [_table_row(probe) for probe in probes],
        "passed": outcomes["pass"],
        "tested": outcomes.total(),
        "retrained": verification["comparison"] == "retrained",
        "proven": outcomes_said.lineage_of(verification) == "proven",
        "sentence": outcomes_said.verdict_sentence(verification, confidence=confidence),
        "compared": outcomes_said.comparison_words(verification),
        "deciding": outcomes_said.deciding(verification),
        "attacks": _attacks(verification),
        "left_out": [f"{words} ({why})" for words, why in outcomes_said.attacks_left_out(verification)],
        "findings": [wording.finding_sentence(one) for one in verification["findings"]],
        "digest": verification["document_digest"],
    }


def _attacks(verification: Mapping[str, Any]) -> list[str]:
    """What each attack that was made did, and of which facts the questions were asked plainly within one."""
    made = outcomes_said.attacks_made(verification)
    told = [said.printed(one["description"]) for one in verification["attacks"] if one["name"] in made]
    return [*told, *filter(None, [outcomes_said.plainly(verification)])]


def _cell(estimate: Mapping[str, Any] | None) -> dict[str, str] | None:
    return {"value": percent(estimate["value"]), "interval": interval(estimate)} if estimate else None


def _table_row(probe: Mapping[str, Any]) -> dict[str, Any]:
    needed = probe["items_needed"]
    return {
        "title": wording.probe_title(probe["name"]),
        "candidate": _cell(probe["candidate"]),
        "original": _cell(probe["original"]),
        "reference": _cell(probe["reference"]),
        "difference": _cell(probe["difference"]),
        "n": number(probe["candidate"]["n"]),
        "limit": _limit(probe),
        "outcome": wording.outcome_word(probe["outcome"]),
        "state": probe["outcome"],
        "needed": _("about %(n)s items would decide") % {"n": number(needed)} if needed else "",
    }


def _limit(probe: Mapping[str, Any]) -> str:
    if probe["limit"] is None:
        return ""
    sign = {"upper": "≤", "lower": "≥", "both": "±"}[probe["bounds"]]
    bound = percent(probe["margin"] if probe["bounds"] == "both" and probe["margin"] else probe["limit"])
    return apart(f"{sign} {bound}")


def _attempt(attempt: Mapping[str, Any], final: Mapping[str, Any] | None) -> dict[str, Any]:
    verification = attempt["verification"]
    verdict = verification["verdict"] if verification else "none"
    released = bool(final and final["number"] == attempt["number"] and verdict == "pass")
    return {
        **attempt,
        "verdict": verdict,
        "head": _head(attempt, verdict, released=released),
        "note": said.printed(attempt["note"]),
        "deleted": _deleted(attempt.get("deletion")),
        "released": released,
        "started": moment(attempt["started_at"]),
        "finished": moment(attempt["finished_at"]),
        "recorded": moment(attempt["thresholds_recorded"]["at"]),
        "judged": _judged((attempt.get("ended") or {}).get("judged")),
        "findings": [wording.finding_sentence(one) for one in verification["findings"]] if verification else [],
        "worst": [_table_row(p) for p in verification["probes"] if p["outcome"] not in ("pass", "reported")]
        if verification
        else [],
    }


def _judged(point: Mapping[str, Any] | None) -> str:
    """When the ledger was told of a verdict; empty of evidence that opens no such entry."""
    if point is None:
        return ""
    return _("Verdict recorded %(when)s, ledger entry %(n)d.") % {"when": moment(point["at"]), "n": point["index"]}


def _head(attempt: Mapping[str, Any], verdict: str, *, released: bool) -> str:
    """`1. Retraining without the forget set (by construction): Pass`."""
    text = (
        _("%(number)d. %(title)s (%(promise)s): %(outcome)s")
        if released
        else _("%(number)d. %(title)s (%(promise)s): %(outcome)s, not released")
    )
    return text % {
        "number": attempt["number"], "title": said.printed(attempt["title"]),
        "promise": wording.guarantee_words(attempt["guarantee"]), "outcome": wording.outcome_word(verdict),
    }  # fmt: skip


def _deleted(deletion: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """An exact deletion: what was trained again, and its share of what training everything again would take."""
    if deletion is None:
        return None
    whole = deletion["retraining_passes"]
    return {
        **deletion,
        "before": short(deletion["lineage_before"]),
        "after": short(deletion["lineage_after"]),
        "stages": [{**one, "name": f"shard-{one['shard']:02d}"} for one in deletion["retrained"]],
        "passes": number(deletion["passes"]),
        "whole": number(whole),
        "share": percent(deletion["passes"] / whole) if whole else "–",
        "others": deletion["cases_in_pass"] - 1,
        "words": _with_short_digests((deletion["claim"] or {"sentence": ""})["sentence"]),
    }


def _not_covered(document: Document) -> list[str]:
    lines = [line for line in (search_scope.unsearched(document, NAMED), search_scope.later(document)) if line]
    recipients = document["recipients"]
    if recipients:
        told = sum(1 for one in recipients if one["told_at"])
        lines.append(
            _("Recipients of earlier data or versions: %(n)d; told: %(told)d.") % {"n": len(recipients), "told": told}
        )
    excused = sorted({one["excused"] for one in recipients if one.get("excused")})
    if excused:
        lines.append(_("Not told, with reasons: %(why)s") % {"why": " ".join(excused)})
    due = [one for one in document["disposals"] if not one["deleted_at"]]
    if due:
        lines.append(
            _("Old weights and copies still exist until their date of deletion, the last on %(day)s.")
            % {"day": day(max(one["due_on"] for one in due))}
        )
    lines.append(_("Copies held by others, and whatever is not listed: see “What this report does not show”."))
    return lines


def _identity(document: Document, evidence_digest: str) -> list[tuple[str, str]]:
    models = document["models"] or {}
    rows = []
    for label, name in ((_("Model before"), "before"), (_("Model after"), "after")):
        if models.get(name):
            values = {"n": models[name]["revision"], "digest": apart(f"sha256 {short(models[name]['digest'])}")}
            rows.append((label, _("%(digest)s, revision %(n)d") % values))
    if made := (schema.final_attempt(document) or {}).get("deletion"):
        words = {"before": apart(short(made["lineage_before"])), "after": apart(short(made["lineage_after"]))}
        rows.append((_("Lineage"), _("before %(before)s, now %(after)s") % words))
    rows.append((_("Evidence"), apart(f"sha256 {short(evidence_digest)}")))
    if document["ledger"]:
        ledger = ledger_of(document)
        rows.append((_("Ledger"), _("entry %(index)d of %(size)d") % ledger if ledger else ""))
    return rows


def _disposal(one: Mapping[str, Any]) -> dict[str, str]:
    state = (
        _("deleted %(when)s") % {"when": moment(one["deleted_at"])}
        if one["deleted_at"]
        else _("to be deleted by %(day)s") % {"day": day(one["due_on"])}
    )
    what = _("Lineage") if one["what"] == "lineage" else wording.disposal_words(one["what"])
    return {"what": what, "digest": short(one["digest"]), "state": state}


def _digests(document: Document, evidence_digest: str) -> list[tuple[str, str]]:
    models, policy = document["models"] or {}, document["policy"] or {}
    rows = [(_("Evidence file attached"), evidence_digest), (_("Evidence, core"), schema.core_digest(document))]
    rows += [
        (label, models[name]["digest"])
        for label, name in ((_("Model before"), "before"), (_("Model after"), "after"), (_("Reference"), "reference"))
        if models.get(name)
    ]
    if policy:
        rows.append((_("Policy"), policy["digest"]))
    for one in document["matching"].get("data_sets", ()):
        rows.append((_("Data set %(name)s") % {"name": apart(one["name"])}, one["digest"]))
    for one in document["attempts"]:
        rows.append((_("Plan %(n)d, configuration") % {"n": one["number"]}, one["config_digest"]))
        compared = one.get("compared") or {}
        for label, name in ((_("Plan %(n)d, controls"), "controls"), (_("Plan %(n)d, reference"), "reference")):
            if compared.get(name):
                rows.append((label % {"n": one["number"]}, compared[name]))
        if made := one.get("deletion"):
            rows.append((_("Plan %(n)d, lineage before") % {"n": one["number"]}, made["lineage_before"]))
            rows.append((_("Plan %(n)d, lineage after") % {"n": one["number"]}, made["lineage_after"]))
        if one["verification"]:
            rows.append((_("Plan %(n)d, verification") % {"n": one["number"]}, one["verification"]["document_digest"]))
    return [(label, apart(grouped(value))) for label, value in rows]
