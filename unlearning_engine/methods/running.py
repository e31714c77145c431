"""Carrying out what a method prepared: adapters put in and merged, the loop run under the watch, parts one by one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from unlearning_engine import adapters, merging, models, precision
from unlearning_engine.contracts import digest
from unlearning_engine.data import Record, dataset_digest
from unlearning_engine.frontier import Watch, set_aside
from unlearning_engine.methods.base import ForgetConfig, Job, Method, Prepared, rate_for
from unlearning_engine.progress import Report
from unlearning_engine.tokens import encode
from unlearning_engine.training import Outcome, run

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, kw_only=True)
class Made:
    """A model that was unlearned, and how: `frontier` is what the watch saw, empty without one."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    outcome: Outcome
    seed: int
    learning_rate: float
    frontier: dict[str, Any]
    construction: dict[str, Any] | None = None


def carry_out(method: Method, config: Any, job: Job, *, folder: Path, identity: str, report: Report) -> Made:
    """Prepare and run one method. A killed run goes on from `folder`, if `identity` is the same.

    Raises:
        DataError, DeviceError, DivergenceError: see the method and `training.run`.
    """
    with precision.computing(config.dtype if isinstance(config, ForgetConfig) else "float32"):
        return _carry_out(method, config, job, folder, identity, report)


def _carry_out(method: Method, config: Any, job: Job, folder: Path, identity: str, report: Report) -> Made:
    watched, trained = _watched(method, config, job)
    prepared = method.prepare(dataclasses.replace(job, retain=trained), config)
    settings = config if isinstance(config, ForgetConfig) else None
    if settings:
        _fit_out(prepared, settings)
    watch = _watch(prepared, settings, watched, folder, report) if settings and watched else None
    loop = prepared.loop
    if settings and not loop.learning_rate:
        loop = dataclasses.replace(loop, learning_rate=rate_for(prepared.model.num_parameters(), settings.RATES))
    outcome = run(
        prepared.model,
        prepared.objective,
        loop,
        seed=prepared.seed,
        report=report,
        stage=method.name,
        folder=folder,
        identity=identity,
        watch=watch,
        fresh=prepared.start,
    )
    return Made(
        model=prepared.model,
        tokenizer=prepared.tokenizer,
        outcome=outcome,
        seed=prepared.seed,
        learning_rate=loop.learning_rate,
        frontier=_settled(prepared, settings, watch, outcome),
        construction=prepared.construction,
    )


def _fit_out(prepared: Prepared, config: ForgetConfig) -> None:
    """Adapters and memory, as the configuration says."""
    if config.gradient_checkpointing:
        prepared.model.activation_checkpointing_enable({"use_reentrant": False})
    if config.lora_rank:
        adapters.inject(
            prepared.model,
            rank=config.lora_rank,
            alpha=config.lora_alpha,
            ends=config.lora_targets,
            seed=prepared.seed,
        )


def _settled(prepared: Prepared, config: ForgetConfig | None, watch: Watch | None, outcome: Outcome) -> dict[str, Any]:
    """Make the model whole: the best look kept, adapters merged, the method's last word said; what the watch saw."""
    seen = watch.settle(prepared.model) if watch and not prepared.finish else {}
    if config and config.lora_rank:
        adapters.merge(prepared.model)
    if prepared.finish:
        prepared.finish(prepared.model)
        if watch:
            watch.look(prepared.model, outcome.steps)
            seen = watch.settle(prepared.model)
    return seen


# ---------------------------------------------------------------- the watch


def _watched(method: Method, config: Any, job: Job) -> tuple[dict[str, list[Record]], list[Record]]:
    """Rows for the watch, where the method has one, and the retained rows that it may train on."""
    if not isinstance(config, ForgetConfig) or not config.watch_looks or not job.retain:
        return {}, job.retain
    watched, trained = set_aside(job.forget, job.retain, config.watch_items, job.seed)
    return watched, trained if getattr(method, "spares_watched", True) else job.retain


def _watch(
    prepared: Prepared, config: ForgetConfig, watched: Mapping[str, Sequence[Record]], folder: Path, report: Report
) -> Watch:
    limit, tokenizer = models.context_length(prepared.model), prepared.tokenizer
    steps = math.ceil(prepared.objective.total / prepared.loop.accumulate)
    return Watch(
        {
            name: encode(rows, tokenizer, full_sequence=config.full_sequence, max_length=limit)
            for name, rows in watched.items()
        },
        pad_id=int(tokenizer.pad_token_id),
        every=0 if prepared.finish else max(1, steps // config.watch_looks),
        total=steps,
        floor=config.utility_floor,
        stop_below=config.stop_below,
        folder=folder,
        report=report,
    )


# ---------------------------------------------------------------- a forget set in parts


def in_parts(
    method: Method,
    config: Any,
    job: Job,
    parts: Sequence[Sequence[Record]],
    *,
    density: float,
    scale: float,
    folder: Path,
    identity: str,
    report: Report,
) -> Made:
    """Unlearn each part from the original and add `scale` times the merger of the changes to it.

    A part that was done before the run was killed is read, not done again.
    """
    results: list[dict[str, torch.Tensor]] = []
    steps, loss, rate = 0, math.nan, 0.0
    for number, part in enumerate(parts):
        own = digest({"run": identity, "part": number, "records": dataset_digest(part)})
        path = folder / f"part-{number:03d}.safetensors"
        if not path.is_file():
            here = dataclasses.replace(job, forget=list(part))
            made = carry_out(method, config, here, folder=folder / f"{number:03d}", identity=own, report=report)
            _save(path, made)
        with safe_open(path, "pt") as file:
            facts = file.metadata()
        steps, loss, rate = steps + int(facts["steps"]), float(facts["loss"]), float(facts["rate"])
        results.append(load_file(path))
    model, tokenizer = models.load(job.model, device=str(job.device))
    with torch.no_grad():
        for name, value in model.named_parameters():
            changes = [result[name].to(value.device) - value for result in results]
            value.add_(scale * merging.ties(changes, density))
    outcome = Outcome(steps=steps, loss=loss, resumed_from=0, stopped_early=False, threads=torch.get_num_threads())
    return Made(model=model, tokenizer=tokenizer, outcome=outcome, seed=job.seed, learning_rate=rate, frontier={})


def _save(path: Path, made: Made) -> None:
    draft = path.with_suffix(".new")
    facts = {"steps": str(made.outcome.steps), "loss": repr(made.outcome.loss), "rate": repr(made.learning_rate)}
    tensors = {name: value.detach().cpu().contiguous() for name, value in made.model.named_parameters()}
    save_file(tensors, draft, metadata=facts)
    draft.replace(path)
