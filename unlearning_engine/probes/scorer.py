"""Two passes over a model that every probe shares: losses of given answers, and greedy continuations.

Losses: right-padded batches, sorted by length; the output head runs on the tail of each batch that holds answers
(`logits_to_keep`, where the architecture knows it). Greedy: left-padded batches with a clean generation
configuration; the model's own is ignored, so that it cannot forbid itself an answer.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unlearning_engine.models import context_length
from unlearning_engine.tokens import IGNORE, Example, collate

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

#: Padded tokens and rows of a batch, at most.
BATCH_TOKENS, BATCH_ROWS, GREEDY_ROWS = 8192, 128, 128


@dataclass(frozen=True, kw_only=True)
class Loss:
    """Of one example: summed cross-entropy in nats over its answer tokens, their count, and how many were argmax."""

    total: float
    tokens: int
    hits: int

    @property
    def finite(self) -> bool:
        """Whether the model gave numbers at all."""
        return math.isfinite(self.total)

    @property
    def mean(self) -> float:
        """Nats per answer token."""
        return self.total / self.tokens


def _batched(lengths: Sequence[int], rows: int) -> Iterator[list[int]]:
    """Indexes in order of length, cut where a batch would grow beyond the limits."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) == rows or (len(batch) + 1) * lengths[index] > BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _tail_logits(model: PreTrainedModel, batch: dict[str, Tensor], keep: int) -> Tensor:
    inputs = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"], "use_cache": False}
    if "logits_to_keep" in inspect.signature(model.forward).parameters:
        inputs["logits_to_keep"] = keep
    logits: Tensor = model(**inputs).logits
    return logits[:, -keep:]


def _batch_losses(model: PreTrainedModel, examples: Sequence[Example], pad_id: int) -> list[Loss]:
    import torch

    batch = {k: v.to(model.device) for k, v in collate(examples, pad_id).items()}
    labels = batch["labels"][:, 1:]
    first = int((labels != IGNORE).any(dim=0).nonzero()[0])
    labels = labels[:, first:]
    logits = _tail_logits(model, batch, labels.shape[1] + 1)[:, :-1]
    counted = labels != IGNORE
    picked, wanted = logits[counted].float(), labels[counted]
    each = torch.nn.functional.cross_entropy(picked, wanted, reduction="none")
    each = torch.where(picked.isnan().any(dim=-1), torch.nan, each)
    hit = picked.argmax(dim=-1) == wanted
    rows = counted.nonzero()[:, 0]
    zeros = torch.zeros(len(examples), dtype=torch.float64, device=rows.device)
    totals = zeros.index_add(0, rows, each.double()).tolist()
    hits = zeros.index_add(0, rows, hit.double()).tolist()
    return [
        Loss(total=t, tokens=n, hits=int(h)) for t, n, h in zip(totals, counted.sum(dim=1).tolist(), hits, strict=True)
    ]


def losses(model: PreTrainedModel, examples: Sequence[Example], pad_id: int) -> list[Loss]:
    """Losses over each example's labelled tokens, in the order given; NaN or infinite where the model gave that."""
    import torch

    found: dict[int, Loss] = {}
    with torch.inference_mode():
        for indexes in _batched([len(e.tokens) for e in examples], BATCH_ROWS):
            scored = _batch_losses(model, [examples[i] for i in indexes], pad_id)
            found.update(zip(indexes, scored, strict=True))
    return [found[i] for i in range(len(examples))]


def _greedy_batches(
    prompts: Sequence[Sequence[int]], new_tokens: Sequence[int], context: int | None
) -> Iterator[tuple[list[int], int]]:
    """Batches of prompts and how many tokens each may add; one by one where a batch would outgrow the context."""
    for indexes in _batched([len(p) for p in prompts], GREEDY_ROWS):
        width, longest = max(len(prompts[i]) for i in indexes), max(new_tokens[i] for i in indexes)
        if context is None or width + longest <= context:
            yield indexes, longest
        else:
            yield from (([i], max(1, min(new_tokens[i], context - len(prompts[i])))) for i in indexes)


def greedy(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], new_tokens: Sequence[int], *, pad_id: int, end_id: int
) -> list[list[int]]:
    """Greedy continuations without padding or end token, in the order given; each batch runs to its longest answer."""
    import torch
    from transformers import GenerationConfig

    found: dict[int, list[int]] = {}
    own = model.generation_config
    try:
        with torch.inference_mode():
            for indexes, longest in _greedy_batches(prompts, new_tokens, context_length(model)):
                rows = [Example(record_id="", tokens=tuple(prompts[i]), labels=tuple(prompts[i])) for i in indexes]
                batch = collate(rows, pad_id, side="left")
                inputs = {k: batch[k].to(model.device) for k in ("input_ids", "attention_mask")}
                # Set on the model as well: what a call's configuration leaves open is taken from the model's.
                model.generation_config = GenerationConfig(
                    do_sample=False, num_beams=1, pad_token_id=pad_id, eos_token_id=end_id, max_new_tokens=longest
                )
                out = model.generate(**inputs, generation_config=model.generation_config)
                width = batch["input_ids"].shape[1]
                for index, row in zip(indexes, out[:, width:].tolist(), strict=True):
                    found[index] = row[: row.index(end_id)] if end_id in row else row
    finally:
        model.generation_config = own
    return [found[i] for i in range(len(prompts))]
