"""The search for settings: other subjects stand in, every trial is logged, a killed search goes on."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine.conftest import Corpus
from tests.engine.test_methods import CONFIGS, spec
from unlearning_engine.data import Record
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.methods import unlearn
from unlearning_engine.methods.base import LARGE, SMALL, Job, rate_for
from unlearning_engine.methods.npo import Config
from unlearning_engine.methods.tuning import changes, rank, stand_in


def job(retain: int) -> Job:
    rows = [Record(id=f"{n}", subject=f"s{n // 3}", prompt="?", answer=f"{n}") for n in range(3 + retain)]
    return Job(model=Path("m"), forget=rows[:3], retain=rows[3:], seed=1, device=torch.device("cpu"))


def test_whole_retained_subjects_stand_in_and_the_forget_set_has_no_part() -> None:
    given = job(30)
    proxy = stand_in(given)
    assert len({r.subject for r in proxy.forget}) == 1 and len(proxy.forget) == 3
    assert {r.id for r in proxy.forget}.isdisjoint(r.id for r in given.forget)
    assert len(proxy.retain) == 27 and all(r in given.retain for r in proxy.retain)
    with pytest.raises(DataError, match="too small to try"):
        stand_in(job(3))


def test_the_floor_comes_first_then_forgetting_then_use_then_cost() -> None:
    def trial(forget: float, utility: float, cost: float) -> dict[str, float]:
        return {"forget": forget, "utility": utility, "cpu_seconds": cost}

    order = [trial(0.01, 0.99, 5), trial(0.04, 0.95, 1), trial(0.04, 0.95, 2), trial(0.3, 1.0, 1), trial(0.0, 0.5, 1)]
    assert sorted(order, key=lambda t: tuple(rank(t, 0.9))) == order
    mixed = [order[at] for at in (3, 1, 4, 0, 2)]
    assert order == sorted(mixed, key=lambda t: tuple(rank(t, 0.9)))


def test_changes_leave_out_what_the_method_does_not_have() -> None:
    found = list(changes(Config(), 1e-3))
    assert found[0].learning_rate == 5e-4 and len(found) == 9
    assert all(dataclasses.replace(c, learning_rate=0, epochs=8, forget_weight=1.0) == Config() for c in found)


def test_a_learning_rate_by_size_lies_between_the_two_that_are_known() -> None:
    assert rate_for(SMALL, (1e-3, 1e-5)) == pytest.approx(1e-3)
    assert rate_for(LARGE, (1e-3, 1e-5)) == pytest.approx(1e-5)
    assert 1e-5 < rate_for(1_000_000_000, (1e-3, 1e-5)) < 3e-5
    assert rate_for(10, (1e-3, 1e-5)) == pytest.approx(1e-3)


def test_a_search_is_logged_and_goes_on_where_it_was_killed(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    config = {**CONFIGS["npo"], "epochs": 10, "utility_floor": 0.1, "learning_rate": 0.0}
    made = dataclasses.replace(spec(corpus, trained, "npo", config=config), tune=3)
    trials: list[int] = []

    def report(event: dict[str, Any]) -> None:
        if event["stage"] == "tune":
            trials.append(event["step"])
            if event["step"] == 3 and trials.count(3) == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unlearn(made, tmp_path / "cut", report)
    found = unlearn(made, tmp_path / "cut", report)
    assert trials == [1, 2, 3, 3]
    log = found["tuning"]
    assert log["budget"] == len(log["trials"]) == 3 and log["stand_in"]["records"] >= 4
    assert [t["learning_rate"] for t in log["trials"]] == pytest.approx([1e-3, 5e-4, 2e-3])
    assert found["learning_rate"] == log["trials"][log["chosen"]]["learning_rate"]
    whole = unlearn(made, tmp_path / "whole")
    assert whole["weights_digest"] == found["weights_digest"]


def test_what_has_no_watch_cannot_be_tuned(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    for name, config in (("retrain", {}), ("npo", {"watch_looks": 0})):
        with pytest.raises(ConfigError, match="no watch to judge by"):
            unlearn(dataclasses.replace(spec(corpus, trained, name, config=config), tune=2), tmp_path / name)
    with pytest.raises(ConfigError, match="tune that method"):
        unlearn(dataclasses.replace(spec(corpus, trained, "spunge"), tune=2), tmp_path / "spunge")
