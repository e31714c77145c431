"""Memorisation: does the model still say the answer, under the trained prompt and under prompts it never saw?

`exact_value`: share of facts whose greedy continuation holds the exact value. `answer_probability`: mean of
exp(-mean cross-entropy) over answer tokens (Maini et al. 2024, TOFU). `paraphrase_value`: exact value under
held-out paraphrases of the prompt, so that hiding from the trained wording is not enough.
"""

from __future__ import annotations

from unlearning_engine.probes.compare import Measure

FAMILY = "memorisation"
EXACT = Measure(name="exact_value", family=FAMILY, value="exact")
PROBABILITY = Measure(name="answer_probability", family=FAMILY, value="prob")
PARAPHRASE = Measure(name="paraphrase_value", family=FAMILY, value="exact_paraphrase")
MEASURES = (EXACT, PROBABILITY, PARAPHRASE)
