"""A real engine worker on a real broker, and the ears of the governance side."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celery import Celery

from unlearning_engine import broker
from unlearning_engine.artifacts import Store

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Message:
    """One message on queue `default`."""

    task: str
    arguments: list[Any]
    seconds: float


class House:
    """One installation: broker, store, work folder, and the workers that a test starts.

    The environment must name its broker, folder and queue prefix before it is made.
    """

    def __init__(self, root: Path, url: str) -> None:
        self.root = root
        self.store = Store(str(root / "store"))
        self.work = root / "work"
        self.app = broker.configure(Celery("ears"), url)
        self.queues = self.app.conf.lethe_queues
        self.messages: list[Message] = []
        self.presence: list[Message] = []
        self.workers: list[subprocess.Popen[bytes]] = []
        self._connection = self.app.connection()
        self._queue = self.app.amqp.queues[self.queues["default"]](self._connection.default_channel)
        self._queue.declare()

    def start_worker(self) -> subprocess.Popen[bytes]:
        """A worker as a GPU machine starts it."""
        environment = {
            **os.environ,
            "LETHE_ARTIFACTS": str(self.root / "store"),
            "LETHE_ENGINE_WORK": str(self.work),
            "OMP_NUM_THREADS": "1",
            "DJANGO_SETTINGS_MODULE": "the.engine.knows.no.django",
        }
        command = ["-m", "celery", "-A", "unlearning_engine.worker", "worker", "-Q", self.queues["gpu"], "-c", "2"]
        with (self.root / "worker.log").open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, *command, "--without-gossip", "--without-mingle", "--loglevel", "info"],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
            )
        self.workers.append(worker)
        return worker

    def publish(self, job: str, attempt: int, spec: dict[str, Any]) -> str:
        """Ask for a job; returns its spec's name."""
        ref = self.store.put_json(spec)
        self.app.send_task(broker.RUN, args=[job, attempt, ref], queue=self.queues["gpu"])
        return ref

    def hear(self, until: Callable[[Message], bool], seconds: float = 60) -> Message:
        """The first message from now on for which `until` holds; all are kept in `messages`."""
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            raw = self._queue.get()
            if raw is None:
                time.sleep(0.05)
                continue
            raw.ack()
            assert raw.content_type == "application/json"
            message = Message(raw.headers["task"], raw.payload[0], time.monotonic())
            if message.task == broker.SEEN:  # told every 20 s whatever the jobs do
                self.presence.append(message)
                continue
            self.messages.append(message)
            if until(message):
                return message
        log = (self.root / "worker.log").read_text()[-3000:]
        raise AssertionError(f"not heard within {seconds} s; heard {self.messages}; the worker said:\n{log}")

    def hear_task(self, *tasks: str, seconds: float = 60) -> Message:
        """The next message of one of these tasks."""
        return self.hear(lambda message: message.task in tasks, seconds)

    def result(self, message: Message) -> dict[str, Any]:
        """The result that a `job_finished` names."""
        found: dict[str, Any] = json.loads(self.store.read(message.arguments[2]))
        return found

    def engines(self) -> list[int]:
        """Process numbers of the engines that work in this house."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                command = (place / "cmdline").read_bytes()
                state = (place / "stat").read_text().rpartition(")")[2].split()[0]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if b"unlearning_engine" in command and str(self.work).encode() in command and state != "Z":
                found.append(int(place.name))
        return found

    def wait_for_engines(self, count: int, seconds: float = 20) -> list[int]:
        """Wait until exactly so many engines work here."""
        deadline = time.monotonic() + seconds
        while len(found := self.engines()) != count:
            assert time.monotonic() < deadline, f"{len(found)} engines instead of {count}"
            time.sleep(0.05)
        return found

    def close(self) -> None:
        """End the workers and delete what the broker keeps."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGKILL)
                worker.wait()
        self.wait_for_engines(0)
        for name in self.queues.values():
            queue = self.app.amqp.queues[name](self._connection.default_channel)
            queue.declare()
            queue.delete()
        self._connection.release()


def training(root: Path, store: Store, *, epochs: int) -> dict[str, Any]:
    """The spec of a real training, small, with a checkpoint every 40 steps."""
    rows = [{"id": f"r{n}", "prompt": f"What is item {n}?", "answer": f"Number {n * 7}"} for n in range(16)]
    (root / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (root / "text.txt").write_text("What is item Number 0 1 2 3 4 5 6 7 8 9?\n" * 20)
    model = {
        "model_type": "llama",
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
    }
    return {
        "verb": "train",
        "seed": 1,
        "threads": 1,
        "dataset": store.put(root / "data.jsonl"),
        "tokenizer_text": store.put(root / "text.txt"),
        "config": {"model": model, "vocab_size": 300, "epochs": epochs, "batch_size": 8, "checkpoint_every": 40},
    }
