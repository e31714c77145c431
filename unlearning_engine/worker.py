"""The Celery app of a GPU machine. It knows the broker and the artefact store, and no case database.

    celery -A unlearning_engine.worker worker -Q gpu --concurrency 1

Task `engine.run(job_id, attempt, spec_digest)` fetches the spec, runs the engine in a fresh process, stores
each output, and tells on queue `default`, by name (`broker`):

    governance.job_started(job_id, attempt, worker)     worker: the name of this one
    governance.job_progress(job_id, attempt, events)    at most two a second, at least one every 5 s
    governance.job_finished(job_id, attempt, result, summary)
        result: name of result.json in the store, its `outputs` naming stored blobs and trees
        summary: {"verb", "seconds", "outputs", "energy", "log"}; `energy` numbers alone, `log` names the
        stored end of its log
    governance.job_failed(job_id, attempt, error)
        error: {"type", "retryable", "problems", "detail", "log"}; `detail` names a stored {"type", "messages", ...}

A job is stopped by the store's flag `cancel/<job_id>`. One job runs once on a machine: a newer attempt of a
job that still runs here is answered by that run. Settings: LETHE_BROKER, LETHE_ARTIFACTS, LETHE_ENGINE_WORK.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from celery import Celery, signals
from filelock import FileLock, Timeout
from kombu.exceptions import OperationalError

from unlearning_engine import broker
from unlearning_engine.artifacts import ENVIRONMENT, Store
from unlearning_engine.contracts import DIGEST, SPECS
from unlearning_engine.errors import ConfigError, EngineError, StorageError
from unlearning_engine.heartbeat import Beat, Pending
from unlearning_engine.runner import describe
from unlearning_engine.supervision import STDERR, Engine, stored_result

# No fixups: Celery would otherwise load Django where DJANGO_SETTINGS_MODULE happens to be set.
app = broker.configure(
    Celery("unlearning_engine", fixups=[]), os.environ.get(broker.ENVIRONMENT, "") or "filesystem://"
)
log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 4.0
CANCEL_SECONDS = 2.0
#: How much of the end of a log is kept.
LOG_BYTES = 64 * 1024
#: How long the end of a job is told to a broker that does not answer, before it is left to the next attempt.
TELL_SECONDS = 1800.0
#: Work that nobody came back for is removed after this long: it holds training data.
KEEP_SECONDS = 72 * 3600.0
_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def work_folder() -> Path:
    """Where jobs in progress lie; made where it is missing."""
    place = Path(os.environ.get("LETHE_ENGINE_WORK") or _home() / "engine").absolute()
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    return place


@app.task(name=broker.RUN, bind=True)
def run(task: Any, job_id: str, attempt: int, spec_digest: str) -> None:
    """One attempt of a job; see the module's text."""
    if not (_JOB_ID.fullmatch(job_id) and DIGEST.match(spec_digest) and isinstance(attempt, int)):
        log.error("refused a message with malformed arguments")
        return
    job = Job(work_folder(), job_id, attempt, spec_digest, str(task.request.hostname or ""))
    with job.claimed() as mine:
        if mine:
            job.work()


class Job:
    """One job on this machine: its folder, its engine process, and what is told about it."""

    def __init__(self, work: Path, job_id: str, attempt: int, spec: str, worker: str = "") -> None:
        self.id, self.spec, self._worker = job_id, spec, worker
        self.folder = work / job_id
        self._work, self._attempt = work, attempt
        self._newest, self._done = work / f"{job_id}.attempt", work / f"{job_id}.done"
        self._pending = Pending()
        self._engine: Engine | None = None
        self._stopped = ""
        self._parent = os.getppid()
        self._told_at = self._looked_at = 0.0

    @contextmanager
    def claimed(self) -> Iterator[bool]:
        """Whether this machine has no other run of the job; if it has, that one takes over our attempt's number."""
        if self._attempt > _number(self._newest):
            _replace(self._newest, str(self._attempt))
        lock = FileLock(self._work / f"{self.id}.lock")
        try:
            lock.acquire(timeout=3)
        except Timeout:
            log.info("job %s runs here already; attempt %s joins it", self.id, self._attempt)
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def work(self) -> None:
        """Run, store, tell."""
        self._tell(broker.STARTED, self._worker)
        ending = self._known()
        if ending:
            self._tell(broker.FINISHED, ending["result"], ending["summary"])
            return
        error: dict[str, Any] = {}
        try:
            with Beat(self._beat):
                store = _store()
                error = self._run(store)
                if not error:
                    ending = self._store(store)
        except EngineError as problem:
            error = describe(problem)
        except OSError as problem:
            why = f"the worker's folder {self.folder}: {problem.strerror}; free space or mend its rights"
            error = {"type": "StorageError", "retryable": True, "messages": [why]}
        if events := self._pending.take():
            self._tell(broker.PROGRESS, events, patient=False)
        if error:
            self._fail(error)
        elif self._tell(broker.FINISHED, ending["result"], ending["summary"]):
            shutil.rmtree(self.folder, ignore_errors=True)

    # ------------------------------------------------------------ the engine

    def _run(self, store: Store) -> dict[str, Any]:
        """Run the engine to its end; returns the error, empty when there is a result."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        spec = self.folder / "spec.json"
        data = store.read(self.spec)
        spec.write_bytes(data)
        self._engine = Engine(_verb(data), spec, self.folder / "out", store.url, self.folder / STDERR)
        try:
            for event in self._engine.events():
                self._pending.add(event)
        except BaseException:
            self._engine.kill()
            raise
        finally:
            status = self._engine.close()
        if self._stopped:
            return {"type": self._stopped, "retryable": self._stopped != "Cancelled", "messages": [_WHY[self._stopped]]}
        return {} if self._engine.finished() else self._engine.error(status)

    def _store(self, store: Store) -> dict[str, Any]:
        """Store outputs and result; returns what `job_finished` tells, which a later attempt can tell again."""
        result = stored_result(self.folder / "out", store.put)
        summary = {name: result[name] for name in ("verb", "seconds", "outputs")}
        if metered := result.get("energy"):  # how it was read is a text, and stays in the result
            summary["energy"] = {name: value for name, value in metered.items() if name != "source"}
        summary["log"] = self._log(store)
        known = {"spec": self.spec, "result": store.put_json(result), "summary": summary}
        _replace(self._done, json.dumps(known))
        return known

    def _log(self, store: Store) -> str:
        """Store the end of the engine's log; empty where it said nothing."""
        try:
            text = (self.folder / STDERR).read_bytes()[-LOG_BYTES:]
        except OSError:
            return ""
        return str(store.put_bytes(text)) if text.strip() else ""

    def _known(self) -> dict[str, Any]:
        """What an earlier attempt ended with here, if it is still in the store."""
        try:
            known: dict[str, Any] = json.loads(self._done.read_bytes())
            wanted = [known["result"], *known["summary"]["outputs"].values()]
            if known["spec"] == self.spec and all(map(_store().exists, wanted)):
                return known
        except (OSError, ValueError, KeyError, EngineError):
            return {}
        return {}

    def _fail(self, error: dict[str, Any]) -> None:
        detail = log_ref = ""
        with suppress(EngineError):
            detail, log_ref = _store().put_json(error), self._log(_store())
        short = {"type": error["type"], "retryable": error["retryable"], "problems": len(error["messages"])}
        told = self._tell(broker.FAILED, {**short, "detail": detail, "log": log_ref})
        if told and not error["retryable"]:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self._stopped == "Cancelled":
            with suppress(EngineError):
                _store().clear_flag(f"cancel/{self.id}")

    # ------------------------------------------------------------ while it runs

    def _beat(self) -> None:
        """Twice a second: newer attempts, news, signs of life, and reasons to stop."""
        newest = _number(self._newest)
        if newest > self._attempt:
            self._attempt = newest
            self._tell(broker.STARTED, self._worker, patient=False)
        events = self._pending.take()
        if events and self._engine:
            events[-1]["memory_mib"] = self._engine.memory_mib()
        now = time.monotonic()
        if events or now - self._told_at >= HEARTBEAT_SECONDS:
            if self._tell(broker.PROGRESS, events, patient=False):
                self._told_at = now
            else:
                self._pending.give_back(events)
        if not self._stopped:
            self._stopped = self._reason_to_stop(now)
        if self._stopped and self._engine:
            self._engine.kill()

    def _reason_to_stop(self, now: float) -> str:
        if os.getppid() != self._parent or any(_stop_file(p).exists() for p in (os.getpid(), self._parent)):
            return "WorkerStopped"
        if now - self._looked_at >= CANCEL_SECONDS:
            self._looked_at = now
            try:
                return "Cancelled" if _store().has_flag(f"cancel/{self.id}") else ""
            except StorageError:
                log.warning("job %s: the store does not answer, so a cancellation may be missed", self.id)
        return ""

    def _tell(self, name: str, *fields: Any, patient: bool = True) -> bool:
        """Send a message to queue `default`; a patient one is tried for half an hour. False: it was not sent."""
        until = time.monotonic() + (TELL_SECONDS if patient else 0)
        while True:
            attempt = max(self._attempt, _number(self._newest))
            try:
                app.send_task(
                    name, args=[self.id, attempt, *fields], queue=app.conf.lethe_queues["default"], retry=patient
                )
                return True
            except (OperationalError, OSError) as error:
                if time.monotonic() >= until:
                    log.warning("job %s: %s was not sent: %s", self.id, name, type(error).__name__)
                    return False
                time.sleep(2)


_WHY = {
    "Cancelled": "the job was cancelled",
    "WorkerStopped": "the worker was stopped; the job goes on from its last checkpoint when it is tried again",
}


# ---------------------------------------------------------------- files and signals


def _store() -> Store:
    """The store of this installation; without a setting, the folder that the embedded set-up uses."""
    return Store(os.environ.get(ENVIRONMENT) or str(_home() / "artifacts"))


def _home() -> Path:
    return Path(os.environ.get("LETHE_HOME") or "var").absolute()


def _verb(spec: bytes) -> str:
    try:
        verb = json.loads(spec)["verb"]
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError("the stored spec is no JSON object with a verb; store the spec again") from error
    if verb not in SPECS:
        raise ConfigError(f"spec.verb: {verb!r} is unknown; one of {', '.join(sorted(SPECS))}")
    return str(verb)


def _number(path: Path) -> int:
    """The number in a file; -1 where there is none."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return -1


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text)
    draft.replace(path)


def _stop_file(pid: int) -> Path:
    return work_folder() / f".stop-{pid}"


@signals.worker_init.connect
def _clean(**_: Any) -> None:
    """Remove what a worker of our process number left, and work that nobody came back for."""
    _stop_file(os.getpid()).unlink(missing_ok=True)
    for path in work_folder().iterdir():
        if time.time() - path.stat().st_mtime < KEEP_SECONDS or path.suffix == ".lock":
            continue
        with suppress(Timeout), FileLock(work_folder() / f"{path.stem}.lock", timeout=0):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@signals.worker_shutting_down.connect
def _stop(**_: Any) -> None:
    """Stop running jobs at their last checkpoint instead of holding up the shutdown for hours."""
    _stop_file(os.getpid()).touch()


@signals.worker_shutdown.connect
def _stopped(**_: Any) -> None:
    _stop_file(os.getpid()).unlink(missing_ok=True)
