"""Several processes that train one model: each holds a part of every weight and takes its share of the steps.

Weights are split by torch's `fully_shard` (FSDP2; Zhao et al. 2023, arXiv:2304.11277), a decoder layer at a time, so
that one layer at most is whole on a device. Of the steps whose gradients make one update, process r of n takes r, r + n
and so on, and the gradient is the mean over all of them as in one process. In a process that is alone everything here
does nothing, and changes no bit.

What decides the course of the run is the same in all: numbers are added up over the processes, and what the clock or
a forward pass decides is the first one's word. Otherwise one would wait for ever for another that has stopped.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import distributed

if TYPE_CHECKING:
    from torch import Tensor, nn

T = TypeVar("T")
#: How long one process waits for another: writing a checkpoint of a large model takes its time.
PATIENCE = datetime.timedelta(hours=2)


# ---------------------------------------------------------------- the group


def size() -> int:
    """How many processes there are; 1 for one that is alone."""
    return distributed.get_world_size() if joined() else 1


def rank() -> int:
    """Number of this process, from 0."""
    return distributed.get_rank() if joined() else 0


def first() -> bool:
    """Whether this process is the one that writes and reports."""
    return rank() == 0


def joined() -> bool:
    """Whether this process is one of a group."""
    return distributed.is_available() and distributed.is_initialized()


def join(number: int, count: int, meeting: Path, device: str) -> None:
    """Become process `number` of `count`, which meet in the file `meeting`; all are on this machine."""
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # the host's own name need not be in any table
    cuda = device.startswith("cuda")
    if cuda:
        torch.cuda.set_device(torch.device(device))
    backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
    distributed.init_process_group(
        backend, init_method=f"file://{meeting}", rank=number, world_size=count, timeout=PATIENCE
    )
    _mesh(device)


def facts() -> dict[str, Any]:
    """What a result says of the group; empty for a process that is alone."""
    if not joined():
        return {}
    cuda = torch.cuda.is_available() and torch.cuda.is_initialized()
    return {"processes": size(), "devices": torch.cuda.get_device_name() if cuda else "cpu"}


def wait() -> None:
    """Go on when all have come here."""
    total({"": 0.0})


@contextmanager
def in_turn() -> Iterator[None]:
    """One process after the other, so that a whole model is in memory once and not once for each."""
    for turn in range(size()):
        if turn == rank():
            yield
        wait()


# ---------------------------------------------------------------- what all must know alike


def agreed(value: T) -> T:
    """The first process's value, in all of them."""
    if not joined():
        return value
    box: list[Any] = [value]
    distributed.broadcast_object_list(box, src=0, device=torch.device("cpu"))
    found: T = box[0]
    return found


def total(values: Mapping[str, float], *, counted: bool = True) -> dict[str, float]:
    """Each number's sum over the processes for which it is counted. All must give the same names."""
    if not joined():
        return dict(values)
    held = torch.tensor([value if counted else 0.0 for value in values.values()], dtype=torch.float64)
    distributed.all_reduce(held)
    return dict(zip(values, held.tolist(), strict=True))


# ---------------------------------------------------------------- weights in parts

_MESHES: dict[str, Any] = {}


def _mesh(device: str) -> Any:
    from torch.distributed.device_mesh import init_device_mesh

    kind = torch.device(device).type
    if kind not in _MESHES:  # every process has a part in making one
        _MESHES[kind] = init_device_mesh(kind, (size(),))
    return _MESHES[kind]


def split(model: nn.Module, blocks: Sequence[nn.Module], device: torch.device) -> None:
    """Leave to each process its part of the weights, in place and on its device; what is not in a block stays
    together, so that a tied head and embedding are one weight."""
    from torch.distributed.fsdp import fully_shard

    # Resharded after every forward pass: what a name gives is always the part that the optimiser moves.
    for part in (*blocks, model):
        fully_shard(part, mesh=_mesh(device.type), reshard_after_forward=True)


def whole(value: Tensor) -> Tensor:
    """A weight, moment or norm in one piece, in all processes; they must all ask."""
    full = getattr(value, "full_tensor", None)
    found: Tensor = full() if full else value
    return found


def like(weight: Tensor, value: Tensor) -> Tensor:
    """A whole tensor cut as a weight of the same shape is cut; nothing is sent."""
    if not joined():
        return value
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(weight, DTensor):
        return value
    mesh = weight.device_mesh
    return distribute_tensor(value.to(weight.device), mesh, weight.placements, src_data_rank=None)


def add(weight: Tensor, value: Tensor) -> None:
    """Add a whole tensor to a weight, in place."""
    weight.add_(like(weight, value))


def put(weight: Tensor, value: Tensor) -> None:
    """Give a weight the values of a whole tensor, in place."""
    weight.copy_(like(weight, value))


# ---------------------------------------------------------------- steps


def backward(loss: Tensor, *, counted: bool = True) -> None:
    """Add a loss's gradient to that of all the processes' losses; one that is not counted adds nothing.

    Gradients are averaged over the processes, and a sum is wanted. Where an update has fewer steps than there are
    processes the others go along, since splitting takes part in every backward pass.
    """
    (loss * (size() if counted else 0) if joined() else loss).backward()


def share_gradients(weights: Iterable[Tensor]) -> None:
    """The mean over the processes of what was not split: adapters, of which each has its own copy, alike in all."""
    if not joined():
        return
    from torch.distributed.tensor import DTensor

    for weight in weights:
        if weight.grad is not None and not isinstance(weight, DTensor):
            distributed.all_reduce(weight.grad)
            weight.grad /= size()


def seed(number: int, step: int) -> None:
    """Random numbers of one update: of the seed, the step and the process, so that a run can go on from any step."""
    if joined():
        key = hashlib.blake2b(f"{number}:{step}:{rank()}".encode(), digest_size=4).digest()
        torch.manual_seed(int.from_bytes(key))
