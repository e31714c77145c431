"""Tokens of records, padded batches, and the order of training.

The order of records is a keyed hash of (seed, epoch, record id): removing a record moves no other.
torch is imported only where tensors are made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from unlearning_engine.data import Record, raise_all

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

#: Label of a token that no loss counts (the convention of torch and transformers).
IGNORE = -100


@dataclass(frozen=True, kw_only=True)
class Example:
    """A record's tokens. `labels` equals `tokens` where the loss counts and is `IGNORE` elsewhere.

    A text longer than the context is cut into consecutive windows, numbered by `part`.
    """

    record_id: str
    tokens: tuple[int, ...]
    labels: tuple[int, ...]
    part: int = 0


def encode_prompts(prompts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    """Tokens of prompts alone, ready to be continued: with the tokenizer's own start token, without an end."""
    if not prompts:
        return []
    rows: list[list[int]] = tokenizer(list(prompts))["input_ids"]
    return [row[:-1] if row and row[-1] == tokenizer.eos_token_id else row for row in rows]


def _answer_starts(texts: Sequence[str], edges: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> list[list[bool]]:
    """For each token of each text, whether it reaches past the prompt's last character."""
    if tokenizer.is_fast:
        offsets = tokenizer(list(texts), return_offsets_mapping=True)["offset_mapping"]
        return [[end > edge for _, end in row] for row, edge in zip(offsets, edges, strict=True)]
    heads = encode_prompts([text[:edge] for text, edge in zip(texts, edges, strict=True)], tokenizer)
    rows = tokenizer(list(texts))["input_ids"]
    return [[at >= len(head) for at in range(len(row))] for head, row in zip(heads, rows, strict=True)]


def encode(
    records: Sequence[Record],
    tokenizer: PreTrainedTokenizerBase,
    *,
    full_sequence: bool = False,
    max_length: int | None = None,
) -> list[Example]:
    """Tokens and labels of records, ending in the tokenizer's end token.

    Args:
        full_sequence: count the loss on prompts too (a model that is to sample freely needs it); else on
            answers only. Text rows always count whole.
        max_length: longest example in tokens; longer texts are cut into windows.

    Raises:
        DataError: naming every question that does not fit, or whose answer has no tokens.
    """
    if not records:
        return []
    texts = [r.full_text for r in records]
    edges = [len(r.prompt) if r.is_question and not full_sequence else 0 for r in records]
    rows = tokenizer(texts)["input_ids"]
    counted = _answer_starts(texts, edges, tokenizer)
    end = tokenizer.eos_token_id
    examples: list[Example] = []
    problems: list[str] = []
    for record, row, marks in zip(records, rows, counted, strict=True):
        if end is not None and (not row or row[-1] != end):
            row, marks = [*row, end], [*marks, True]
        labels = [t if mark else IGNORE for t, mark in zip(row, marks, strict=True)]
        limit = max_length or len(row)
        if all(mark in (IGNORE, end) for mark in labels):
            problems.append(f"record {record.id!r}: the tokenizer makes no tokens of its answer")
        elif record.is_question and len(row) > limit:
            problems.append(f"record {record.id!r}: {len(row)} tokens do not fit in {limit}; shorten or split it")
        for part, at in enumerate(range(0, len(row), limit)):
            window = slice(at, at + limit)
            examples.append(
                Example(record_id=record.id, tokens=tuple(row[window]), labels=tuple(labels[window]), part=part)
            )
    raise_all(problems)
    return examples


def collate(examples: Sequence[Example], pad_id: int, *, side: Literal["left", "right"] = "right") -> dict[str, Tensor]:
    """Padded int64 tensors `input_ids`, `attention_mask` and `labels`, each of shape (batch, longest)."""
    import torch

    width = max(len(e.tokens) for e in examples)

    def pad(values: Sequence[int], filler: int) -> list[int]:
        gap = [filler] * (width - len(values))
        return [*values, *gap] if side == "right" else [*gap, *values]

    return {
        "input_ids": torch.tensor([pad(e.tokens, pad_id) for e in examples]),
        "attention_mask": torch.tensor([pad([1] * len(e.tokens), 0) for e in examples]),
        "labels": torch.tensor([pad(e.labels, IGNORE) for e in examples]),
    }


# ---------------------------------------------------------------- order


def order_key(seed: int, epoch: int, name: str) -> bytes:
    """Sort key of one record in one epoch: a keyed hash, so that no other record has a part in it."""
    return hashlib.blake2b(f"{epoch}:{name}".encode(), key=f"{seed}".encode(), digest_size=16).digest()


def batches(examples: Sequence[Example], size: int, *, seed: int, epoch: int, window: int = 32) -> list[list[Example]]:
    """One epoch's batches. Removing a record leaves the relative order of all others as it was.

    Records come in keyed order; within `window` batches' worth they are sorted by length, so that little is
    padded, and the batches of all windows are then taken in keyed order of their first record.
    """
    keyed = sorted(((order_key(seed, epoch, f"{e.record_id}#{e.part}"), e) for e in examples), key=lambda pair: pair[0])
    out: list[tuple[bytes, list[Example]]] = []
    for at in range(0, len(keyed), size * window):
        block = sorted(keyed[at : at + size * window], key=lambda pair: (len(pair[1].tokens), pair[0]))
        for start in range(0, len(block), size):
            batch = block[start : start + size]
            out.append((min(key for key, _ in batch), [example for _, example in batch]))
    return [batch for _, batch in sorted(out, key=lambda pair: pair[0])]
