"""Training a model from its configuration, and the recipe that says how it was done.

A trained model's folder holds config.json, model.safetensors, the tokenizer's files and `recipe.json`: the
configuration, seed, digests of dataset and tokenizer. Retraining reads it, so that a model can be made again
without some of its records.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearning_engine import memory, models
from unlearning_engine.configs import build, number
from unlearning_engine.contracts import LINEAGE_METHODS, TrainSpec, digest
from unlearning_engine.data import Record, dataset_digest, load_ids, load_records, split
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.progress import Report, silent
from unlearning_engine.tokens import encode
from unlearning_engine.training import LoopConfig, Supervised, run

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

RECIPE = "recipe.json"
#: Folder of the model and of the checkpoints below a job's folder.
MODEL, CHECKPOINTS = "model", "checkpoints"
#: Files that hold a tokenizer's vocabulary, newest form first.
_TOKENIZERS = (
    ("tokenizer.json",),
    ("tokenizer.model",),
    ("spiece.model",),
    ("vocab.json", "merges.txt"),
    ("vocab.txt",),
)


@dataclass(frozen=True, kw_only=True)
class TrainConfig(LoopConfig):
    """`TrainSpec.config`. `model` is a transformers configuration with its `model_type`."""

    model: dict[str, Any] = field(default_factory=dict)
    vocab_size: int = number(1024, 260, 10**6)
    epochs: int = number(10, 1, 10**6)
    batch_size: int = number(16, 1, 10**5)
    full_sequence: bool = False

    def loop(self) -> LoopConfig:
        """The part that the loop takes."""
        return LoopConfig(**{f.name: getattr(self, f.name) for f in dataclasses.fields(LoopConfig)})


def tokenizer_digest(folder: str | Path) -> str:
    """`sha256:<hex>` of what a saved tokenizer knows: `tokenizer.json`, or the older files where that is missing.

    Raises:
        DataError: there is no tokenizer.
    """
    names = next((group for group in _TOKENIZERS if (Path(folder) / group[0]).is_file()), ())
    if not names:
        raise DataError(f"{folder}: holds no tokenizer; save it beside the model")
    state = hashlib.sha256()
    for path in (Path(folder) / name for name in names):
        state.update(path.read_bytes() if path.is_file() else b"")
    return "sha256:" + state.hexdigest()


def shared_records(text_path: str | Path, records: Sequence[Record]) -> int:
    """How many records stand word for word in a text; 0 means that a tokenizer made from it saw none of them."""
    text = " ".join(Path(text_path).read_text(encoding="utf-8").split())
    return sum(" ".join(record.full_text.split()) in text for record in records)


def write_recipe(folder: Path, recipe: dict[str, Any]) -> None:
    """Write `recipe.json` into a model's folder."""
    text = json.dumps({"schema": 1, **recipe}, indent=1, sort_keys=True)
    (folder / RECIPE).write_text(text + "\n", encoding="utf-8")


def read_recipe(folder: str | Path) -> dict[str, Any]:
    """The recipe of a model's folder.

    Raises:
        DataError: there is none, or it is not one.
    """
    path = Path(folder) / RECIPE
    try:
        recipe = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: no readable recipe ({error}); only a model trained here can be retrained") from error
    if not isinstance(recipe, dict) or not isinstance(recipe.get("config"), dict):
        raise DataError(f"{path}: holds no training configuration; only a model trained here can be retrained")
    return recipe


def save_model(out: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, recipe: dict[str, Any]) -> Path:
    """Write `out/model` whole, then drop the checkpoints, which still know what the model may have forgotten."""
    final, draft = out / MODEL, out / f".{MODEL}.part"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    models.save(draft, model, tokenizer)
    write_recipe(draft, {**recipe, "tokenizer_digest": tokenizer_digest(draft)})
    shutil.rmtree(final, ignore_errors=True)
    draft.rename(final)
    shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)
    return final


def supervised(
    records: Sequence[Record],
    config: TrainConfig,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    seed: int,
) -> Supervised:
    """The objective of plain training on `records`."""
    limit = models.context_length(model)
    examples = encode(records, tokenizer, full_sequence=config.full_sequence, max_length=limit)
    pad = tokenizer.pad_token_id
    return Supervised(examples, pad_id=pad, batch_size=config.batch_size, epochs=config.epochs, seed=seed)


def check_memory(
    config: TrainConfig, tokenizer: PreTrainedTokenizerBase, records: Sequence[Record], device: torch.device
) -> None:
    """Refuse a training from fresh weights that cannot fit into the device's memory, before any are drawn.

    Raises:
        ConfigError: the configuration makes no model. DeviceError: too little memory, with what would help.
    """
    import torch

    with torch.device("meta"):
        model = models.build_model(config.model, tokenizer, 0)
    facts = memory.facts_of(model.config.get_text_config().to_dict())
    longest = memory.longest((record.full_text for record in records), facts["context"])
    size = memory.Size(
        parameters=model.num_parameters(),
        hidden=facts["hidden"],
        layers=facts["layers"],
        vocabulary=facts["vocabulary"],
    )
    tokens = min(config.batch_size, len(records)) * longest
    plan = memory.Plan(trained=size.parameters, tokens=tokens, depth=size.layers, afresh=True)
    memory.check(memory.forecast(size, plan), memory.free(device), f"training on {device}", plan)


def _with_lineage(spec: TrainSpec, out: str | Path, report: Report) -> dict[str, Any]:
    if spec.method not in LINEAGE_METHODS:
        known = ", ".join(LINEAGE_METHODS)
        raise ConfigError(f"spec.method: {spec.method!r} trains no lineage; one of {known}, or none")
    from unlearning_engine.sisa.building import train as train_lineage

    return train_lineage(spec, out, report)


def train(spec: TrainSpec, out: str | Path, report: Report = silent) -> dict[str, Any]:
    """Train a model from scratch into `out/model`; a killed run goes on from `out/checkpoints`.

    Args:
        spec: with paths in `dataset`, `tokenizer_text` and `exclude_ids` (one id a line; may be empty). With a
            `method`, a lineage is trained instead: see `sisa.building`.

    Returns:
        Metrics: steps, loss, records, seconds, parameters, digests of weights, dataset and tokenizer.

    Raises:
        ConfigError, DataError, DeviceError, DivergenceError: see `training.run`.
    """
    if spec.method == "head":  # a linear head on a table
        from unlearning_engine.certified.fitting import train_head

        return train_head(spec, out, report)
    return _with_lineage(spec, out, report) if spec.method else _alone(spec, Path(out), report)


def _alone(spec: TrainSpec, target: Path, report: Report) -> dict[str, Any]:
    started = time.perf_counter()
    config = build(TrainConfig, spec.config, "spec.config")
    if not spec.tokenizer_text:
        raise ConfigError("spec.tokenizer_text: is empty; name the text to learn the tokenizer from")
    models.choose_threads(spec.threads)
    device = models.choose_device(spec.device)
    everything = load_records(spec.dataset)
    records = split(everything, load_ids(spec.exclude_ids))[1] if spec.exclude_ids else everything
    tokenizer = models.build_tokenizer(spec.tokenizer_text, config.vocab_size)
    check_memory(config, tokenizer, records, device)
    model = models.build_model(config.model, tokenizer, spec.seed).to(device)
    recipe = {
        "made_by": "train",
        "config": dataclasses.asdict(config),
        "seed": spec.seed,
        "dataset_digest": dataset_digest(records),
        "tokenizer_shared_records": shared_records(spec.tokenizer_text, everything),
    }
    outcome = run(
        model,
        supervised(records, config, model, tokenizer, spec.seed),
        config.loop(),
        seed=spec.seed,
        report=report,
        folder=target / CHECKPOINTS,
        identity=digest({**recipe, "tokenizer": tokenizer.backend_tokenizer.to_str()}),
    )
    folder = save_model(target, model, tokenizer, {**recipe, "threads": outcome.threads})
    return {
        **dataclasses.asdict(outcome),
        "records": len(records),
        "seconds": time.perf_counter() - started,
        "parameters": model.num_parameters(),
        "weights_digest": models.weights_digest(folder),
        "dataset_digest": recipe["dataset_digest"],
        "tokenizer_digest": tokenizer_digest(folder),
    }
