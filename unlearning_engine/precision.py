"""The number type of products: float32, or bfloat16 over weights that stay float32.

`bfloat16` is torch's autocast: matrix products are done in bfloat16, sums, norms and losses in float32, and AdamW moves
float32 weights. Weights kept in bfloat16 would halve the memory and undo the work: a value has 8 bits, so an update of
less than 1/512 of the weight is rounded away, and the updates of unlearning (rates of 1e-5 on weights of about 0.02)
are of that size. What is saved is rounded once, at the end, to the type that the original had.

Each forward pass has an autocast of its own: its cache of rounded weights must not outlive the optimiser's step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

import torch

#: What `dtype` of a configuration may say.
NAMES = ("float32", "bfloat16")
_PRODUCTS: ContextVar[str] = ContextVar("products", default="float32")


@contextmanager
def computing(name: str) -> Iterator[None]:
    """Within, every forward pass of the engine's own does its products in this type, one of `NAMES`."""
    token = _PRODUCTS.set(name)
    try:
        yield
    finally:
        _PRODUCTS.reset(token)


def products(device: torch.device) -> AbstractContextManager[object]:
    """What one forward pass on the device runs in."""
    enabled = _PRODUCTS.get() == "bfloat16"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)
