"""From an evidence document to what the template prints: every number is formatted here, every claim comes from
`sentences`. Depends on the document alone, so that the same document always gives the same page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.evidence import downstream, error_rates, figures, schema, wording
from governance.evidence import outcomes as outcomes_said
from governance.evidence.figures import percent
from governance.evidence.printing import common, day, grouped, moment, short
from governance.evidence.printing import ledger as ledger_of
from governance.evidence.sentences import statement

Document = Mapping[str, Any]
#: Characters of "Asked" and "Done" above which the first page runs over; what follows then needs no page of its own.
FIRST_PAGE = {"A4": 950, "Letter": 500}
#: Titles of the claimant's works on the first page; the evidence has all.
NAMED = 4
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
        "confidence": f"{schema.confidence(document):.0%}",
        "asked": _asked(document),
        "done": _done(document),
        "crowded": sum(map(len, [*_asked(document), *_done(document)])) > FIRST_PAGE[size_of(document)],
        "found": _found(final, schema.confidence(document)),
        "rates": _rates(document),
        "attempts": [_attempt(one, final) for one in document["attempts"]],
        "failed_before": _failed_before(document, final),
        "not_covered": _not_covered(document),
        "identity": _identity(document, evidence_digest),
        "signatures": [{**one, "when": moment(one["at"], "j M Y, H:i")} for one in document["signatures"]],
        "matching": _matching(document),
        "deployments": [{**one, "words": wording.state_words(one["state"]), "when": moment(one["since"])}
                        for one in document["deployments"]],
        "disposals": [_disposal(one) for one in document["disposals"]],
        "recipients": [{**one, "told": moment(one["told_at"]) if one["told_at"] else "", "got": day(one["received_on"])}
                       for one in document["recipients"]],
        "downstream": downstream.words(document),
        "digests": _digests(document, evidence_digest),
        "policy": document["policy"] and {**document["policy"], "when": moment(document["policy"]["recorded"]["at"])},
        "clocks": [_clock(one, document) for one in document["case"].get("clocks", ())],
        "under_policy": under_policy(document),
    }  # fmt: skip


def size_of(document: Document) -> str:
    """The sheet: A4, or Letter where that is asked for."""
    return str(document["report"].get("size", "A4"))


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
        moved.append(
            ngettext("paused once, %(days)d days", "paused %(n)d times, %(days)d days together", one["pauses"])
            % {"n": one["pauses"], "days": one["paused_days"]}
        )
    if one["ended_because"]:
        moved.append(_("ended: %(why)s") % {"why": one["ended_because"]})
    inside = document["report"]["issued_at"][:10] <= last
    return {
        "law": one["law"],
        "received": day(one["received_on"]),
        "due": day(last),
        "moved": "; ".join(moved),
        "kept": _("inside the clock") if inside else _("late"),
    }


def _asked(document: Document) -> list[str]:
    case = document["case"]
    lines = [case["asked"]]
    if case["items"]:
        titles = "; ".join(f"“{item['title']}”" for item in case["items"][:NAMED])
        more = case["items_count"] - len(case["items"][:NAMED])
        if more > 0:
            titles += ngettext(" and %(n)d more", " and %(n)d more", more) % {"n": more}
        lines.append(_("Named: %(titles)s.") % {"titles": titles})
    if case["proof"]:
        shown = "; ".join(f"{proof['level']}, {proof['shown']}" for proof in case["proof"])
        lines.append(_("Proof, as officers recorded it: %(proof)s.") % {"proof": shown.rstrip(".")})
    return lines


def _done(document: Document) -> list[str]:
    counts, searched = document["matching"]["counts"], document["matching"]["searched"]
    lines = []
    if searched:
        lines.append(
            _("%(searched)d records were searched; %(found)d matched, of which %(erase)d were to be unlearned.")
            % {"searched": searched, **counts}
        )
    if document["case"]["reason"]:
        lines.append(_("Reason: %(reason)s") % {"reason": document["case"]["reason"]})
    return [*lines, *map(_with_short_digests, statement(schema.facts(document)).claims)]


def _with_short_digests(text: str) -> str:
    """A sentence for print: its digests by their ends; in full they stand on the last page and in the evidence."""
    return _DIGEST.sub(lambda found: short(found.group()), text)


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
        "sentence": outcomes_said.verdict_sentence(verification, confidence=confidence),
        "compared": outcomes_said.comparison_words(verification),
        "deciding": outcomes_said.deciding(verification),
        "attacks": verification["attacks"],
        "left_out": [f"{words} ({why})" for words, why in outcomes_said.attacks_left_out(verification)],
        "findings": [wording.finding_sentence(one) for one in verification["findings"]],
        "digest": verification["document_digest"],
    }


def _cell(estimate: Mapping[str, Any] | None) -> dict[str, str] | None:
    return {"value": percent(estimate["value"]), "interval": figures.interval(estimate)} if estimate else None


def _table_row(probe: Mapping[str, Any]) -> dict[str, Any]:
    needed = probe["items_needed"]
    return {
        "title": wording.probe_title(probe["name"]),
        "candidate": _cell(probe["candidate"]),
        "n": probe["candidate"]["n"],
        "original": _cell(probe["original"]),
        "reference": _cell(probe["reference"]),
        "difference": _cell(probe["difference"]),
        "limit": _limit(probe),
        "outcome": wording.outcome_word(probe["outcome"]),
        "state": probe["outcome"],
        "needed": _("about %(n)d items would decide") % {"n": needed} if needed else "",
    }


def _limit(probe: Mapping[str, Any]) -> str:
    if probe["limit"] is None:
        return ""
    sign = {"upper": "≤ ", "lower": "≥ ", "both": "± "}[probe["bounds"]]
    return sign + percent(probe["margin"] if probe["bounds"] == "both" and probe["margin"] else probe["limit"])


def _attempt(attempt: Mapping[str, Any], final: Mapping[str, Any] | None) -> dict[str, Any]:
    verification = attempt["verification"]
    verdict = verification["verdict"] if verification else "none"
    return {
        **attempt,
        "verdict": verdict,
        "outcome": wording.outcome_word(verdict),
        "promise": wording.guarantee_words(attempt["guarantee"]),
        "deleted": _deleted(attempt.get("deletion")),
        "released": bool(final and final["number"] == attempt["number"] and verdict == "pass"),
        "started": moment(attempt["started_at"]),
        "finished": moment(attempt["finished_at"]),
        "recorded": moment(attempt["thresholds_recorded"]["at"]),
        "findings": [wording.finding_sentence(one) for one in verification["findings"]] if verification else [],
        "worst": [_table_row(p) for p in verification["probes"] if p["outcome"] not in ("pass", "reported")]
        if verification
        else [],
    }


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
        "work": _("%(passes)s sample passes, %(share)s of the %(whole)s that training everything again would take")
        % {
            "passes": f"{deletion['passes']:,.0f}",
            "whole": f"{whole:,.0f}",
            "share": percent(deletion["passes"] / whole) if whole else "–",
        },
        "others": deletion["cases_in_pass"] - 1,
        "words": _with_short_digests((deletion["claim"] or {"sentence": ""})["sentence"]),
    }


def _not_covered(document: Document) -> list[str]:
    lines = []
    recipients = document["recipients"]
    if recipients:
        told = sum(1 for one in recipients if one["told_at"])
        lines.append(
            ngettext(
                "%(n)d recipient received earlier data or versions; told: %(told)d.",
                "%(n)d recipients received earlier data or versions; told: %(told)d.",
                len(recipients),
            )
            % {"n": len(recipients), "told": told}
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
            revision = _("revision %(n)d") % {"n": models[name]["revision"]}
            rows.append((label, f"sha256 {short(models[name]['digest'])}, {revision}"))
    if made := (schema.final_attempt(document) or {}).get("deletion"):
        words = {"before": short(made["lineage_before"]), "after": short(made["lineage_after"])}
        rows.append((_("Lineage"), _("before %(before)s, now %(after)s") % words))
    rows.append((_("Evidence"), f"sha256 {short(evidence_digest)}"))
    if document["ledger"]:
        ledger = ledger_of(document)
        rows.append((_("Ledger"), _("entry %(index)d of %(size)d") % ledger if ledger else ""))
    return rows


def _matching(document: Document) -> dict[str, Any]:
    counts = document["matching"]["counts"]
    methods = Counter(record["method"] for record in document["matching"]["records"])
    grounds = Counter(record["ground"] for record in document["matching"]["records"] if record["ground"])
    return {
        **counts,
        "searched": document["matching"]["searched"],
        "data_sets": document["matching"].get("data_sets", []),
        "near": counts_near(document),
        "methods": "; ".join(f"{wording.match_words(m)}: {n}" for m, n in sorted(methods.items())),
        "grounds": "; ".join(f"{ground}: {n}" for ground, n in sorted(grounds.items())),
    }


def counts_near(document: Document) -> str:
    """The lowest and highest similarity of what was matched without being a copy; empty where nothing was."""
    scores = [one["score"] for one in document["matching"]["records"] if one["score"] not in (None, 1.0)]
    return (
        _("similarity %(low)s to %(high)s") % {"low": f"{min(scores):.2f}", "high": f"{max(scores):.2f}"}
        if scores
        else ""
    )


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
    for one in document["attempts"]:
        rows.append((_("Plan %(n)d, configuration") % {"n": one["number"]}, one["config_digest"]))
        if made := one.get("deletion"):
            rows.append((_("Plan %(n)d, lineage before") % {"n": one["number"]}, made["lineage_before"]))
            rows.append((_("Plan %(n)d, lineage after") % {"n": one["number"]}, made["lineage_after"]))
        if one["verification"]:
            rows.append((_("Plan %(n)d, verification") % {"n": one["number"]}, one["verification"]["document_digest"]))
    return [(label, grouped(value)) for label, value in rows]
