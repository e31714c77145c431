"""Several jobs in one group of processes: starting interpreters takes far longer than unlearning tiny models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from unlearning_engine import launching
from unlearning_engine.contracts import UnlearnSpec, parse, to_json
from unlearning_engine.methods import unlearn
from unlearning_engine.progress import Report, silent

JOBS = "jobs.json"


def together(jobs: dict[str, UnlearnSpec], out: Path, report: Report = silent) -> dict[str, dict[str, Any]]:
    """Metrics of every job by its name; its folder is `out/name`."""
    out.mkdir(parents=True, exist_ok=True)
    (out / JOBS).write_text(json.dumps({name: to_json(job) for name, job in jobs.items()}))
    return launching.run((__name__, "one_by_one"), next(iter(jobs.values())), out, report)


def one_by_one(spec: UnlearnSpec, out: str, report: Report) -> dict[str, Any]:
    """What each process of the group does."""
    found = {}
    for name, job in json.loads((Path(out) / JOBS).read_text()).items():
        own = parse(job)
        assert isinstance(own, UnlearnSpec)
        found[name] = unlearn(own, Path(out) / name, report)
    return found
