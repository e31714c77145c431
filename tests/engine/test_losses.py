"""Losses against values worked out by hand; padding never counts."""

from __future__ import annotations

import math

import pytest
import torch

from unlearning_engine.losses import (
    bounded_ascent,
    cross_entropy,
    kl_divergence,
    negative_preference,
    preference,
    sequence_log_probabilities,
    sequence_losses,
    simple_negative_preference,
    state_distance,
    token_losses,
)
from unlearning_engine.tokens import IGNORE


def logits(*rows: list[list[float]]) -> torch.Tensor:
    """Log-probabilities of a two-word vocabulary, from probabilities of word 1."""
    return torch.tensor([[[math.log(1 - p), math.log(p)] for p in row] for row in rows])  # type: ignore[arg-type]


#: Two sequences. Position t predicts label t+1: word 1 with .5 and .8; word 1 with .25, then padding.
LOGITS = logits([0.5, 0.8, 0.9], [0.25, 0.9, 0.9])  # type: ignore[list-item]
LABELS = torch.tensor([[IGNORE, 1, 1], [IGNORE, 1, IGNORE]])


def test_each_token_costs_minus_its_log_probability_and_padding_nothing() -> None:
    expected = [[math.log(2), math.log(1.25)], [math.log(4), 0.0]]
    assert torch.allclose(token_losses(LOGITS, LABELS), torch.tensor(expected))


def test_cross_entropy_is_the_mean_over_counted_tokens() -> None:
    assert cross_entropy(LOGITS, LABELS).item() == pytest.approx((math.log(2) + math.log(1.25) + math.log(4)) / 3)


def test_sequence_losses_are_means_within_each_sequence() -> None:
    assert sequence_losses(LOGITS, LABELS).tolist() == pytest.approx([math.log(2.5) / 2, math.log(4)])


def test_ascent_counts_each_sequence_up_to_the_bound() -> None:
    assert bounded_ascent(LOGITS, LABELS, 1.0).item() == pytest.approx(-(math.log(2.5) / 2 + 1.0) / 2)


def test_a_sequence_past_the_bound_has_no_gradient() -> None:
    leaf = LOGITS.clone().requires_grad_()
    bounded_ascent(leaf, LABELS, 1.0).backward()
    assert leaf.grad is not None
    assert leaf.grad[1].abs().sum() == 0 and leaf.grad[0].abs().sum() > 0


def test_kl_is_nothing_to_itself_and_the_textbook_value_to_another() -> None:
    frozen = logits([0.5, 0.5, 0.1], [0.5, 0.1, 0.1])  # type: ignore[list-item]
    by_hand = 0.0 + (0.5 * math.log(0.5 / 0.8) + 0.5 * math.log(0.5 / 0.2))
    by_hand += 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert kl_divergence(LOGITS, LOGITS, LABELS).item() == pytest.approx(0.0, abs=1e-7)
    assert kl_divergence(LOGITS, frozen, LABELS).item() == pytest.approx(by_hand / 3)


def test_a_batch_in_which_nothing_counts_costs_nothing() -> None:
    nothing = torch.full_like(LABELS, IGNORE)
    assert cross_entropy(LOGITS, nothing).item() == 0
    assert kl_divergence(LOGITS, LOGITS, nothing).item() == 0


def test_log_probabilities_of_sequences_are_sums() -> None:
    assert sequence_log_probabilities(LOGITS, LABELS).tolist() == pytest.approx([math.log(0.4), math.log(0.25)])


def test_npo_is_a_coin_toss_where_nothing_moved_and_fades_where_an_answer_is_gone() -> None:
    before = torch.tensor([math.log(0.4), math.log(0.25)])
    assert negative_preference(before, before, 0.1).item() == pytest.approx(20 * math.log(2))
    # beta 1, odds 1:2 and 1:4 of what they were: -2 log(2/3) and -2 log(4/5).
    now = before - torch.tensor([math.log(2), math.log(4)])
    assert negative_preference(now, before, 1.0).item() == pytest.approx(math.log(1.5) + math.log(1.25))


def test_simnpo_counts_nats_per_token_beyond_delta() -> None:
    means = torch.tensor([math.log(2), math.log(4)])
    assert simple_negative_preference(means, 1.0, 0.0).item() == pytest.approx(math.log(1.5) + math.log(1.25))
    assert simple_negative_preference(means, 2.0, math.log(2)).item() == pytest.approx(
        (math.log(2) + math.log(1.25)) / 2
    )


def test_distance_of_states_is_a_mean_over_units_of_real_tokens() -> None:
    states = torch.tensor([[[1.0, 3.0], [9.0, 9.0]], [[0.0, 0.0], [2.0, 0.0]]])
    counted = torch.tensor([[True, False], [True, True]])
    assert state_distance(states, torch.zeros_like(states), counted).item() == pytest.approx((1 + 9 + 4) / 6)


def test_preference_of_another_answer_against_values_worked_out_by_hand() -> None:
    # beta .5: z = .5 (2 - 1) = .5 and .5 (0 - 4) = -2; log(1 + e^-z) = .474077 and 2.126928; times 2 / .5.
    found = preference(torch.tensor([2.0, 0.0]), torch.tensor([1.0, 4.0]), 0.5)
    assert float(found) == pytest.approx(4 * (0.474077 + 2.126928) / 2, abs=1e-5)
    # No gain on either side: (2 / beta) log 2.
    even = preference(torch.zeros(1), torch.zeros(1), 0.1)
    assert float(even) == pytest.approx(20 * 0.693147, abs=1e-4)
