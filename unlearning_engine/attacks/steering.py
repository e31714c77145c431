"""Steering: add back, at one layer, the direction that unlearning took away (Seyitoglu et al. 2024).

The direction of a layer is the mean, over prompts, of the original's hidden state minus the attacked model's at the
prompt's last token. Layer and coefficient are those under which answers to one half of the works are likeliest; the
other half is asked, then the other way round. The reference is steered towards the original in the same way. It needs
models of one shape: of unlike ones nothing is asked, and the attack's probes count as not measured.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from unlearning_engine.attacks.base import Attack, Given, Prepared, choice, value
from unlearning_engine.attacks.relearning import divide
from unlearning_engine.probes.items import Item
from unlearning_engine.tokens import Example, collate, encode_prompts

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

NAME = "steering"
COEFFICIENTS = (0.5, 1.0, 2.0, 4.0)
#: Of a deeper model this many layers are tried, evenly spread.
LAYERS = 8
_ROWS = 128


def layers(model: PreTrainedModel) -> list[nn.Module]:
    """The blocks of a decoder, found as the list that is as long as the configuration says."""
    from torch import nn

    depth = model.config.num_hidden_layers
    lists = [m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m) == depth]
    return list(lists[0]) if lists else []


def alike(one: PreTrainedModel, other: PreTrainedModel) -> bool:
    """Whether two models have blocks of one kind, width and number."""
    shapes = [(m.config.model_type, m.config.hidden_size, m.config.num_hidden_layers) for m in (one, other)]
    return shapes[0] == shapes[1] and bool(layers(one))


def _state(output: Any) -> Tensor:
    state: Tensor = output[0] if isinstance(output, tuple) else output
    return state


def mean_states(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str]) -> Tensor:
    """Mean hidden state behind each block at the prompts' last token, shape (blocks, width)."""
    import torch

    rows = [Example(record_id="", tokens=tuple(r), labels=tuple(r)) for r in encode_prompts(prompts, tokenizer)]
    sums: list[Tensor] = []
    seen: list[Tensor] = []
    hooks = [
        block.register_forward_hook(lambda _m, _i, out: seen.append(_state(out)[:, -1].double().sum(dim=0)))
        for block in layers(model)
    ]
    try:
        with torch.inference_mode():
            for at in range(0, len(rows), _ROWS):
                batch = collate(rows[at : at + _ROWS], tokenizer.pad_token_id, side="left")
                seen.clear()
                model(**{k: batch[k].to(model.device) for k in ("input_ids", "attention_mask")}, use_cache=False)
                sums.append(torch.stack(seen))
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(sums).sum(dim=0) / len(rows)


@contextlib.contextmanager
def steered(block: nn.Module, shift: Tensor) -> Iterator[None]:
    """Inside, `shift` of shape (width,) is added to every hidden state that the block gives."""

    def add(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        state = _state(output)
        moved = state + shift.to(state)
        return (moved, *output[1:]) if isinstance(output, tuple) else moved

    hook = block.register_forward_hook(add)
    try:
        yield
    finally:
        hook.remove()


def _loss(given: Given, items: Sequence[Item]) -> float:
    """Mean loss of the answers in nats per token; infinite where the model gives no numbers."""
    from unlearning_engine.models import context_length
    from unlearning_engine.probes.measure import prepare
    from unlearning_engine.probes.scorer import losses

    plan = prepare(
        items, given.tokenizer, paraphrases=0, slack=0, context=context_length(given.model), full=False, bare=True
    )
    found = losses(given.model, plan.examples, given.tokenizer.pad_token_id)
    return sum(x.mean for x in found) / len(found) if all(x.finite for x in found) else float("inf")


def choose(given: Given, directions: Tensor, items: Sequence[Item]) -> tuple[int, float]:
    """Block and coefficient under which the answers are likeliest; (0, 0.0) where no shift helps."""
    blocks = layers(given.model)
    step = -(-len(blocks) // LAYERS)
    best, chosen = _loss(given, items), (0, 0.0)
    for at in range(0, len(blocks), step):
        for coefficient in COEFFICIENTS:
            with steered(blocks[at], coefficient * directions[at]):
                loss = _loss(given, items)
            if loss < best:
                best, chosen = loss, (at, coefficient)
    return chosen


def _prepare(given: Given) -> Iterator[Prepared]:
    if given.original is None:
        return
    original = given.original()
    if not alike(given.model, original):
        return
    retained = given.retained
    for name in dict.fromkeys(item.set for item in given.items):
        own = [item for item in given.items if item.set == name]
        for split in divide(own, share=0.5, rounds=2, seed=given.seed):
            prompts = [item.record.prompt for item in split.taught]
            directions = mean_states(original, given.tokenizer, prompts)
            directions = directions - mean_states(given.model, given.tokenizer, prompts)
            at, coefficient = choose(given, directions, split.taught)
            with steered(layers(given.model)[at], coefficient * directions[at]):
                yield Prepared(items=(*split.asked, *retained))
            retained = ()


STEERING = Attack(
    name=NAME,
    measures=(value(NAME), choice(NAME)),
    prepare=_prepare,
    changes_weights=True,
    needs_original=True,
    one_stream=True,
    describe={"layers": LAYERS, "largest_coefficient": max(COEFFICIENTS)},
)
