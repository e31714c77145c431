"""`patch apply` and `patch rollback`: a model's tensors through a chain of patches, in the memory of one tensor.

One pass: tensors are read in the order of a weights digest, moved, checked, and written to where the model's own layout
has them, while both digests are taken. The folder appears under its name only when both are those of the patches.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from unlearning_engine.errors import DataError, EngineError
from unlearning_engine.patches import blocks
from unlearning_engine.patches.folders import copy_beside, new_folder, surroundings
from unlearning_engine.patches.manifest import Altered, Patch
from unlearning_engine.patches.streams import UNSIGNED, Malformed
from unlearning_engine.patches.weights import INDEX, Place, Ranges, Weights, chunks
from unlearning_engine.progress import Report, silent


@dataclass(frozen=True)
class Applied:
    """What came of it: digests of the weights before and after, and what a person should know."""

    before: str
    after: str
    notes: tuple[str, ...] = ()


def apply(
    base: str | Path, patches: Sequence[str | Path], out: str | Path, *, back: bool = False, report: Report = silent
) -> Applied:
    """Lay patches on the model in `base`, in the order given, and write the result into the new folder `out`.

    Args:
        back: take the patches off instead, in the order given: the newest first.

    Raises:
        DataError: a folder is missing or damaged, the model is another than the first patch's (both digests are
            named), or the order is wrong (the one that works is named).
        Altered: a patch is not what its manifest says.
        StorageError: the disk is full; nothing is left at `out`.
    """
    chain = [Patch(folder) for folder in patches]
    check_order(chain, back=back)
    weights = Weights(base)
    try:
        with new_folder(out) as scratch:
            writer = Writer(weights, scratch)
            done = walk(weights, chain, back=back, writer=writer, report=report)
            copy_beside(weights.folder, scratch)
            if (weights.folder / INDEX).is_file():
                (scratch / INDEX).write_bytes((weights.folder / INDEX).read_bytes())
    except Other as error:
        raise DataError(other_base(weights, chain[0], back=back)) from error
    return Applied(*done, tuple(_notes(weights.folder, chain[-1 if back else 0])))


class Other(EngineError):
    """A tensor of the model is not the one that the first patch needs: no reason yet to read all the others."""


def check_order(chain: Sequence[Patch], *, back: bool) -> None:
    """Whether each patch begins where the one before ends.

    Raises:
        DataError: naming the order that would work, or that there is none.
    """
    if not chain:
        raise DataError("no patch is given")
    broken = [
        f"{second.folder}: needs the weights {second.wanted(back=back)}, and {first.folder} leaves "
        f"{first.made(back=back)}"
        for first, second in zip(chain, chain[1:], strict=False)
        if first.made(back=back) != second.wanted(back=back)
    ]
    if broken:
        order = _order(list(chain), back=back)
        advice = " ".join(str(patch.folder) for patch in order)
        raise DataError([*broken, f"the order that works: {advice}" if order else "these patches are no chain"])


def _order(rest: list[Patch], *, back: bool, at: str = "") -> list[Patch]:
    """An order in which all of them fit; empty where there is none."""
    for number, patch in enumerate(rest):
        if not at or patch.wanted(back=back) == at:
            others = rest[:number] + rest[number + 1 :]
            found = _order(others, back=back, at=patch.made(back=back))
            if found or not others:
                return [patch, *found]
    return []


def other_base(weights: Weights, patch: Patch, *, back: bool) -> str:
    """What to say of a model that a patch does not belong to."""
    found, wanted = weights.digest(), patch.wanted(back=back)
    hint = "give the model that it was made on"
    if found == patch.made(back=back):
        hint = "it is taken off already" if back else "it is applied already"
    elif found == wanted:
        return f"{patch.folder}: was altered (its tensors are not those of {weights.folder}); get the patch again"
    return f"{weights.folder}: has the weights {found}; the patch {patch.folder} is for {wanted}: {hint}"


def _notes(folder: Path, patch: Patch) -> list[str]:
    said, found = patch.manifest["base"], surroundings(folder)
    return [
        f"{folder}: its {name} is not the one that {patch.folder} was made with ({found[name]}, not {said[name]})"
        for name in ("config", "tokenizer")
        if said[name] and found[name] != said[name]
    ]


class Writer:
    """Files of one layout with other values: the headers are the model's own, to the byte."""

    def __init__(self, weights: Weights, folder: Path) -> None:
        self._open: dict[str, int] = {}
        self._folder = folder
        with weights.ranges() as ranges:
            for file in weights.files:
                (folder / file).write_bytes(ranges.read(file, 0, weights.heads[file]))

    def write(self, file: str, offset: int, data: bytearray | memoryview) -> None:
        """Write bytes at their place."""
        if file not in self._open:
            self._open[file] = os.open(self._folder / file, os.O_WRONLY)
        view = memoryview(data)
        while view:
            written = os.pwrite(self._open[file], view, offset)
            view, offset = view[written:], offset + written

    def close(self) -> None:
        """Close the files."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()


@dataclass
class _Walk:
    """One pass over a model. `payloads` reads each patch's folder, `digests` are those before and after."""

    weights: Weights
    chain: Sequence[Patch]
    back: bool
    reader: Ranges
    payloads: list[Ranges]
    writer: Writer | None
    digests: tuple[Any, Any]

    def tensor(self, name: str, place: Place) -> None:
        """Move one tensor, or pass it on."""
        before, after = self.digests
        for state in self.digests:
            state.update(place.head(name))
        touching = [pair for pair in zip(self.chain, self.payloads, strict=True) if name in pair[0].tensors]
        if touching:
            data = np.frombuffer(self.reader.read(place.file, place.offset, place.size), np.uint8)
            before.update(data.data)
            for patch, ranges in touching:
                self._move(name, place, data, patch, ranges)
            after.update(data.data)
            if self.writer:
                self.writer.write(place.file, place.offset, data.data)
            return
        for offset, part in chunks(self.reader, place):
            before.update(part)
            after.update(part)
            if self.writer:
                self.writer.write(place.file, offset, part)

    def _move(self, name: str, place: Place, data: npt.NDArray[np.uint8], patch: Patch, ranges: Ranges) -> None:
        """Take a tensor's bytes through one patch, in place, and hold both ends against the manifest."""
        _, tensor = patch.tensors[name]
        ends = ("result", "base") if self.back else ("base", "result")
        if _sha(data) != tensor[ends[0]]:
            if patch is self.chain[0]:
                raise Other(name)
            raise Altered(f"{patch.folder}: {name} does not begin where the patch before ends; get the patches again")
        values = data.view(np.dtype(UNSIGNED[place.width]).newbyteorder("<"))
        try:
            for block, streams in patch.blocks(name, ranges):
                part = slice(block["start"], block["start"] + block["count"])
                own = values[part].astype(UNSIGNED[place.width], copy=False)
                values[part] = blocks.move(own, block, streams, place.dtype, back=self.back)
        except Malformed as error:
            raise patch.malformed(name, error) from error
        if _sha(data) != tensor[ends[1]]:
            raise Altered(f"{patch.folder}: does not make the {name} that its manifest names; get the patch again")


def _sha(data: npt.NDArray[np.uint8]) -> str:
    return "sha256:" + hashlib.sha256(data.data).hexdigest()


def walk(
    weights: Weights, chain: Sequence[Patch], *, back: bool, writer: Writer | None = None, report: Report = silent
) -> tuple[str, str]:
    """Read a model, move it through the patches and write it; returns its digest before and after.

    Raises:
        Other: the model is not the first patch's.
        Altered: what comes out is not what a manifest says.
    """
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(weights.ranges())
        payloads = [stack.enter_context(Ranges(patch.folder)) for patch in chain]
        if writer:
            stack.callback(writer.close)
        _same_form(weights, chain)
        states = (hashlib.sha256(), hashlib.sha256())
        one = _Walk(weights, chain, back, reader, payloads, writer, states)
        for number, (name, place) in enumerate(sorted(weights.tensors.items())):
            one.tensor(name, place)
            report({"event": "progress", "stage": "move", "step": number + 1, "total": len(weights.tensors)})
    found = ["sha256:" + state.hexdigest() for state in states]
    if found[0] != chain[0].wanted(back=back):
        raise Other("weights")
    if found[1] != chain[-1].made(back=back):
        raise Altered(f"{chain[-1].folder}: leads to {found[1]}, not to {chain[-1].made(back=back)}; get it again")
    return found[0], found[1]


def _same_form(weights: Weights, chain: Sequence[Patch]) -> None:
    """Whether the model has the tensors that are touched, in type and shape: blocks are laid on nothing else."""
    for patch in chain:
        for name, (_, tensor) in patch.tensors.items():
            place = weights.tensors.get(name)
            if place is None or (place.dtype, list(place.shape)) != (tensor["dtype"], tensor["shape"]):
                raise Other(name)
