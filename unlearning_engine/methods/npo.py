"""Negative preference optimisation: the forgotten answers are preferred against, the original model is the measure.

Zhang et al. 2024 (arXiv:2404.05868): (-2/beta) log sigma(-beta [log pi(y) - log pi_ref(y)]), sums of log
probabilities over the answer's tokens, plus the retained cross entropy. The gradient fades as an answer becomes
unlikely, so the ascent needs no bound. The method suppresses: relearning may bring the answers back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from unlearning_engine import losses
from unlearning_engine.configs import number
from unlearning_engine.methods.base import Job, PairConfig, PairObjective, Prepared, load_pairs, sequence_sums
from unlearning_engine.tokens import Example
from unlearning_engine.training import forward

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True, kw_only=True)
class Config(PairConfig):
    """`beta` is the paper's inverse temperature; near 0 the loss is plain ascent."""

    beta: float = number(0.1, 1e-4, 100.0)


class NPOMethod:
    """See the module."""

    name = "npo"
    Config = Config

    def prepare(self, job: Job, config: Any) -> Prepared:
        """The given model, its two sets as tokens; the original's numbers are taken before any step."""
        model, tokenizer, pairs = load_pairs(job, config, self.name)
        reference = sequence_sums(model, pairs.examples, pairs.pad_id, config.batch_size)

        def away(now: PreTrainedModel, forget: Sequence[Example], _number: int) -> Tensor:
            before = torch.stack([reference[e.record_id, e.part] for e in forget])
            sums = losses.sequence_log_probabilities(*forward(now, forget, pairs.pad_id))
            return losses.negative_preference(sums, before, config.beta)

        objective = PairObjective(model, pairs, config, away)
        return Prepared(model=model, tokenizer=tokenizer, objective=objective, loop=config, seed=job.seed)
