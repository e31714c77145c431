"""The queues, set up alike for every process that sends or takes messages. No torch, no Django.

Messages are JSON and carry ids, digests and numbers. The job table is the truth, so a broker may lose a
message but never mislead: a lost one is published again. Tasks are acknowledged when they begin, since no
broker holds a message for the hours that a job may take. Brokers by URL:

    filesystem://   folders in LETHE_BROKER_FOLDER; needs no server; one machine
    redis://        rediss://
    amqp://         amqps://; durable classic queues (quorum queues would add delay queues that nothing here needs)

LETHE_QUEUE_PREFIX goes before every queue's name, for several installations on one broker.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any
from urllib.parse import urlsplit

from celery import Celery, signals
from kombu import Exchange, Queue
from kombu.exceptions import OperationalError
from kombu.transport import filesystem
from kombu.utils.json import dumps, loads

from unlearning_engine import presence
from unlearning_engine.errors import ConfigError

log = logging.getLogger(__name__)
ENVIRONMENT = "LETHE_BROKER"
FOLDER = "LETHE_BROKER_FOLDER"
PREFIX = "LETHE_QUEUE_PREFIX"
QUEUES = ("default", "gpu", "signing")
#: Tasks by name: what the engine takes, and what it tells.
RUN = "engine.run"
STARTED, PROGRESS = "governance.job_started", "governance.job_progress"
FINISHED, FAILED = "governance.job_finished", "governance.job_failed"
#: A worker that is alive, on which machine.
SEEN, SEEN_SECONDS = "governance.worker_seen", 20.0
#: Redis hands an unacknowledged message out again after this long; only prefetched ones are unacknowledged.
REDELIVER_SECONDS = 24 * 3600
POLL_SECONDS = 0.1


def configure(app: Celery, url: str) -> Celery:
    """Set an app's broker and queues; returns the app. `app.conf.lethe_queues` maps our names to the broker's.

    Raises:
        ConfigError: the URL is of a broker that was never tried here, or the prefix has odd characters.
    """
    scheme = urlsplit(url).scheme
    options, arguments = _by_kind(scheme)
    names = queue_names()
    if scheme == "filesystem":
        app.conf.broker_transport = "unlearning_engine.broker:FolderTransport"
    app.conf.update(
        broker_url=url,
        broker_transport_options=options,
        broker_connection_retry_on_startup=True,
        task_queues=[
            Queue(name, Exchange(""), routing_key=name, durable=True, queue_arguments=arguments or None)
            for name in names.values()
        ],
        task_default_queue=names["default"],
        task_default_exchange="",
        task_default_routing_key=names["default"],
        task_create_missing_queues=False,
        task_serializer="json",
        result_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_publish_retry_policy={"max_retries": 3, "interval_start": 0, "interval_step": 0.2, "interval_max": 1},
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=scheme in ("redis", "rediss"),
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        lethe_queues=names,
    )
    return app


@signals.worker_ready.connect
def _announce(sender: Any = None, **_: Any) -> None:
    """From its start a worker tells every 20 s that it is alive, in a thread that ends with it."""
    app, name = sender.app, sender.hostname
    queues = sorted(our for our, theirs in queue_names().items() if theirs in app.amqp.queues.consume_from)
    threading.Thread(target=_tell_presence, args=(app, name, queues), name="presence", daemon=True).start()


def _tell_presence(app: Celery, name: str, queues: list[str]) -> None:
    while True:
        try:
            arguments = [name, queues, SEEN_SECONDS, presence.machine(Path.cwd())]
            queue = app.conf.lethe_queues["default"]
            app.send_task(SEEN, args=arguments, queue=queue, retry=False, expires=SEEN_SECONDS)
        except (OperationalError, OSError) as error:
            log.warning("%s could not tell that it is alive: %s", name, type(error).__name__)
        time.sleep(SEEN_SECONDS)


def queue_names() -> dict[str, str]:
    """The broker's name of each of our queues."""
    prefix = os.environ.get(PREFIX, "")
    if not re.fullmatch(r"[A-Za-z0-9._-]*", prefix):
        raise ConfigError(f"{PREFIX}={prefix!r}: only letters, digits, dots, - and _")
    return {name: f"{prefix}{name}" for name in QUEUES}


def folder() -> Path:
    """The folder of the embedded broker; made where it is missing."""
    home = Path(os.environ.get("LETHE_HOME") or "var")
    place = Path(os.environ.get(FOLDER) or home / "broker").absolute()
    for part in ("messages", "taken", "control"):
        (place / part).mkdir(parents=True, exist_ok=True, mode=0o700)
    return place


def _by_kind(scheme: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Transport options and queue arguments of a kind of broker."""
    if scheme == "filesystem":
        place = folder()
        return {
            "data_folder_in": str(place / "messages"),
            "data_folder_out": str(place / "messages"),
            "control_folder": str(place / "control"),
            "processed_folder": str(place / "taken"),
            "polling_interval": POLL_SECONDS,
        }, {}
    if scheme in ("redis", "rediss"):
        return {"visibility_timeout": REDELIVER_SECONDS, "socket_keepalive": True}, {}
    if scheme in ("amqp", "amqps"):
        return {"confirm_publish": True}, {"x-queue-type": "classic"}
    raise ConfigError(f"{ENVIRONMENT}={scheme or 'nothing'}: use filesystem://, redis:// or amqp://")


class FolderChannel(filesystem.Channel):
    """Kombu's folder of messages, made safe for several processes.

    Kombu lets a reader take a message while it is being written, and moves taken ones to the system's temporary
    folder, which may be another disk, where a move is a copy and two readers both succeed. Here a message
    appears under its name complete, and is taken by a rename within the folder.
    """

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        place = Path(self.data_folder_out)
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex}.{queue}.msg"
        draft = place / f".{name}.part"
        draft.write_text(dumps(payload), encoding="utf-8")
        draft.rename(place / name)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        place, taken = Path(self.data_folder_in), Path(self.processed_folder)
        names = sorted(n for n in os.listdir(place) if not n.startswith(".") and n.partition(".")[2] == f"{queue}.msg")
        for name in names:
            try:
                (place / name).rename(taken / name)
            except FileNotFoundError:
                continue  # another reader was first
            payload = (taken / name).read_text(encoding="utf-8")
            (taken / name).unlink()
            return loads(payload)
        raise Empty


class FolderTransport(filesystem.Transport):
    """The embedded broker."""

    Channel = FolderChannel

    @property
    def default_connection_params(self) -> dict[str, Any]:
        """A folder has neither host nor port."""
        return {}
