"""Knowledge: is the right answer still preferred to wrong ones from the same pool?

`multiple_choice`: share of facts whose right answer has the lowest mean cross-entropy among answer and wrong
answers, under the trained prompt and the held-out ones alike; ties share the point, so that a model without
any preference scores chance, 1/k. Exact values reach nought long before this reaches chance.
"""

from __future__ import annotations

from unlearning_engine.probes.compare import Measure
from unlearning_engine.probes.table import mean_of

FAMILY = "knowledge"
CHOICE = Measure(name="multiple_choice", family=FAMILY, value=mean_of("choice", "choice_paraphrase"))
MEASURES = (CHOICE,)
