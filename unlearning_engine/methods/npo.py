"""Negative preference optimisation: the forgotten answers are preferred against, the original model is the measure.

Zhang et al. 2024 (arXiv:2404.05868): (-2/beta) log sigma(-beta [log pi(y) - log pi_ref(y)]), sums of log
probabilities over the answer's tokens, plus the retained cross entropy. The gradient fades as an answer becomes
unlikely, so the ascent needs no bound. The method suppresses: relearning may bring the answers back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from unlearning_engine import losses
from unlearning_engine.configs import number
from unlearning_engine.methods.base import Job, PairConfig, Pairs, Prepared, load_pairs
from unlearning_engine.tokens import Example
from unlearning_engine.training import Step, forward

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, kw_only=True)
class Config(PairConfig):
    """`beta` is the paper's inverse temperature; near 0 the loss is plain ascent."""

    beta: float = number(0.1, 1e-4, 100.0)
    forget_weight: float = number(1.0, 0.0, 100.0)
    retain_weight: float = number(1.0, 0.0, 100.0)


def log_probabilities(
    model: PreTrainedModel, examples: Sequence[Example], pad_id: int, size: int
) -> dict[tuple[str, int], torch.Tensor]:
    """Log probability of each example's counted tokens under the model as it is, by record id and part."""
    found: dict[tuple[str, int], torch.Tensor] = {}
    with torch.no_grad():
        for at in range(0, len(examples), size):
            some = examples[at : at + size]
            sums = losses.sequence_log_probabilities(*forward(model, some, pad_id))
            found |= {(e.record_id, e.part): value for e, value in zip(some, sums, strict=True)}
    return found


class NPO:
    """One batch to prefer against and one to retain in every step; the reference's numbers are taken before any."""

    def __init__(self, model: PreTrainedModel, pairs: Pairs, config: Config) -> None:
        self._pairs, self._config, self.total = pairs, config, pairs.total
        self._reference = log_probabilities(model, pairs.examples, pairs.pad_id, config.batch_size)

    def step(self, model: PreTrainedModel, number: int) -> Step:
        """Weighted sum of the preference loss and the retained cross entropy."""
        forget, retain = self._pairs.batch(number)
        before = torch.stack([self._reference[e.record_id, e.part] for e in forget])
        now = losses.sequence_log_probabilities(*forward(model, forget, self._pairs.pad_id))
        away = losses.negative_preference(now, before, self._config.beta)
        kept = losses.cross_entropy(*forward(model, retain, self._pairs.pad_id))
        loss = self._config.forget_weight * away + self._config.retain_weight * kept
        return Step(loss, {"forget_loss": float(away.detach()), "retain_loss": float(kept.detach())})

    def enough(self, numbers: Mapping[str, float]) -> bool:
        """The steps are few and fixed: the retained loss needs them all to recover."""
        return False


class NPOMethod:
    """See the module."""

    name = "npo"
    Config = Config

    def prepare(self, job: Job, config: Any) -> Prepared:
        """The given model, what it thought of the forgotten answers, and its two sets as tokens."""
        model, tokenizer, pairs = load_pairs(job, config, self.name)
        objective = NPO(model, pairs, config)
        return Prepared(model=model, tokenizer=tokenizer, objective=objective, loop=config, seed=job.seed)
