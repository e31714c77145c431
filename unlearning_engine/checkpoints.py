"""Checkpoints of a running training: written whole or not at all, read without running code.

A checkpoint is a folder `step-00000123` with `state.safetensors` (weights, optimiser moments, states of the
random generators) and `state.json` (the rest, and the digest of the other file). It appears under its name
only when complete, so a kill at any moment leaves the one before it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from unlearning_engine import together
from unlearning_engine.errors import DataError, StorageError

KEEP = 2
TENSORS, FACTS = "state.safetensors", "state.json"


def file_digest(path: Path) -> str:
    """`sha256:<hex>` of a file's bytes."""
    with path.open("rb") as data:
        return "sha256:" + hashlib.file_digest(data, "sha256").hexdigest()


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _tensors(model: torch.nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Everything that decides the next step. Tied weights are kept once, frozen ones not at all: their folder is.

    Of a model split over processes all must ask, and the first gets them whole: a checkpoint is the same for any
    number of processes. Their random numbers come from seed and step (`together.seed`).
    """
    out: dict[str, torch.Tensor] = {}
    for name, value in _ours(model).items():
        _keep(out, name, together.whole(value.detach()).cpu().contiguous())
    for number, state in optimiser.state_dict()["state"].items():
        for name, value in state.items():
            _keep(out, f"optimiser.{number}.{name}", together.whole(value.detach()).cpu().clone())
    out["random.cpu"] = torch.get_rng_state()
    alone = not together.joined()
    if alone and any(w.is_cuda for w in model.parameters()):  # an idle device is no part of a training on the CPU
        out |= {f"random.cuda.{n}": state for n, state in enumerate(torch.cuda.get_rng_state_all())}
    return out


def _keep(out: dict[str, torch.Tensor], name: str, value: torch.Tensor) -> None:
    if together.first():
        out[name] = value


def _ours(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """What a checkpoint keeps of a model: trained weights and buffers."""
    out: dict[str, torch.Tensor] = {f"weight.{name}": w for name, w in model.named_parameters() if w.requires_grad}
    out |= {f"buffer.{name}": value for name, value in model.named_buffers()}
    return out


def place(folder: Path, step: int) -> Path:
    """The checkpoint's folder after `step` steps."""
    return folder / f"step-{step:08d}"


def write(
    folder: Path, step: int, model: torch.nn.Module, optimiser: torch.optim.Optimizer, facts: dict[str, Any]
) -> Path:
    """Save one checkpoint of a running training and drop all but the last `KEEP`.

    Raises:
        StorageError: the disk refused; earlier checkpoints are untouched.
    """
    final = place(folder, step)
    write_at(final, model, optimiser, {**facts, "step": step})
    for old in sorted(folder.glob("step-*"))[:-KEEP] if together.first() else ():
        shutil.rmtree(old, ignore_errors=True)
    return final


def write_at(final: Path, model: torch.nn.Module, optimiser: torch.optim.Optimizer, facts: dict[str, Any]) -> None:
    """Save one checkpoint as the folder `final`, whole or not at all.

    Raises:
        StorageError: the disk refused; whatever stood at `final` is untouched.
    """
    draft = final.with_name(f".{final.name}.part")
    tensors = _tensors(model, optimiser)
    if not together.first():
        return
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        save_file(tensors, draft / TENSORS)
        digest = file_digest(draft / TENSORS)
        (draft / FACTS).write_text(json.dumps({**facts, "tensors": digest}), encoding="utf-8")
        for path in (draft / TENSORS, draft / FACTS, draft):
            _flush(path)
        shutil.rmtree(final, ignore_errors=True)
        draft.rename(final)
        _flush(final.parent)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(draft, ignore_errors=True)  # half a checkpoint is worth nothing, and the disk may be full
        raise StorageError(f"{final}: cannot be written ({error}); free space and run the job again") from error


def read(folder: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Facts and tensors of one checkpoint.

    Raises:
        DataError: a file is missing, cut short or changed.
    """
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        if facts["tensors"] != file_digest(folder / TENSORS):
            raise DataError(f"{folder}: the tensors are not those that were saved; delete this folder")
        return facts, load_file(folder / TENSORS)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise DataError(f"{folder}: is a damaged checkpoint ({error!r}); delete this folder") from error


def newest(folder: Path, warn: Callable[[str], None]) -> tuple[dict[str, Any], dict[str, torch.Tensor]] | None:
    """The latest checkpoint that is whole, or None. Each damaged one is told to `warn` and passed over."""
    for path in _latest_first(folder):
        try:
            return read(path)
        except DataError as error:
            warn(f"{error}; going on from the one before it")
    return None


def _latest_first(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.glob("step-*"), reverse=True)


def restore_weights(model: torch.nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    """Put a checkpoint's weights and buffers into the model.

    Raises:
        DataError: the checkpoint is of another model.
    """
    ours = _ours(model)
    if any(name not in tensors or tensors[name].shape != value.shape for name, value in ours.items()):
        raise DataError("the checkpoint is of a model with other weights; delete the checkpoints to start again")
    with torch.no_grad():
        for name, ours_value in ours.items():
            together.put(ours_value, tensors[name])


def restore(model: torch.nn.Module, optimiser: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Put weights, moments and random generators back as they were; see `restore_weights`."""
    restore_weights(model, tensors)
    moments: dict[int, dict[str, torch.Tensor]] = {}
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    for name, value in tensors.items():
        if name.startswith("optimiser."):
            _, number, key = name.split(".", 2)
            own = weights[int(number)] if int(number) < len(weights) else value
            moments.setdefault(int(number), {})[key] = together.like(own, value) if value.dim() else value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
    torch.set_rng_state(tensors["random.cpu"])
    cuda = [tensors[name] for name in sorted(tensors) if name.startswith("random.cuda.")]
    if cuda and torch.cuda.device_count() == len(cuda):
        torch.cuda.set_rng_state_all(cuda)
