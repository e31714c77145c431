"""Whether a run of unlearning fits into the device's memory, told before the model is loaded.

From the folder's headers and configuration, the method's settings and the longest row; see `memory` for the arithmetic.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearning_engine import memory, stored
from unlearning_engine.data import Record
from unlearning_engine.methods.base import ForgetConfig, PairConfig

if TYPE_CHECKING:
    import torch

#: Layers in which representation steering keeps gradients: the steered one and two below it.
STEERED = 3
#: Methods that train two answers for each forgotten row.
TWICE = frozenset({"altpo", "correct", "relabel"})


def check_memory(
    method: str, config: Any, model: str, rows: Sequence[Record], device: torch.device, processes: int = 1
) -> None:
    """Refuse a run that cannot fit; says nothing where the model is not on this machine yet, or is unreadable.

    Raises:
        DataError: the weights' files are damaged.
        DeviceError: the device has too little memory, with what would help.
    """
    folder = stored.folder_of(model)
    if not isinstance(config, ForgetConfig) or folder is None or not (folder / "config.json").is_file():
        return
    facts, tensors = _facts(folder), stored.tensors(folder)
    size = size_of(facts, tensors, config.lora_targets)
    longest = memory.longest((row.full_text for row in rows), memory.facts_of(facts)["context"])
    plan = plan_for(method, config, size, longest, processes)
    # What several processes share is the machine's memory, but each has a CUDA device of its own.
    share = processes if device.type == "cpu" else 1
    memory.check(memory.forecast(size, plan), memory.free(device) // share, f"{model} on {device}", plan)


def size_of(facts: dict[str, Any], tensors: dict[str, stored.Stored], ends: Sequence[str]) -> memory.Size:
    """A model's size; its linear layers are the matrices without the vocabulary, of the named ones if any are."""
    named = memory.facts_of(facts)
    words = named["vocabulary"]
    matrices = [
        (one.shape[0], one.shape[1])
        for name, one in tensors.items()
        if len(one.shape) == 2 and words not in one.shape and _named(name, ends)
    ]
    return memory.Size(
        parameters=sum(one.values for one in tensors.values()),
        hidden=named["hidden"],
        layers=named["layers"],
        vocabulary=words,
        matrices=matrices,
    )


def plan_for(method: str, config: ForgetConfig, size: memory.Size, longest: int, processes: int) -> memory.Plan:
    """What the method does with the model, `longest` being the tokens of the longest row."""
    sequences = config.batch_size * (2 if method in TWICE else 1)
    sequences += config.retain_batch_size if isinstance(config, PairConfig) else 0
    steered = method == "rmu"
    trained = size.parameters
    if config.lora_rank:
        trained = memory.adapters(size.matrices, config.lora_rank)
    elif steered:  # the last matrix of each layer, in which the feed-forward part ends
        trained = STEERED * max((rows * columns for rows, columns in size.matrices), default=0)
    held = getattr(config, "retain_loss", "") == "kl" or getattr(config, "teacher_weight", 0)
    return memory.Plan(
        trained=min(trained, size.parameters),
        copies=int(bool(held or steered or method == "task_vector")),
        tokens=sequences * longest,
        depth=min(STEERED, size.layers) if steered else size.layers,
        dtype=config.dtype,
        checkpointing=config.gradient_checkpointing,
        adapters=bool(config.lora_rank),
        processes=processes,
    )


def _facts(folder: Path) -> dict[str, Any]:
    """The configuration, of a model of several parts that of its text; empty where it is unreadable."""
    try:
        facts = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(facts, dict):
        return {}
    inner = facts.get("text_config")
    return {**facts, **inner} if isinstance(inner, dict) else facts


def _named(name: str, ends: Sequence[str]) -> bool:
    own = f".{name.removesuffix('.weight')}"
    return not ends or any(own.endswith(f".{end}") for end in ends)
