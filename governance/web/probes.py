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
from governance.evidence.outcomes import GROUPS, comparison_of, group_of, lineage_of, verdict_sentence
from governance.evidence.vocabulary import Comparison
from governance.evidence.wording import OF_A_PROBE, finding_sentences, outcome_word, probe_title
from governance.models import Plan, Verification
from governance.web.case_history import method_title

Values = Mapping[str, Any]
NOTES = {
    "plain": gettext_lazy("What the model gives when it is simply asked."),
    "attacks": gettext_lazy("What it gives when somebody tries to bring it back. An attack can teach, so the reference "
                            "went through every attack as well."),
    "survivors": gettext_lazy("A mean can hide one work that stayed. Here the work or fact that stayed most is held "
                              "against the most that chance leaves in the reference or the controls."),
    "utility": gettext_lazy("What the model had to keep, as a share of what the model beside it can do."),
}  # fmt: skip
TONES = {"damaged": "fail", "bad_input": "fail"}


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
        by_margin.setdefault(float(margin), []).append(probe_title(name).lower())
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


def _measured(plan: str, probe: Values, series: int) -> dict[str, Any]:
    """One plan's line of a probe: drawn against the reference and the limit that were this plan's own."""
    candidate, reference, outcome = probe["candidate"], probe.get("reference"), str(probe["outcome"])
    margin, limit = probe.get("margin"), probe.get("limit")
    low = None
    if probe.get("bounds") == "both" and margin is not None and reference:
        low = (reference["value"] - margin) * 100
    return {
        "plan": plan, "series": series, "state": outcome, "word": outcome_word(outcome),
        "value": share(candidate["value"]), "range": _span(candidate["low"], candidate["high"]),
        "needed": _needed(probe), "n": candidate["n"],
        "reference_text": share(reference["value"]) if reference else _own_measure(probe),
        "reference_range": _span(reference["low"], reference["high"]) if reference else "",
        "limit_text": _limit(probe),
        "limit_note": "" if margin is None else _("margin %(points)s points") % {
            "points": number_format(margin * 100, decimal_pos=0 if margin * 100 == round(margin * 100) else 1)},
        "row": {
            "title": f"{probe_title(probe['name'])}, {plan}",
            "estimates": [_estimate(candidate, "", series)],
            "reference": _estimate(reference, "", 2) if reference else None,
            "limit": limit * 100 if limit is not None else None,
            "limit_low": low,
        },
    }  # fmt: skip


def _own_measure(probe: Values) -> str:
    if probe["family"] != "utility":
        return _("none")
    name = str(probe.get("detail", {}).get("ratio_to", "reference"))
    return _("the %(model)s is 100%%") % {"model": _MODELS.get(name, name)}


_MODELS = {"reference": gettext_lazy("reference"), "original": gettext_lazy("version before")}


def _limit(probe: Values) -> str:
    limit, reference = probe.get("limit"), probe.get("reference")
    if limit is None:
        return _("none: reported only") if probe["outcome"] == "reported" else _("none")
    if probe.get("bounds") == "lower":
        return _("at least %(share)s") % {"share": share(limit)}
    if probe.get("bounds") == "both" and reference and probe.get("margin") is not None:
        return _("%(low)s to %(high)s") % {
            "low": share(reference["value"] - probe["margin"]), "high": share(limit)}  # fmt: skip
    return _("at most %(share)s") % {"share": share(limit)}


def _needed(probe: Values) -> str:
    if probe.get("limit") is None and probe.get("p_value") is not None:
        return _("p = %(p)s") % {"p": number_format(probe["p_value"], decimal_pos=3)}
    if probe["outcome"] == "inconclusive" and probe.get("items_needed"):
        return _("about %(n)s facts would decide") % {"n": number_format(probe["items_needed"], force_grouping=True)}
    return ""


def _probe_row(name: str, found: list[tuple[str, Values | None]]) -> dict[str, Any]:
    measured = [
        _measured(plan, probe, _series(i, len(found))) for i, (plan, probe) in enumerate(found) if probe is not None
    ]
    newest = next(probe for _plan, probe in reversed(found) if probe is not None)
    notes = [_("n = %(n)s") % {"n": number_format(newest["candidate"]["n"], force_grouping=True)}]
    if original := newest.get("original"):
        notes.append(_("before: %(share)s") % {"share": share(original["value"])})
    return {"title": probe_title(name), "note": ", ".join(notes), "plans": measured, "span": len(measured)}


def _series(index: int, count: int) -> int:
    """The last plan keeps the first hue, whatever was tried before."""
    return (count - 1 - index) % 4


def groups(verifications: list[Verification]) -> list[dict[str, Any]]:
    """Probes by group, each plan's line with its own reference and limit; utility has an axis of its own."""
    plans = [
        (_("plan %(n)d") % {"n": v.plan.attempt}, {p["name"]: p for p in v.document["probes"]}) for v in verifications
    ]
    names = list(dict.fromkeys(name for _plan, probes in plans for name in probes))
    of = {name: group_of(next(p[name] for _plan, p in plans if name in p)) for name in names}
    found = []
    for group, title in GROUPS.items():
        mine = [name for name in names if of[name] == group]
        rows = [_probe_row(name, [(plan, probes.get(name)) for plan, probes in plans]) for name in mine]
        if rows:
            axis = _own_axis(rows) if group == "utility" else _axis(rows)
            head = {"key": group, "title": title, "note": NOTES[group], "sentence": _group_sentence(rows)}
            found.append({**head, "probes": rows, "axis": axis, "several": len(plans) > 1, **_numbers(plans, mine)})
    return found


def _numbers(plans: list[tuple[str, dict[str, Values]]], names: list[str]) -> dict[str, Any]:
    """The table behind a group's chart: every number, a probe and plan a row."""
    heads = [_("Probe"), _("Plan"), _("Before"), _("After"), _("Reference"), _("Difference"), _("Limit"), _("p"), "n"]
    rows = [
        [probe_title(name), plan, _cell(p.get("original")), _cell(p["candidate"]), _cell(p.get("reference")),
         _cell(p.get("difference")), _limit(p),
         "–" if p.get("p_value") is None else number_format(p["p_value"], decimal_pos=4),
         number_format(p["candidate"]["n"], force_grouping=True)]
        for name in names for plan, probes in plans if (p := probes.get(name))
    ]  # fmt: skip
    return {"columns": heads, "numbers": rows}


def _cell(estimate: Values | None) -> Any:
    if not estimate:
        return "–"
    return {"text": share(estimate["value"]), "note": _span(estimate["low"], estimate["high"])}


def _group_sentence(rows: list[dict[str, Any]]) -> str:
    """The conclusion above a group's chart: the last plan's outcomes, counted."""
    states = [row["plans"][-1]["state"] for row in rows]
    tested = [state for state in states if state != "reported"]
    beyond = sum(state in ("fail", "damaged") for state in tested)
    open_ones = sum(state == "inconclusive" for state in tested)
    if not tested:
        return _("Nothing beyond what chance explains.")
    if not beyond and not open_ones:
        return ngettext("It stays inside its limit.", "All %(n)d stay inside their limits.", len(tested)) % {
            "n": len(tested)}  # fmt: skip
    parts = []
    if beyond:
        parts.append(_("%(k)d of %(n)d beyond the limit") % {"k": beyond, "n": len(tested)})
    if open_ones:
        parts.append(_("%(k)d of %(n)d not decided") % {"k": open_ones, "n": len(tested)})
    return "; ".join(parts) + "."


def _ends(rows: list[dict[str, Any]]) -> list[float]:
    """Everything that has to fit on the axis, in per cent."""
    lines = [line["row"] for row in rows for line in row["plans"]]
    values = [v for line in lines for e in (*line["estimates"], line["reference"]) if e for v in (e["low"], e["high"])]
    return values + [line["limit"] for line in lines if line["limit"] is not None]


def _axis(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """0 to 100%, and further where a value lies beyond."""
    top = max(100, 50 * math.ceil(max(_ends(rows)) / 50 - 1e-9))
    return {"low": 0, "high": top, "step": 20 if top == 100 else 50 if top <= 300 else top / 4, "unit": "%"}


def _own_axis(rows: list[dict[str, Any]]) -> dict[str, Any]:
    values = _ends(rows)
    step = 5 if max(values) - min(values) <= 25 else 20
    low, high = math.floor(min(values) / step) * step, math.ceil(max(values) / step) * step
    return {"low": max(0, low), "high": max(high, low + step), "step": step, "unit": "%"}


def _counted(document: Values) -> tuple[int, dict[str, int]]:
    outcomes = [str(probe["outcome"]) for probe in document["probes"]]
    return len(outcomes), {name: outcomes.count(name) for name in set(outcomes)}


def finding_words(document: Values) -> Iterator[str]:
    """The findings that are not a probe's own outcome, each once."""
    yield from finding_sentences(f for f in document["findings"] if str(f["code"]) not in OF_A_PROBE)


def _text(verification: Verification) -> str:
    """The sentence of the verdict, then what was found beside the probes."""
    document = verification.document
    confidence = float(document["policy"].get("confidence", 0.95))
    return " ".join([verdict_sentence(document, confidence=confidence), *finding_words(document)])


def _compared(document: Values) -> str:
    if comparison_of(document) is Comparison.CONTROLS:
        return _("never-seen controls")
    if lineage_of(document) == "proven":
        return _("a retrained reference of proven lineage")
    return _("a reference whose training is not proven")


def cards(verifications: list[Verification]) -> list[dict[str, Any]]:
    """The verdict of each plan, in the order in which they were tried."""
    found = []
    for verification in verifications:
        plan, document = verification.plan, verification.document
        total, counts = _counted(document)
        words = [f"{n} {outcome_word(name)}".lower() for name, n in sorted(counts.items())]
        facts = [(_("Probes"), ", ".join(words)
                  + " " + _("of %(n)d") % {"n": total}),
                 (_("Method class"), dispatch.METHODS[plan.method].guarantee.value),
                 (_("Compared with"), _compared(document)),
                 {"label": _("Thresholds fixed before"), "value": plan.policy_digest, "digest": True}]  # fmt: skip
        found.append({
            "state": verification.verdict,
            "tone": TONES.get(verification.verdict, verification.verdict),
            "over": _("Plan %(n)d, %(method)s") % {"n": plan.attempt, "method": method_title(plan.method).lower()},
            "title": outcome_word(verification.verdict),
            "text": _text(verification),
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
    return _("Plan %(n)d: %(verdict)s") % {"n": plan.attempt, "verdict": outcome_word(verification.verdict).lower()}


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
           "items_needed", "group"]  # fmt: skip
    for v in verifications:
        for p in v.document["probes"]:
            c, r, d = p["candidate"], p.get("reference") or {}, p.get("difference") or {}
            yield [v.plan.attempt, v.plan.method, p["name"], p["family"], c["value"], c["low"], c["high"], c["n"],
                   r.get("value"), r.get("low"), r.get("high"), d.get("value"), d.get("low"), d.get("high"),
                   p.get("margin"), p.get("limit"), p["outcome"], p.get("p_value"), p.get("items_needed"),
                   group_of(p)]  # fmt: skip
