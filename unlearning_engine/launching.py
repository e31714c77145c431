"""Starts the processes that train one model together, hears them out, and leaves none behind.

Each is a fresh interpreter, since CUDA does not survive a fork. They meet in a file, so that no port has to be free,
and stand or fall together: the first that fails ends all, and so does the end of their starter.
"""

from __future__ import annotations

import dataclasses
import importlib
import multiprocessing
import os
import signal
import tempfile
import threading
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from unlearning_engine import errors
from unlearning_engine.contracts import UnlearnSpec
from unlearning_engine.errors import ConfigError, DeviceError, EngineError
from unlearning_engine.progress import Event, Report, silent

#: Seconds that a process has to end when it is told to.
GRACE = 10


def devices(name: str, count: int) -> list[str]:
    """A device for each process: the first CUDA devices, or the CPU for all.

    Raises:
        ConfigError: one CUDA device is named. DeviceError: there are too few.
    """
    import torch

    if name.startswith("cuda:"):
        raise ConfigError(f"spec.device: {name} is one device and spec.processes are {count}; say cuda, auto or cpu")
    there = torch.cuda.device_count()
    if name == "cpu" or (name == "auto" and not there):
        return ["cpu"] * count
    if there < count:
        raise DeviceError(f"spec.processes: {count} need as many CUDA devices and {there} are there; say fewer, or cpu")
    return [f"cuda:{number}" for number in range(count)]


def run(function: tuple[str, str], spec: UnlearnSpec, out: str | Path, report: Report) -> dict[str, Any]:
    """Call `function` (module and name) with the spec in `spec.processes` processes; what the first one returned.

    Raises:
        EngineError: the first one that any process raised. DeviceError: one of them was killed.
    """
    from unlearning_engine import models

    context = multiprocessing.get_context("spawn")
    threads = spec.threads or max(1, models.choose_threads() // spec.processes)
    with tempfile.TemporaryDirectory(prefix="lethe-meeting-") as folder:
        pipes, started = [], []
        try:
            for number, device in enumerate(devices(spec.device, spec.processes)):
                ours, theirs = context.Pipe(duplex=False)
                own = dataclasses.replace(spec, device=device, threads=threads)
                arguments = (number, function, own, str(out), str(Path(folder) / "meeting"), theirs)
                process = context.Process(target=_work, args=arguments, name=f"together-{number}")
                process.start()
                theirs.close()
                pipes.append(ours)
                started.append(process)
            return _listen(pipes, started, report)
        finally:
            _end(started)


def _listen(pipes: Sequence[Any], started: Sequence[Any], report: Report) -> dict[str, Any]:
    """Pass events on until every process is done."""
    results: dict[int, dict[str, Any]] = {}
    while len(results) < len(pipes):
        for pipe in wait([pipe for at, pipe in enumerate(pipes) if at not in results]):
            number = pipes.index(pipe)
            try:
                kind, value = pipes[number].recv()
            except EOFError:
                started[number].join(GRACE)
                code = started[number].exitcode
                raise DeviceError(
                    f"process {number} of {len(pipes)} was killed (exit code {code}; too little memory is the usual "
                    "cause); the last checkpoint is kept, run the same again to go on"
                ) from None
            if kind == "event":
                report(value)
            elif kind == "error":
                raise getattr(errors, value[0])(value[1])
            elif kind == "fault":
                raise RuntimeError(f"process {number} of {len(pipes)} failed:\n{value}")
            else:
                results[number] = value
    return results[0]


def _end(started: Sequence[Any]) -> None:
    for process in started:
        process.terminate()
    for process in started:
        process.join(GRACE)
        if process.exitcode is None:
            process.kill()
            process.join()


# ---------------------------------------------------------------- in each process


def _work(number: int, function: tuple[str, str], spec: UnlearnSpec, out: str, meeting: str, pipe: Connection) -> None:
    """What a process does; an error travels to the starter, which ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the starter, which ends all
    _end_with_starter()
    from unlearning_engine import together

    def tell(event: Event) -> None:
        pipe.send(("event", event))

    try:
        together.join(number, spec.processes, Path(meeting), spec.device)
        call = getattr(importlib.import_module(function[0]), function[1])
        pipe.send(("end", call(spec, out, tell if number == 0 else silent)))
    except EngineError as error:
        pipe.send(("error", (type(error).__name__, error.messages)))
    except Exception:  # noqa: BLE001 - whatever it is, the starter must hear of it
        pipe.send(("fault", traceback.format_exc()))
    # The others may still be about to speak to this one: it stays until it is ended.
    threading.Event().wait()


def _end_with_starter() -> None:
    """End this process as soon as the one that started it is gone, however it went."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, name="watch-starter", daemon=True).start()
