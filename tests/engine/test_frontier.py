"""The watch: what it sets aside, when it stops a run, what it keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Corpus
from tests.engine.test_methods import CONFIGS, loss, parts, spec
from unlearning_engine.data import Record
from unlearning_engine.errors import ConfigError
from unlearning_engine.frontier import FORGET, NEIGHBOURS, RETAIN, set_aside
from unlearning_engine.methods import unlearn


def rows(subject: str, kind: str, count: int) -> list[Record]:
    return [
        Record(
            id=f"{subject}-{kind}-{n}-{w}",
            subject=subject,
            kind=kind,
            fact=f"{subject}-{kind}-{n}",
            prompt="?",
            answer="x",
        )
        for n in range(count)
        for w in range(2)
    ]


def test_neighbours_are_of_the_same_kind_and_watched_facts_are_not_trained_on() -> None:
    forget, near, far = rows("ann", "poem", 4), rows("bob", "poem", 40), rows("", "general", 40)
    watched, trained = set_aside(forget, [*near, *far], 6, seed=1)
    assert {name: len(found) for name, found in watched.items()} == {FORGET: 6, NEIGHBOURS: 6, RETAIN: 6}
    assert {r.kind for r in watched[NEIGHBOURS]} == {"poem"} and {r.subject for r in watched[NEIGHBOURS]} == {"bob"}
    apart = {r.fact for name in (NEIGHBOURS, RETAIN) for r in watched[name]}
    assert apart.isdisjoint(r.fact for r in trained) and len(trained) == 160 - 12
    assert set_aside(forget, [*far, *near], 6, seed=1)[0] == watched
    assert set_aside(forget, [*near, *far], 6, seed=2)[0] != watched


def test_a_small_retain_set_is_watched_and_trained_on() -> None:
    retain = rows("", "general", 5)
    watched, trained = set_aside(rows("ann", "poem", 4), retain, 8, seed=1)
    assert len(watched[RETAIN]) == 8 and trained == retain


def test_the_curve_begins_at_the_original_and_its_last_point_is_the_models(
    corpus: Corpus, trained: Path, tmp_path: Path
) -> None:
    events: list[dict[str, Any]] = []
    found = unlearn(spec(corpus, trained, "npo"), tmp_path, events.append)["frontier"]
    first, last = found["curve"][0], found["curve"][-1]
    assert first["step"] == 0 and first["forget"] > 0.8 and first["utility"] == {"neighbours": 1.0, "retain": 1.0}
    assert last["forget"] < 0.3 and last["lowest"] > 0.8
    assert found["kept_step"] == last["step"] and found["kept_floor"] and not found["stopped"]
    assert [e["step"] for e in events if e.get("stage") == "watch"] == [point["step"] for point in found["curve"]]


def test_a_run_that_destroys_the_model_is_stopped_and_the_best_look_is_kept(
    corpus: Corpus, trained: Path, tmp_path: Path
) -> None:
    config = {**CONFIGS["ascent"], "bound": 60.0, "learning_rate": 2e-3, "watch_looks": 20}
    config |= {"utility_floor": 0.8, "stop_below": 0.3}
    metrics = unlearn(spec(corpus, trained, "ascent", config=config), tmp_path)
    found = metrics["frontier"]
    assert found["stopped"] and metrics["stopped_early"] and metrics["steps"] < 40
    assert found["curve"][-1]["lowest"] < 0.3
    kept = next(point for point in found["curve"] if point["step"] == found["kept_step"])
    assert kept["lowest"] >= 0.8 and found["kept_step"] < found["curve"][-1]["step"]
    assert loss(tmp_path / "model", parts(corpus)[1]) < 0.5


def test_the_kept_look_outlives_a_kill(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    config = {**CONFIGS["ascent"], "bound": 60.0, "learning_rate": 2e-3, "watch_looks": 20}
    config |= {"utility_floor": 0.8, "stop_below": 0.0}
    job = spec(corpus, trained, "ascent", config={**config, "checkpoint_every": 10})

    class Killed(Exception):
        pass

    def report(event: dict[str, Any]) -> None:
        if event.get("step", 0) >= 35:
            raise Killed

    with pytest.raises(Killed):
        unlearn(job, tmp_path / "cut", report)
    resumed = unlearn(job, tmp_path / "cut")
    whole = unlearn(job, tmp_path / "whole")
    assert resumed["resumed_from"] == 30
    assert resumed["frontier"] == whole["frontier"] and resumed["weights_digest"] == whole["weights_digest"]


@pytest.mark.parametrize("name", ["npo", "undo", "task_vector"])
def test_a_resumed_run_does_not_look_at_the_original_again(
    corpus: Corpus, trained: Path, tmp_path: Path, name: str
) -> None:
    job = spec(corpus, trained, name, config={**CONFIGS[name], "checkpoint_every": 10})

    class Killed(Exception):
        pass

    def report(event: dict[str, Any]) -> None:
        if event.get("step", 0) >= 25:
            raise Killed

    with pytest.raises(Killed):
        unlearn(job, tmp_path / "cut", report)
    events: list[dict[str, Any]] = []
    resumed = unlearn(job, tmp_path / "cut", events.append)
    assert resumed["resumed_from"] == 20 and min(event["step"] for event in events) > 20
    assert resumed["frontier"] == unlearn(job, tmp_path / "whole")["frontier"]


def test_a_stop_above_the_floor_is_refused(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    config = {**CONFIGS["npo"], "utility_floor": 0.5, "stop_below": 0.6}
    with pytest.raises(ConfigError, match="stop_below: above utility_floor"):
        unlearn(spec(corpus, trained, "npo", config=config), tmp_path)
