"""Is there anything to judge? What is wrong with the sets, the models and the attack, before any probe counts.

Everything here reads the table of scores alone. A cheat that moves the bar is found here: a reference that knows or
that the candidate was copied from, controls that the candidate was trained on, an attack that was made to fail.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from unlearning_engine.contracts import Outcome
from unlearning_engine.policy import Policy
from unlearning_engine.probes import independence, knowledge, memorisation, robustness, utility
from unlearning_engine.probes.compare import Measure, controls_excess, original_difference, reference_excess
from unlearning_engine.probes.table import ScoreTable
from unlearning_engine.statistics import Bounds, Settings, holm, p_beyond

MEASURES = (*memorisation.MEASURES, *knowledge.MEASURES, *robustness.MEASURES)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that was found: a code, the outcome it alone would lead to, and plain numbers."""

    code: str
    outcome: str
    data: dict[str, Any] = field(default_factory=dict)


def preconditions(header: dict[str, Any]) -> list[Finding]:
    """What the header alone shows to be wrong: nothing can be judged, and nothing is measured."""
    found: list[tuple[str, dict[str, Any]]] = []
    for name in ("forget", "retain", "controls"):
        if not header["facts"].get(name):
            found.append((f"{name}_empty", {}))
    found += [("sets_overlap", {"set": name, **data}) for name, data in sorted(header["overlaps"].items())]
    models = header["models"]
    found += [
        ("reference_identical", {"to": name})
        for name in ("candidate", "original")
        if "reference" in models and models["reference"]["weights"] == models[name]["weights"]
    ]
    found += [
        ("tokenizers_differ", {"model": name})
        for name in models
        if models[name]["tokenizer"] != models["original"]["tokenizer"]
    ]
    return [Finding(code=code, outcome=Outcome.BAD_INPUT, data=data) for code, data in found]


def broken(table: ScoreTable) -> list[Finding]:
    """Models that gave no numbers: a candidate is damaged, another model is bad input."""
    counts: dict[str, int] = {}
    for row in table.rows:
        if not row.finite and not row.attack:
            counts[row.model] = counts.get(row.model, 0) + 1
    return [
        Finding(
            code="not_finite",
            outcome=Outcome.DAMAGED if model == "candidate" else Outcome.BAD_INPUT,
            data={"model": model, "items": count},
        )
        for model, count in counts.items()
    ]


def _numbers(bounds: Bounds) -> dict[str, Any]:
    return {"difference": bounds.value, "low": bounds.low, "high": bounds.high, "n": bounds.n}


def _shown(
    tested: Sequence[tuple[Measure, Bounds]], policy: Policy, settings: Settings
) -> Iterable[tuple[Measure, Bounds, dict[str, Any]]]:
    """Those that are shown to lie beyond their margin, Holm-adjusted among themselves."""
    raw = [p_beyond(b, policy.margins[m.name], settings, side="upper") for m, b in tested]
    for (measure, bounds), p in zip(tested, holm(raw), strict=True):
        if p < 1 - policy.confidence:
            margin = policy.margins[measure.name]
            yield measure, bounds, {"probe": measure.name, "margin": margin, "p_adjusted": p, **_numbers(bounds)}


def _ignorant_original(table: ScoreTable, policy: Policy, settings: Settings) -> list[Finding]:
    """The original must know the items, or any model would pass."""
    margin = policy.margins[memorisation.EXACT.name]
    known = original_difference(table, memorisation.EXACT, settings)
    if known is not None and known.low > margin:
        return []
    data = {"margin": margin, **(_numbers(known) if known is not None else {})}
    return [Finding(code="original_does_not_know", outcome=Outcome.BAD_INPUT, data=data)]


def _knowing_reference(table: ScoreTable, policy: Policy, settings: Settings) -> list[Finding]:
    """The reference must not know the items, or the bar is too low."""
    if not table.has_reference:
        return []
    tested = [(m, b) for m in MEASURES if (b := reference_excess(table, m, settings)) is not None]
    shown = _shown(tested, policy, settings)
    return [Finding(code="reference_knows", outcome=Outcome.BAD_INPUT, data=data) for _, _, data in shown]


def _poor_reference(table: ScoreTable, policy: Policy, settings: Settings) -> list[Finding]:
    """A reference that does worse than the original on what is kept is no bar for utility, nor for anything else."""
    found = []
    for name in utility.COMPONENTS if table.has_reference else ():
        bounds = utility.standing(table, name, settings)
        if bounds is not None and bounds.high < policy.utility_floor:
            data = {"component": name, "floor": policy.utility_floor, **_numbers(bounds)}
            found.append(Finding(code="reference_poor", outcome=Outcome.BAD_INPUT, data=data))
    return found


def _known_controls(table: ScoreTable, policy: Policy, settings: Settings) -> list[Finding]:
    """Without a reference the candidate's controls are its bar: they must be as unknown to it as to the original."""
    if table.has_reference:
        return []
    tested = [(m, b) for m in MEASURES if (b := controls_excess(table, m, settings)) is not None]
    shown = {m.name: data for m, _, data in _shown(tested, policy, settings)}
    found = [Finding(code="controls_known", outcome=Outcome.FAIL, data=data) for data in shown.values()]
    open_ones = [(m, b) for m, b in tested if m.name not in shown and b.high >= policy.margins[m.name]]
    return found + [
        Finding(code="controls_undecided", outcome=Outcome.INCONCLUSIVE, data={"probe": m.name, **_numbers(b)})
        for m, b in open_ones
    ]


def _copied(table: ScoreTable, policy: Policy) -> list[Finding]:
    """The candidate must be a run of its own, not the reference with its weights moved about."""
    near = independence.closeness(table)
    if near.get("reference", 1.0) >= policy.copy_below:
        return []
    data = {"closeness": near["reference"], "limit": policy.copy_below}
    return [Finding(code="reference_copied", outcome=Outcome.BAD_INPUT, data=data)]


def _failed_attack(table: ScoreTable, policy: Policy) -> list[Finding]:
    """An attack that could not teach the candidate, or that wrecked it, shows nothing about what it hides."""
    floors = {"forget": policy.attack_floor, "retain": policy.attack_kept_floor}
    effects = robustness.effects(table)
    missing = set(floors) - {data["set"] for data in effects}
    found = [
        Finding(code="not_measured", outcome=Outcome.INCONCLUSIVE, data={"probe": f"relearning effect on {name}"})
        for name in sorted(missing)
    ]
    return found + [
        Finding(code="attack_without_effect", outcome=Outcome.INCONCLUSIVE, data={**data, "floor": floors[data["set"]]})
        for data in effects
        if data["candidate"] < floors[data["set"]] * data["beside"]
    ]


def _untouched(table: ScoreTable) -> list[Finding]:
    models = table.header["models"]
    same = models["candidate"]["weights"] == models["original"]["weights"]
    return [Finding(code="candidate_is_the_original", outcome=Outcome.FAIL)] if same else []


def can_be_judged(table: ScoreTable, policy: Policy, settings: Settings) -> list[Finding]:
    """Findings about the models and the attack that no probe would show."""
    return [
        *_ignorant_original(table, policy, settings),
        *_knowing_reference(table, policy, settings),
        *_poor_reference(table, policy, settings),
        *_known_controls(table, policy, settings),
        *_copied(table, policy),
        *_failed_attack(table, policy),
        *_untouched(table),
    ]
