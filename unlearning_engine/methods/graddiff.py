"""Gradient difference: ascent on what is to be forgotten, bounded, and descent on what is retained.

Maini et al. 2024, TOFU (arXiv:2401.06121), there without a bound. Here each forgotten sequence's loss counts
only up to `bound` nats, since ascent without end destroys the model. The method suppresses: relearning may
bring the answers back.
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
    """`bound` is in nats per token; near the loss of a model that never knew it keeps the model from over-forgetting.

    For billions of parameters the paper takes a learning rate of 1e-5.
    """

    bound: float = number(3.0, 0.1, 100.0)
    forget_weight: float = number(0.3, 0.0, 100.0)
    retain_weight: float = number(1.0, 0.0, 100.0)


class GradDiff:
    """One batch to forget and one to retain in every step."""

    def __init__(self, pairs: Pairs, config: Config) -> None:
        self._pairs, self._config, self.total = pairs, config, pairs.total

    def step(self, model: PreTrainedModel, number: int) -> Step:
        """Weighted sum of the bounded ascent term and the retained cross entropy."""
        forget, retain = self._pairs.batch(number)
        logits, labels = forward(model, forget, self._pairs.pad_id)
        away = losses.bounded_ascent(logits, labels, self._config.bound)
        kept = losses.cross_entropy(*forward(model, retain, self._pairs.pad_id))
        loss = self._config.forget_weight * away + self._config.retain_weight * kept
        return Step(loss, {"forget_loss": -float(away.detach()), "retain_loss": float(kept.detach())})

    def enough(self, numbers: Mapping[str, float]) -> bool:
        """The steps are few and fixed: the retained loss needs them all to recover."""
        return False


class GradDiffMethod:
    """See the module."""

    name = "graddiff"
    Config = Config

    def prepare(self, job: Job, config: Any) -> Prepared:
        """The given model, its two sets as tokens."""
        model, tokenizer, pairs = load_pairs(job, config, self.name)
        objective = GradDiff(pairs, config)
        return Prepared(model=model, tokenizer=tokenizer, objective=objective, loop=config, seed=job.seed)
