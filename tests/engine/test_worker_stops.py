"""A job ends as it should when it is cancelled, wrong, killed, superseded, or its worker is stopped."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.engine_worker import House, training
from unlearning_engine import broker


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setenv("LETHE_BROKER", "filesystem://")
    monkeypatch.setenv("LETHE_BROKER_FOLDER", str(tmp_path / "broker"))
    house = House(tmp_path, "filesystem://")
    house.start_worker()
    yield house
    house.close()


def long_job(house: House) -> dict[str, Any]:
    return training(house.root, house.store, epochs=100_000)


def detail(house: House, error: dict[str, Any]) -> list[str]:
    found: list[str] = json.loads(house.store.read(error["detail"]))["messages"]
    return found


def test_a_cancelled_job_ends_at_once_and_leaves_nothing(house: House) -> None:
    house.publish("job-1", 0, long_job(house))
    house.hear_task(broker.STARTED)
    house.wait_for_engines(1)
    house.store.set_flag("cancel/job-1")
    failed = house.hear_task(broker.FAILED, broker.FINISHED, seconds=10)
    error = failed.arguments[2]
    assert (failed.task, error["type"], error["retryable"]) == (broker.FAILED, "Cancelled", False)
    assert house.engines() == []
    deadline = time.monotonic() + 5
    while house.store.has_flag("cancel/job-1") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not house.store.has_flag("cancel/job-1"), "the flag was obeyed and must not stop a later attempt"
    assert not (house.work / "job-1").exists()


def test_a_newer_attempt_of_a_running_job_is_answered_by_that_run(house: House) -> None:
    spec = long_job(house)
    house.publish("job-1", 0, spec)
    house.hear_task(broker.STARTED)
    before = house.wait_for_engines(1)
    house.publish("job-1", 1, spec)
    joined = house.hear_task(broker.STARTED)
    assert joined.arguments == ["job-1", 1, house.presence[0].arguments[0]]
    house.hear(lambda m: m.task == broker.PROGRESS and m.arguments[1] == 1)
    assert house.engines() == before
    house.store.set_flag("cancel/job-1")
    assert house.hear_task(broker.FAILED).arguments[1] == 1


def test_an_engine_killed_from_outside_may_be_tried_again_and_keeps_its_folder(house: House) -> None:
    house.publish("job-1", 0, long_job(house))
    house.hear_task(broker.STARTED)
    os.kill(house.wait_for_engines(1)[0], signal.SIGKILL)
    error = house.hear_task(broker.FAILED, seconds=10).arguments[2]
    assert (error["type"], error["retryable"], error["problems"]) == ("Killed", True, 1)
    assert "signal 9" in detail(house, error)[0]
    assert (house.work / "job-1").exists()


def test_a_stopped_worker_gives_its_job_back_at_once(house: House) -> None:
    house.publish("job-1", 0, long_job(house))
    house.hear_task(broker.STARTED)
    house.wait_for_engines(1)
    house.workers[0].terminate()
    error = house.hear_task(broker.FAILED, seconds=10).arguments[2]
    assert (error["type"], error["retryable"]) == ("WorkerStopped", True)
    assert house.workers[0].wait(timeout=20) == 0
    assert (house.work / "job-1").exists()
    assert not list(house.work.glob(".stop-*"))


def test_a_spec_with_three_errors_fails_for_good_and_its_messages_stay_off_the_broker(house: House) -> None:
    house.publish("job-1", 0, {"verb": "unlearn", "method": "wishing", "seed": -1, "model": "x", "person": "Ada Quill"})
    error = house.hear_task(broker.FAILED).arguments[2]
    messages = detail(house, error)
    assert (error["type"], error["retryable"], error["problems"]) == ("ConfigError", False, len(messages))
    assert set(error) == {"type", "retryable", "problems", "detail", "log"}
    for part in ("method", "seed", "person", "dataset: missing", "forget_ids: missing"):
        assert any(part in m for m in messages), part
    assert not (house.work / "job-1").exists()


@pytest.mark.parametrize("spec", [{"verb": "dance"}, {}, {"verb": "generate", "artists": -1}])
def test_a_spec_that_is_none_fails_for_good(house: House, spec: dict[str, Any]) -> None:
    house.publish("job-1", 0, spec)
    error = house.hear_task(broker.FAILED).arguments[2]
    assert (error["type"], error["retryable"]) == ("ConfigError", False)


def test_a_damaged_input_fails_for_good_and_is_named(house: House) -> None:
    spec = long_job(house)
    name = spec["dataset"].removeprefix("sha256:")
    place = Path(house.store.url) / "sha256" / name[:2] / name[2:]
    place.write_bytes(place.read_bytes().replace(b"item 3", b"item 4"))
    house.publish("job-1", 0, spec)
    error = house.hear_task(broker.FAILED).arguments[2]
    assert (error["type"], error["retryable"]) == ("DataError", False)
    assert detail(house, error)[0].startswith("spec.dataset: ")


def test_a_message_with_malformed_arguments_is_dropped_and_the_worker_lives_on(house: House) -> None:
    for arguments in (["../../x", 0, "sha256:" + "0" * 64], ["job-1", 0, "/etc/passwd"], ["job-1", "0", "x"], []):
        house.app.send_task(broker.RUN, args=arguments, queue=house.queues["gpu"])
    house.publish("job-2", 0, {"verb": "generate", "artists": 1, "persons": 0})
    assert house.hear_task(broker.FINISHED, broker.FAILED).arguments[0] == "job-2"
    assert {m.arguments[0] for m in house.messages} == {"job-2"}


def test_a_work_folder_that_cannot_be_written_is_told_and_may_be_tried_again(house: House) -> None:
    house.work.mkdir(exist_ok=True)
    (house.work / "job-1").write_text("in the way")
    house.publish("job-1", 0, {"verb": "generate", "artists": 1, "persons": 0})
    error = house.hear_task(broker.FAILED).arguments[2]
    assert (error["type"], error["retryable"]) == ("StorageError", True)
    assert "File exists" in detail(house, error)[0]
