"""Measures that set one group of scores against another: the reference's truth ratios, or never-seen controls.

Membership attacks need items of the same source that no model saw; privacy leak needs a retrained reference as well.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from unlearning_engine.probes import distribution, membership, privacy
from unlearning_engine.probes.families import Material, Measure, Score, Values, broken, log_truth_ratio, values_of
from unlearning_engine.probes.gather import ItemScores
from unlearning_engine.probes.intervals import ONE, Clusters, Found, resampled
from unlearning_engine.statistics import Auc, Sample, Settings, ks, resampled_auc, wilson

# ---------------------------------------------------------------- distribution


def forget_quality(material: Material) -> list[Measure]:
    """KS distance with an interval, the wider of a bootstrap's and a closed form's, and the p-value, without."""
    family, needs = distribution.FAMILY, "a retrained reference and wrong answers (perturbed)"
    lacking = next((note for items in material.items.values() if (note := broken(items))), "")
    samples = {
        model: material.clusters.sample(values_of(items, log_truth_ratio))
        for model, items in material.items.items()
        if not lacking
    }
    own, other = samples.get("model"), samples.get("reference")
    if own is None or other is None:
        empty = Found(value=None, note=lacking or f"needs {needs}")
        return [Measure(name=name, family=family, found=empty) for name in ("forget_quality", "ks_distance")]
    p = ks(own.values, other.values)[1]
    note = ONE if own.n == 1 else "a large p proves nothing: it never makes a pass"
    span = ks_distance(own, other, material.clusters.settings)
    items = len(material.clusters.facts)
    return [
        Measure(name="forget_quality", family=family, found=Found(value=p, note=note, n=own.n, items=items)),
        Measure(name="ks_distance", family=family, found=dataclasses.replace(span, items=items)),
    ]


def ks_distance(own: Sample, other: Sample, settings: Settings) -> Found:
    """D between two models' truth ratios, one a fact, with the wider of two intervals; one fact alone has none."""
    distance = ks(own.values, other.values)[0]
    if own.n == 1:
        return Found(value=distance, n=1, note=ONE)
    facts = Clusters(facts=tuple(range(own.n)), works=tuple(own.works.tolist()), settings=settings)

    def again(weights: Any) -> float:
        counts = weights.astype(int)
        return ks(np.repeat(own.values, counts), np.repeat(other.values, counts))[0]

    low, high = resampled(own.values.tolist(), facts, again, name="ks_distance")
    # Dvoretzky, Kiefer and Wolfowitz: how far either distribution may lie from what was seen. Samples that do not
    # overlap leave a bootstrap nothing to resample.
    tail = (1 - settings.confidence) / 2
    reach = sum(math.sqrt(math.log(2 / tail) / (2 * n)) for n in (own.n, other.n))
    low, high = max(0.0, min(low, distance - reach)), min(1.0, max(high, distance + reach))
    return Found(value=distance, low=low, high=high, n=own.n)


# ---------------------------------------------------------------- membership and privacy leak


def _zlib(item: ItemScores) -> float:
    return membership.zlib_score(item.own.log_probs, item.record.answer or item.record.text)


def _standing(item: ItemScores) -> float | None:
    return None if item.own.z is None else membership.min_k_plus_plus(item.own.z)


ATTACKS: Mapping[str, Score] = {
    "membership_loss": lambda item: membership.loss_score(item.own.log_probs),
    "membership_zlib": _zlib,
    "membership_min_k": lambda item: membership.min_k(item.own.log_probs),
    "membership_min_k_plus_plus": _standing,
}
RATIO, GRADIENT = "membership_reference_ratio", "membership_gradient_norm"


def attack_scores(material: Material) -> dict[str, dict[str, tuple[Values, Values]]]:
    """By attack and model: scores of the items and of the controls."""
    found: dict[str, dict[str, tuple[Values, Values]]] = {}
    for name, score in ATTACKS.items():
        found[name] = {
            m: (values_of(items, score), values_of(material.controls.get(m, ()), score))
            for m, items in material.items.items()
        }
    if material.has_reference:

        def ratio(own: Sequence[ItemScores], other: Sequence[ItemScores]) -> Values:
            pairs = zip(own, other, strict=True)
            return [membership.reference_ratio(a.own.log_probs, b.own.log_probs) for a, b in pairs]

        controls = [material.controls.get(m, ()) for m in ("model", "reference")]
        found[RATIO] = {"model": (ratio(material.items["model"], material.items["reference"]), ratio(*controls))}
    if material.gradients:
        found[GRADIENT] = {
            m: (list(material.gradients[m]), list(material.gradients.get(f"{m} controls", ()))) for m in material.items
        }
    return found


def _auc(rows: tuple[Values, Values], material: Material, name: str) -> Auc | None:
    if material.control_clusters is None:
        return None
    members, others = material.clusters.sample(rows[0]), material.control_clusters.sample(rows[1])
    if members is None or others is None:
        return None
    auc = resampled_auc(members, others, material.clusters.settings, name=name)
    if auc.draws.std() > 0:
        return auc
    # Members and others do not overlap: no resample shows that they might. The variance of an AUC is at most that of a
    # share of the smaller group's size (Birnbaum and Klose 1957), hence Wilson's interval at that size.
    low, high = wilson(auc.value, min(members.n, others.n), material.clusters.settings.two_sided)
    ends = np.where(np.arange(auc.draws.size) % 2, low, high)
    return Auc(value=auc.value, draws=ends, n=auc.n, least=auc.least)


def _auc_found(auc: Auc, material: Material) -> Found:
    found = auc.estimate(material.clusters.settings)
    controls = material.control_clusters.facts if material.control_clusters else ()
    least = min(found.n, len(set(controls)))
    items = len(material.clusters.facts)
    return Found(value=found.value, low=found.low, high=found.high, n=least, items=items, note=ONE if least < 2 else "")


def membership_and_leak(material: Material) -> list[Measure]:
    """AUC of each attack against the controls, then privleak of each; without controls there is no number."""
    notes = [broken(items) for group in (material.items, material.controls) for items in group.values()]
    lacking = next((note for note in notes if note), "")
    if not material.controls:
        lacking = lacking or "needs never-seen items of the same source (--controls)"
    names = [*ATTACKS, RATIO, GRADIENT]
    if lacking:
        found = Found(value=None, note=lacking)
        leaks = [Measure(name=_leak(name), family=privacy.FAMILY, found=found) for name in names if name != RATIO]
        return [Measure(name=name, family=membership.FAMILY, found=found) for name in names] + leaks
    attacks, leaks = [], []
    scores = attack_scores(material)
    for name in names:
        aucs = {m: _auc(rows, material, name) for m, rows in scores.get(name, {}).items()}
        attacks.append(_attack(name, aucs, material))
        if name != RATIO:
            leaks.append(_leaking(name, aucs, material))
    return attacks + leaks


def _leak(name: str) -> str:
    return name.replace("membership", "privacy_leak")


def _attack(name: str, aucs: Mapping[str, Auc | None], material: Material) -> Measure:
    own, other = aucs.get("model"), aucs.get("reference")
    if own is None:
        found = Found(value=None, note="needs a reference" if name == RATIO else "was not asked for")
        return Measure(name=name, family=membership.FAMILY, found=found)
    found = _auc_found(own, material)
    if other is None:
        return Measure(name=name, family=membership.FAMILY, found=found)
    tail = (1 - material.clusters.settings.confidence) / 2
    low, high = (float(q) for q in np.quantile(own.draws - other.draws, [tail, 1 - tail]))
    value = own.value - other.value
    difference = Found(value=value, low=min(low, value), high=max(high, value), n=found.n, items=found.items)
    reference = _auc_found(other, material)
    return Measure(name=name, family=membership.FAMILY, found=found, reference=reference, difference=difference)


def _leaking(name: str, aucs: Mapping[str, Auc | None], material: Material) -> Measure:
    own, other = aucs.get("model"), aucs.get("reference")
    if own is None or other is None:
        note = "was not asked for" if own is None else "needs a retrained reference"
        return Measure(name=_leak(name), family=privacy.FAMILY, found=Found(value=None, note=note))
    bounds = privacy.resampled_leak(own, other, material.clusters.settings)
    if bounds is None:
        note = "the reference's own AUC is 1: the controls are not of the items' kind, and the leak has no scale"
        return Measure(name=_leak(name), family=privacy.FAMILY, found=Found(value=None, note=note))
    base = _auc_found(own, material)
    found = Found(value=bounds.value, low=bounds.low, high=bounds.high, n=base.n, items=base.items, note=base.note)
    detail = {"auc": own.value, "reference": other.value}
    return Measure(name=_leak(name), family=privacy.FAMILY, found=found, detail=detail)
