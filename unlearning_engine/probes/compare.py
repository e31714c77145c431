"""What the families share: one model's mean beside the reference's, and the difference with its bounds.

Where there is no retrained reference, never-seen controls play its part: the candidate's scores on the forget
items are compared with the candidate's own on the controls, which are other facts, hence unpaired.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unlearning_engine.contracts import ProbeResult
from unlearning_engine.probes.table import ScoreTable, Value
from unlearning_engine.statistics import Bounds, Sample, Settings, difference, estimate, p_beyond


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A gating probe on a mean: its name, family, and which score of the table it reads.

    `suffix` names the part of the forget set and the controls: "_text" for running text, else the questions.
    """

    name: str
    family: str
    value: str | Value
    attack: str = ""
    suffix: str = ""


def reference_sample(table: ScoreTable, measure: Measure) -> Sample | None:
    """What the candidate is compared with: the reference on the same facts, or the candidate on the controls."""
    model, name = ("reference", "forget") if table.has_reference else ("candidate", "controls")
    return table.sample(model, name + measure.suffix, measure.value, attack=measure.attack)


def original_difference(table: ScoreTable, measure: Measure, settings: Settings) -> Bounds | None:
    """How far the original is above the reference (or its own controls): what the probe is able to see."""
    own = table.sample("original", "forget" + measure.suffix, measure.value)
    model, name = ("reference", "forget") if table.has_reference else ("original", "controls")
    other = table.sample(model, name + measure.suffix, measure.value)
    if own is None or other is None:
        return None
    return difference(own, other, settings, name=f"original {measure.name}", paired=table.has_reference)


def reference_excess(table: ScoreTable, measure: Measure, settings: Settings) -> Bounds | None:
    """How far the reference scores higher on the forget items than on the controls: nought if it saw neither."""
    own = table.sample("reference", "forget" + measure.suffix, measure.value, attack=measure.attack)
    other = table.sample("reference", "controls" + measure.suffix, measure.value, attack=measure.attack)
    if own is None or other is None:
        return None
    return difference(own, other, settings, name=f"reference {measure.name}", paired=False)


def controls_excess(table: ScoreTable, measure: Measure, settings: Settings) -> Bounds | None:
    """How far the candidate scores higher on the controls than the original: nought if neither saw them."""
    own = table.sample("candidate", "controls" + measure.suffix, measure.value, attack=measure.attack)
    other = table.sample("original", "controls" + measure.suffix, measure.value, attack=measure.attack)
    if own is None or other is None:
        return None
    return difference(own, other, settings, name=f"controls {measure.name}", paired=True)


def compare(table: ScoreTable, measure: Measure, margin: float, settings: Settings) -> ProbeResult | None:
    """Estimates of one gating probe, its outcome still open; None where candidate or reference was not scored."""
    own = table.sample("candidate", "forget" + measure.suffix, measure.value, attack=measure.attack)
    other = reference_sample(table, measure)
    if any(not row.finite for row in table.rows if row.attack and row.attack == measure.attack):
        return None  # the attack broke a model: what is left would be a choice of items
    if own is None or other is None or (table.has_reference and not np.array_equal(own.works, other.works)):
        return None  # not the same facts: one of the two was not measured whole
    bounds = difference(own, other, settings, name=measure.name, paired=table.has_reference)
    original = table.sample("original", "forget" + measure.suffix, measure.value, attack=measure.attack)
    able = original_difference(table, measure, settings) if not measure.attack else None
    return ProbeResult(
        name=measure.name,
        family=measure.family,
        candidate=estimate(own, settings),
        reference=estimate(other, settings),
        original=estimate(original, settings) if original is not None else None,
        difference=bounds.estimate(),
        margin=margin,
        limit=other.mean + margin,
        p_value=p_beyond(bounds, margin, settings, side="upper"),
        detail={"sees_the_original": able.low > margin} if able is not None else {},
    )
