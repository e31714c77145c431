"""The registry of unlearning methods and the one function that runs any of them.

    unlearn(spec: UnlearnSpec, out, report) -> metrics      writes out/model
    recipes.train(spec: TrainSpec, out, report) -> metrics  writes out/model

`spec` holds local paths (a model may be a hub id); `report` takes one JSON object per event, see `training`.
A run that was killed goes on from `out/checkpoints` when it is called again with the same spec and folder.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from unlearning_engine import models
from unlearning_engine.configs import build
from unlearning_engine.contracts import UnlearnSpec, digest
from unlearning_engine.data import dataset_digest, leave_out, load_ids, load_records, split
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.methods.base import Job, Method
from unlearning_engine.methods.graddiff import GradDiffMethod
from unlearning_engine.methods.npo import NPOMethod
from unlearning_engine.methods.retrain import Retrain
from unlearning_engine.methods.rmu import RMUMethod
from unlearning_engine.methods.simnpo import SimNPOMethod
from unlearning_engine.progress import Report, silent
from unlearning_engine.recipes import CHECKPOINTS, RECIPE, read_recipe, save_model, tokenizer_digest
from unlearning_engine.training import run

METHODS: Mapping[str, Method] = MappingProxyType(
    {m.name: m for m in (GradDiffMethod(), NPOMethod(), SimNPOMethod(), RMUMethod(), Retrain())}
)


def method(name: str) -> Method:
    """The method of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in METHODS:
        raise ConfigError(f"spec.method: {name!r} is unknown; one of {', '.join(sorted(METHODS))}")
    return METHODS[name]


def _job(spec: UnlearnSpec) -> Job:
    ids = load_ids(spec.forget_ids)
    if not ids:
        raise DataError(f"{spec.forget_ids}: names no record; there is nothing to forget")
    forget, retain = split(leave_out(load_records(spec.dataset), spec.exclude_ids, keep=ids), ids)
    device = models.choose_device(spec.device)
    return Job(model=Path(spec.model), forget=forget, retain=retain, seed=spec.seed, device=device)


def _source(model: Path) -> dict[str, Any]:
    """The recipe of the model that is unlearned, so that its successor can be retrained in turn."""
    return read_recipe(model) if (model / RECIPE).is_file() else {}


def _weights(model: Path) -> str:
    """What names the model's weights: their digest, for a model of a hub its id."""
    return models.weights_digest(model) if model.is_dir() else str(model)


def unlearn(spec: UnlearnSpec, out: str | Path, report: Report = silent) -> dict[str, Any]:
    """Make a model that has forgotten the named records, in `out/model`.

    Returns:
        Metrics: method, steps, loss, counts of records, seconds, digests of weights, retained data, tokenizer.

    Raises:
        ConfigError, DataError, DeviceError, DivergenceError: see `training.run` and the method.
    """
    if spec.lineage:
        from unlearning_engine.sisa.deleting import unlearn as delete

        return delete(spec, out, report)
    started = time.perf_counter()
    chosen = method(spec.method)
    config = build(chosen.Config, spec.config, "spec.config")
    models.choose_threads(spec.threads)
    job = _job(spec)
    prepared = chosen.prepare(job, config)
    target = Path(out)
    source = _source(job.model)
    retained = dataset_digest(job.retain)
    made = {
        "made_by": chosen.name,
        "unlearning": dataclasses.asdict(config),
        "seed": prepared.seed,
        "dataset_digest": retained,
    }
    outcome = run(
        prepared.model,
        prepared.objective,
        prepared.loop,
        seed=prepared.seed,
        report=report,
        stage=chosen.name,
        folder=target / CHECKPOINTS,
        identity=digest({**made, "forget": dataset_digest(job.forget), "model": _weights(job.model)}),
    )
    folder = save_model(target, prepared.model, prepared.tokenizer, {**source, **made, "threads": outcome.threads})
    return {
        "method": chosen.name,
        **dataclasses.asdict(outcome),
        "forgotten_records": len(job.forget),
        "retained_records": len(job.retain),
        "seconds": time.perf_counter() - started,
        "weights_digest": models.weights_digest(folder),
        "dataset_digest": retained,
        "tokenizer_digest": tokenizer_digest(folder),
        **({"construction": prepared.construction} if prepared.construction else {}),
    }
