"""Merging what several runs changed in one model: TIES (Yadav et al. 2023, arXiv:2306.01708). Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def trimmed(change: Tensor, density: float) -> Tensor:
    """The `density` (0 to 1) of a change's values that are largest in size; the others are set to nought."""
    count = max(1, round(density * change.numel()))
    if count >= change.numel():
        return change
    sizes = change.abs().flatten()
    least = torch.topk(sizes, count).values.min()
    return torch.where(change.abs() >= least, change, 0.0)


def ties(changes: Sequence[Tensor], density: float) -> Tensor:
    """One change out of several of the same shape: trim each, elect the sign that carries more, average who agrees."""
    kept = torch.stack([trimmed(change, density) for change in changes])
    agrees = (kept.sign() == kept.sum(dim=0).sign()) & (kept != 0)
    return torch.where(agrees, kept, 0.0).sum(dim=0) / agrees.sum(dim=0).clamp(min=1)
