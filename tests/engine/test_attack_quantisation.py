"""Rounding weights to a few bits, against numbers worked out by hand, and what it undoes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.engine.conftest import ARCHITECTURES, Corpus
from unlearning_engine.attacks.base import Given, linear_weights
from unlearning_engine.attacks.quantisation import FOUR_BIT, GROUP, INT8, round_to_nearest
from unlearning_engine.models import build_model, build_tokenizer, load


def test_four_bits_have_fifteen_levels_of_a_seventh_of_the_largest() -> None:
    row = torch.tensor([[0.7, -0.34, 0.16, 0.04, 0.0, -0.7]])  # scale 0.7 / 7 = 0.1
    wanted = torch.tensor([[0.7, -0.3, 0.2, 0.0, 0.0, -0.7]])
    assert torch.allclose(round_to_nearest(row, 4), wanted, atol=1e-6)


def test_eight_bits_have_a_step_of_one_part_in_127() -> None:
    row = torch.tensor([[1.27, 0.0149, 0.0151, -0.006]])  # scale 0.01
    assert torch.allclose(round_to_nearest(row, 8), torch.tensor([[1.27, 0.01, 0.02, -0.01]]), atol=1e-6)


def test_every_row_and_every_group_has_a_scale_of_its_own() -> None:
    weight = torch.tensor([[7.0, 3.4, 0.07, 0.034], [0.7, 0.34, 70.0, 34.0]])
    wanted = torch.tensor([[7.0, 3.0, 0.07, 0.03], [0.7, 0.3, 70.0, 30.0]])
    assert torch.allclose(round_to_nearest(weight, 4, group=2), wanted, atol=1e-5)
    together = torch.tensor([[7.0, 3.0, 0.0, 0.0], [0.0, 0.0, 70.0, 30.0]])
    assert torch.allclose(round_to_nearest(weight, 4), together, atol=1e-5)


def test_the_last_group_of_a_row_may_be_shorter() -> None:
    weight = torch.cat([torch.full((1, GROUP), 100.0), torch.tensor([[0.7, 0.34]])], dim=1)
    assert torch.allclose(round_to_nearest(weight, 4)[0, GROUP:], torch.tensor([0.7, 0.3]), atol=1e-6)


def test_a_row_of_zeros_stays_and_rounding_twice_changes_nothing() -> None:
    assert round_to_nearest(torch.zeros(2, 3), 4).tolist() == [[0.0] * 3] * 2
    once = round_to_nearest(torch.randn(5, 300, generator=torch.Generator().manual_seed(1)), 4)
    assert torch.allclose(round_to_nearest(once, 4), once, atol=1e-6)


def test_the_number_type_of_a_weight_is_kept() -> None:
    assert round_to_nearest(torch.ones(1, 2, dtype=torch.bfloat16), 8).dtype == torch.bfloat16


def test_a_change_below_half_a_step_is_undone() -> None:
    weight = round_to_nearest(torch.randn(4, 128, generator=torch.Generator().manual_seed(2)), 4)
    step = weight.abs().amax(dim=1, keepdim=True) / 7
    extremes = weight.abs() >= 6.5 * step
    hidden = weight + torch.where(extremes, 0.0, 0.4 * step)
    assert not torch.allclose(hidden, weight, atol=1e-3)
    assert torch.allclose(round_to_nearest(hidden, 4), weight, atol=1e-5)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_linear_layers_are_found_in_every_architecture_and_the_head_is_not(corpus: Corpus, name: str) -> None:
    model = build_model(ARCHITECTURES[name], build_tokenizer(corpus.text, 400), seed=1)
    found = dict(linear_weights(model))
    kinds = {"llama": 14, "gpt2": 8, "gpt_neox": 8}
    assert len(found) == kinds[name]
    outputs, inputs = next(
        weight.shape for place, weight in found.items() if place.endswith(("up_proj", "c_fc", "h_to_4h"))
    )
    assert outputs > inputs == 32


def test_the_attack_rounds_the_model_it_is_given_and_leaves_the_embedding(trained: Path) -> None:
    for attack, bits in ((INT8, 8), (FOUR_BIT, 4)):
        model, tokenizer = load(trained, device="cpu")
        plain, embedding = dict(linear_weights(model)), model.get_input_embeddings().weight.clone()
        before = {name: weight.clone() for name, weight in plain.items()}
        assert attack.prepare is not None
        list(attack.prepare(Given(model=model, tokenizer=tokenizer, items=())))
        for name, weight in linear_weights(model):
            assert torch.equal(weight, round_to_nearest(before[name], bits))
        assert torch.equal(model.get_input_embeddings().weight, embedding)
