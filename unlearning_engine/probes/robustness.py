"""Robustness: what comes back when a few of the forgotten works are taught again (`attacks.relearning`).

`relearning_value` and `relearning_choice` are exact value and multiple choice on the works that were *not* taught.
The reference goes through the same attack: an attack teaches, too.
"""

from __future__ import annotations

from unlearning_engine.probes.compare import Measure
from unlearning_engine.probes.table import mean_of

FAMILY = "robustness"
VALUE = Measure(name="relearning_value", family=FAMILY, value="exact", attack="relearning")
CHOICE = Measure(
    name="relearning_choice", family=FAMILY, value=mean_of("choice", "choice_paraphrase"), attack="relearning"
)
MEASURES = (VALUE, CHOICE)
