"""Task-vector negation: learn the forget set even better, and walk from the original the other way.

Ilharco et al. 2023 (arXiv:2212.04089): w = w_0 - scale (w_learnt - w_0). Nothing holds the rest, so the scale is
the trade between forgetting and usefulness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from unlearning_engine import models
from unlearning_engine.configs import number
from unlearning_engine.methods.base import ForgetConfig, Job, Prepared
from unlearning_engine.tokens import encode
from unlearning_engine.training import Supervised

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, kw_only=True)
class Config(ForgetConfig):
    """`scale` is how far to walk back, in lengths of the way that was learnt."""

    scale: float = number(1.5, 0.0, 100.0)


class TaskVectorMethod:
    """See the module."""

    name = "task_vector"
    Config = Config

    def prepare(self, job: Job, config: Any) -> Prepared:
        """The given model, the forget set as tokens, and the weights to walk away from."""
        model, tokenizer = models.load(job.model, device=str(job.device))
        limit = models.context_length(model)
        examples = encode(job.forget, tokenizer, full_sequence=config.full_sequence, max_length=limit)
        pad, passes = int(tokenizer.pad_token_id), config.epochs
        objective = Supervised(examples, pad_id=pad, batch_size=config.batch_size, epochs=passes, seed=job.seed)
        if config.steps:
            objective.total = min(config.steps, objective.total)
        before = {name: value.detach().clone() for name, value in model.named_parameters()}

        def negate(learnt: PreTrainedModel) -> None:
            with torch.no_grad():
                for name, value in learnt.named_parameters():
                    value.copy_(before[name] - config.scale * (value - before[name]))

        return Prepared(
            model=model, tokenizer=tokenizer, objective=objective, loop=config, seed=job.seed, finish=negate
        )
