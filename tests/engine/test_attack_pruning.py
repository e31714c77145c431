"""Global magnitude pruning takes the smallest weights of all layers together."""

from __future__ import annotations

from pathlib import Path

import torch

from unlearning_engine.attacks.base import Given, linear_weights
from unlearning_engine.attacks.pruning import PRUNING, SHARE, prune, threshold
from unlearning_engine.models import load


def test_one_threshold_holds_for_all_layers() -> None:
    first, second = torch.tensor([[0.1, -5.0], [3.0, 0.2]]), torch.tensor([[-0.3, 9.0, 8.0, 7.0, -6.0, 4.0]])
    prune([first, second], 0.3)  # three of ten: .1, .2 and -.3
    assert first.tolist() == [[0.0, -5.0], [3.0, 0.0]]
    assert second.tolist() == [[0.0, 9.0, 8.0, 7.0, -6.0, 4.0]]


def test_the_threshold_is_the_magnitude_at_that_share() -> None:
    weights = [torch.arange(1.0, 11.0)[None], -torch.arange(11.0, 21.0)[None]]
    assert abs(threshold(weights, 0.3) - 6.0) < 1e-5


def test_a_share_of_nothing_takes_nothing() -> None:
    weight = torch.tensor([[0.0, 1e-9, 1.0]])
    prune([weight], 0.0)
    assert weight[0, 1] > 0


def test_the_attack_takes_its_share_of_a_model(trained: Path) -> None:
    model, tokenizer = load(trained, device="cpu")
    assert PRUNING.prepare is not None
    list(PRUNING.prepare(Given(model=model, tokenizer=tokenizer, items=())))
    weights = [weight for _, weight in linear_weights(model)]
    gone = sum(int((w == 0).sum()) for w in weights) / sum(w.numel() for w in weights)
    assert abs(gone - SHARE) < 1e-3
