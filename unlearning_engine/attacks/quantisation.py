"""Quantisation: round the weights to a few bits, as every second deployment does (Zhang et al. 2024, "Catastrophic
failure of LLM unlearning via quantization").

An unlearning that moved weights less than half a step is undone by rounding: at 4 bits 21% of forgotten knowledge
became 83%. Round-to-nearest, symmetric, one scale per group of 128 inputs (the last group of a row may be shorter),
simulated: weights are replaced by their dequantised values, of the type they had. Linear layers alone, without the
output head.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from unlearning_engine.attacks.base import Attack, Given, Prepare, Prepared, choice, linear_weights, value

if TYPE_CHECKING:
    from torch import Tensor

#: Inputs that share a scale.
GROUP = 128


def round_to_nearest(weight: Tensor, bits: int, *, group: int = GROUP) -> Tensor:
    """Dequantised values of a weight of shape (outputs, inputs); ties round to the even level.

    The levels of a group are -L..L times its scale with L = 2^(bits-1) - 1 and scale = largest magnitude / L.
    """
    import torch

    levels = 2 ** (bits - 1) - 1
    parts = []
    for part in weight.float().split(group, dim=1):
        scale = part.abs().amax(dim=1, keepdim=True) / levels
        whole = torch.where(scale > 0, part / scale, 0.0).round().clamp(-levels, levels)
        parts.append(whole * scale)
    return torch.cat(parts, dim=1).to(weight.dtype)


def _prepare(bits: int) -> Prepare:
    def prepare(given: Given) -> Iterator[Prepared]:
        for _, weight in linear_weights(given.model):
            weight.copy_(round_to_nearest(weight, bits))
        yield Prepared(items=(*given.items, *given.retained))

    return prepare


def _attack(name: str, bits: int) -> Attack:
    return Attack(
        name=name,
        measures=(value(name), choice(name)),
        prepare=_prepare(bits),
        changes_weights=True,
        describe={"bits": bits, "group": GROUP},
    )


INT8 = _attack("quantisation_int8", 8)
FOUR_BIT = _attack("quantisation_4bit", 4)
