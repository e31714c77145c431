"""Robustness: what comes back when a few of the forgotten works are taught again (`attacks.relearning`).

`relearning_value` and `relearning_choice` are exact value and multiple choice on the works that were *not* taught.
`relearning_rank` is the share of wrong answers that the right one beats there: it moves before the right one wins.
The reference goes through the same attack: an attack teaches, too. Whether the attack did anything is measured,
not assumed: a model may be put into units in which the attack's learning rate moves nothing, or everything.
"""

from __future__ import annotations

from typing import Any

from unlearning_engine.probes.compare import Measure
from unlearning_engine.probes.table import ScoreTable, mean_of

FAMILY = "robustness"
VALUE = Measure(name="relearning_value", family=FAMILY, value="exact", attack="relearning")
CHOICE = Measure(
    name="relearning_choice", family=FAMILY, value=mean_of("choice", "choice_paraphrase"), attack="relearning"
)
RANK = Measure(name="relearning_rank", family=FAMILY, value="rank", attack="relearning")
MEASURES = (VALUE, CHOICE, RANK)


def before(table: ScoreTable, model: str, name: str, attack: str) -> float | None:
    """Share of exact answers that a model gave, before an attack, to what was asked again after it."""
    again = {row.fact for row in table.select(model, name, attack=attack)}
    known = table.sample(model, name, lambda row: row.exact if row.fact in again else None)
    return None if known is None else known.mean


def effects(table: ScoreTable) -> list[dict[str, Any]]:
    """What the attack taught the candidate and left of the retained, beside the same attack on an untouched bar.

    The bar is the reference, or without one the original taught the controls. Values are shares of exact answers;
    `before` is what the bar could say of the same facts before the attack.
    """
    model, taught = ("reference", "forget") if table.has_reference else ("original", "controls")
    found = []
    for own_set, other_set in (("forget", taught), ("retain", "retain")):
        own = table.sample("candidate", own_set, "exact", attack="relearning_taught")
        other = table.sample(model, other_set, "exact", attack="relearning_taught")
        if own is not None and other is not None:
            untouched = before(table, model, other_set, "relearning_taught")
            found.append({"set": own_set, "candidate": own.mean, "beside": other.mean, "before": untouched})
    return found
