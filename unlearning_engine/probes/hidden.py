"""Hidden states of a transformer: its blocks, its last norm, and what the blocks give for a batch of answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from unlearning_engine.attacks.standard import ENSEMBLES
from unlearning_engine.errors import ConfigError
from unlearning_engine.probes.formats import answer_start
from unlearning_engine.tokens import IGNORE, Example, collate

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module
    from transformers import PreTrainedModel

ROWS = 64


def _part(model: PreTrainedModel, names: Sequence[str], what: str) -> Any:
    if model.config.model_type in ENSEMBLES:
        raise ConfigError("not applicable: an ensemble has hidden states in each shard, and none of its own")
    base = model.base_model
    for name in names:
        part = getattr(base, name, None)
        if part is not None:
            return part
    raise ConfigError(f"{model.config.model_type}: {what} of this architecture is not known here; leave this probe out")


def blocks(model: PreTrainedModel) -> list[Module]:
    """The transformer's blocks in order.

    Raises:
        ConfigError: an architecture whose blocks are not known by name.
    """
    return list(_part(model, ("layers", "h"), "the list of blocks"))


def final_norm(model: PreTrainedModel) -> Module:
    """The norm between the last block and the output head; raises ConfigError as `blocks` does."""
    norm: Module = _part(model, ("norm", "ln_f", "final_layer_norm"), "the last norm")
    return norm


def output_of(found: Any) -> Tensor:
    """The hidden states among what a block returns."""
    state: Tensor = found[0] if isinstance(found, tuple) else found
    return state


def batches(examples: Sequence[Example], pad_id: int, device: Any) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
    """Numbers of the examples and their right-padded tensors, sorted by length."""
    order = sorted(range(len(examples)), key=lambda n: len(examples[n].tokens))
    for at in range(0, len(order), ROWS):
        numbers = order[at : at + ROWS]
        batch = collate([examples[n] for n in numbers], pad_id)
        yield numbers, {name: value.to(device) for name, value in batch.items()}


@contextmanager
def watched(model: PreTrainedModel) -> Iterator[list[Tensor]]:
    """Collects the output of every block, in order, while the model runs within the context."""
    states: list[Tensor] = []
    hooks = [b.register_forward_hook(lambda _m, _i, out: states.append(output_of(out).detach())) for b in blocks(model)]
    try:
        yield states
    finally:
        for hook in hooks:
            hook.remove()


def run(model: PreTrainedModel, batch: dict[str, Tensor]) -> Tensor:
    """Logits of a batch, shape (batch, length, vocabulary)."""
    found: Tensor = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False).logits
    return found


def answer_log_probs(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean log-probability in nats of each row's labelled tokens, shape (batch,)."""
    from unlearning_engine.losses import sequence_losses

    return -sequence_losses(logits, labels)


def span(example: Example) -> tuple[int, int]:
    """First and last labelled position, the last one excluded."""
    last = max(at for at, label in enumerate(example.labels) if label != IGNORE)
    return answer_start(example), last + 1
