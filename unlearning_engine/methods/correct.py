"""Correction of facts: the old answer is preferred against, the new one is taught, the rest is held.

NPO's term on the old answers (Zhang et al. 2024, arXiv:2404.05868) plus the cross entropy of the new answers to the
same prompts plus the retained term. Teaching alone leaves the old answer ahead of other wrong ones, much suppressing
leaves it behind them, which is a trace as well; the default lies between (docs/corrections-and-behaviours.md).

Only the prompts of the rows are trained on: their `paraphrase` wordings are for the probe, which shows whether the fact
was corrected or one sentence was learnt. The old answer is suppressed: relearning may bring it back, and what follows
from the fact is not corrected with it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from unlearning_engine import losses, models
from unlearning_engine.configs import number
from unlearning_engine.data import Record, raise_all
from unlearning_engine.methods.base import Job, PairConfig, PairObjective, Prepared, load_pairs, sequence_sums
from unlearning_engine.tokens import Example, encode
from unlearning_engine.training import forward

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True, kw_only=True)
class Config(PairConfig):
    """`beta` is NPO's inverse temperature on the old answers, and `old_weight` how much its term counts beside the new
    answers' cross entropy; `forget_weight` weighs both together against the retained."""

    beta: float = number(0.1, 1e-4, 100.0)
    old_weight: float = number(0.03, 0.0, 100.0)

    def conflicts(self) -> list[str]:
        """Both answers stand behind one prompt, which would be taught and untaught in the same step."""
        both = ["full_sequence: old and new answer have one prompt; leave it out"] if self.full_sequence else []
        return super().conflicts() + both


def corrected(forget: Sequence[Record]) -> list[Record]:
    """The same rows with the new answer in place of the old one.

    Raises:
        DataError: naming every row without a correction.
    """
    raise_all([f"correct: {r.id}: has no correction; say what is the answer now" for r in forget if not r.correction])
    return [dataclasses.replace(r, answer=r.correction, correction="") for r in forget]


class CorrectMethod:
    """See the module."""

    name = "correct"
    Config = Config

    def prepare(self, job: Job, config: Any) -> Prepared:
        """The given model, both answers and the retained set as tokens; the original's numbers of the old answers.

        Raises:
            DataError: a row has no correction, or there is nothing to retain.
        """
        rows = corrected(job.forget)
        model, tokenizer, pairs = load_pairs(job, config, self.name)
        limit = models.context_length(model)
        new = {example.record_id: example for example in encode(rows, tokenizer, max_length=limit)}
        before = sequence_sums(model, pairs.examples, pairs.pad_id, config.batch_size)

        def away(now: PreTrainedModel, forget: Sequence[Example], _number: int) -> Tensor:
            own = torch.stack([before[e.record_id, e.part] for e in forget])
            old = losses.sequence_log_probabilities(*forward(now, forget, pairs.pad_id))
            taught = losses.cross_entropy(*forward(now, [new[e.record_id] for e in forget], pairs.pad_id))
            found: Tensor = taught + config.old_weight * losses.negative_preference(old, own, config.beta)
            return found

        objective = PairObjective(model, pairs, config, away)
        return Prepared(model=model, tokenizer=tokenizer, objective=objective, loop=config, seed=job.seed)
