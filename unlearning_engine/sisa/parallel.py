"""Shards side by side on one machine: each is a job of its own in a fresh process, like those of a fleet."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from unlearning_engine import errors
from unlearning_engine.contracts import Spec, TrainSpec, UnlearnSpec, to_json
from unlearning_engine.errors import EngineError
from unlearning_engine.progress import Report

JOBS = ".shards"


def train_apart(spec: TrainSpec | UnlearnSpec, shards: Sequence[int], out: Path, report: Report) -> list[str]:
    """Train the shards in `spec.workers` processes at a time; returns the folders of the jobs.

    Nothing is done where one worker, or one shard, is asked for: then the caller's own process trains.

    Raises:
        EngineError: that of the first job that failed; the others end first, and their shards are kept.
    """
    if spec.shard >= 0 or spec.workers <= 1 or len(shards) <= 1:
        return []
    lock = threading.Lock()

    def tell(event: dict[str, Any]) -> None:
        with lock:
            report(event)

    def one(shard: int) -> str:
        folder = out / JOBS / f"shard-{shard:02d}"
        _run(dataclasses.replace(spec, shard=shard, parts=[], workers=1), folder, tell)
        return str(folder)

    with ThreadPoolExecutor(max_workers=spec.workers) as pool:
        jobs = [pool.submit(one, shard) for shard in shards]
    return [job.result() for job in jobs]


def _run(spec: Spec, folder: Path, report: Report) -> None:
    """One shard's job, its progress passed on."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder.with_suffix(".json")
    path.write_text(json.dumps(to_json(spec)), encoding="utf-8")
    verb = to_json(spec)["verb"]
    command = [sys.executable, "-m", "unlearning_engine", verb, str(path), "--out", str(folder), "--json"]
    last: dict[str, Any] = {}
    # A session of its own: with the end of its standard input, the job ends its whole process group.
    with subprocess.Popen(  # noqa: S603
        [*command, "--watch-stdin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as job:
        for line in job.stdout or ():
            last = json.loads(line)
            if last["event"] in ("progress", "warning"):
                report(last)
        job.wait()
    if job.returncode:
        raise _failure(last, folder, job.returncode)


def _failure(last: dict[str, Any], folder: Path, code: int) -> EngineError:
    if last.get("event") == "error":
        kind: type[EngineError] = getattr(errors, last["type"])
        return kind(last["messages"])
    return errors.DeviceError(f"{folder}: the process ended with code {code}; run the same job again to go on")
