"""Is there anything to judge? What is wrong with the sets, the models and the attack, before any probe counts.

Everything here reads the table of scores alone. A cheat that moves the bar is found here: a reference that knows or
that the candidate was copied from, controls that the candidate was trained on, an attack that was made to fail.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from unlearning_engine.attacks import standard
from unlearning_engine.contracts import Outcome
from unlearning_engine.policy import Policy
from unlearning_engine.probes import balance, independence, knowledge, memorisation, robustness, survivors, utility
from unlearning_engine.probes.compare import Measure, controls_excess, original_difference, reference_excess
from unlearning_engine.probes.table import ScoreTable
from unlearning_engine.statistics import Bounds, Settings, effective_size, holm, p_beyond, wilson

PLAIN = (memorisation.EXACT, memorisation.PROBABILITY, memorisation.VERBATIM, *knowledge.MEASURES)


def measures(policy: Policy) -> tuple[Measure, ...]:
    """Gating probes on a mean: the plain ones and those of the attacks that the policy names."""
    return (*PLAIN, *standard.measures(policy.attacks))


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


def _blind(table: ScoreTable, policy: Policy, settings: Settings) -> list[Finding]:
    """A plain probe that does not tell the original from a model that never saw the items tells nothing of another."""
    found = []
    for measure in measures(policy):
        if measure.attack or measure.name == memorisation.EXACT.name:
            continue  # of exact value `_ignorant_original` tells
        margin = policy.margins[measure.name]
        known = original_difference(table, measure, settings)
        if known is not None and known.low <= margin:
            data = {"probe": measure.name, "margin": margin, **_numbers(known)}
            found.append(Finding(code="blind_probe", outcome=Outcome.INCONCLUSIVE, data=data))
    return found


def _knowing_reference(table: ScoreTable, policy: Policy, settings: Settings) -> list[Finding]:
    """The reference must not know the items, or the bar is too low."""
    if not table.has_reference:
        return []
    tested = [(m, b) for m in measures(policy) if (b := reference_excess(table, m, settings)) is not None]
    shown = {m.name: data for m, _, data in _shown(tested, policy, settings)}
    found = [Finding(code="reference_knows", outcome=Outcome.BAD_INPUT, data=data) for data in shown.values()]
    open_ones = [(m, b) for m, b in tested if m.name not in shown and _may_know(m, b, policy)]
    return found + [
        Finding(code="reference_undecided", outcome=Outcome.INCONCLUSIVE, data={"probe": m.name, **_numbers(b)})
        for m, b in open_ones
    ]


def _may_know(measure: Measure, bounds: Bounds, policy: Policy) -> bool:
    """Whether a reference may know the items, though it is not shown that it does.

    An untaught model gives next to no exact value, so that its bound lies below the margin with few controls. Choices
    and what is said under attack are often right by chance: there, two sets of facts lie apart by as much as the bound
    reaches between honest trainings, and the estimate alone is held to the margin.
    """
    plain = measure.name in (memorisation.EXACT.name, memorisation.PARAPHRASE.name)
    return (bounds.high if plain else bounds.value) >= policy.margins[measure.name]


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
    tested = [(m, b) for m in measures(policy) if (b := controls_excess(table, m, settings)) is not None]
    shown = {m.name: data for m, _, data in _shown(tested, policy, settings)}
    found = [Finding(code="controls_known", outcome=Outcome.FAIL, data=data) for data in shown.values()]
    open_ones = [(m, b) for m, b in tested if m.name not in shown and b.high >= policy.margins[m.name]]
    return found + [
        Finding(code="controls_undecided", outcome=Outcome.INCONCLUSIVE, data={"probe": m.name, **_numbers(b)})
        for m, b in open_ones
    ]


def _seen_controls(table: ScoreTable, policy: Policy, settings: Settings) -> list[Finding]:
    """Controls that the original gives right and surely, in any wording, are not never-seen ones."""
    known = survivors.right(list(table.select("original", "controls")), survivors.VALUE)
    margin = policy.margins[memorisation.EXACT.name]
    if known is None or wilson(known.mean, effective_size(known), settings.one_sided)[0] <= margin:
        return []
    data = {"known": int(known.values.sum()), "facts": known.n, "margin": margin}
    return [Finding(code="controls_seen", outcome=Outcome.BAD_INPUT, data=data)]


def _unbalanced_controls(table: ScoreTable, policy: Policy, settings: Settings) -> list[Finding]:
    """Controls of another kind, length or difficulty than the forget set are no bar."""
    limit = policy.balance_limit
    tested = list(balance.contrasts(table, settings, least=policy.minimum_utility_items))
    sides = [("upper" if bounds.value > 0 else "lower", bounds) for _, bounds in tested]
    p = holm([p_beyond(b, limit if side == "upper" else -limit, settings, side=side) for side, b in sides])
    found = [
        {"contrast": name, "limit": limit, "p_adjusted": adjusted, **_numbers(bounds)}
        for (name, bounds), adjusted in zip(tested, p, strict=True)
        if adjusted < 1 - policy.confidence
    ]
    apart = balance.kinds_apart(table)
    if apart is not None and apart[0] > limit and apart[1] < 1 - policy.confidence:
        found.append({"contrast": "kinds", "limit": limit, "value": apart[0], "p_value": apart[1]})
    return [Finding(code="controls_unbalanced", outcome=Outcome.BAD_INPUT, data=data) for data in found]


def _related(table: ScoreTable, policy: Policy) -> list[Finding]:
    """A reference that was trained on from another model, or began where that began, is no training of its own."""
    return [
        Finding(code="reference_related", outcome=Outcome.BAD_INPUT, data={"to": name, "kinship": value})
        for name, value in (table.header.get("kinship") or {}).items()
        if value > policy.kinship_limit
    ]


def _copied(table: ScoreTable, policy: Policy) -> list[Finding]:
    """The candidate must be a run of its own, not the reference with its weights moved about."""
    near = independence.closeness(table)
    if near.get("reference", 1.0) >= policy.copy_below:
        return []
    data = {"closeness": near["reference"], "limit": policy.copy_below}
    return [Finding(code="reference_copied", outcome=Outcome.BAD_INPUT, data=data)]


def _effect(attack: str, data: dict[str, Any], floor: float, policy: Policy) -> list[Finding]:
    """Whether an attack took hold, of the candidate as of the model beside it: one that did nothing shows nothing.

    The model beside it must be taught more than it knew, by the margin of exact value, or keep a share of what it knew
    before: the square of `attack_kept_floor`, since relearning at times leaves honest small models half of it (.49 to
    .91 in eight runs), which is to be told from what leaves nothing. Where it could say nothing of the retained before,
    nobody can see what the attack left of it.
    """
    margin, known = policy.margins[memorisation.EXACT.name], data["before"]
    taught = data["set"] == "forget"
    if known is None or (not taught and known <= margin):
        missing = {"probe": f"{attack} effect on {data['set']}"}
        return [Finding(code="not_measured", outcome=Outcome.INCONCLUSIVE, data=missing)]
    idle = data["beside"] <= known + margin if taught else data["beside"] < policy.attack_kept_floor**2 * known
    if not idle and data["candidate"] >= floor * data["beside"]:
        return []
    return [Finding(code="attack_without_effect", outcome=Outcome.INCONCLUSIVE, data={**data, "floor": floor})]


def _failed_attack(table: ScoreTable, policy: Policy) -> list[Finding]:
    """An attack that could not teach the candidate, or that wrecked it, shows nothing about what it hides."""
    if "relearning" not in policy.attacks:
        return []
    floors = {"forget": policy.attack_floor, "retain": policy.attack_kept_floor}
    effects = robustness.effects(table)
    missing = set(floors) - {data["set"] for data in effects}
    found = [
        Finding(code="not_measured", outcome=Outcome.INCONCLUSIVE, data={"probe": f"relearning effect on {name}"})
        for name in sorted(missing)
    ]
    return found + [f for data in effects for f in _effect("relearning", data, floors[data["set"]], policy)]


def _wrecked(table: ScoreTable, policy: Policy) -> list[Finding]:
    """An attack that leaves the candidate less of the retained than the model beside it has shown nothing.

    A candidate may be put into units in which rounding or pruning destroys it, and so may both models. Attacks that
    change no weights wreck nothing; what a small model keeps before an unusual prompt differs by half between honest
    trainings.
    """
    found = []
    for name in policy.attacks:
        attack = standard.ATTACKS[name]
        if attack.prepare is None or not attack.changes_weights:
            continue
        beside = "reference" if table.has_reference else "original"
        own, other = (table.sample(m, "retain", "exact", attack=name) for m in ("candidate", beside))
        if own is None or other is None:
            data: dict[str, Any] = {"probe": f"{name} effect on retain"}
            found.append(Finding(code="not_measured", outcome=Outcome.INCONCLUSIVE, data=data))
        else:
            known = robustness.before(table, beside, "retain", name)
            data = {"attack": name, "set": "retain", "candidate": own.mean, "beside": other.mean, "before": known}
            found += _effect(name, data, policy.attack_kept_floor, policy)
    return found


def _untouched(table: ScoreTable) -> list[Finding]:
    models = table.header["models"]
    same = models["candidate"]["weights"] == models["original"]["weights"]
    return [Finding(code="candidate_is_the_original", outcome=Outcome.FAIL)] if same else []


def can_be_judged(table: ScoreTable, policy: Policy, settings: Settings) -> list[Finding]:
    """Findings about the models and the attack that no probe would show."""
    return [
        *_ignorant_original(table, policy, settings),
        *_blind(table, policy, settings),
        *_knowing_reference(table, policy, settings),
        *_poor_reference(table, policy, settings),
        *_known_controls(table, policy, settings),
        *_seen_controls(table, policy, settings),
        *_unbalanced_controls(table, policy, settings),
        *_related(table, policy),
        *_copied(table, policy),
        *_failed_attack(table, policy),
        *_wrecked(table, policy),
        *_untouched(table),
    ]
