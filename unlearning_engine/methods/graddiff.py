"""Gradient difference: ascent on what is to be forgotten, bounded, and descent on what is retained.

Maini et al. 2024, TOFU (arXiv:2401.06121), there without a bound. Here each forgotten sequence's loss counts
only up to `bound` nats, since ascent without end destroys the model. The method suppresses: relearning may
bring the answers back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unlearning_engine import losses, models
from unlearning_engine.configs import number
from unlearning_engine.errors import DataError
from unlearning_engine.methods.base import Job, Prepared
from unlearning_engine.tokens import Example, encode
from unlearning_engine.training import LoopConfig, Step, Supervised, forward

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, kw_only=True)
class Config(LoopConfig):
    """`steps` 0 means as many as `epochs` passes over the forget set; `bound` is in nats per token.

    The defaults suit models of about a million parameters (docs/experiments.md); for billions the paper takes
    a learning rate of 1e-5. A bound near the loss of a model that never knew keeps it from over-forgetting.
    `full_sequence` counts prompts too, for a model that was trained so.
    """

    learning_rate: float = number(1e-3, 0.0, 1.0)
    decay: float = number(0.3, 0.0, 1.0)
    epochs: int = number(8, 1, 10**6)
    steps: int = number(0, 0, 10**9)
    batch_size: int = number(16, 1, 10**5)
    retain_batch_size: int = number(24, 1, 10**5)
    bound: float = number(3.0, 0.1, 100.0)
    forget_weight: float = number(0.3, 0.0, 100.0)
    retain_weight: float = number(1.0, 0.0, 100.0)
    full_sequence: bool = False


class GradDiff:
    """One batch to forget and one to retain in every step."""

    def __init__(
        self, forget: Sequence[Example], retain: Sequence[Example], pad_id: int, config: Config, seed: int
    ) -> None:
        passes = math.ceil(config.steps * config.batch_size / len(forget)) if config.steps else config.epochs
        self._forget = Supervised(forget, pad_id=pad_id, batch_size=config.batch_size, epochs=passes, seed=seed)
        self.total = config.steps or self._forget.total
        rounds = math.ceil(self.total * config.retain_batch_size / len(retain))
        self._retain = Supervised(
            retain, pad_id=pad_id, batch_size=config.retain_batch_size, epochs=rounds + 1, seed=seed
        )
        self._pad, self._config = pad_id, config

    def step(self, model: PreTrainedModel, number: int) -> Step:
        """Weighted sum of the bounded ascent term and the retained cross entropy."""
        logits, labels = forward(model, self._forget.batch(number), self._pad)
        away = losses.bounded_ascent(logits, labels, self._config.bound)
        kept = losses.cross_entropy(*forward(model, self._retain.batch(number), self._pad))
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
        if not job.retain:
            raise DataError("graddiff: there is nothing to retain; the method needs a retain set")
        model, tokenizer = models.load(job.model, device=str(job.device))
        limit = models.context_length(model)
        forget, retain = (
            encode(rows, tokenizer, full_sequence=config.full_sequence, max_length=limit)
            for rows in (job.forget, job.retain)
        )
        objective = GradDiff(forget, retain, int(tokenizer.pad_token_id), config, job.seed)
        return Prepared(model=model, tokenizer=tokenizer, objective=objective, loop=config, seed=job.seed)
