"""How much memory a run will take, before the model is loaded, and how much there is. Pure but for `free`.

Reckoned with are float32 weights, their gradients, AdamW's two moments, frozen copies, and what a forward pass keeps
for the backward one. The last is rough and low on purpose, since a run that would fit must not be refused: bytes per
token, layer and hidden unit, the least of Llama, GPT-2 and GPT-NeoX as counted over the tensors that autograd saved
(8 layers, width 128: 73 to 145 in float32, 51 to 107 with bfloat16 products, 4.5 to 5 with gradient checkpointing). For
the large GPTs of Korthikanti et al. 2022 (arXiv:2205.05198) it is 34 with everything in 16 bits.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearning_engine.errors import DeviceError

if TYPE_CHECKING:
    import torch

#: Bytes of a float32 value, and of AdamW's two moments of one.
VALUE, MOMENTS = 4, 8
#: Bytes kept per token, layer and hidden unit; with checkpointing the layers' inputs and one layer's inside.
KEPT: Mapping[str, int] = {"float32": 70, "bfloat16": 50}
INPUTS = 4
#: Bytes per token and word of the vocabulary: the logits and their gradient.
LOGITS = 8
GIB = 2**30
#: Names under which configurations keep width, depth, vocabulary and context.
_NAMES: Mapping[str, Sequence[str]] = {
    "hidden": ("hidden_size", "n_embd", "d_model"),
    "layers": ("num_hidden_layers", "n_layer", "num_layers", "n_layers"),
    "vocabulary": ("vocab_size",),
    "context": ("max_position_embeddings", "n_positions"),
}
#: Characters of a token, about: of English by tokenizers of 32k to 128k words.
CHARACTERS = 4


@dataclass(frozen=True, kw_only=True)
class Size:
    """What of a model decides its memory. `matrices` are the shapes of its linear layers."""

    parameters: int
    hidden: int = 0
    layers: int = 0
    vocabulary: int = 0
    matrices: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is done with it. `trained` values have gradients and moments, `copies` are frozen ones of the whole model;
    `tokens` are those whose activations live at once, through `depth` layers; over `processes` all but these is split.
    """

    trained: int
    copies: int = 0
    tokens: int = 0
    depth: int = 0
    dtype: str = "float32"
    checkpointing: bool = False
    adapters: bool = False
    processes: int = 1
    #: A training from fresh weights: in one process, of all of them, in float32.
    afresh: bool = False


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Bytes by purpose on one device."""

    weights: int
    gradients: int
    moments: int
    copies: int
    activations: int

    @property
    def total(self) -> int:
        """All of them together."""
        return self.weights + self.gradients + self.moments + self.copies + self.activations


def adapters(matrices: Sequence[tuple[int, int]], rank: int) -> int:
    """Values that adapters of a rank add: rank x (inputs + outputs) for each matrix."""
    return sum(rank * (rows + columns) for rows, columns in matrices)


def facts_of(config: Mapping[str, Any]) -> dict[str, int]:
    """Width, depth, vocabulary and context (0 where unknown) of a model's configuration."""
    return {name: _first(config, keys) for name, keys in _NAMES.items()}


def longest(texts: Iterable[str], context: int) -> int:
    """About how many tokens the longest text has, at most the context."""
    most = max(map(len, texts), default=0) // CHARACTERS + 1
    return min(most, context) if context else most


def _first(config: Mapping[str, Any], names: Sequence[str]) -> int:
    """The first of the entries that is a whole number above nought; else 0."""
    return next((value for name in names if isinstance(value := config.get(name), int) and value > 0), 0)


def forecast(size: Size, plan: Plan) -> Forecast:
    """Bytes that one process needs at its fullest, at least."""
    # Adapters come on top of the weights; with several processes one layer at a time is whole on each.
    weights = VALUE * (size.parameters + (plan.trained if plan.adapters else 0))
    gathered = weights // max(size.layers, 1) if plan.processes > 1 else 0
    # Each process trains its own copy of the adapters.
    held = 1 if plan.adapters else plan.processes
    return Forecast(
        weights=weights // plan.processes + gathered,
        gradients=VALUE * plan.trained // held,
        moments=MOMENTS * plan.trained // held,
        copies=VALUE * size.parameters * plan.copies // plan.processes,
        activations=_activations(size, plan),
    )


def _activations(size: Size, plan: Plan) -> int:
    kept = KEPT[plan.dtype]
    units = plan.tokens * size.hidden
    layers = INPUTS * units * plan.depth + kept * units if plan.checkpointing else kept * units * plan.depth
    return layers + LOGITS * plan.tokens * size.vocabulary


def check(needed: Forecast, available: int, where: str, plan: Plan) -> None:
    """Refuse what cannot fit.

    Raises:
        DeviceError: with what is needed, what there is, and what would help.
    """
    if needed.total <= available:
        return
    parts = ", ".join(f"{name} {_size(value)}" for name, value in vars(needed).items() if value)
    raise DeviceError(
        f"{where}: the run needs at least {_size(needed.total)} ({parts}) and {_size(available)} are free; "
        f"what would help: {', '.join(_help(needed, plan))}"
    )


def _help(needed: Forecast, plan: Plan) -> list[str]:
    """What makes the largest parts smaller, as far as it is not done already."""
    if plan.afresh:
        return ["a smaller model", "a smaller batch_size", "another device"]
    found = []
    if not plan.adapters and needed.gradients + needed.moments >= needed.total // 4:
        found.append("lora_rank (only adapters are trained)")
    if not plan.checkpointing and needed.activations:
        found.append("gradient_checkpointing")
    if needed.activations >= needed.total // 10:
        found.append("a smaller batch_size")
        found += ["dtype bfloat16"] if plan.dtype == "float32" else []
    if plan.copies:
        found.append("a method or retain_loss without a frozen copy")
    return [*found, "more processes", "another device"]


def _size(count: int) -> str:
    return f"{count / GIB:.1f} GiB" if count >= GIB // 10 else f"{count / 2**20:.1f} MiB"


# ---------------------------------------------------------------- what there is


def free(device: torch.device, root: Path = Path("/")) -> int:
    """Bytes that a process may still take on the device; for the CPU the least of what the machine and its control
    groups leave. `root` is where /proc and /sys lie."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    return min([_machine(root), *_groups(root)])


def _machine(root: Path) -> int:
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, IndexError, StopIteration):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _groups(root: Path) -> Iterator[int]:
    """What each control group above this process leaves: its limit less what it uses and could not give back."""
    try:
        entries = [line.split(":", 2) for line in (root / "proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return
    for _, kinds, path in (entry for entry in entries if len(entry) == 3):
        if kinds and "memory" not in kinds.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("memory" if kinds else "")
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if kinds else ("memory.max", "memory.current")
        here = top / path.strip("/")
        for folder in (here, *here.parents):
            if folder != top and top not in folder.parents:
                break
            limit, used = _number(folder / names[0]), _number(folder / names[1])
            if limit is not None and used is not None:
                yield max(0, limit - used + _reclaimable(folder))


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # not there, or "max"
        return None


def _reclaimable(folder: Path) -> int:
    """Pages of files that the kernel drops when memory is wanted."""
    try:
        rows = [line.split() for line in (folder / "memory.stat").read_text().splitlines()]
        return next(int(row[1]) for row in rows if row[0] in ("total_inactive_file", "inactive_file"))
    except (OSError, ValueError, IndexError, StopIteration):
        return 0
