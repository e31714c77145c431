"""Memorisation: does the model still say the answer, under the trained prompt and under prompts it never saw?

`exact_value`: share of facts whose greedy continuation holds the exact value. `answer_probability`: mean of
exp(-mean cross-entropy) over answer tokens (Maini et al. 2024, TOFU). `paraphrase_value`: exact value under
held-out paraphrases of the prompt, so that hiding from the trained wording is not enough. `verbatim_text`: where
running text is to be forgotten, the share of its tokens that the model ranks first ("exact memorisation",
Tirumala et al. 2022).
"""

from __future__ import annotations

from unlearning_engine.probes.compare import Measure

FAMILY = "memorisation"
EXACT = Measure(name="exact_value", family=FAMILY, value="exact")
PROBABILITY = Measure(name="answer_probability", family=FAMILY, value="prob")
PARAPHRASE = Measure(name="paraphrase_value", family=FAMILY, value="exact_paraphrase")
VERBATIM = Measure(name="verbatim_text", family=FAMILY, value="match", suffix="_text")
MEASURES = (EXACT, PROBABILITY, PARAPHRASE, VERBATIM)
