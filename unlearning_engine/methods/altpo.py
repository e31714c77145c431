"""Alternate preference optimisation: another plausible answer is preferred to the forgotten one.

Mekala et al. 2024 (arXiv:2409.13474): DPO's loss, (-2/beta) log sigma(beta [d(y_alternate) - d(y)]) with d = log pi -
log pi_original of sequences, plus a term on the retained. The paper lets the model write the alternates; here they are
answers that retained records of the same kind have, by the run's seed, so that they are in the domain and no option
that a probe may offer is trained on purpose. The method suppresses: relearning may bring the answers back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from unlearning_engine import losses, models
from unlearning_engine.configs import number
from unlearning_engine.methods.alternates import alternates
from unlearning_engine.methods.base import Job, PairConfig, PairObjective, Prepared, load_pairs, sequence_sums
from unlearning_engine.tokens import Example, encode
from unlearning_engine.training import forward

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True, kw_only=True)
class Config(PairConfig):
    """`beta` is the inverse temperature, `alternates` how many answers each question gets, one after the other."""

    beta: float = number(0.1, 1e-4, 100.0)
    alternates: int = number(4, 1, 100)


class AltPOMethod:
    """See the module."""

    name = "altpo"
    Config = Config

    def prepare(self, job: Job, config: Any) -> Prepared:
        """The given model, its two sets and the alternates as tokens; the original's numbers of both answers."""
        model, tokenizer, pairs = load_pairs(job, config, self.name)
        limit = models.context_length(model)
        others = alternates(job.forget, job.retain, config.alternates, job.seed, self.name)
        encoded: dict[str, list[Example]] = {
            record.id: encode(rows, tokenizer, full_sequence=config.full_sequence, max_length=limit)
            for record, rows in zip(job.forget, others, strict=True)
        }
        every = [*pairs.examples, *(example for rows in encoded.values() for example in rows)]
        before = sequence_sums(model, every, pairs.pad_id, config.batch_size)

        def gain(now: PreTrainedModel, batch: Sequence[Example]) -> Tensor:
            sums = losses.sequence_log_probabilities(*forward(now, batch, pairs.pad_id))
            return sums - torch.stack([before[e.record_id, e.part] for e in batch])

        def away(now: PreTrainedModel, forget: Sequence[Example], number: int) -> Tensor:
            other = [encoded[e.record_id][number % len(encoded[e.record_id])] for e in forget]
            return losses.preference(gain(now, other), gain(now, forget), config.beta)

        objective = PairObjective(model, pairs, config, away)
        return Prepared(model=model, tokenizer=tokenizer, objective=objective, loop=config, seed=job.seed)
