"""One pass over a model for all token-level probes: log-probability, rank and standing of every answer token.

Answers to the same prompt share its tokens: prompt and answers are packed into one row, in which each answer sees the
prompt and itself alone (a block mask, positions counted from the prompt's end). The output head runs on the tokens
that predict an answer, nowhere else. Rows are sorted by length. Architectures on which packing was not checked token by
token (`PACKED`) are scored one answer a row, with the tail of each batch through the head.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unlearning_engine.models import context_length
from unlearning_engine.probes.formats import answer_start
from unlearning_engine.statistics import Array
from unlearning_engine.tokens import IGNORE, Example

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

#: Architectures for which the tests show that packed rows give the numbers of single ones.
PACKED = frozenset({"llama", "gpt2", "gpt_neox", "qwen2", "qwen3", "olmo2"})
#: Padded tokens and rows of a batch, logits held at once, and tokens of a packed row, at most.
BATCH_TOKENS, BATCH_ROWS, LOGITS, ROW_TOKENS = 8192, 128, 2**26, 1024


@dataclass(frozen=True, kw_only=True)
class TokenScores:
    """Of one answer of N tokens, arrays of shape (N,): `log_probs` in nats; `hits`, whether the token was the most
    likely one; `z`, the log-probability standardised over the vocabulary under the model's own distribution, (log p -
    E log p) / sqrt(Var log p) with the variance at least 1e-6 (min-k++), None where it was not asked for."""

    log_probs: Array
    hits: NDArray[np.bool_]
    z: Array | None = None

    @property
    def finite(self) -> bool:
        """Whether the model gave numbers at all."""
        return bool(np.isfinite(self.log_probs).all())

    @property
    def tokens(self) -> int:
        """N."""
        return int(self.log_probs.size)

    @property
    def total(self) -> float:
        """Summed cross-entropy in nats."""
        return -float(self.log_probs.sum())

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats per token."""
        return -float(self.log_probs.mean())


def joined(parts: Sequence[TokenScores]) -> TokenScores:
    """The windows of one long text as one."""
    z = [part.z for part in parts if part.z is not None]
    return TokenScores(
        log_probs=np.concatenate([part.log_probs for part in parts]),
        hits=np.concatenate([part.hits for part in parts]),
        z=np.concatenate(z) if len(z) == len(parts) else None,
    )


# ---------------------------------------------------------------- rows


@dataclass
class _Row:
    """Tokens with their positions and segments (0: shared, else the answer's number), and what is to be read: for
    each labelled token of each example, the column that predicts it, the token and the example's number."""

    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    segments: list[int] = field(default_factory=list)
    picks: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def plain(self) -> bool:
        """Whether an ordinary causal mask does."""
        return not self.segments or max(self.segments) <= 1

    def add(self, shared: int, number: int, owner: int, example: Example) -> None:
        """Append one answer behind the shared tokens; its last token is predicted, not read."""
        last = max(at for at, label in enumerate(example.labels) if label != IGNORE)
        start = len(self.tokens)
        self.tokens += example.tokens[shared:last]
        self.positions += range(shared, last)
        self.segments += [number] * (last - shared)
        for at, label in enumerate(example.labels):
            if label != IGNORE:
                column = at - 1 if at - 1 < shared else start + at - 1 - shared
                self.picks.append((column, label, owner))


def _shared(examples: Sequence[Example]) -> int:
    """Tokens that all examples begin with, none of them labelled."""
    least = min(answer_start(example) for example in examples)
    for at in range(least):
        if len({example.tokens[at] for example in examples}) > 1:
            return at
    return least


def _pack(examples: Sequence[Example], owners: Sequence[int], limit: int) -> Iterator[_Row]:
    """Rows that hold these answers, one row where they fit."""
    shared = _shared(examples)
    row: _Row | None = None
    for owner, example in zip(owners, examples, strict=True):
        size = len(example.tokens) - shared
        if row is None or len(row.tokens) + size > limit or shared == 0:
            if row is not None:
                yield row
            row = _Row(list(example.tokens[:shared]), list(range(shared)), [0] * shared)
        row.add(shared, max(row.segments, default=0) + 1, owner, example)
    if row is not None:
        yield row


def _batched(rows: Sequence[_Row], vocabulary: int, whole: bool) -> Iterator[list[_Row]]:
    """Rows in order of kind and length, cut where a batch would outgrow a limit; `whole`: the head sees whole rows."""
    batch: list[_Row] = []
    logits = 0
    for row in sorted(rows, key=lambda r: (r.plain, len(r.tokens))):
        full = len(batch) == BATCH_ROWS or (len(batch) + 1) * len(row.tokens) > BATCH_TOKENS
        own = (len(row.tokens) if whole else len(row.picks)) * vocabulary
        if batch and (full or row.plain != batch[0].plain or logits + own > LOGITS):
            yield batch
            batch, logits = [], 0
        batch.append(row)
        logits += own
    if batch:
        yield batch


# ---------------------------------------------------------------- the model's part


def _inputs(batch: Sequence[_Row], pad_id: int, model: PreTrainedModel) -> dict[str, Tensor]:
    """Right-padded tensors; a packed batch brings its own additive mask of shape (rows, 1, width, width)."""
    import torch

    device, width = model.device, max(len(row.tokens) for row in batch)

    def padded(name: str, filler: int) -> Tensor:
        rows = [[*getattr(row, name), *[filler] * (width - len(row.tokens))] for row in batch]
        return torch.tensor(rows, device=device)

    tokens = padded("tokens", pad_id)
    if batch[0].plain:
        mask = torch.tensor([[1] * len(r.tokens) + [0] * (width - len(r.tokens)) for r in batch], device=device)
        return {"input_ids": tokens, "attention_mask": mask}
    segments = padded("segments", 0)
    alike = (segments[:, None, :] == segments[:, :, None]) | (segments[:, None, :] == 0)
    seen = alike & torch.ones(width, width, dtype=torch.bool, device=device).tril()
    mask = torch.zeros(seen.shape, device=device, dtype=model.dtype)
    mask.masked_fill_(~seen, torch.finfo(model.dtype).min)
    return {"input_ids": tokens, "attention_mask": mask[:, None], "position_ids": padded("positions", 0)}


def _packs(model: PreTrainedModel) -> bool:
    """Whether rows may be packed: not where a sliding window is shorter than a row, for packing ignores the window."""
    window = getattr(model.config, "sliding_window", None)
    return model.config.model_type in PACKED and (not window or window >= ROW_TOKENS)


def _logits(model: PreTrainedModel, inputs: dict[str, Tensor], rows: Tensor, columns: Tensor) -> Tensor:
    """Logits at the given places, shape (places, vocabulary); the output head sees these places only."""
    head = model.get_output_embeddings() if _packs(model) else None
    if head is None:
        width, first = inputs["input_ids"].shape[1], int(columns.min())
        tail = {"logits_to_keep": width - first} if "logits_to_keep" in signature(model.forward).parameters else {}
        logits: Tensor = model(**inputs, use_cache=False, **tail).logits
        return logits[rows, columns - (width - logits.shape[1])].float()

    def choose(module: Any, arguments: tuple[Tensor]) -> tuple[Tensor]:
        return (arguments[0][rows, columns][None],)

    hook = head.register_forward_pre_hook(choose)
    try:
        chosen: Tensor = model(**inputs, use_cache=False).logits
    finally:
        hook.remove()
    return chosen[0].float()


def _read(logits: Tensor, wanted: Tensor, spread: bool) -> tuple[list[float], list[bool], list[float]]:
    log_p = logits.log_softmax(dim=-1)
    chosen = log_p.gather(1, wanted[:, None])[:, 0]
    hits = logits.argmax(dim=-1) == wanted
    if not spread:
        return chosen.tolist(), hits.tolist(), []
    p = log_p.exp()
    mean = (p * log_p).sum(dim=-1)
    # Centred: the difference of the mean square and the squared mean loses four digits in single precision.
    variance = (p * (log_p - mean[:, None]).square()).sum(dim=-1)
    return chosen.tolist(), hits.tolist(), ((chosen - mean) / variance.clamp(min=1e-6).sqrt()).tolist()


def score_tokens(
    model: PreTrainedModel,
    examples: Sequence[Example],
    pad_id: int,
    *,
    groups: Sequence[Sequence[int]] | None = None,
    spread: bool = False,
) -> list[TokenScores]:
    """Scores of each example's labelled tokens, in the order given; not finite where the model gave no numbers.

    Args:
        examples: each with at least one labelled token, the first token never labelled.
        groups: numbers of examples that begin alike, each number once; they are packed. None: one answer a row.
        spread: whether `z` is wanted.
    """
    import torch

    packed = _packs(model)
    limit = min(context_length(model) or ROW_TOKENS, ROW_TOKENS) if packed else 0
    gathered = groups if groups is not None else [[n] for n in range(len(examples))]
    rows = [row for group in gathered for row in _pack([examples[n] for n in group], group, limit)]
    found: list[tuple[list[float], list[bool], list[float]]] = [([], [], []) for _ in examples]
    with torch.inference_mode():
        for batch in _batched(rows, int(model.config.vocab_size), not packed):
            picks = [(at, *pick) for at, row in enumerate(batch) for pick in row.picks]
            places = torch.tensor(picks, device=model.device)
            logits = _logits(model, _inputs(batch, pad_id, model), places[:, 0], places[:, 1])
            read = _read(logits, places[:, 2], spread)
            for (*_, owner), *values in zip(picks, *(part for part in read if part), strict=True):
                for column, value in zip(found[owner], values, strict=False):
                    column.append(value)
    return [
        TokenScores(log_probs=np.array(log_p), hits=np.array(hits, dtype=bool), z=np.array(z) if spread else None)
        for log_p, hits, z in found
    ]
