"""Simple negative preference optimisation: NPO without a reference model, normalised by the answer's length.

Fan et al. 2024 (arXiv:2410.07163): (-2/beta) log sigma(beta [CE/|y| - delta]), plus the retained cross entropy.
Short answers weigh as much as long ones. The method suppresses: relearning may bring the answers back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unlearning_engine import losses
from unlearning_engine.configs import number
from unlearning_engine.methods.base import Job, PairConfig, PairObjective, Prepared, load_pairs
from unlearning_engine.tokens import Example
from unlearning_engine.training import forward

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True, kw_only=True)
class Config(PairConfig):
    """`delta`, in nats per token, is the loss from which on an answer counts as disliked enough."""

    beta: float = number(2.5, 1e-4, 100.0)
    delta: float = number(0.0, 0.0, 100.0)


class SimNPOMethod:
    """See the module."""

    name = "simnpo"
    Config = Config

    def prepare(self, job: Job, config: Any) -> Prepared:
        """The given model, its two sets as tokens."""
        model, tokenizer, pairs = load_pairs(job, config, self.name)

        def away(now: PreTrainedModel, forget: Sequence[Example], _number: int) -> Tensor:
            means = losses.sequence_losses(*forward(now, forget, pairs.pad_id))
            return losses.simple_negative_preference(means, config.beta, config.delta)

        objective = PairObjective(model, pairs, config, away)
        return Prepared(model=model, tokenizer=tokenizer, objective=objective, loop=config, seed=job.seed)
