"""A verification as people read it: plans side by side, each probe as an interval against reference and limit.

Nothing is judged here. The outcome of a probe and the verdict are the engine's; these are words and places for them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from governance import dispatch
from governance.models import Plan, Verification
from governance.web.case_history import method_title

Values = Mapping[str, Any]
FAMILIES = (
    (gettext_lazy("Asked plainly"), ("memorisation", "knowledge")),
    (gettext_lazy("Membership"), ("membership",)),
    (gettext_lazy("Under attack"), ("robustness",)),
    (gettext_lazy("Spread of answers"), ("distribution",)),
    (gettext_lazy("What must stay"), ("utility",)),
)
TITLES = {
    "exact_value": gettext_lazy("Gives the exact answer"),
    "answer_probability": gettext_lazy("Probability of the true answer"),
    "paraphrase_value": gettext_lazy("Answers a held-out wording"),
    "verbatim_text": gettext_lazy("Continues the text word for word"),
    "multiple_choice": gettext_lazy("Picks the right answer of several"),
    "membership_loss": gettext_lazy("Tells training text from unseen text"),
    "forget_quality": gettext_lazy("Right and wrong answers are alike"),
    "relearning_value": gettext_lazy("Relearned on some, asked for the others"),
    "relearning_choice": gettext_lazy("Relearned, picks the right answer"),
    "relearning_rank": gettext_lazy("Relearned, leans to the right answer"),
    "surviving_facts": gettext_lazy("Single facts that stayed"),
    "surviving_works": gettext_lazy("The work that stayed most"),
    "relearned_works": gettext_lazy("Relearned, the work that came back most"),
    "utility_retain": gettext_lazy("Utility: what was to be kept"),
    "utility_neighbours": gettext_lazy("Utility: nearest to what was forgotten"),
    "utility_general": gettext_lazy("Utility: ordinary knowledge"),
}
VERDICTS = {
    "pass": gettext_lazy("Pass"),
    "fail": gettext_lazy("Fail"),
    "inconclusive": gettext_lazy("Inconclusive"),
    "damaged": gettext_lazy("Damaged"),
    "bad_input": gettext_lazy("No verdict: unfit input"),
}
TONES = {"damaged": "fail", "bad_input": "fail"}
FINDINGS = {
    "original_does_not_know": gettext_lazy(
        "The model before does not know the items, so forgetting them shows nothing."
    ),
    "reference_knows": gettext_lazy("The reference knows the items, so the bar is too low."),
    "reference_poor": gettext_lazy("The reference does worse than the model before on what was to be kept."),
    "reference_copied": gettext_lazy("The new version is a copy of the reference, not a run of its own."),
    "controls_known": gettext_lazy("The new version knows the controls, so the bar is too low."),
    "controls_undecided": gettext_lazy("The new version may know the controls, which would move the bar."),
    "attack_without_effect": gettext_lazy("The attack could not teach the new version, or wrecked it: no proof."),
    "candidate_is_the_original": gettext_lazy("The new version has the very weights of the old one."),
    "sets_overlap": gettext_lazy("Sets of items overlap that must be apart."),
    "reference_identical": gettext_lazy("The reference is one of the models under test."),
    "tokenizers_differ": gettext_lazy("The models do not share one tokenizer."),
    "not_finite": gettext_lazy("A model gives answers that are no numbers."),
    "too_few_items": gettext_lazy("There are fewer independent items than a verdict needs."),
    "forget_empty": gettext_lazy("No item of what is to be forgotten can be probed."),
    "retain_empty": gettext_lazy("No item of what is to be kept can be probed."),
    "controls_empty": gettext_lazy("No never-seen control can be probed."),
}


def title_of(name: str) -> str:
    """A probe's name in words; one without words keeps its own."""
    return str(TITLES.get(name, name.replace("_", " ").capitalize()))


def state_of_plan(plan: Plan) -> str:
    """The glyph of a plan: its verdict where it has one, else where it stands."""
    verification = getattr(plan, "verification", None)
    if verification is not None:
        return str(verification.verdict)
    return {"proposed": "waiting", "confirmed": "working"}.get(plan.state, "fail")


def share(value: float) -> str:
    """`14%`, `0.4%`: a share with as many decimals as it needs."""
    points = value * 100
    return number_format(points, decimal_pos=0 if abs(points) >= 10 or points == round(points) else 1) + "%"


def _span(low: float, high: float) -> str:
    return _("%(low)s to %(high)s") % {"low": share(low).removesuffix("%"), "high": share(high)}


def margin_words(policy: Values) -> list[str]:
    """The thresholds of a plan in sentences; what the policy leaves out is not said."""
    by_margin: dict[float, list[str]] = {}
    for name, margin in policy.get("margins", {}).items():
        by_margin.setdefault(float(margin), []).append(title_of(name).lower())
    lines = [
        _("At most %(points)s points beyond the reference: %(probes)s.")
        % {"points": number_format(margin * 100, decimal_pos=0), "probes": "; ".join(names)}
        for margin, names in sorted(by_margin.items())
    ]
    if "utility_floor" in policy:
        lines.append(_("At least %(floor)s of the utility stays; below %(damaged)s the model counts as damaged.")
                     % {"floor": share(policy["utility_floor"]),
                        "damaged": share(policy.get("damaged_below", 0))})  # fmt: skip
    if "minimum_items" in policy:
        lines.append(_("Fewer than %(n)d independent facts are never a pass.") % {"n": policy["minimum_items"]})
    if "confidence" in policy:
        lines.append(_("Confidence %(share)s, one-sided bounds.") % {"share": share(policy["confidence"])})
    return lines


def _estimate(item: Values, name: str, series: int) -> dict[str, Any]:
    n = item.get("n")
    return {"name": name, "value": item["value"] * 100, "low": item["low"] * 100, "high": item["high"] * 100,
            "n": n, "series": series}  # fmt: skip


def _cell(probe: Values | None, plan: str) -> dict[str, str]:
    if probe is None:
        return {"plan": plan, "state": "waiting", "word": _("not measured"), "value": _("not measured"), "range": ""}
    candidate, outcome = probe["candidate"], str(probe["outcome"])
    extra = ""
    if outcome == "inconclusive" and probe.get("items_needed"):
        extra = _("; about %(n)s facts would decide") % {"n": number_format(probe["items_needed"], force_grouping=True)}
    if probe.get("limit") is None and probe.get("p_value") is not None:
        extra = _("; p = %(p)s") % {"p": number_format(probe["p_value"], decimal_pos=3)}
    word = VERDICTS.get(outcome, _("Reported"))
    return {
        "plan": plan, "state": outcome, "word": str(word), "value": share(candidate["value"]),
        "range": _span(candidate["low"], candidate["high"]) + extra,
    }  # fmt: skip


def _probe_row(name: str, found: list[tuple[str, Values | None]]) -> dict[str, Any]:
    newest = next(probe for _plan, probe in reversed(found) if probe is not None)
    reference, original = newest.get("reference"), newest.get("original")
    notes = [_("n = %(n)s") % {"n": number_format(newest["candidate"]["n"], force_grouping=True)}]
    if original:
        notes.append(_("before: %(share)s") % {"share": share(original["value"])})
    if newest["family"] == "utility":
        notes.append(_("ratio to the %(model)s") % {"model": newest.get("detail", {}).get("ratio_to", _("reference"))})
    estimates = [_estimate(p["candidate"], plan, _series(i, len(found))) for i, (plan, p) in enumerate(found) if p]
    return {
        "title": title_of(name),
        "note": ", ".join(notes),
        "reference_text": share(reference["value"]) if reference else "100%" if newest["family"] == "utility" else "",
        "reference_range": _span(reference["low"], reference["high"]) if reference else "",
        "row": {
            "title": title_of(name),
            "estimates": estimates,
            "reference": _estimate(reference, "", 2) if reference else None,
            "limit": newest["limit"] * 100 if newest.get("limit") is not None else None,
        },
        "cells": [_cell(probe, plan) for plan, probe in found],
    }


def _series(index: int, count: int) -> int:
    """The last plan keeps the first hue, whatever was tried before."""
    return (count - 1 - index) % 4


def groups(verifications: list[Verification]) -> list[dict[str, Any]]:
    """Probes by family; utility has an axis of its own."""
    plans = [
        (_("plan %(n)d") % {"n": v.plan.attempt}, {p["name"]: p for p in v.document["probes"]}) for v in verifications
    ]
    names = list(dict.fromkeys(name for _plan, probes in plans for name in probes))
    families = {name: next(p[name]["family"] for _plan, p in plans if name in p) for name in names}
    found = []
    for title, kinds in FAMILIES:
        rows = [
            _probe_row(name, [(plan, probes.get(name)) for plan, probes in plans])
            for name in names
            if families[name] in kinds
        ]
        if rows:
            found.append({"title": title, "probes": rows, "axis": _own_axis(rows) if "utility" in kinds else None})
    return found


def _own_axis(rows: list[dict[str, Any]]) -> dict[str, Any]:
    values = [v for row in rows for e in row["row"]["estimates"] for v in (e["low"], e["high"])]
    values += [row["row"]["limit"] for row in rows if row["row"]["limit"] is not None]
    step = 5 if max(values) - min(values) <= 25 else 20
    low, high = math.floor(min(values) / step) * step, math.ceil(max(values) / step) * step
    return {"low": max(0, low), "high": max(high, low + step), "step": step, "unit": "%"}


def _counted(document: Values) -> tuple[int, dict[str, int]]:
    outcomes = [str(probe["outcome"]) for probe in document["probes"]]
    return len(outcomes), {name: outcomes.count(name) for name in set(outcomes)}


def finding_words(document: Values) -> Iterator[str]:
    """The findings that are not a probe's own outcome, each once."""
    for code in dict.fromkeys(str(f["code"]) for f in document["findings"]):
        if code in FINDINGS:
            yield str(FINDINGS[code])
    missing = [f["data"].get("probe", "") for f in document["findings"] if f["code"] == "not_measured"]
    if missing:
        yield _("Not measured: %(probes)s.") % {"probes": ", ".join(title_of(name).lower() for name in missing)}


def _excess(probe: Values) -> float:
    limit = probe.get("limit")
    return abs(probe["candidate"]["value"] - limit) if limit is not None else 0.0


def _worst(document: Values) -> str:
    beyond = [p for p in document["probes"] if p["outcome"] in ("fail", "damaged")]
    if not beyond:
        return ""
    worst = max(beyond, key=_excess)
    reference = worst.get("reference")
    if reference is None:
        return _("%(probe)s: %(value)s.") % {
            "probe": title_of(worst["name"]),
            "value": share(worst["candidate"]["value"]),
        }
    return _("%(probe)s: %(value)s against %(reference)s for the reference.") % {
        "probe": title_of(worst["name"]), "value": share(worst["candidate"]["value"]),
        "reference": share(reference["value"])}  # fmt: skip


def _text(plan: Plan, verification: Verification) -> str:
    document = verification.document
    lines = list(finding_words(document))
    if verification.verdict == "pass":
        attacked = any(probe["family"] == "robustness" for probe in document["probes"])
        lines.append(
            _("Every interval stays inside its limit, under attack as well.")
            if attacked
            else _("Every interval stays inside its limit. No attack was tried.")
        )
        if dispatch.METHODS[plan.method].guarantee is dispatch.Guarantee.APPROXIMATE:
            lines.append(_("That is a measurement, not a proof of absence."))
    elif verification.verdict == "inconclusive":
        lines.append(_("At least one interval lies on both sides of its limit. Nothing is concluded from it."))
    lines.append(_worst(document))
    return " ".join(line for line in lines if line)


def cards(verifications: list[Verification]) -> list[dict[str, Any]]:
    """The verdict of each plan, in the order in which they were tried."""
    found = []
    for verification in verifications:
        plan, document = verification.plan, verification.document
        total, counts = _counted(document)
        words = [f"{n} {VERDICTS.get(name, _('Reported'))}".lower() for name, n in sorted(counts.items())]
        facts = [(_("Probes"), ", ".join(words)
                  + " " + _("of %(n)d") % {"n": total}),
                 (_("Method class"), dispatch.METHODS[plan.method].guarantee.value),
                 (_("Compared with"), _("a retrained reference") if document.get("reference_kind") == "retrained"
                  else _("never-seen controls")),
                 {"label": _("Thresholds fixed before"), "value": plan.policy_digest, "digest": True}]  # fmt: skip
        found.append({
            "state": verification.verdict,
            "tone": TONES.get(verification.verdict, verification.verdict),
            "over": _("Plan %(n)d, %(method)s") % {"n": plan.attempt, "method": method_title(plan.method).lower()},
            "title": VERDICTS[verification.verdict],
            "text": _text(plan, verification),
            "facts": facts,
        })  # fmt: skip
    return found


def conclusion(verification: Verification) -> str:
    """The page's headline, from the last verdict alone; it claims no more than was measured."""
    plan, document = verification.plan, verification.document
    total, counts = _counted(document)
    beyond = counts.get("fail", 0)
    if verification.verdict == "pass":
        return _("Plan %(n)d passed: no probe exceeds its limit") % {"n": plan.attempt}
    if verification.verdict == "fail" and beyond:
        words = ngettext("%(k)d of %(total)d probes lies", "%(k)d of %(total)d probes lie", beyond)
        return (_("Plan %(n)d failed: ") + words + _(" beyond the limit")) % {
            "n": plan.attempt,
            "k": beyond,
            "total": total,
        }
    if verification.verdict == "inconclusive":
        return _("Plan %(n)d is inconclusive: %(k)d of %(total)d probes are undecided") % {
            "n": plan.attempt, "k": counts.get("inconclusive", 0), "total": total}  # fmt: skip
    if verification.verdict == "damaged":
        return _("Plan %(n)d damaged the model") % {"n": plan.attempt}
    return _("Plan %(n)d: %(verdict)s") % {"n": plan.attempt, "verdict": str(VERDICTS[verification.verdict]).lower()}


def sentence(verifications: list[Verification]) -> str:
    """What the plans together say."""
    passed = [v.verdict == "pass" for v in verifications]
    if len(passed) == 1:
        return _("The thresholds were fixed before the run and stand in the ledger.")
    if passed[-1] and not any(passed[:-1]):
        return _("What was tried first did not stand the probes; the last plan did.")
    return _("%(n)d plans were tried; the last one did not pass.") % {"n": len(passed)}


def legend(verifications: list[Verification]) -> list[dict[str, Any]]:
    """The plans with their marks."""
    count = len(verifications)
    return [
        {"name": _("plan %(n)d") % {"n": v.plan.attempt}, "series": _series(i, count)}
        for i, v in enumerate(verifications)
    ]


def csv_rows(verifications: list[Verification]) -> Iterator[list[Any]]:
    """Every number of the page, one probe and plan a row."""
    yield ["plan", "method", "probe", "family", "value", "low", "high", "n", "reference", "reference_low",
           "reference_high", "difference", "difference_low", "difference_high", "margin", "limit", "outcome", "p",
           "items_needed"]  # fmt: skip
    for v in verifications:
        for p in v.document["probes"]:
            c, r, d = p["candidate"], p.get("reference") or {}, p.get("difference") or {}
            yield [v.plan.attempt, v.plan.method, p["name"], p["family"], c["value"], c["low"], c["high"], c["n"],
                   r.get("value"), r.get("low"), r.get("high"), d.get("value"), d.get("low"), d.get("high"),
                   p.get("margin"), p.get("limit"), p["outcome"], p.get("p_value"), p.get("items_needed")]  # fmt: skip
