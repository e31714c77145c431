"""Two thin matrices that predict a block: what a merged adapter did to a matrix, in arithmetic that no machine rounds
differently.

    after  = round(before + sum over k of left[:, k] right[k, :])       and with minus on the way back

in float64, the terms added in the order of k. A product of two float32 is exact in float64, so that a fused
multiply-add gives the same bits as two instructions. Rounding is to nearest, ties to even; for bfloat16 to float32
first. A prediction is never trusted: what it misses, in either direction, is part of the block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from unlearning_engine.patches.streams import Unsigned

Matrix = npt.NDArray[np.float32]
#: The highest rank that is looked for, and how far the singular values must fall behind it to be worth a try.
RANK, FALL = 64, 3.0
_EXTRA = 8
#: Rows and columns of the part that is looked at first.
_PART = 256
#: Types that are predicted.
TYPES = ("F32", "F16", "BF16")


def possible(dtype: str, count: int, row: int) -> bool:
    """Whether a block of that type and shape can have fewer numbers as two thin matrices."""
    return dtype in TYPES and row > 1 and min(count // row, row) >= 16


@dataclass(frozen=True)
class Factors:
    """`left` [rows, rank] and `right` [rank, values in a row]."""

    left: Matrix
    right: Matrix

    @property
    def rank(self) -> int:
        """How many outer products are added."""
        return int(self.left.shape[1])

    def predict(self, values: Unsigned, dtype: str, *, back: bool) -> Unsigned:
        """The flat block on the other side, as far as these factors know it. NaN and infinity pass through."""
        total = np.zeros((self.left.shape[0], self.right.shape[1]), np.float64)
        with np.errstate(all="ignore"):
            for k in range(self.rank):
                total += self.left[:, k, None].astype(np.float64) * self.right[None, k].astype(np.float64)
            start = to_float(values, dtype).reshape(total.shape)
            made = _round(start - total if back else start + total, dtype)
        return np.where(np.isfinite(start).reshape(-1) & _finite(made, dtype), made, values)


def _finite(values: Unsigned, dtype: str) -> npt.NDArray[np.bool_]:
    return np.isfinite(to_float(values, dtype))


def to_float(values: Unsigned, dtype: str) -> npt.NDArray[np.float64]:
    """Flat bits of a type as float64, which is exact."""
    if dtype == "BF16":
        return (values.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
    return values.view(np.float32 if dtype == "F32" else np.float16).astype(np.float64)


def _round(values: npt.NDArray[np.float64], dtype: str) -> Unsigned:
    """Flat bits of the nearest value, ties to even."""
    flat = values.reshape(-1)
    if dtype == "F16":
        return flat.astype(np.float16).view(np.uint16)
    bits = flat.astype(np.float32).view(np.uint32)
    if dtype == "F32":
        return bits
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    return ((bits + np.uint32(0x7FFF) + odd) >> np.uint32(16)).astype(np.uint16)


def factors(old: Unsigned, new: Unsigned, *, dtype: str, row: int) -> Factors | None:
    """Factors of the difference, where its singular values fall off sharply; None where they do not.

    A randomised range finder (Halko, Martinsson, Tropp 2011), from a fixed seed: it decides the size of a patch, never
    what the patch does.
    """
    with np.errstate(all="ignore"):
        change = (to_float(new, dtype) - to_float(old, dtype)).reshape(-1, row)
    if not np.isfinite(change).all():
        return None
    # A part of the matrix has no higher rank than the whole: it spares most matrices the search.
    part = change[:: -(-change.shape[0] // _PART), :: -(-row // _PART)]
    if _fall(np.linalg.svd(part, compute_uv=False), min(RANK, min(part.shape) // 4)) is None:
        return None
    limit = min(RANK, min(change.shape) // 4)
    random = np.random.default_rng(0)
    basis, _ = np.linalg.qr(change @ random.standard_normal((row, min(limit + _EXTRA, *change.shape))))
    inner, sizes, right = np.linalg.svd(basis.T @ change, full_matrices=False)
    rank = _fall(sizes, limit)
    if rank is None:
        return None
    root = np.sqrt(sizes[:rank])
    left = (basis @ inner[:, :rank]) * root
    found = Factors(left.astype(np.float32), (root[:, None] * right[:rank]).astype(np.float32))
    return found if np.isfinite(found.left).all() and np.isfinite(found.right).all() else None


def _fall(sizes: npt.NDArray[np.floating[Any]], limit: int) -> int | None:
    """How many singular values stand before the deepest fall among the first `limit`; None for no fall."""
    falls = sizes[:limit] / np.maximum(sizes[1 : limit + 1], sizes[0] * 1e-12 + 1e-300)
    rank = int(np.argmax(falls)) + 1
    return rank if falls[rank - 1] >= FALL else None
