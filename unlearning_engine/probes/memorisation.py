"""Memorisation: does the model still say the answer, under the trained prompt and under prompts it never saw?

`exact_value`: share of facts whose greedy continuation holds the exact value. `answer_probability`: mean of
exp(-mean cross-entropy) over answer tokens (Maini et al. 2024, TOFU). `paraphrase_value`: exact value under
held-out paraphrases of the prompt, so that hiding from the trained wording is not enough. `verbatim_text`: where
running text is to be forgotten, the share of its tokens that the model ranks first ("exact memorisation",
Tirumala et al. 2022).

Below them are the scores of single items as pure functions. Each takes one answer of N tokens, scored with the right
tokens before it (teacher forcing): `log_probs` in nats and `hits` (the token was the most likely one), both of shape
(N,), N at least 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from unlearning_engine.probes.compare import Measure
from unlearning_engine.statistics import Array

FAMILY = "memorisation"
EXACT = Measure(name="exact_value", family=FAMILY, value="exact")
PROBABILITY = Measure(name="answer_probability", family=FAMILY, value="prob")
PARAPHRASE = Measure(name="paraphrase_value", family=FAMILY, value="exact_paraphrase")
VERBATIM = Measure(name="verbatim_text", family=FAMILY, value="match", suffix="_text")
MEASURES = (EXACT, PROBABILITY, PARAPHRASE, VERBATIM)


# ---------------------------------------------------------------- scores of one item


def probability(log_probs: Array) -> float:
    """exp(mean log p): the geometric mean of the answer's token probabilities, in [0, 1] (Maini et al. 2024, TOFU)."""
    return math.exp(float(log_probs.mean()))


def exact_memorisation(hits: NDArray[np.bool_]) -> float:
    """Share of tokens that are the most likely ones, in [0, 1] (Tirumala et al. 2022)."""
    return float(hits.mean())


def extraction_strength(hits: NDArray[np.bool_]) -> float:
    """1 - k/N, k the shortest prefix after which every token is the most likely one (Carlini et al. 2021).

    k runs from 0 to N, so that an answer whose last token is wrong scores a true 0. open-unlearning lets k run to
    N - 1 only and gives such an answer 1/N: a one-token answer scores 1 there whatever the model says.
    """
    wrong = np.flatnonzero(~hits)
    first = int(wrong[-1]) + 1 if wrong.size else 0
    return 1 - first / hits.size


def verbatim_continuation(said: Sequence[int], answer: Sequence[int]) -> float:
    """Share of the answer's tokens that a greedy continuation repeats before its first departure, in [0, 1]."""
    same = 0
    for own, wanted in zip(said, answer, strict=False):
        if own != wanted:
            break
        same += 1
    return same / len(answer)
