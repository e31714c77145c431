"""Gradient difference: ascent on what is to be forgotten, bounded, and descent on what is retained.

Maini et al. 2024, TOFU (arXiv:2401.06121), there without a bound. Here each forgotten sequence's loss counts
only up to `bound` nats, since ascent without end destroys the model. The method suppresses: relearning may
bring the answers back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from unlearning_engine import losses
from unlearning_engine.configs import number
from unlearning_engine.methods.base import Job, PairConfig, PairObjective, Prepared, load_pairs
from unlearning_engine.training import forward


@dataclass(frozen=True, kw_only=True)
class Config(PairConfig):
    """`bound` is in nats per token; near the loss of a model that never knew it keeps the model from over-forgetting.

    For billions of parameters the paper takes a learning rate of 1e-5.
    """

    bound: float = number(3.0, 0.1, 100.0)
    forget_weight: float = number(0.3, 0.0, 100.0)


class GradDiffMethod:
    """See the module."""

    name = "graddiff"
    Config = Config

    def prepare(self, job: Job, config: Any) -> Prepared:
        """The given model, its two sets as tokens."""
        model, tokenizer, pairs = load_pairs(job, config, self.name)
        objective = PairObjective(
            model,
            pairs,
            config,
            lambda now, forget, _: losses.bounded_ascent(*forward(now, forget, pairs.pad_id), config.bound),
        )
        return Prepared(model=model, tokenizer=tokenizer, objective=objective, loop=config, seed=job.seed)
