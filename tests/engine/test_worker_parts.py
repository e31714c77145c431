"""What may travel in a message, how the queues are set up, and the folder that serves as a broker."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from kombu import Connection

from unlearning_engine import broker
from unlearning_engine.errors import ConfigError
from unlearning_engine.heartbeat import MOST, Pending, numbers_only


def test_numbers_and_the_names_of_stages_travel_and_no_other_text() -> None:
    event = {
        "event": "progress",
        "stage": "attacked candidate (controls)",
        "step": 3,
        "loss": 1.5,
        "bad": float("nan"),
        "message": "Ada Quill lives in Westmere",
        "records": ["Ada"],
        "Ada Quill": 1,
        "resumed": True,
    }
    assert numbers_only(event) == {
        "event": "progress",
        "stage": "attacked candidate (controls)",
        "step": 3,
        "loss": 1.5,
        "resumed": True,
    }
    assert numbers_only({"event": "warning", "stage": "x" * 100}) == {"event": "warning"}


def test_the_latest_of_events_waits_and_every_point_of_a_curve() -> None:
    pending = Pending()
    for step in range(3):
        pending.add({"event": "progress", "step": step})
    for step in range(3, 6):
        pending.add({"event": "progress", "step": step, "loss": 1.0})
    pending.add({"event": "progress", "step": 6})
    assert [e["step"] for e in pending.take()] == [3, 4, 5, 6]
    assert pending.take() == []


def test_too_many_points_are_thinned_and_the_latest_stays_through_a_failed_sending() -> None:
    pending = Pending()
    for step in range(1000):
        pending.add({"event": "progress", "step": step, "loss": 1.0})
    taken = pending.take()
    assert len(taken) <= MOST
    assert taken[-1]["step"] == 999
    pending.add({"event": "progress", "step": 1000, "loss": 1.0})
    pending.give_back(taken)
    again = pending.take()
    assert len(again) <= MOST
    assert again[-1]["step"] == 1000


def test_every_app_speaks_json_only_on_the_same_queues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETHE_BROKER_FOLDER", str(tmp_path))
    monkeypatch.setenv("LETHE_QUEUE_PREFIX", "north.")
    app = broker.configure(Celery("x"), "filesystem://")
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_serializer == "json"
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.lethe_queues == {"default": "north.default", "gpu": "north.gpu", "signing": "north.signing"}
    assert set(app.amqp.queues) == {"north.default", "north.gpu", "north.signing"}


@pytest.mark.parametrize("url", ["sqs://x", "memory://", "", "redis"])
def test_a_broker_that_was_never_tried_here_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="use filesystem"):
        broker.configure(Celery("x"), url)


def test_a_prefix_with_odd_characters_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETHE_QUEUE_PREFIX", "../x")
    with pytest.raises(ConfigError, match="LETHE_QUEUE_PREFIX"):
        broker.queue_names()


def _connection(folder: str) -> Connection:
    os.environ["LETHE_BROKER_FOLDER"] = folder
    options, _ = broker._by_kind("filesystem")
    return Connection("filesystem://", transport=broker.FolderTransport, transport_options=options)


def _write(folder: str, first: int, count: int) -> None:
    with _connection(folder) as connection:
        queue = connection.SimpleQueue("numbers")
        for number in range(first, first + count):
            queue.put({"number": number, "padding": "x" * 5000})


def _read(folder: str, heard: Any, total: int) -> None:
    with _connection(folder) as connection:
        channel = connection.default_channel
        deadline = time.monotonic() + 60
        while len(heard) < total and time.monotonic() < deadline:
            message = channel.basic_get("numbers")
            if message is not None:
                message.ack()
                heard.append(message.decode()["number"])


def test_two_writers_and_two_readers_share_the_folder_and_each_message_arrives_whole_and_once(tmp_path: Path) -> None:
    total = 600
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        heard = manager.list()
        folder = str(tmp_path)
        people = [context.Process(target=_read, args=(folder, heard, total)) for _ in range(2)]
        people += [context.Process(target=_write, args=(folder, first, total // 2)) for first in (0, total // 2)]
        for person in people:
            person.start()
        for person in people:
            person.join(90)
        assert [person.exitcode for person in people] == [0, 0, 0, 0]
        assert sorted(heard) == list(range(total))
    assert not list((tmp_path / "messages").iterdir())
    assert not list((tmp_path / "taken").iterdir())


def test_looks_of_the_watch_wait_like_points_of_a_loss_curve() -> None:
    pending = Pending()
    looks = [{"event": "progress", "stage": "watch", "step": n, "forget_probability": 1.0 - n / 10} for n in range(3)]
    for look in looks:
        pending.add(look)
        pending.add({"event": "progress", "stage": "npo", "step": look["step"], "loss": 1.0})
        pending.add({"event": "progress", "stage": "sampling", "step": look["step"]})
    kept = pending.take()
    assert [event for event in kept if event["stage"] == "watch"] == looks
    assert len([event for event in kept if event["stage"] == "sampling"]) == 1
