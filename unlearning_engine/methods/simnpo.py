"""Simple negative preference optimisation: NPO without a reference model, normalised by the answer's length.

Fan et al. 2024 (arXiv:2410.07163): (-2/beta) log sigma(beta [CE/|y| - delta]), plus the retained cross entropy.
Short answers weigh as much as long ones. The method suppresses: relearning may bring the answers back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unlearning_engine import losses
from unlearning_engine.configs import number
from unlearning_engine.methods.base import Job, PairConfig, Pairs, Prepared, load_pairs
from unlearning_engine.training import Step, forward

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, kw_only=True)
class Config(PairConfig):
    """`delta`, in nats per token, is the loss from which on an answer counts as disliked enough."""

    beta: float = number(2.5, 1e-4, 100.0)
    delta: float = number(0.0, 0.0, 100.0)
    forget_weight: float = number(1.0, 0.0, 100.0)
    retain_weight: float = number(1.0, 0.0, 100.0)


class SimNPO:
    """One batch to prefer against and one to retain in every step."""

    def __init__(self, pairs: Pairs, config: Config) -> None:
        self._pairs, self._config, self.total = pairs, config, pairs.total

    def step(self, model: PreTrainedModel, number: int) -> Step:
        """Weighted sum of the preference loss and the retained cross entropy."""
        forget, retain = self._pairs.batch(number)
        means = losses.sequence_losses(*forward(model, forget, self._pairs.pad_id))
        away = losses.simple_negative_preference(means, self._config.beta, self._config.delta)
        kept = losses.cross_entropy(*forward(model, retain, self._pairs.pad_id))
        loss = self._config.forget_weight * away + self._config.retain_weight * kept
        return Step(loss, {"forget_loss": float(away.detach()), "retain_loss": float(kept.detach())})

    def enough(self, numbers: Mapping[str, float]) -> bool:
        """The steps are few and fixed: the retained loss needs them all to recover."""
        return False


class SimNPOMethod:
    """See the module."""

    name = "simnpo"
    Config = Config

    def prepare(self, job: Job, config: Any) -> Prepared:
        """The given model, its two sets as tokens."""
        model, tokenizer, pairs = load_pairs(job, config, self.name)
        objective = SimNPO(pairs, config)
        return Prepared(model=model, tokenizer=tokenizer, objective=objective, loop=config, seed=job.seed)
