"""An ensemble as a folder that transformers loads: each shard's weights in files of their own.

A deletion changes the files of the shards that it trained again; all others keep their bytes. The folder holds

    config.json, generation_config.json     `modeling.SisaConfig`
    modeling_sisa.py                        a copy of `modeling`, for `trust_remote_code` elsewhere
    shard-NN.safetensors                    weights of shard NN (`shard-NN-00001-of-00002.safetensors` where cut)
    model.safetensors.index.json            which file has which tensor
    tokenizer.json ...                      the tokenizer's files, as they were
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unlearning_engine.errors import ConfigError, DataError, StorageError

CODE, INDEX = "modeling_sisa.py", "model.safetensors.index.json"
#: Files that a saved tokenizer may consist of.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "tokenizer.model",
    "spiece.model",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
)
_GENERATION = "generation_config.json"
#: What says how a configuration was written, or from where it was read, not what the model is.
INCIDENTAL = frozenset({"transformers_version", "_name_or_path", "is_local", "local_files_only"})


def export(
    shard_folders: Sequence[Path],
    target: Path,
    *,
    aggregation: str,
    tokenizer: Path,
    prior: Sequence[float] | None = None,
    numbers: Sequence[int] | None = None,
) -> Path:
    """Write `target` whole, in place of what was there; one shard's file is in memory at a time.

    Args:
        shard_folders: transformers folders of the shards that have a model. A single one is exported as it is: a
            plain model.
        tokenizer: folder that holds the tokenizer's files.
        prior: positive weight of each shard; None means equal ones.
        numbers: number of each shard, by which its files are named; None counts from 0.

    Raises:
        ConfigError: aggregation, prior or numbers do not fit.
        DataError: a folder lacks weights, configuration or tokenizer, or the shards' configurations differ.
        StorageError: the disk refused; what was at `target` is untouched.
    """
    named = list(range(len(shard_folders))) if numbers is None else list(numbers)
    config = _configuration(shard_folders, named, aggregation, prior)
    draft = target.parent / f".{target.name}.part"
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        if len(shard_folders) == 1:
            for path in _weights(shard_folders[0]):
                shutil.copyfile(path, draft / path.name)
            _copy(shard_folders[0], draft, ("config.json", _GENERATION, INDEX))
        else:
            _write_ensemble(shard_folders, named, draft, config)
        _copy(tokenizer, draft, TOKENIZER_FILES)
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
    except OSError as error:
        raise StorageError(f"{target}: cannot be written ({error}); free space and export again") from error
    return target


def _write_ensemble(folders: Sequence[Path], numbers: Sequence[int], out: Path, config: Any) -> None:
    from unlearning_engine.sisa import modeling

    places: dict[str, str] = {}
    size = 0
    for folder, number in zip(folders, numbers, strict=True):
        for path in _weights(folder):
            name = f"shard-{number:02d}{path.stem.removeprefix('model')}.safetensors"
            kept, bytes_ = _renamed(path, out / name, f"{modeling.SisaForCausalLM.name_of(number)}.")
            places |= dict.fromkeys(kept, name)
            size += bytes_
    _write_json(out / INDEX, {"metadata": {"total_size": size}, "weight_map": places})
    (out / "config.json").write_text(config.to_json_string(), encoding="utf-8")
    shutil.copyfile(modeling.__file__, out / CODE)
    _copy(folders[0], out, (_GENERATION,))


def _renamed(source: Path, target: Path, prefix: str) -> tuple[list[str], int]:
    """Copy one file of weights with a prefix before each name; returns the new names and the tensors' bytes."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file, save_file

    try:
        tensors = {prefix + name: value for name, value in load_file(source).items()}
    except SafetensorError as error:
        raise DataError(f"{source}: has damaged weights ({error}); restore the shard") from error
    save_file(tensors, target, metadata={"format": "pt"})
    return sorted(tensors), sum(value.nbytes for value in tensors.values())


def _configuration(
    folders: Sequence[Path], numbers: Sequence[int], aggregation: str, prior: Sequence[float] | None
) -> Any:
    """The ensemble's configuration, once everything that export takes was found to fit."""
    from unlearning_engine.sisa import modeling

    if not folders:
        raise ConfigError("shards: there is none left to export; every record was deleted")
    if len(numbers) != len(folders):
        raise ConfigError(f"numbers: {len(numbers)} for {len(folders)} shards")
    found = [_read_config(folder) for folder in folders]
    problems = [f"{folder}: holds no safetensors weights" for folder in folders if not _weights(folder)]
    for folder, config in zip(folders[1:], found[1:], strict=True):
        names = {**config, **found[0]}
        differing = sorted(name for name in names if config.get(name) != found[0].get(name))
        if differing:
            problems.append(
                f"{folder}: differs from {folders[0].name} in {', '.join(differing)}; the shards must agree"
            )
    if problems:
        raise DataError(problems)
    tokens = {name: found[0].get(name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    try:
        return modeling.SisaConfig(
            shard=found[0],
            members=numbers,
            aggregation=aggregation,
            prior=prior,
            architectures=[modeling.SisaForCausalLM.__name__],
            dtype=found[0].get("dtype"),
            auto_map={
                "AutoConfig": f"{CODE.removesuffix('.py')}.SisaConfig",
                "AutoModelForCausalLM": f"{CODE.removesuffix('.py')}.SisaForCausalLM",
            },
            **tokens,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        value = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: has no readable config.json ({error}); restore the shard") from error
    if not isinstance(value, dict) or not value.get("model_type"):
        raise DataError(f"{folder}: config.json names no model_type; restore the shard")
    return {name: item for name, item in sorted(value.items()) if name not in INCIDENTAL}


def _weights(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def _copy(source: Path, target: Path, names: Sequence[str]) -> None:
    for name in names:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
