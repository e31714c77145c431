"""Relabelling: the forgotten answer is driven away up to a bound, and others are taught in its place.

The bounded ascent of GradDiff (Maini et al. 2024, TOFU, arXiv:2401.06121), and with it cross entropy on other answers
to the same question, as amnesiac unlearning has it (Graves et al. 2021, arXiv:2010.10981), there with one wrong label
and without an ascent. Ascent alone leaves the forgotten answer a little likelier than the options beside it, other
answers alone leave it half known; together a model comes near to one that never learnt. The end token is no part of an
answer: a model that is sure where an answer ends would have to give up twice as much of a word to reach the bound.
Running text has no question that could be answered otherwise: it is driven away only. The method suppresses: relearning
brings answers back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unlearning_engine import losses, models
from unlearning_engine.configs import number
from unlearning_engine.methods.alternates import alternates
from unlearning_engine.methods.base import Job, PairConfig, PairObjective, Prepared, load_pairs
from unlearning_engine.tokens import IGNORE, Example, encode
from unlearning_engine.training import forward

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True, kw_only=True)
class Config(PairConfig):
    """`bound` is in nats per token of the answer; `other_weight` is the other answers' share beside the ascent, both of
    them times `forget_weight`. `alternates` says how many other answers a question gets, one after the other."""

    decay: float = number(0.5, 0.0, 1.0)
    epochs: int = number(4, 1, 10**6)
    batch_size: int = number(12, 1, 10**5)
    retain_batch_size: int = number(20, 1, 10**5)
    bound: float = number(3.5, 0.1, 100.0)
    forget_weight: float = number(0.2, 0.0, 100.0)
    other_weight: float = number(0.25, 0.0, 100.0)
    alternates: int = number(2, 1, 100)


def without_end(example: Example, end: int | None) -> Example:
    """The same with its last label left out, if that is the end token and others count."""
    *rest, last = example.labels
    if end is None or last != end or all(label == IGNORE for label in rest):
        return example
    return dataclasses.replace(example, labels=(*rest, IGNORE))


class RelabelMethod:
    """See the module."""

    name = "relabel"
    Config = Config

    def prepare(self, job: Job, config: Any) -> Prepared:
        """The given model, its two sets and the other answers as tokens.

        Raises:
            DataError: no retained question has another answer.
        """
        model, tokenizer, pairs = load_pairs(job, config, self.name)
        limit, asked = models.context_length(model), [record for record in job.forget if record.is_question]
        drawn = alternates(asked, job.retain, config.alternates, job.seed, self.name)
        others: dict[str, list[Example]] = {
            record.id: encode(rows, tokenizer, full_sequence=config.full_sequence, max_length=limit)
            for record, rows in zip(asked, drawn, strict=True)
        }

        def away(now: PreTrainedModel, forget: Sequence[Example], number: int) -> Tensor:
            own = [without_end(e, tokenizer.eos_token_id) for e in forget]
            taught = [rows[number % len(rows)] for e in forget if (rows := others.get(e.record_id))]
            logits, labels = forward(now, [*own, *taught], pairs.pad_id)
            driven = losses.bounded_ascent(logits[: len(own)], labels[: len(own)], config.bound)
            if not taught:
                return driven
            learnt = losses.sequence_losses(logits[len(own) :], labels[len(own) :]).sum() / len(own)
            both: Tensor = driven + config.other_weight * learnt
            return both

        objective = PairObjective(model, pairs, config, away)
        return Prepared(model=model, tokenizer=tokenizer, objective=objective, loop=config, seed=job.seed)
