"""Losses of linear heads agree with values by hand, with finite differences and with the constants of the proof."""

from __future__ import annotations

import math

import numpy as np
import pytest

from unlearning_engine.certified.convex import Loss, Rows, minimise, solve
from unlearning_engine.errors import DivergenceError

KINDS = pytest.mark.parametrize(("name", "classes"), [("logistic", 2), ("logistic", 4), ("squared", 2), ("squared", 3)])


def rows(count: int = 20, classes: int = 2, *, seed: int = 0) -> Rows:
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(count, 3))
    inputs /= np.maximum(1.0, np.linalg.norm(inputs, axis=1, keepdims=True))
    return Rows(inputs=inputs, labels=random.integers(0, classes, count))


def test_the_values_are_those_worked_out_by_hand() -> None:
    one = Rows(inputs=np.array([[2.0]]), labels=np.array([1]))
    binary = Loss(name="logistic", classes=2, l2=0.5)
    # f = ln(1 + e^-2w), at w = ln(3)/2: ln(4/3); gradient -2/4, curvature 4 x 3/16; ridge w^2/4, w/2, 1/2.
    weight = math.log(3) / 2
    at = np.array([[weight]])
    assert binary.value(at, one) == pytest.approx(math.log(4 / 3) + weight**2 / 4)
    assert binary.gradient(at, one)[0, 0] == pytest.approx(-0.5 + weight / 2)
    assert binary.hessian(at, one)[0, 0] == pytest.approx(0.75 + 0.5)
    softmax = Loss(name="logistic", classes=3, l2=0.0)
    zero = np.zeros((3, 1))
    assert softmax.value(zero, one) == pytest.approx(math.log(3))
    assert softmax.gradient(zero, one).ravel() == pytest.approx([2 / 3, -4 / 3, 2 / 3])
    assert softmax.hessian(zero, one) == pytest.approx(4 * (np.eye(3) / 3 - 1 / 9))
    squared = Loss(name="squared", classes=2, l2=0.0)
    assert squared.value(np.zeros((2, 1)), one) == 0.5
    assert squared.gradient(np.zeros((2, 1)), one).ravel() == pytest.approx([0, -2])
    assert squared.hessian(np.zeros((2, 1)), one) == pytest.approx(4 * np.eye(2))


@KINDS
def test_gradient_and_hessian_are_the_derivatives(name: str, classes: int) -> None:
    loss, data, step = Loss(name=name, classes=classes, l2=0.1), rows(classes=classes), 1e-6
    weights = np.random.default_rng(1).normal(size=(loss.outputs, 3))
    for at, place in enumerate(np.ndindex(weights.shape)):
        off = np.zeros_like(weights)
        off[place] = step
        slope = (loss.value(weights + off, data) - loss.value(weights - off, data)) / (2 * step)
        assert loss.gradient(weights, data)[place] == pytest.approx(slope, abs=1e-7)
        column = (loss.gradient(weights + off, data) - loss.gradient(weights - off, data)).ravel() / (2 * step)
        assert loss.hessian(weights, data)[at] == pytest.approx(column, abs=1e-7)


@KINDS
def test_no_row_of_the_stated_norm_exceeds_the_constants(name: str, classes: int) -> None:
    loss, random, radius = Loss(name=name, classes=classes, l2=0.0), np.random.default_rng(2), 1.7
    constants = Loss(name=name, classes=classes, l2=0.4).constants(radius)
    found = np.zeros(3)
    for _ in range(400):
        direction = random.normal(size=3)
        one = Rows(inputs=radius * direction[None] / np.linalg.norm(direction), labels=random.integers(0, classes, 1))
        weights = random.normal(size=(loss.outputs, 3)) * random.uniform(0.1, 3)
        if name == "squared":  # its slope is bounded where minimisers lie
            weights /= max(1.0, np.linalg.norm(weights) * math.sqrt(0.4))
        off = random.normal(size=weights.shape) * 1e-5
        off = np.outer(off[:, 0], one.inputs[0])  # only what moves the logits counts
        turned = np.linalg.norm(loss.hessian(weights + off, one) - loss.hessian(weights, one), 2) / np.linalg.norm(off)
        values = [
            float(np.linalg.norm(loss.gradient(weights, one))),
            float(np.linalg.norm(loss.hessian(weights, one), 2)),
            float(turned),
        ]
        found = np.maximum(found, values)
    limits = np.array([constants.slope, constants.smooth, constants.cubic])
    assert (found <= limits * (1 + 1e-5) + 1e-5).all()
    assert (found >= 0.6 * limits)[1:].all()  # the bounds are not far from what is reached


def test_newtons_method_reaches_the_stated_gradient_from_anywhere() -> None:
    loss, data = Loss(name="logistic", classes=3, l2=0.01), rows(60, 3)
    ends = []
    for start in (np.zeros((3, 3)), np.full((3, 3), 30.0)):
        weights, norm, steps = minimise(loss, data, start, tolerance=1e-11, steps=50)
        assert norm <= 1e-11 and steps < 40
        ends.append(weights)
    assert np.abs(ends[0] - ends[1]).max() < 1e-8


def test_too_few_steps_are_said_to_be_too_few() -> None:
    with pytest.raises(DivergenceError, match="after 1 Newton steps"):
        minimise(Loss(name="logistic", classes=3, l2=0.01), rows(60, 3), np.zeros((3, 3)), tolerance=1e-11, steps=1)


def test_equations_are_solved() -> None:
    assert solve(np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([3.0, 4.0])) == pytest.approx([1, 1])


def test_two_classes_share_one_output_and_the_larger_score_wins() -> None:
    loss = Loss(name="logistic", classes=2, l2=0.1)
    assert loss.outputs == 1
    assert loss.scores(np.array([[1.0]]), np.array([[2.0], [-2.0]])).argmax(axis=1).tolist() == [1, 0]
