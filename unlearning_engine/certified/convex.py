"""Losses of linear heads: value, gradient, Hessian, and the constants that a certificate rests on.

The objective over n rows is F(w) = mean_i f(w; x_i, y_i) + l2/2 |w|^2, where x_i has norm at most C. Weights have shape
(outputs, inputs); where they are a vector, rows stand one after the other. A squared loss and the softmax have one
output a class, two classes of logistic regression share one.

The constants hold for the data term f alone, everywhere:

                |gradient|        Hessian         Hessian's Lipschitz constant
    softmax     sqrt(2) C         C^2 / 2         C^3 sqrt(2) / (3 sqrt(3))
    two classes C                 C^2 / 4         C^3 / (6 sqrt(3))
    squared     C (C/sqrt(l2)+1)  C^2             0

Softmax: the Hessian along u is the variance of u_Y, the third derivative its third central moment; |u| = 1 leaves u_Y a
range of sqrt(2), and a variable of range r has variance at most r^2/4 and third central moment at most r^3/(6 sqrt(3)).
The third derivative is symmetric, so its norm is reached on the diagonal (Banach 1938). Squared: the slope holds where
|w| <= 1/sqrt(l2), and so at every minimiser, since l2/2 |w|^2 <= F(0) = 1/2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import linalg, special

from unlearning_engine.errors import DivergenceError

Array = npt.NDArray[np.float64]
LOGISTIC, SQUARED = "logistic", "squared"
LOSSES = (LOGISTIC, SQUARED)
#: Hessians are dense: 6000 parameters take 288 MB each.
MOST_PARAMETERS = 6000


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What a head sees: inputs (n, inputs), targets (n,) in the order of classes."""

    inputs: Array
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, kw_only=True)
class Loss:
    """One of `LOSSES` for a number of classes, with its l2 term."""

    name: str
    classes: int
    l2: float

    @property
    def outputs(self) -> int:
        """Rows of the weights."""
        return 1 if self.name == LOGISTIC and self.classes == 2 else self.classes

    def _targets(self, rows: Rows) -> Array:
        if self.outputs == 1:
            return rows.labels[:, None].astype(np.float64)
        return np.eye(self.classes)[rows.labels]

    def scores(self, weights: Array, inputs: Array) -> Array:
        """A score a class, shape (n, classes); the largest is the prediction."""
        logits = inputs @ weights.T
        return np.hstack([np.zeros_like(logits), logits]) if self.outputs == 1 else logits

    def value(self, weights: Array, rows: Rows) -> float:
        """The objective."""
        logits, penalty = rows.inputs @ weights.T, self.l2 / 2 * float(np.sum(weights**2))
        if self.name == SQUARED:
            return float(np.sum((logits - self._targets(rows)) ** 2) / (2 * len(rows))) + penalty
        if self.outputs == 1:
            signs = 1.0 - 2.0 * self._targets(rows)
            return float(np.logaddexp(0, signs * logits).mean()) + penalty
        right = np.take_along_axis(logits, rows.labels[:, None], axis=1)[:, 0]
        return float((special.logsumexp(logits, axis=1) - right).mean()) + penalty

    def _predicted(self, weights: Array, rows: Rows) -> Array:
        logits = rows.inputs @ weights.T
        if self.name == SQUARED:
            return logits
        return special.expit(logits) if self.outputs == 1 else special.softmax(logits, axis=1)  # type: ignore[no-any-return]

    def gradient(self, weights: Array, rows: Rows) -> Array:
        """Of the objective, shape of the weights."""
        errors = self._predicted(weights, rows) - self._targets(rows)
        return np.asarray(errors.T @ rows.inputs / len(rows) + self.l2 * weights)

    def hessian(self, weights: Array, rows: Rows) -> Array:
        """Of the objective, shape (parameters, parameters)."""
        width, x = rows.inputs.shape[1], rows.inputs
        out = self.l2 * np.eye(self.outputs * width)
        if self.name == SQUARED:
            return np.asarray(out + np.kron(np.eye(self.outputs), x.T @ x / len(rows)))
        found = self._predicted(weights, rows)
        for a in range(self.outputs):
            for b in range(a + 1):
                same = found[:, a] if a == b else 0.0
                block = (x * (same - found[:, a] * found[:, b])[:, None]).T @ x / len(rows)
                out[a * width : (a + 1) * width, b * width : (b + 1) * width] += block
                if a != b:
                    out[b * width : (b + 1) * width, a * width : (a + 1) * width] += block
        return out

    def constants(self, radius: float) -> Constants:
        """For rows of norm at most `radius`; see the module."""
        smooth = {SQUARED: 1.0, LOGISTIC: 0.25 if self.outputs == 1 else 0.5}[self.name] * radius**2
        cubic = 0.0 if self.name == SQUARED else (1 if self.outputs == 1 else 2 * math.sqrt(2)) / (6 * math.sqrt(3))
        if self.name == SQUARED:
            slope = radius * (radius / math.sqrt(self.l2) + 1)
        else:
            slope = radius if self.outputs == 1 else math.sqrt(2) * radius
        return Constants(l2=self.l2, slope=slope, smooth=smooth, cubic=cubic * radius**3)


@dataclass(frozen=True, kw_only=True)
class Constants:
    """Bounds for the data term; `l2` is the strong convexity of the objective. The paper's mu, L, beta - mu, M."""

    l2: float
    slope: float
    smooth: float
    cubic: float


def minimise(loss: Loss, rows: Rows, start: Array, *, tolerance: float, steps: int) -> tuple[Array, float, int]:
    """Newton's method with halved steps until the gradient's norm is at most `tolerance`.

    Strong convexity makes it converge from any start. Returns weights, the gradient's norm at them, steps taken.

    Raises:
        DivergenceError: the norm was not reached in `steps` steps.
    """
    weights, taken = start, 0
    while True:
        slope = loss.gradient(weights, rows)
        norm = float(np.linalg.norm(slope))
        if norm <= tolerance:
            return weights, norm, taken
        if taken == steps or not math.isfinite(norm):
            raise DivergenceError(
                f"the gradient's norm is {norm:.3g} after {taken} Newton steps, above {tolerance:.3g}; "
                "allow more steps, a larger tolerance or more l2"
            )
        step = solve(loss.hessian(weights, rows), slope.reshape(-1)).reshape(weights.shape)
        weights, taken = _shorter(loss, rows, weights, step, slope), taken + 1


def _shorter(loss: Loss, rows: Rows, weights: Array, step: Array, slope: Array) -> Array:
    """The full step, or a half of it, of that ... that lowers the objective (Armijo); near the end always the full one.

    Where rounding hides the descent, the gradient's norm decides instead.
    """
    before, descent, norm = loss.value(weights, rows), float(np.sum(step * slope)), float(np.linalg.norm(slope))
    for halving in range(40):
        there = weights - 0.5**halving * step
        lower = loss.value(there, rows) <= before - 0.25 * 0.5**halving * descent
        if lower or float(np.linalg.norm(loss.gradient(there, rows))) <= 0.5 * norm:
            return there
    return weights - step


def solve(matrix: Array, vector: Array) -> Array:
    """Solution for a positive definite matrix (Cholesky), refined once against rounding."""
    factor = linalg.cho_factor(matrix)
    found = linalg.cho_solve(factor, vector)
    return np.asarray(found + linalg.cho_solve(factor, vector - matrix @ found))
