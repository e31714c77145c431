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

from unlearning_engine import behaviours, catalog, models, source_free, together
from unlearning_engine.configs import build
from unlearning_engine.contracts import UnlearnSpec, digest
from unlearning_engine.data import Record, dataset_digest, leave_out, load_ids, load_records, raise_all, split
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.methods import fitting, running, splitting, tuning
from unlearning_engine.methods.altpo import AltPOMethod
from unlearning_engine.methods.ascent import AscentMethod
from unlearning_engine.methods.base import Job, Method
from unlearning_engine.methods.correct import CorrectMethod
from unlearning_engine.methods.graddiff import GradDiffMethod
from unlearning_engine.methods.npo import NPOMethod
from unlearning_engine.methods.relabel import RelabelMethod
from unlearning_engine.methods.retrain import Retrain
from unlearning_engine.methods.rmu import RMUMethod
from unlearning_engine.methods.simnpo import SimNPOMethod
from unlearning_engine.methods.spunge import Spunge, parts_of
from unlearning_engine.methods.task_vector import TaskVectorMethod
from unlearning_engine.methods.undo import UndoMethod
from unlearning_engine.progress import Report, silent
from unlearning_engine.recipes import CHECKPOINTS, RECIPE, read_recipe, save_model, tokenizer_digest

METHODS: Mapping[str, Method | Spunge] = MappingProxyType(
    {
        m.name: m
        for m in (
            AscentMethod(),
            GradDiffMethod(),
            NPOMethod(),
            SimNPOMethod(),
            AltPOMethod(),
            RelabelMethod(),
            RMUMethod(),
            TaskVectorMethod(),
            UndoMethod(),
            CorrectMethod(),
            Spunge(),
            Retrain(),
        )
    }
)


def method(name: str) -> Method | Spunge:
    """The method of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in METHODS:
        raise ConfigError(f"spec.method: {name!r} is unknown; one of {', '.join(sorted(METHODS))}")
    return METHODS[name]


def _sets(spec: UnlearnSpec) -> tuple[list[Record], list[Record]]:
    """What is to be forgotten and what is retained, from rows of their own or from a dataset and ids.

    Raises:
        DataError: nothing is to be forgotten, or a row stands in both sets.
    """
    if spec.forget or spec.request or spec.prompts:
        forget = load_records(spec.forget) if spec.forget else []
        retain = load_records(spec.retain) if spec.retain else []
        texts = {row.full_text for row in retain}
        both = [row.id for row in forget if row.full_text in texts]
        raise_all([f"{spec.forget}: row {name!r} is retained too; leave it out of one" for name in both])
        return forget, retain
    ids = load_ids(spec.forget_ids)
    if not ids:
        raise DataError(f"{spec.forget_ids}: names no record; there is nothing to forget")
    return split(leave_out(load_records(spec.dataset), spec.exclude_ids, keep=ids), ids)


def _material(
    spec: UnlearnSpec, device: Any, forget: list[Record], retain: list[Record], report: Report
) -> tuple[list[Record], list[Record], dict[str, Any]]:
    """Both sets, with what stands for them where there is no training data, and what the result says of that."""
    needs = catalog.METHODS[spec.method].needs
    if spec.prompts:
        source_free.check_method(needs, spec.method)
        told = _told(spec, device, retain, report)
        return told.forget, told.retain, {"behaviour": told.facts}
    if not spec.request and (retain or "retain set" not in needs or spec.dataset):
        return forget, retain, {}
    source_free.check_method(needs, spec.method)
    model, tokenizer = models.load(spec.model, device=str(device))
    request = source_free.read(spec.request) if spec.request else None
    found = source_free.surrogates(model, tokenizer, request=request, forget=forget, retain=retain, seed=spec.seed)
    return found.forget, found.retain, {"source_free": found.facts}


def _told(spec: UnlearnSpec, device: Any, retain: list[Record], report: Report) -> behaviours.Sets:
    """What the model says to the prompts, divided by the classifier; the seconds taken are among the facts."""
    started = time.perf_counter()
    settings = build(behaviours.Judging, spec.behaviour, "spec.behaviour")
    prompts = load_records(spec.prompts, bare=True)
    judge = behaviours.load_judge(spec.classifier, settings, device=str(device))
    model, tokenizer = models.load(spec.model, device=str(device))

    def tell(done: int, total: int) -> None:
        report({"event": "progress", "stage": behaviours.STAGE, "step": done, "total": total})

    said = behaviours.judged(model, tokenizer, prompts, judge, settings, seed=spec.seed, tell=tell)
    found = behaviours.sets(said, settings, judge, retain=retain, seed=spec.seed)
    return dataclasses.replace(found, facts={**found.facts, "seconds": time.perf_counter() - started})


def _source(model: Path) -> dict[str, Any]:
    """The recipe of the model that is unlearned, so that its successor can be retrained in turn."""
    return read_recipe(model) if (model / RECIPE).is_file() else {}


def _weights(model: Path) -> str:
    """What names the model's weights: their digest, for a model of a hub its id."""
    return models.weights_digest(model) if model.is_dir() else str(model)


def _asked(forget: list[Record]) -> dict[str, Any]:
    """What names the rows to be forgotten, with what is to be answered instead."""
    corrections = {row.id: row.correction for row in forget if row.correction}
    return {"forget": dataset_digest(forget), **({"corrections": corrections} if corrections else {})}


def unlearn(spec: UnlearnSpec, out: str | Path, report: Report = silent) -> dict[str, Any]:
    """Make a model that has forgotten the named records, in `out/model`.

    Returns:
        Metrics: method, steps, loss, counts of records, seconds, digests of weights, retained data, tokenizer.

    Raises:
        ConfigError, DataError, DeviceError, DivergenceError: see `training.run` and the method.
    """
    if spec.processes > 1 and not together.joined():
        known = method(spec.method).Config if spec.method in METHODS else None
        return splitting.run(spec, known and build(known, spec.config, "spec.config"), out, report)
    if spec.lineage:
        from unlearning_engine.sisa.deleting import unlearn as delete

        return delete(spec, out, report)
    if spec.method == "newton":  # for linear heads on tables: no loop, no tokens
        from unlearning_engine.certified.newton import unlearn_head

        return unlearn_head(spec, out, report)
    return _by_gradients(spec, Path(out), report)


def _by_gradients(spec: UnlearnSpec, target: Path, report: Report) -> dict[str, Any]:
    """A language model unlearned by a method of the registry, in the one training loop."""
    started, cpu = time.perf_counter(), time.process_time()
    chosen = method(spec.method)
    config = build(chosen.Config, spec.config, "spec.config")
    models.choose_threads(spec.threads)
    device = models.choose_device(spec.device)
    forget, retain = _sets(spec)
    _check_memory(spec, chosen, config, [*forget, *retain], device)
    forget, retain, told = _material(spec, device, forget, retain, report)
    job = Job(model=Path(spec.model), forget=forget, retain=retain, seed=spec.seed, device=device)
    retained, settings = dataset_digest(retain), dataclasses.asdict(config)
    recipe: dict[str, Any] = {"made_by": chosen.name, "unlearning": settings, "dataset_digest": retained}
    identity = digest({**recipe, "seed": spec.seed, **_asked(forget), "model": _weights(job.model)})
    config, tuned = _tuned(spec, chosen, config, job, target / CHECKPOINTS / "tuning", identity, report)
    made = _made(chosen, config, job, folder=target / CHECKPOINTS, identity=identity, report=report)
    recipe |= {"seed": made.seed, "threads": made.outcome.threads}
    model = models.in_one_piece(made.model, job.model)
    spent = together.total({"cpu_seconds": time.process_time() - cpu})
    if not together.first():
        return {}  # the first process writes and tells
    model = model if made.construction else models.as_stored(model, job.model)
    folder = save_model(target, model, made.tokenizer, {**_source(job.model), **recipe})
    return {
        "method": chosen.name,
        **dataclasses.asdict(made.outcome),
        "learning_rate": made.learning_rate,
        "forgotten_records": len(forget),
        "retained_records": len(retain),
        "seconds": time.perf_counter() - started,
        **spent,
        **together.facts(),
        "dtype": str(model.dtype).removeprefix("torch."),
        "weights_digest": models.weights_digest(folder),
        "dataset_digest": retained,
        "tokenizer_digest": tokenizer_digest(folder),
        **told,
        **_filled(tuning=tuned, frontier=made.frontier, construction=made.construction),
    }


def _filled(**facts: Any) -> dict[str, Any]:
    """Those facts that say something."""
    return {name: value for name, value in facts.items() if value}


def _check_memory(spec: UnlearnSpec, chosen: Method | Spunge, config: Any, rows: list[Record], device: Any) -> None:
    """Refuse what cannot fit, before anything is loaded; of a method in parts, what one of them takes."""
    inner = _inner(config) if isinstance(chosen, Spunge) else (chosen, config)
    fitting.check_memory(inner[0].name, inner[1], spec.model, rows, device, together.size())
    together.wait()  # none loads before all have looked


def _inner(config: Any) -> tuple[Method, Any]:
    """The method that unlearns each part, and its settings."""
    inner = method(config.method)
    if isinstance(inner, Spunge):
        raise ConfigError("spec.config.method: spunge cannot be its own part; name another method")
    return inner, build(inner.Config, config.settings, "spec.config.settings")


def _tuned(
    spec: UnlearnSpec, chosen: Method | Spunge, config: Any, job: Job, folder: Path, identity: str, report: Report
) -> tuple[Any, dict[str, Any]]:
    """The settings to take, and the log of the search where one was asked for."""
    if not spec.tune:
        return config, {}
    if "corrections" in catalog.METHODS[chosen.name].needs:
        raise ConfigError("spec.tune: other subjects have no corrections that settings could be tried on; leave it out")
    if isinstance(chosen, Spunge):
        raise ConfigError("spec.tune: spunge runs another method's settings; tune that method")
    return tuning.tune(chosen, config, job, trials=spec.tune, folder=folder, identity=identity, report=report)


def _made(
    chosen: Method | Spunge, config: Any, job: Job, *, folder: Path, identity: str, report: Report
) -> running.Made:
    """One run of a method, or one for each part of the forget set."""
    if not isinstance(chosen, Spunge):
        return running.carry_out(chosen, config, job, folder=folder, identity=identity, report=report)
    inner, settings = _inner(config)
    return running.in_parts(
        inner,
        settings,
        job,
        parts_of(job.forget, config),
        density=config.density,
        scale=config.scale,
        folder=folder,
        identity=identity,
        report=report,
    )
