"""Activation patching: how much of what retraining removes from each layer is gone from the candidate's layers, too.

The unlearning depth score (Lee et al. 2026). At layer l, the hidden states of another model replace the original's at
every position that predicts an answer token, and the original finishes the answer. drop_ref(l) is how much mean log-
probability the answer loses with the retrained reference's states, drop(l) with the candidate's. Layers with
drop_ref(l) above `TAU` encode the fact; there the erased share is drop(l) / drop_ref(l), cut to [0, 1], and a fact's
score is the mean of the shares weighted by drop_ref: 0 intact, 1 gone as far as retraining would take it. A fact that
no layer encodes has no score.

The score tells how deep an edit of the original goes: candidate and original must descend from the same initial
weights. The states of a model that was trained from others mean nothing to the original; patching them in costs as much
as a stranger's, whatever that model knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from unlearning_engine.errors import DataError
from unlearning_engine.probes.hidden import answer_log_probs, batches, blocks, output_of, run, watched
from unlearning_engine.statistics import Array
from unlearning_engine.tokens import IGNORE, Example

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module
    from transformers import PreTrainedModel

#: Drop in nats per token above which a layer counts as encoding a fact (the paper's 0.05).
TAU = 0.05


@contextmanager
def _replaced(block: Module, states: Tensor, where: Tensor) -> Iterator[None]:
    """A block whose output is `states` at the marked positions."""
    import torch

    def put(_module: Any, _inputs: Any, out: Any) -> Any:
        own = output_of(out)
        mixed = torch.where(where[..., None], states.to(own.dtype), own)
        return (mixed, *out[1:]) if isinstance(out, tuple) else mixed

    hook = block.register_forward_hook(put)
    try:
        yield
    finally:
        hook.remove()


def check_alike(*models: PreTrainedModel) -> None:
    """Raise DataError where the models differ in number or width of layers: their states cannot be exchanged."""
    shapes = {(len(blocks(m)), int(m.config.hidden_size)) for m in models}
    if len(shapes) > 1:
        raise DataError(f"patching: the models differ in layers and width {sorted(shapes)}; give models of one shape")


def patched_drops(
    original: PreTrainedModel, source: PreTrainedModel, examples: Sequence[Example], pad_id: int
) -> Array:
    """Mean log-probability in nats that each answer loses by patching, shape (layers, examples).

    Raises:
        DataError: the models differ in shape. ConfigError: an architecture whose blocks are not known.
    """
    import torch

    check_alike(original, source)
    found: dict[int, list[float]] = {}
    with torch.inference_mode():
        for numbers, batch in batches(examples, pad_id, original.device):
            labels = batch["labels"]
            where = torch.zeros_like(labels, dtype=torch.bool)
            where[:, :-1] = labels[:, 1:] != IGNORE
            before = answer_log_probs(run(original, batch), labels)
            with watched(source) as states:
                run(source, batch)
            columns = []
            for block, state in zip(blocks(original), states, strict=True):
                with _replaced(block, state, where):
                    columns.append((before - answer_log_probs(run(original, batch), labels)).double())
            for row, number in enumerate(numbers):
                found[number] = [float(column[row]) for column in columns]
    return np.array([found[n] for n in range(len(examples))]).T


def depth_scores(candidate: Array, reference: Array, tau: float = TAU) -> list[float | None]:
    """One score in [0, 1] an answer, None where no layer encodes it; drops of shape (layers, examples)."""
    scores: list[float | None] = []
    for own, other in zip(candidate.T, reference.T, strict=True):
        kept = other > tau
        if not kept.any():
            scores.append(None)
            continue
        erased = np.clip(own[kept] / other[kept], 0.0, 1.0)
        scores.append(float((erased * other[kept]).sum() / other[kept].sum()))
    return scores
