"""Knowledge: is the right answer still preferred to wrong ones from the same pool?

`multiple_choice`: share of facts whose right answer has the lowest mean cross-entropy among answer and wrong
answers, under the trained prompt and the held-out ones alike; ties share the point, so that a model without
any preference scores chance, 1/k. Exact values reach nought long before this reaches chance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from unlearning_engine.probes.compare import Measure
from unlearning_engine.probes.table import mean_of

FAMILY = "knowledge"
CHOICE = Measure(name="multiple_choice", family=FAMILY, value=mean_of("choice", "choice_paraphrase"))
MEASURES = (CHOICE,)


def probability_with_options(right: float, wrong: Sequence[float]) -> float:
    """p / (p + sum of the wrong p), in [0, 1], from mean losses in nats per token (Maini et al. 2024, real-world sets).

    Computed from differences of losses, so that answers that are all unlikely still compare; open-unlearning adds
    1e-10 to the denominator, which sends such a ratio to 0.
    """
    return 1 / (1 + sum(math.exp(min(right - loss, 700.0)) for loss in wrong))
