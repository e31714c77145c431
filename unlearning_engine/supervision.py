"""One engine process, watched: its events are read, its end is explained, and it never outlives its starter.

The process has a group of its own, so that ending it ends all that it started, and its standard input is a
pipe that closes when this process is gone, on which it ends itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from unlearning_engine import runner
from unlearning_engine.errors import DataError
from unlearning_engine.presence import memory_of
from unlearning_engine.progress import EVENTS

#: What the engine has no business with.
SECRETS = ("LETHE_BROKER", "LETHE_BROKER_FOLDER", "LETHE_SECRETS", "LETHE_DATABASE_URL", "LETHE_KEYRING_URL")
STDERR = "engine.log"


class Engine:
    """A run of `python -m unlearning_engine VERB spec.json --out DIR` in its own process."""

    def __init__(self, verb: str, spec: Path, out: Path, store_url: str, log: Path) -> None:
        command = [sys.executable, "-m", "unlearning_engine", verb, str(spec), "--out", str(out), "--store", store_url]
        environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
        self.out = out
        self._log = log
        self._told: dict[str, Any] = {}
        with log.open("ab") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - our own program, its arguments checked by the caller
                [*command, "--json", "--watch-stdin"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**environment, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )

    def events(self) -> Iterator[dict[str, Any]]:
        """Events as they come, until the process closes its output."""
        stream = self._process.stdout
        if stream is None:
            return
        for line in stream:
            with contextlib.suppress(ValueError):  # a line cut short by a kill
                event = json.loads(line)
                if not isinstance(event, dict) or event.get("event") not in EVENTS:
                    continue
                if event["event"] == "error":
                    self._told = event
                yield event

    def kill(self) -> None:
        """End the process and all that it started, now. Checkpoints are whole at any moment."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def memory_mib(self) -> int:
        """What the process and all that it started hold in main memory, MiB."""
        return memory_of(self._process.pid)

    def close(self) -> int:
        """Wait for the end and return the exit status (negative: the signal)."""
        status = self._process.wait()
        self.kill()  # whatever it left behind in its group
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        return status

    def finished(self) -> bool:
        """Whether a result was written: it is the last thing that a run does."""
        return (self.out / runner.RESULT).exists()

    def error(self, status: int) -> dict[str, Any]:
        """Why the run has no result, as `{"type", "retryable", "messages"}`."""
        if status in (1, 2) and self._told:
            return {name: self._told[name] for name in ("type", "retryable", "messages")}
        if status < 0 or status == 130:
            message = f"the engine's process was ended by signal {-status} (out of memory, a crash, or by hand)"
            return {"type": "Killed", "retryable": True, "messages": [message]}
        tail = self._log.read_bytes()[-4000:].decode(errors="replace")
        message = f"the engine ended with status {status}; the end of its log:\n{tail}"
        return {"type": "EngineFault", "retryable": False, "messages": [message]}


def stored_result(folder: Path, put: Callable[[Path], str]) -> dict[str, Any]:
    """The result of a finished folder with each output stored and named by its digest.

    Raises:
        DataError: an output is not the bytes that the run named.
    """
    result = json.loads((folder / runner.RESULT).read_bytes())
    refs = {name: put(folder / path) for name, path in result["outputs"].items()}
    changed = [name for name, ref in refs.items() if ref != result["digests"][name]]
    if changed:
        raise DataError([f"{folder}: output {name!r} was changed after the run" for name in changed])
    return {**result, "outputs": refs}
