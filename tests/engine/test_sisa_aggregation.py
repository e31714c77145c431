"""Shards' predictions become one, by fixed rules worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.sisa.aggregation import AGGREGATIONS, Ensemble

#: Three shards, two rows, three classes.
SHARDS = torch.tensor(
    [
        [[0.5, 0.4, 0.1], [0.2, 0.2, 0.6]],
        [[0.5, 0.4, 0.1], [0.1, 0.8, 0.1]],
        [[0.1, 0.8, 0.1], [0.3, 0.4, 0.3]],
    ]
)


def aggregated(rule: str, shards: torch.Tensor = SHARDS) -> torch.Tensor:
    ensemble = Ensemble(rule)
    for probabilities in shards:
        ensemble.add(probabilities.log() + 7.0)  # logits are log-probabilities up to a constant
    return ensemble.probabilities()


def close(found: torch.Tensor, wanted: list[float]) -> bool:
    return torch.allclose(found, torch.tensor(wanted, dtype=torch.float64), atol=1e-6)


@pytest.mark.parametrize("rule", AGGREGATIONS)
def test_every_rule_gives_probabilities(rule: str) -> None:
    found = aggregated(rule)
    assert found.shape == (2, 3) and found.dtype == torch.float64
    assert close(found.sum(dim=-1), [1.0, 1.0]) and (found >= 0).all()


@pytest.mark.parametrize("rule", [rule for rule in AGGREGATIONS if rule != "vote"])
def test_one_shard_is_its_own_ensemble(rule: str) -> None:
    assert torch.allclose(aggregated(rule, SHARDS[:1]), SHARDS[0].double(), atol=1e-6)


def test_the_mean_is_the_mean_of_probabilities() -> None:
    assert close(aggregated("mean_probability")[0], [1.1 / 3, 1.6 / 3, 0.1])


def test_an_unsure_shard_counts_less_when_weighted_by_entropy() -> None:
    even, sure = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.0, 1.0]])
    found = aggregated("entropy_weighted", torch.stack([even, sure]))
    weight = math.exp(-math.log(2))  # one half; the sure shard weighs one
    assert close(found[0], [0.5 * weight / (1 + weight), (0.5 * weight + 1) / (1 + weight)])


def test_the_mean_of_log_probabilities_is_the_normalised_geometric_mean() -> None:
    geometric = [(0.5 * 0.5 * 0.1) ** (1 / 3), (0.4 * 0.4 * 0.8) ** (1 / 3), 0.1]
    assert close(aggregated("mean_log_probability")[0], [x / sum(geometric) for x in geometric])


def test_confidence_takes_the_shard_whose_likeliest_class_is_likeliest() -> None:
    found = aggregated("confidence")
    assert close(found[0], [0.1, 0.8, 0.1]) and close(found[1], [0.1, 0.8, 0.1])


def test_of_equally_confident_shards_the_first_is_taken() -> None:
    pair = torch.tensor([[[0.9, 0.1]], [[0.1, 0.9]]])
    assert close(aggregated("confidence", pair)[0], [0.9, 0.1])


def test_a_vote_follows_the_majority_where_the_mean_does_not() -> None:
    assert aggregated("vote")[0].argmax() == 0
    assert aggregated("mean_probability")[0].argmax() == 1


def test_a_tied_vote_is_decided_by_the_mean_of_probabilities() -> None:
    assert aggregated("vote")[1].argmax() == 1  # two votes for class 1
    tied = SHARDS[:2]
    assert close(aggregated("vote", tied)[1], [0.15 / 3, 1.5 / 3, 1.35 / 3])


def test_what_an_ensemble_holds_does_not_grow_with_its_shards() -> None:
    def held(shards: int) -> int:
        ensemble = Ensemble("vote")
        for _ in range(shards):
            ensemble.add(SHARDS[0])
        return sum(value.numel() for value in vars(ensemble).values() if isinstance(value, torch.Tensor))

    assert held(2) == held(20)


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ConfigError, match="'oracle' is unknown; one of mean_probability"):
        Ensemble("oracle")


def test_an_ensemble_of_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="no shard"):
        Ensemble().probabilities()
