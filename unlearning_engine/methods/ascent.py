"""Gradient ascent on what is to be forgotten, nothing else, until it is as unlikely as a bound says.

Jang et al. 2023 (arXiv:2210.01504). Without a term that holds the rest the model is destroyed sooner or later:
the run stops as soon as the mean loss of a batch reaches `bound` nats per token, and each sequence counts only up
to it. Meant for a first look and as a baseline; everything else here keeps the model better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unlearning_engine import losses, models
from unlearning_engine.configs import number
from unlearning_engine.methods.base import ForgetConfig, Job, Prepared
from unlearning_engine.tokens import Example, encode
from unlearning_engine.training import Step, Supervised, forward

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, kw_only=True)
class Config(ForgetConfig):
    """`bound` is in nats per token. The rate is small: every step takes something from what was to stay."""

    RATES = (1e-4, 1e-6)
    bound: float = number(3.0, 0.1, 100.0)
    decay: float = number(0.0, 0.0, 1.0)


class Ascent:
    """Batches of the forget set alone."""

    def __init__(self, examples: list[Example], pad_id: int, config: Config, seed: int) -> None:
        self._pad, self._bound = pad_id, config.bound
        self._batches = Supervised(
            examples, pad_id=pad_id, batch_size=config.batch_size, epochs=config.epochs, seed=seed
        )
        self.total = min(config.steps or self._batches.total, self._batches.total)

    def step(self, model: PreTrainedModel, number: int) -> Step:
        """Minus the batch's bounded loss."""
        away = losses.bounded_ascent(*forward(model, self._batches.batch(number), self._pad), self._bound)
        return Step(away, {"forget_loss": -float(away.detach())})

    def enough(self, numbers: Mapping[str, float]) -> bool:
        """As soon as a batch lies near the bound."""
        return numbers["forget_loss"] >= 0.98 * self._bound


class AscentMethod:
    """See the module."""

    name = "ascent"
    Config = Config

    def prepare(self, job: Job, config: Any) -> Prepared:
        """The given model and the forget set as tokens."""
        model, tokenizer = models.load(job.model, device=str(job.device))
        limit = models.context_length(model)
        examples = encode(job.forget, tokenizer, full_sequence=config.full_sequence, max_length=limit)
        objective = Ascent(examples, int(tokenizer.pad_token_id), config, job.seed)
        return Prepared(model=model, tokenizer=tokenizer, objective=objective, loop=config, seed=job.seed)
