"""Small models to patch: written tensor by tensor, in one file or in shards."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from tests.engine.conftest import LLAMA, Corpus
from unlearning_engine import models

Tensors = Mapping[str, torch.Tensor]
INDEX = "model.safetensors.index.json"


def write(folder: Path, tensors: Tensors, *, shards: int = 1, config: Mapping[str, object] | None = None) -> Path:
    """A model's folder of these tensors, dealt out to shards in turn."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config or {"model_type": "llama", "hidden_size": 8}))
    if shards == 1:
        save_file(dict(tensors), folder / "model.safetensors", metadata={"format": "pt"})
        return folder
    files = {name: f"model-{at % shards + 1:05d}-of-{shards:05d}.safetensors" for at, name in enumerate(tensors)}
    for file in set(files.values()):
        own = {name: value for name, value in tensors.items() if files[name] == file}
        save_file(own, folder / file, metadata={"format": "pt"})
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": files}))
    return folder


def read(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a folder."""
    return {name: value for file in sorted(folder.glob("*.safetensors")) for name, value in load_file(file).items()}


def same(one: Tensors, other: Tensors) -> bool:
    """Whether two sets of tensors have the same names, types, shapes and bits (NaN and -0.0 too)."""
    return one.keys() == other.keys() and all(
        (a.dtype, a.shape) == (b.dtype, b.shape) and bits(a) == bits(b)
        for a, b in ((one[name], other[name]) for name in one)
    )


def bits(value: torch.Tensor) -> bytes:
    return value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def llama(corpus: Corpus, folder: Path, *, seed: int = 1, shard: str = "", dtype: torch.dtype = torch.float32) -> Path:
    """A tiny Llama with its tokenizer, in float32 or another type, in one file or in shards of `shard`."""
    tokenizer = models.build_tokenizer(corpus.text, 400)
    model = models.build_model(LLAMA, tokenizer, seed).to(dtype)
    model.save_pretrained(folder, **({"max_shard_size": shard} if shard else {}))
    tokenizer.save_pretrained(folder)
    return folder


def changed(source: Path, folder: Path, change: Callable[[str, torch.Tensor], torch.Tensor]) -> Path:
    """A copy of a model with other values."""
    shutil.copytree(source, folder)
    for file in folder.glob("*.safetensors"):
        tensors = {name: change(name, value).contiguous() for name, value in load_file(file).items()}
        save_file(tensors, file, metadata={"format": "pt"})
    return folder


def nudge(part: str = "", size: float = 1e-3, seed: int = 0) -> Callable[[str, torch.Tensor], torch.Tensor]:
    """Adds noise to the tensors whose name has `part` in it."""
    state = torch.Generator().manual_seed(seed)

    def change(name: str, value: torch.Tensor) -> torch.Tensor:
        if part not in name:
            return value
        return (value.float() + size * torch.randn(value.shape, generator=state)).to(value.dtype)

    return change
