"""A head is trained to its stated gradient, read back as it was written, and says why nothing could be certified."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.engine.certified_heads import CLEAN, config, head, listed, table, write_jsonl
from unlearning_engine.certified.convex import Rows
from unlearning_engine.certified.fitting import FitConfig, rounded_up, train_head, with_gap
from unlearning_engine.certified.heads import (
    Head,
    digest_of,
    hexadecimal,
    no_guarantee,
    read_head,
    read_rows,
    sum_of,
    without,
    write_head,
)
from unlearning_engine.contracts import TrainSpec
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.sisa.tables import write_table

SETTINGS: dict[str, Any] = {"classes": ["a", "b", "c"], "dimension": 4, "l2": 0.1, "extractor": CLEAN}


def train(folder: Path, data: Path, **changed: Any) -> dict[str, Any]:
    return train_head(TrainSpec(method="head", dataset=str(data), config={**SETTINGS, **changed}), folder)


def test_training_ends_at_the_stated_gradient_and_keeps_what_a_deletion_needs(tmp_path: Path) -> None:
    rows = table(200)
    metrics = train(tmp_path, write_jsonl(tmp_path / "t.jsonl", rows), tolerance=1e-9)
    made = read_head(tmp_path / "model")
    norm = np.linalg.norm(made.config.objective.gradient(made.weights, made.rows(rows)))
    assert norm == metrics["residual"] <= made.config.residual == 1e-9
    assert (made.config.n, made.config.centre) == (200, 1e-9 / 0.1)
    assert made.config.rows_sum == hexadecimal(sum_of(rows)) and made.config.dataset_digest == digest_of(rows)
    assert metrics["accuracy"] > 0.6 and metrics["not_certifiable"] == [] and made.config.ledger == []


def test_neither_the_order_nor_the_form_of_the_file_nor_the_seed_moves_a_bit(tmp_path: Path) -> None:
    rows = table(120)
    turned = rows.take(range(119, -1, -1))
    train(tmp_path / "a", write_jsonl(tmp_path / "a.jsonl", rows))
    write_table(tmp_path / "b.safetensors", turned)
    spec = TrainSpec(seed=9, method="head", dataset=str(tmp_path / "b.safetensors"), config=SETTINGS)
    train_head(spec, tmp_path / "b")
    for name in ("model.safetensors", "config.json"):
        assert (tmp_path / "a/model" / name).read_bytes() == (tmp_path / "b/model" / name).read_bytes()


def test_records_are_left_out_of_training(tmp_path: Path) -> None:
    rows = table(60)
    (tmp_path / "out.txt").write_text("s0.00000\ns0.00007\n", encoding="utf-8")
    data = write_jsonl(tmp_path / "t.jsonl", rows)
    train_head(
        TrainSpec(method="head", dataset=str(data), exclude_ids=str(tmp_path / "out.txt"), config=SETTINGS), tmp_path
    )
    left = rows.take([n for n in range(60) if n not in (0, 7)])
    assert read_head(tmp_path / "model").config.dataset_digest == digest_of(left)


def test_a_sum_names_a_set_and_its_differences() -> None:
    rows = table(20)
    whole = hexadecimal(sum_of(rows))
    assert without(whole, rows.take([3, 5])) == hexadecimal(
        sum_of(rows.take([n for n in range(20) if n not in (3, 5)]))
    )
    assert int(without(whole, rows), 16) == 0
    changed = listed([[0.0, 1.0]], [0])
    assert sum_of(changed) != sum_of(dataclasses.replace(changed, labels=np.array([1])))


def test_long_rows_are_shortened_short_ones_kept_and_the_bias_stands_behind() -> None:
    made = Head(config=config(2, clip=1.0), weights=np.zeros((3, 3)))
    inputs = made.rows(listed([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]], [0, 1, 2])).inputs
    assert inputs == pytest.approx(np.array([[0.6, 0.8, 1], [0.3, 0.4, 1], [0, 0, 1]]))
    assert np.linalg.norm(inputs, axis=1).max() <= made.config.radius == pytest.approx(2**0.5)


def test_a_surrogate_at_hand_in_training_is_measured_and_the_measure_rounded_up(tmp_path: Path) -> None:
    rows, substitute = table(300), table(100, seed=4)
    data, other = write_jsonl(tmp_path / "t.jsonl", rows), write_jsonl(tmp_path / "s.jsonl", substitute)
    train(tmp_path, data, surrogate=str(other))
    made = read_head(tmp_path / "model")
    objective = made.config.objective
    apart = objective.hessian(made.weights, made.rows(rows)) - objective.hessian(made.weights, made.rows(substitute))
    true = float(np.linalg.norm(apart, 2))
    assert made.config.gaps == {digest_of(substitute): rounded_up(true)}
    assert true <= rounded_up(true) <= 1.1 * true
    assert (rounded_up(0.0), rounded_up(0.01234), rounded_up(1.0)) == (0.0, pytest.approx(0.013), 1.0)
    assert with_gap(made, rows, rows).config.gaps[digest_of(rows)] == 0.0


def test_predictions_are_the_classes_of_the_largest_score() -> None:
    made = Head(config=config(1, 2, loss="squared", bias=False), weights=np.array([[1.0], [-1.0]]))
    assert made.accuracy(Rows(inputs=np.array([[1.0], [-1.0]]), labels=np.array([0, 0]))) == 0.5


# ---------------------------------------------------------------- refusals


def test_without_a_ridge_nothing_is_trained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="l2: must be above 0"):
        FitConfig(**{**SETTINGS, "l2": 0.0})
    with pytest.raises(ConfigError, match="l2: must be above 0"):
        head(table(20), l2=0.0)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"clip": 0.0}, "clip: is 0"),
        ({"extractor": {"name": "x", "saw_data": "yes", "note": ""}}, "saw the rows"),
        ({"extractor": {"name": "x", "saw_data": "unknown", "note": ""}}, "may have seen the rows"),
    ],
)
def test_a_head_that_nothing_can_be_certified_about_is_trained_and_says_so(
    tmp_path: Path, changed: dict[str, Any], words: str
) -> None:
    told: list[dict[str, Any]] = []
    data = write_jsonl(tmp_path / "t.jsonl", table(60))
    spec = TrainSpec(method="head", dataset=str(data), config={**SETTINGS, **changed})
    metrics = train_head(spec, tmp_path, told.append)
    assert words in metrics["not_certifiable"][0] and words in told[0]["message"]


def test_every_reason_is_named_at_once() -> None:
    assert [why.partition(":")[0] for why in no_guarantee(config(l2=0.0, clip=0.0))] == ["l2", "clip", "n"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"loss": "hinge"}, "loss: 'hinge' is unknown"),
        ({"extractor": {"name": "x"}}, "extractor.saw_data: must be one of no, yes, unknown"),
        ({"dimension": 3000}, "9003 parameters are more than 6000"),
        ({"ledger": [{"epsilon": 1.0}]}, "ledger: every entry"),
    ],
)
def test_a_wrong_configuration_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        config(**{"dimension": 4, **changed})


def test_classes_must_be_two_names_and_differ() -> None:
    with pytest.raises(ConfigError, match="at least two names"):
        dataclasses.replace(config(), classes=["a", "a"])


def test_a_folder_that_is_no_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a readable linear head"):
        read_head(tmp_path)
    made = head(table(40))
    write_head(tmp_path / "h", made)
    assert np.array_equal(read_head(tmp_path / "h").weights, made.weights)
    written = json.loads((tmp_path / "h/config.json").read_text())
    for key, value, words in (("kind", "llama", "not a linear head"), ("dimension", 5, "weights of shape")):
        (tmp_path / "h/config.json").write_text(json.dumps({**written, key: value}))
        with pytest.raises(DataError, match=words):
            read_head(tmp_path / "h")
    (tmp_path / "h/config.json").write_text(json.dumps({**written, "speed": 1}))
    with pytest.raises(ConfigError, match="speed: unknown field"):
        read_head(tmp_path / "h")


def test_rows_of_another_dimension_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="features have shape"):
        read_rows(config(5), write_jsonl(tmp_path / "t.jsonl", table(10)))


def test_nothing_left_to_train_on_is_refused(tmp_path: Path) -> None:
    rows = table(2)
    data = write_jsonl(tmp_path / "t.jsonl", rows)
    (tmp_path / "out.txt").write_text("\n".join(rows.ids), encoding="utf-8")
    spec = TrainSpec(method="head", dataset=str(data), exclude_ids=str(tmp_path / "out.txt"), config=SETTINGS)
    with pytest.raises(DataError, match="nothing to train on"):
        train_head(spec, tmp_path)
