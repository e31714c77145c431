"""A job goes through a real worker on each broker, and survives the worker's death."""

from __future__ import annotations

import re
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.engine_worker import House, Message, training
from unlearning_engine import broker
from unlearning_engine.trees import name_of

pytestmark = pytest.mark.services
GENERATE = {"verb": "generate", "seed": 4, "artists": 1, "persons": 1}
#: What a text in a message may be: an id of the test, a digest, or a short name of the engine's own.
HARMLESS = re.compile(r"sha256:[0-9a-f]{64}|[A-Za-z][A-Za-z0-9_.: -]{0,39}|")


@pytest.fixture(params=["filesystem", "redis", "rabbitmq"])
def house(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    fixture = {"redis": "redis_url", "rabbitmq": "rabbitmq_url"}.get(request.param)
    url = request.getfixturevalue(fixture) if fixture else "filesystem://"
    monkeypatch.setenv("LETHE_BROKER", url)
    monkeypatch.setenv("LETHE_BROKER_FOLDER", str(tmp_path / "broker"))
    monkeypatch.setenv("LETHE_QUEUE_PREFIX", f"test-{secrets.token_hex(4)}.")
    house = House(tmp_path, url)
    yield house
    house.close()


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for key, inner in value.items() for text in [key, *texts(inner)]]
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    return [value] if isinstance(value, str) else []


def test_a_job_is_worked_told_and_stored_and_told_again_without_a_second_run(house: House) -> None:
    house.start_worker()
    house.publish("job-1", 0, GENERATE)
    finished = house.hear_task(broker.FINISHED, broker.FAILED)
    assert finished.task == broker.FINISHED
    assert [m.task for m in house.messages].count(broker.STARTED) == 1
    assert any(m.task == broker.PROGRESS for m in house.messages)
    assert all(m.arguments[:2] == ["job-1", 0] for m in house.messages)
    assert house.presence[0].arguments[1] == ["gpu"] and house.presence[0].arguments[3]["memory_mib"] > 0
    told = [t for m in house.messages for t in texts(m.arguments) if t != house.presence[0].arguments[0]]
    assert [t for t in told if not HARMLESS.fullmatch(t)] == []

    result = house.result(finished)
    energy = {name: value for name, value in result["energy"].items() if name != "source"}
    told_of = {name: result[name] for name in ("verb", "seconds", "outputs")}
    assert finished.arguments[3] == {**told_of, "energy": energy, "log": ""} and energy["wh"] > 0
    copy = house.store.fetch(result["outputs"]["works"], house.root / "works")
    assert name_of(copy) == result["outputs"]["works"]
    assert house.store.exists(result["outputs"]["dataset"])
    assert not (house.work / "job-1").exists(), "the work folder holds training data and must go"

    house.publish("job-1", 1, GENERATE)
    again = house.hear_task(broker.FINISHED)
    assert again.arguments == ["job-1", 1, *finished.arguments[2:]]


def test_a_killed_worker_takes_its_engine_along_and_the_next_attempt_goes_on(house: House) -> None:
    worker = house.start_worker()
    spec = training(house.root, house.store, epochs=500)
    house.publish("job-1", 0, spec)
    house.hear(lambda m: m.task == broker.PROGRESS and any(e.get("step", 0) > 60 for e in m.arguments[2]))
    assert len(house.engines()) == 1
    worker.send_signal(signal.SIGKILL)
    house.wait_for_engines(0)
    assert list((house.work / "job-1" / "out" / "checkpoints").glob("step-*"))

    house.start_worker()
    house.publish("job-1", 1, spec)
    finished = house.hear(lambda m: m.task in (broker.FINISHED, broker.FAILED) and m.arguments[1] == 1, seconds=120)
    assert finished.task == broker.FINISHED
    metrics = house.result(finished)["metrics"]
    assert metrics["resumed_from"] >= 60
    assert metrics["steps"] == 1000
    check_signs_of_life(house.messages)


def check_signs_of_life(messages: list[Message]) -> None:
    """While an attempt runs, no more than 6 s pass without a word, though torch alone takes seconds to load."""
    for attempt in (0, 1):
        heard = [m.seconds for m in messages if m.arguments[1] == attempt]
        assert max((b - a for a, b in zip(heard, heard[1:], strict=False)), default=0) < 6
