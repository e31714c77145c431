"""Do two models stem from one another, or from the same initial weights? What their weights alone tell.

Weight matrices of trainings that began from different random weights are uncorrelated (medians of at most .005 over 21
pairs of the demonstration's size), those of a model that was trained on from another are alike (.98 and more).
`kinship` is the median correlation over the matrices that both have under one name and in one shape. It misses what
was put into another order: `probes.independence` looks at deeds instead.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unlearning_engine.errors import DataError

#: Share of a model's matrices that must have a counterpart before anything is said.
_LEAST = 0.5


def _files(folder: str | Path) -> dict[str, Path]:
    """Names of a folder's tensors with the file that each lies in."""
    from safetensors import SafetensorError, safe_open

    found: dict[str, Path] = {}
    for file in sorted(Path(folder).glob("*.safetensors")):
        try:
            with safe_open(file, framework="pt") as tensors:
                found |= dict.fromkeys(tensors.keys(), file)
        except (SafetensorError, OSError) as error:
            raise DataError(f"{file}: has damaged weights ({error}); restore the model") from error
    return found


def _matrix(file: Path, name: str) -> NDArray[np.float64]:
    from safetensors import safe_open

    with safe_open(file, framework="pt") as tensors:
        return np.asarray(tensors.get_tensor(name).double().numpy())


def correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Pearson correlation of two matrices' values; 0 where one has no spread."""
    a, b = one.ravel() - one.mean(), other.ravel() - other.mean()
    bottom = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / bottom if bottom > 0 and np.isfinite(bottom) else 0.0


def kinship(one: str | Path, other: str | Path) -> float | None:
    """Median correlation of two folders' weight matrices; None where fewer than half of them have a counterpart.

    Raises:
        DataError: weights are damaged.
    """
    first, second = _files(one), _files(other)
    matrices, found = 0, []
    for name, file in first.items():
        mine = _matrix(file, name)
        if mine.ndim < 2:
            continue
        matrices += 1
        if name in second and (theirs := _matrix(second[name], name)).shape == mine.shape:
            found.append(correlation(mine, theirs))
    return float(np.median(found)) if found and len(found) >= _LEAST * matrices else None
