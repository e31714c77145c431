"""A bounded search for settings, on other subjects than those to be forgotten.

Retained subjects of about the size of the forget set play its part: each trial unlearns them from the original under
the watch, and the settings that forgot them while the floor of utility held are taken. No item of the request and no
probe of the verdict is asked, so nothing is tuned on what is judged later. The result holds the log of every trial.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unlearning_engine.contracts import digest
from unlearning_engine.data import Record
from unlearning_engine.errors import ConfigError, DataError, DivergenceError
from unlearning_engine.methods.base import ForgetConfig, Job, Method
from unlearning_engine.methods.running import carry_out
from unlearning_engine.progress import Report
from unlearning_engine.tokens import order_key

#: What is tried after the given settings: factors, one change at a time, then together.
CHANGES: tuple[dict[str, float], ...] = (
    {"learning_rate": 0.5},
    {"learning_rate": 2.0},
    {"epochs": 1.5},
    {"forget_weight": 0.5},
    {"forget_weight": 2.0},
    {"learning_rate": 0.5, "epochs": 1.5},
    {"learning_rate": 2.0, "epochs": 0.6},
    {"learning_rate": 0.5, "forget_weight": 2.0},
    {"learning_rate": 2.0, "forget_weight": 0.5},
)
#: A probability of the forgotten answers below this is as good as any lower one; then more utility is better.
FORGOTTEN = 0.05
LOG = "tuning.jsonl"
#: The stage under which trials are counted.
STAGE = "tune"


def stand_in(job: Job) -> Job:
    """Retained subjects in place of the forget set: whole subjects (else facts) in keyed order, about as many rows.

    Raises:
        DataError: the retain set is too small to give up a part of it.
    """
    groups: dict[str, list[Record]] = {}
    named = [r for r in job.retain if r.subject]
    for record in named or job.retain:
        groups.setdefault(record.subject or record.cluster, []).append(record)
    chosen: list[Record] = []
    for name in sorted(groups, key=lambda name: order_key(job.seed, 1, name)):
        if len(chosen) < len(job.forget):
            chosen += groups[name]
    if len(chosen) * 2 > len(job.retain):
        raise DataError("tune: the retain set is too small to try settings on a part of it; leave tune out")
    apart = {r.id for r in chosen}
    return dataclasses.replace(job, forget=chosen, retain=[r for r in job.retain if r.id not in apart])


def changes(config: ForgetConfig, rate: float) -> Iterator[ForgetConfig]:
    """Changes of settings whose learning rate is `rate`; fields that the method does not have are passed over."""
    fields = {f.name for f in dataclasses.fields(config)}
    base = dataclasses.replace(config, learning_rate=rate)
    for change in (change for change in CHANGES if set(change) <= fields):
        values: dict[str, Any] = {name: getattr(base, name) * factor for name, factor in change.items()}
        if "epochs" in values:
            values["epochs"] = max(1, round(values["epochs"]))
        yield dataclasses.replace(base, **values)


def tune(
    method: Method, config: Any, job: Job, *, trials: int, folder: Path, identity: str, report: Report
) -> tuple[Any, dict[str, Any]]:
    """The settings that did best on the stand-in, and the log of all trials. A killed search goes on with the next.

    Raises:
        ConfigError: the method has no watch to judge by.
        DataError: see `stand_in`.
    """
    if not isinstance(config, ForgetConfig) or not config.watch_looks:
        raise ConfigError("spec.tune: these settings have no watch to judge by; leave tune out")
    proxy = stand_in(job)
    folder.mkdir(parents=True, exist_ok=True)
    log: list[dict[str, Any]] = [json.loads(line) for line in _lines(folder / LOG)]
    tried = [config]
    while len(tried) <= trials:
        number = len(tried) - 1
        if number >= len(log):
            report({"event": "progress", "stage": STAGE, "step": number + 1, "total": trials})
            own = digest({"run": identity, "trial": dataclasses.asdict(tried[-1])})
            log.append(_trial(method, tried[-1], proxy, folder / f"trial-{number:02d}", own, report))
            with (folder / LOG).open("a", encoding="utf-8") as out:
                out.write(json.dumps(log[-1]) + "\n")
        following = list(changes(config, log[0]["learning_rate"]))
        if number >= len(following):
            break
        tried.append(following[number])
    best = min(range(min(len(log), trials)), key=lambda number: rank(log[number], config.utility_floor))
    subjects = sorted({r.subject for r in proxy.forget if r.subject})
    facts = {"budget": trials, "stand_in": {"records": len(proxy.forget), "subjects": len(subjects)}}
    return tried[best], {**facts, "chosen": best, "trials": log}


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def _trial(
    method: Method, candidate: ForgetConfig, proxy: Job, folder: Path, identity: str, report: Report
) -> dict[str, Any]:
    started = time.process_time()
    settings = {name: getattr(candidate, name) for name in ("epochs", "forget_weight") if hasattr(candidate, name)}
    found: dict[str, Any] = {"learning_rate": candidate.learning_rate}
    try:
        made = carry_out(method, candidate, proxy, folder=folder, identity=identity, report=report)
        kept = next(point for point in made.frontier["curve"] if point["step"] == made.frontier["kept_step"])
        found = {"learning_rate": made.learning_rate, "forget": kept["forget"], "utility": kept["lowest"]}
    except DivergenceError as error:
        found |= {"forget": 1.0, "utility": 0.0, "diverged": str(error)}
    return {**settings, **found, "cpu_seconds": round(time.process_time() - started, 3)}


def rank(trial: dict[str, Any], floor: float) -> tuple[float, ...]:
    """Sort key, best first: those that kept the floor, then that forgot, then the more useful, then the cheaper."""
    kept = trial["utility"] >= floor
    if not kept:
        return (1.0, -trial["utility"], trial["forget"], trial["cpu_seconds"])
    return (0.0, max(trial["forget"], FORGOTTEN), -round(trial["utility"], 2), trial["cpu_seconds"])
