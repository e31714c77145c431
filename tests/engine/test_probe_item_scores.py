"""Scores of single items against values worked out by hand, and against open-unlearning's formulas."""

from __future__ import annotations

import json
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.engine.golden import make_open_unlearning
from unlearning_engine.losses import kl_divergence
from unlearning_engine.probes.canary import exposure
from unlearning_engine.probes.distribution import forget_quality, log_truth_ratio, near_one, true_better
from unlearning_engine.probes.knowledge import probability_with_options
from unlearning_engine.probes.membership import loss_score, min_k, min_k_plus_plus, reference_ratio, zlib_score
from unlearning_engine.probes.memorisation import (
    exact_memorisation,
    extraction_strength,
    probability,
    verbatim_continuation,
)
from unlearning_engine.probes.privacy import privacy_leak, resampled_leak
from unlearning_engine.probes.rouge import rouge_l
from unlearning_engine.probes.tokenwise import _read
from unlearning_engine.probes.utility import harmonic_mean
from unlearning_engine.statistics import Sample, Settings, resampled_auc
from unlearning_engine.tokens import IGNORE

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden/open_unlearning.json").read_text())
LOGS = np.log([0.5, 0.25, 0.125])


def test_the_golden_values_are_what_their_script_gives() -> None:
    assert make_open_unlearning.make() == GOLDEN


def read(answer: dict[str, Any]) -> tuple[Any, Any, Any]:
    values = _read(torch.tensor(answer["logits"]), torch.tensor(answer["labels"]), True)
    return np.array(values[0]), np.array(values[1], dtype=bool), np.array(values[2])


@pytest.mark.parametrize("answer", GOLDEN["answers"], ids=lambda a: a["text"])
def test_token_level_scores_agree_with_open_unlearning(answer: dict[str, Any]) -> None:
    log_probs, hits, z = read(answer)
    ours = {
        "probability": probability(log_probs),
        "exact_memorization": exact_memorisation(hits),
        "mia_loss": loss_score(log_probs),
        "mia_zlib": zlib_score(log_probs, answer["text"]),
        "mia_min_k": min_k(log_probs),
        "mia_min_k_plus_plus": min_k_plus_plus(z),
    }
    assert ours == {name: pytest.approx(answer["expected"][name], abs=1e-6) for name in ours}


@pytest.mark.parametrize("answer", GOLDEN["answers"], ids=lambda a: a["text"])
def test_extraction_strength_differs_only_where_the_last_token_is_wrong(answer: dict[str, Any]) -> None:
    _, hits, _ = read(answer)
    theirs = answer["expected"]["extraction_strength"]
    if hits[-1]:
        assert extraction_strength(hits) == pytest.approx(theirs, abs=1e-12)
    else:
        assert (extraction_strength(hits), theirs) == (0.0, pytest.approx(1 / hits.size))


@pytest.mark.parametrize("item", GOLDEN["truths"])
def test_truth_ratios_agree_with_open_unlearning(item: dict[str, Any]) -> None:
    ratio, expected = log_truth_ratio(item["right"], item["wrong"]), item["expected"]
    assert math.exp(ratio) == pytest.approx(expected["ratio"], abs=1e-6)
    assert near_one(ratio) == pytest.approx(expected["closer_to_1_better"], abs=1e-6)
    assert true_better(ratio) == pytest.approx(expected["true_better"], abs=1e-6)


def test_the_truth_ratio_of_unlikely_answers_is_not_bent_by_a_constant() -> None:
    theirs = math.exp(-26.0) / (math.exp(-25.0) + 1e-10)
    assert math.exp(log_truth_ratio([25.0], [26.0])) == pytest.approx(math.exp(-1))
    assert theirs < 0.05


@pytest.mark.parametrize("text", GOLDEN["texts"], ids=lambda t: t["answer"])
def test_rouge_l_of_ascii_text_is_that_of_rouge_score(text: dict[str, str]) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    theirs = RougeScorer(["rougeL"], use_stemmer=True).score(text["answer"], text["said"])["rougeL"]
    ours = rouge_l(text["said"], text["answer"])
    assert (ours.recall, ours.f_measure) == (pytest.approx(theirs.recall), pytest.approx(theirs.fmeasure))


def test_rouge_l_by_hand_and_in_other_scripts() -> None:
    assert rouge_l("the grey sea", "the cold grey sea sings").recall == pytest.approx(3 / 5)
    assert rouge_l("she sings", "she sang").recall == 0.5
    assert rouge_l("Σωκράτης", "Σωκράτης").recall == 1.0
    assert rouge_l("北京大学", "北京").recall == 1.0
    assert rouge_l("Muller", "Müller").recall == 0.0
    assert rouge_l("Müller", "Müller").recall == 1.0


def test_options_and_privacy_leak_agree_with_open_unlearning() -> None:
    for case in GOLDEN["probability_w_options"]:
        assert probability_with_options(case["right"], case["wrong"]) == pytest.approx(case["expected"], abs=1e-6)
    for auc, reference, expected in GOLDEN["privleak"]:
        assert privacy_leak(auc, reference) == pytest.approx(expected, abs=1e-5)


def test_the_leak_beside_a_reference_that_is_told_apart_wholly_is_undefined() -> None:
    assert privacy_leak(0.5, 1.0) is None
    assert abs(make_open_unlearning.privleak(0.5, 1.0)) > 1e11
    members, others = (Sample(values=np.arange(3.0) + 10 * n, works=np.arange(3)) for n in (0, 1))
    told = resampled_auc(members, others, Settings(resamples=200), name="x")
    assert resampled_leak(told, told, Settings(resamples=200)) is None


def test_divergence_counts_answer_tokens_only_where_the_reference_counts_padding_too() -> None:
    logits = torch.tensor([make_open_unlearning.ANSWERS[3]["logits"]])
    everything = torch.zeros(1, 6, dtype=torch.long)
    padded = torch.cat([logits, logits[:, -1:]], dim=1)
    whole = torch.cat([everything, everything[:, :1]], dim=1)
    assert kl_divergence(padded, -padded, whole).item() == pytest.approx(GOLDEN["kl_over_everything"], abs=1e-6)
    answer_only = torch.tensor([[IGNORE, IGNORE, 2, 2, IGNORE, IGNORE]])
    ours = kl_divergence(logits, -logits, answer_only).item()
    rows = [make_open_unlearning.log_softmax(row) for row in make_open_unlearning.ANSWERS[3]["logits"][1:3]]
    minus = [
        make_open_unlearning.log_softmax([-x for x in row]) for row in make_open_unlearning.ANSWERS[3]["logits"][1:3]
    ]
    by_hand = (
        sum(math.exp(q) * (q - p) for a, b in zip(rows, minus, strict=True) for p, q in zip(a, b, strict=True)) / 2
    )
    assert ours == pytest.approx(by_hand, abs=1e-6)
    assert abs(ours - GOLDEN["kl_over_everything"]) > 0.1


# ---------------------------------------------------------------- by hand


def test_probability_is_the_geometric_mean() -> None:
    assert probability(LOGS) == pytest.approx(0.25)
    assert loss_score(LOGS) == pytest.approx(math.log(4))


@pytest.mark.parametrize(
    ("hits", "expected"),
    [([1, 1, 1, 1], 1.0), ([0, 1, 1, 1], 0.75), ([1, 1, 0, 1], 0.25), ([1, 1, 1, 0], 0.0), ([0], 0.0), ([1], 1.0)],
)
def test_extraction_strength_is_the_share_of_the_right_tail(hits: list[int], expected: float) -> None:
    assert extraction_strength(np.array(hits, dtype=bool)) == pytest.approx(expected)


def test_verbatim_continuation_ends_at_the_first_departure() -> None:
    assert verbatim_continuation([1, 2, 9, 4], [1, 2, 3, 4]) == 0.5
    assert verbatim_continuation([1, 2], [1, 2, 3, 4]) == 0.5
    assert verbatim_continuation([], [1]) == 0.0
    assert verbatim_continuation([1, 2, 3], [1, 2]) == 1.0


def test_min_k_takes_the_lowest_tokens_and_at_least_one() -> None:
    five = np.array([-1.0, -5.0, -2.0, -4.0, -3.0])
    assert min_k(five) == pytest.approx(4.5)
    assert min_k(five, 0.2) == pytest.approx(5.0)
    assert min_k(np.array([-0.5])) == pytest.approx(0.5)


def test_zlib_and_reference_scores_by_hand() -> None:
    assert zlib_score(LOGS, "abc") == pytest.approx(math.log(4) / len(zlib.compress(b"abc")))
    assert reference_ratio(LOGS, LOGS - 1) == pytest.approx(-1.0)


def test_a_flat_distribution_has_no_standing_but_no_fault_either() -> None:
    _, _, z = _read(torch.zeros(1, 4), torch.tensor([2]), True)
    assert z == [pytest.approx(0.0, abs=1e-3)]


def test_forget_quality_sees_ranks_only() -> None:
    one, other = np.array([0.1, 0.4, 2.0, 3.0]), np.array([0.2, 0.5, 2.5])
    assert forget_quality(np.log(one), np.log(other)) == pytest.approx(forget_quality(one, other))


def test_a_harmonic_mean_with_a_nought_is_nought() -> None:
    assert harmonic_mean([1.0, 0.5]) == pytest.approx(2 / 3)
    assert harmonic_mean([1.0, 0.0]) == 0.0


def test_exposure_counts_bits_up_to_its_cap() -> None:
    others = np.arange(1.0, 8.0)
    best, middle, tied = exposure(0.5, others), exposure(3.5, others), exposure(1.0, np.ones(7))
    assert (best.bits, best.cap, best.rank) == (3.0, 3.0, 1)
    assert middle.bits == pytest.approx(3 - 2)
    assert tied.bits == pytest.approx(3 - math.log2(4.5))
    for bad in (np.array([]), np.array([math.nan])):
        with pytest.raises(ValueError, match="exposure needs"):
            exposure(1.0, bad)
