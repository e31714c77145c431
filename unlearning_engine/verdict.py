"""The verdict: from scores and a policy fixed before the run to pass, fail, inconclusive, damaged or bad input.

A probe passes when the one-sided bound of its difference from the reference lies inside the margin
(non-inferiority; an insignificant difference proves nothing), fails when the difference is shown to lie beyond the
margin (Holm-adjusted over every test that can fail a model), and is inconclusive otherwise. The model passes when
every gating probe does (intersection-union, so no correction is due), fails when one fails. Every finding is
listed; the first in the order bad input, damaged, fail, inconclusive, pass is the verdict.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from unlearning_engine.attacks.standard import not_applicable, works_probes
from unlearning_engine.contracts import Outcome, ProbeResult
from unlearning_engine.fitness import Finding, broken, can_be_judged, measures, preconditions
from unlearning_engine.policy import Policy
from unlearning_engine.probes import distribution, membership, memorisation, survivors, utility
from unlearning_engine.probes.compare import compare
from unlearning_engine.probes.table import ScoreTable
from unlearning_engine.statistics import Bounds, Settings, holm, items_needed

_ORDER = {outcome: rank for rank, outcome in enumerate(Outcome)}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The outcome with every finding and probe behind it."""

    outcome: Outcome
    findings: tuple[Finding, ...]
    probes: tuple[ProbeResult, ...] = ()


# ---------------------------------------------------------------- probes


def measure_all(table: ScoreTable, policy: Policy, settings: Settings) -> list[ProbeResult]:
    """Every probe's estimates, outcomes still open."""
    found = [compare(table, measure, policy.margins[measure.name], settings) for measure in measures(policy)]
    found.append(membership.compare(table, policy.margins[membership.NAME], settings))
    found.append(distribution.compare(table, policy.forget_quality_alpha, settings))
    found += survivors.compare(table, settings)
    for attack, name in works_probes(policy.attacks).items():
        if (worst := survivors.works(table, settings, attack=attack)) is not None:
            found.append(dataclasses.replace(worst, name=name))
    found += [utility.compare(table, c, policy.utility_floor, settings) for c in utility.COMPONENTS]
    found.append(utility.compare(table, utility.POOLED, policy.pooled_utility_floor, settings))
    return [probe for probe in found if probe is not None]


def _tested(probe: ProbeResult) -> Bounds:
    """The bounds that decide: of the difference, or for utility of the ratio itself."""
    tested = probe.candidate if probe.difference is None else probe.difference
    return Bounds(value=tested.value, low=tested.low, high=tested.high, n=tested.n)


def _floor(probe: ProbeResult, policy: Policy) -> float:
    pooled = probe.name == f"{utility.FAMILY}_{utility.POOLED}"
    return policy.pooled_utility_floor if pooled else policy.utility_floor


def _inside(probe: ProbeResult, policy: Policy) -> bool:
    bounds = _tested(probe)
    if probe.family == utility.FAMILY:
        return bounds.low >= _floor(probe, policy) and bounds.n >= policy.minimum_utility_items
    margin = policy.margins[probe.name]
    return bounds.high < margin and (probe.bounds != "both" or bounds.low > -margin)


def _needed(probe: ProbeResult, policy: Policy) -> int | None:
    """Independent facts that would decide an inconclusive probe, at the observed value and variance."""
    bounds = _tested(probe)
    if probe.family == utility.FAMILY:
        gap, least = bounds.value - _floor(probe, policy), policy.minimum_utility_items
        reach = bounds.value - bounds.low if gap > 0 else bounds.high - bounds.value
        return items_needed(bounds.n, abs(gap), reach, floor=least)
    mirrored = probe.bounds == "both" and bounds.value < 0
    up, down = bounds.high - bounds.value, bounds.value - bounds.low
    outward, inward = (down, up) if mirrored else (up, down)
    gap = policy.margins[probe.name] - (abs(bounds.value) if probe.bounds == "both" else bounds.value)
    return items_needed(bounds.n, abs(gap), outward if gap > 0 else inward, floor=policy.minimum_items)


def _of_survivors(probe: ProbeResult, policy: Policy) -> bool:
    return probe.name in survivors.NAMES or probe.name in works_probes(policy.attacks).values()


def _survived(probe: ProbeResult, adjusted: float, policy: Policy) -> str:
    """A survivor that is shown fails the model; one that is only likely keeps it from passing."""
    if adjusted < 1 - policy.confidence:
        return Outcome.FAIL
    suspected = probe.p_value is not None and probe.p_value < policy.survivor_alpha
    return Outcome.INCONCLUSIVE if suspected else "reported"


def _decide(probe: ProbeResult, adjusted: float, policy: Policy) -> ProbeResult:
    detail = {**probe.detail, "p_adjusted": adjusted}
    if probe.name == distribution.NAME:
        outcome = Outcome.FAIL if adjusted < policy.forget_quality_alpha else "reported"
        return dataclasses.replace(probe, outcome=outcome, detail=detail)
    if _of_survivors(probe, policy):
        return dataclasses.replace(probe, outcome=_survived(probe, adjusted, policy), detail=detail)
    if probe.family == utility.FAMILY and probe.candidate.high < policy.damaged_below:
        return dataclasses.replace(probe, outcome=Outcome.DAMAGED, detail=detail)
    if adjusted < 1 - policy.confidence:
        return dataclasses.replace(probe, outcome=Outcome.FAIL, detail=detail)
    if _inside(probe, policy):
        return dataclasses.replace(probe, outcome=Outcome.PASS, detail=detail)
    needed = _needed(probe, policy)
    return dataclasses.replace(probe, outcome=Outcome.INCONCLUSIVE, items_needed=needed, detail=detail)


def decide(probes: Sequence[ProbeResult], policy: Policy) -> list[ProbeResult]:
    """Give every probe its outcome; all of them form one family of tests that can fail a model."""
    adjusted = holm([1.0 if p.p_value is None else p.p_value for p in probes])
    return [_decide(probe, p, policy) for probe, p in zip(probes, adjusted, strict=True)]


# ---------------------------------------------------------------- findings

_CODES = {Outcome.FAIL: "beyond_margin", Outcome.INCONCLUSIVE: "undecided", Outcome.DAMAGED: "damaged"}


def _probe_finding(probe: ProbeResult, policy: Policy) -> Finding:
    code = _CODES[Outcome(probe.outcome)]
    if probe.family == utility.FAMILY and probe.outcome == Outcome.FAIL:
        code = "utility_below_floor"
    elif probe.name == distribution.NAME:
        code = "distribution_differs"
    elif _of_survivors(probe, policy):
        code = "survivors" if probe.outcome == Outcome.FAIL else "survivors_suspected"
    data = {"probe": probe.name, "p_adjusted": probe.detail["p_adjusted"], "items_needed": probe.items_needed}
    return Finding(code=code, outcome=probe.outcome, data=data)


def _gaps(table: ScoreTable, probes: Iterable[ProbeResult], policy: Policy) -> list[Finding]:
    """What was not measured, or on too few facts: never a pass."""
    measured = {p.name for p in probes}
    texts = table.header["facts"].get("forget_text", 0)
    gating = [name for name in policy.margins if texts or name != memorisation.VERBATIM.name]
    kept = [name for name in survivors.NAMES if name != survivors.RELEARNED or "relearning" in policy.attacks]
    kept += works_probes(policy.attacks).values()
    required = [
        *gating,
        distribution.NAME,
        *kept,
        *(f"utility_{c}" for c in (*policy.required_utility, utility.POOLED)),
    ]
    found = [
        Finding(code="not_measured", outcome=Outcome.INCONCLUSIVE, data={"probe": name})
        for name in required
        if name not in measured
    ]
    return found + _too_few(table, policy)


def _too_few(table: ScoreTable, policy: Policy) -> list[Finding]:
    """Forget facts or controls that are too few; beside a reference the controls need only show that it is a bar."""
    bar = policy.minimum_utility_items if table.has_reference else policy.minimum_items
    found = []
    for name, least in (("forget", policy.minimum_items), ("controls", bar)):
        facts = table.sample("candidate", name, "loss")
        n = 0 if facts is None else facts.n
        if n < least:
            data = {"set": name, "facts": n, "minimum": least}
            found.append(Finding(code="too_few_items", outcome=Outcome.INCONCLUSIVE, data=data))
    return found


def _verdict(findings: Sequence[Finding], probes: Sequence[ProbeResult] = ()) -> Verdict:
    ranked = sorted(findings, key=lambda f: _ORDER[Outcome(f.outcome)])
    outcome = Outcome(ranked[0].outcome) if ranked else Outcome.PASS
    return Verdict(outcome=outcome, findings=tuple(ranked), probes=tuple(probes))


def judge(table: ScoreTable, policy: Policy) -> Verdict:
    """The verdict on one table of scores: the only way from numbers to an outcome, for a run and for an auditor."""
    header = dict(table.header)
    if wrong := preconditions(header):
        return _verdict(wrong)
    if unusable := broken(table):
        return _verdict(unusable)
    policy = policy.without(not_applicable(policy.attacks, header["models"]))
    settings = policy.settings(int(header["seed"]))
    probes = decide(measure_all(table, policy, settings), policy)
    findings = [*can_be_judged(table, policy, settings), *_gaps(table, probes, policy)]
    findings += [_probe_finding(p, policy) for p in probes if p.outcome not in (Outcome.PASS, "reported")]
    return _verdict(findings, probes)
