"""One prediction from the predictions of all shards of a classifier, shard by shard.

Fixed rules: none learns anything, so that none can keep what a shard forgot, and none sees a label. With p_s the
probabilities that shard s gives to the classes:

    mean_probability      sum_s p_s / S
    entropy_weighted      weights exp(-H_s), H_s the entropy of p_s in nats: who is unsure counts less
    mean_log_probability  the normalised geometric mean: a class that one shard rules out is out
    confidence            p_s of the shard whose likeliest class is likeliest (of equals the first)
    vote                  (votes + mean probability) / (S + 1): the majority, the mean breaks ties

Bourtoule et al. 2021 (arXiv:1912.03817) aggregate by vote or mean; docs/experiments.md measures all five.
"""

from __future__ import annotations

import torch
from torch import Tensor

from unlearning_engine.errors import ConfigError, DataError

AGGREGATIONS = ("mean_probability", "entropy_weighted", "mean_log_probability", "confidence", "vote")
DEFAULT = "entropy_weighted"


class Ensemble:
    """Adds shards up one at a time; what it holds does not grow with their number.

    Args:
        rule: one of `AGGREGATIONS`.

    Raises:
        ConfigError: the rule is unknown.
    """

    def __init__(self, rule: str = DEFAULT) -> None:
        if rule not in AGGREGATIONS:
            raise ConfigError(f"aggregation: {rule!r} is unknown; one of {', '.join(AGGREGATIONS)}")
        self._rule, self._shards = rule, 0
        self._total, self._weight, self._votes = torch.zeros(()), torch.zeros(()), torch.zeros(())

    def add(self, logits: Tensor) -> None:
        """One shard's logits, shape (rows, classes). Sums are taken in 64 bits, in the order of the calls."""
        logs = torch.log_softmax(logits.double(), dim=-1)
        probabilities = logs.exp()
        weight = torch.ones_like(logs[:, :1])
        value = probabilities
        if self._rule == "entropy_weighted":
            weight = torch.exp(-torch.special.entr(probabilities).sum(dim=-1, keepdim=True))
        elif self._rule == "mean_log_probability":
            value = logs
        elif self._rule == "vote":
            self._votes = self._votes + torch.nn.functional.one_hot(logits.argmax(dim=-1), logits.size(-1))
        if self._rule == "confidence":
            self._keep_surest(probabilities)
        else:
            self._total, self._weight = self._total + weight * value, self._weight + weight
        self._shards += 1

    def _keep_surest(self, probabilities: Tensor) -> None:
        sure = probabilities.amax(dim=-1, keepdim=True)
        if not self._shards:
            self._total, self._weight = probabilities, sure
            return
        self._total = torch.where(sure > self._weight, probabilities, self._total)
        self._weight = torch.maximum(sure, self._weight)

    def probabilities(self) -> Tensor:
        """Aggregated probabilities, shape (rows, classes), 64 bits; each row sums to 1.

        Raises:
            DataError: no shard was added.
        """
        if not self._shards:
            raise DataError("there is no shard to ask; every shard lost all its records")
        if self._rule == "confidence":
            return self._total
        mean = self._total / self._weight
        if self._rule == "vote":
            return (self._votes + mean) / (self._shards + 1)
        return torch.softmax(mean, dim=-1) if self._rule == "mean_log_probability" else mean
