"""`patch make`: what changed between two models, block by block, in the memory of one block."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import IO, Any

import numpy as np

from unlearning_engine.catalog import METHODS
from unlearning_engine.contracts import Guarantee, canonical
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.patches import blocks
from unlearning_engine.patches.folders import new_folder, read_config, surroundings
from unlearning_engine.patches.manifest import KIND, MANIFEST, PAYLOAD, SCHEMA, seal
from unlearning_engine.patches.weights import Place, Ranges, Weights
from unlearning_engine.progress import Report, silent
from unlearning_engine.trees import hash_file

_SHOWN = 10


def make(
    base: str | Path,
    model: str | Path,
    out: str | Path,
    *,
    result: str | Path = "",
    public: bool = False,
    report: Report = silent,
) -> dict[str, Any]:
    """Write the patch that leads from `base` to `model` into the new folder `out`; returns its manifest.

    Args:
        result: the result.json of the run that made `model`, or its folder: method, guarantee and spec go in.
        public: the patch may be given to anyone. Base and patch together tell what was removed.

    Raises:
        DataError: a model is missing or damaged; they differ in names, shapes, types or architecture, or not at all;
            the result is not that of this model.
        ConfigError: the result is of no unlearning.
        StorageError: the disk is full; nothing is left at `out`.
    """
    before, after = Weights(base), Weights(model)
    _comparable(before, after)
    beside, run = surroundings(before.folder), _run(result)
    with new_folder(out) as scratch, before.ranges() as old, after.ranges() as new:
        maker = _Maker(before, after, old, new)
        maker.all_tensors(scratch / "body", report)
        _finish(scratch, maker.places)
        entry = hash_file(scratch / PAYLOAD)
        weights = maker.digests()
        if not maker.tensors:
            raise DataError(f"{model}: has the weights of {base} ({weights[0]}); there is nothing to ship")
        if run and run.pop("weights") not in (None, weights[1]):
            raise DataError(f"{result}: is not the result of {model} (whose weights are {weights[1]}); give its own")
        manifest = seal(
            {
                "kind": KIND,
                "schema": SCHEMA,
                "confidential": not public,
                "base": {"weights": weights[0], **beside},
                "result": {"weights": weights[1]},
                "run": run,
                "payload": {"file": PAYLOAD, "sha256": f"sha256:{entry.sha256}", "bytes": entry.size},
                "summary": maker.summary(before),
                "tensors": maker.tensors,
            }
        )
        (scratch / MANIFEST).write_bytes(canonical(manifest))
    return manifest


class _Maker:
    """Goes through two models of one form tensor by tensor, in the order of a weights digest."""

    def __init__(self, before: Weights, after: Weights, old: Ranges, new: Ranges) -> None:
        self._sides = ((before, old), (after, new))
        self._whole = (hashlib.sha256(), hashlib.sha256())
        self.tensors: list[dict[str, Any]] = []
        #: Name and size of each stream, in the order in which they were written.
        self.places: list[tuple[str, int]] = []
        self._changed = 0

    def all_tensors(self, path: Path, report: Report) -> None:
        """Write what every tensor needs, one after the other, into one file."""
        names = sorted(self._sides[0][0].tensors)
        with path.open("wb") as body:
            for number, name in enumerate(names):
                self.tensor(name, body)
                report({"event": "progress", "stage": "make", "step": number + 1, "total": len(names)})

    def tensor(self, name: str, body: IO[bytes]) -> None:
        """Compare one tensor and write the streams of its blocks."""
        places = [weights.tensors[name] for weights, _ in self._sides]
        own = (hashlib.sha256(), hashlib.sha256())
        for state, place in zip(self._whole, places, strict=True):
            state.update(place.head(name))
        found: list[dict[str, Any]] = []
        for start, count in blocks.spans(places[0].shape):
            pair = [self._read(number, places[number], start, count) for number in (0, 1)]
            for data, *states in zip(pair, self._whole, own, strict=True):
                for state in states:
                    state.update(data)
            block = self._block(places[0], pair)
            if block:
                for stream, packed in block.streams.items():
                    self.places.append((f"{len(self.tensors)}.{len(found)}.{stream}", len(packed)))
                    body.write(packed)
                found.append({"start": start, "count": count, **block.entry})
        if found:
            entry = {"name": name, "dtype": places[0].dtype, "shape": list(places[0].shape), "blocks": found}
            self.tensors.append({**entry, **_named(own)})

    def _read(self, side: int, place: Place, start: int, count: int) -> bytearray:
        return self._sides[side][1].read(place.file, place.offset + start * place.width, count * place.width)

    def _block(self, place: Place, pair: list[bytearray]) -> blocks.Encoded | None:
        if pair[0] == pair[1]:
            return None
        old, new = (blocks.view(data, place.width) for data in pair)
        self._changed += int(np.count_nonzero(old != new))
        return blocks.encode(old, new, dtype=place.dtype, row=blocks.row_of(place.shape))

    def digests(self) -> tuple[str, str]:
        """Weights digests of both models, once all tensors were seen."""
        named = _named(self._whole)
        return named["base"], named["result"]

    def summary(self, base: Weights) -> dict[str, int]:
        """How much of the model is touched."""
        return {
            "tensors": len(base.tensors),
            "touched": len(self.tensors),
            "values_changed": self._changed,
            "model_bytes": base.size,
        }


def _named(states: tuple[Any, Any]) -> dict[str, str]:
    return {name: "sha256:" + state.hexdigest() for name, state in zip(("base", "result"), states, strict=True)}


def _finish(scratch: Path, places: list[tuple[str, int]]) -> None:
    """Put the header before the streams, whose sizes are known only now."""
    header: dict[str, Any] = {"__metadata__": {"format": KIND}}
    at = 0
    for name, size in places:
        header[name] = {"dtype": "U8", "shape": [size], "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    body = scratch / "body"
    with (scratch / PAYLOAD).open("wb") as out, body.open("rb") as source:
        out.write(len(text).to_bytes(8, "little") + text)
        shutil.copyfileobj(source, out, 2**20)
    body.unlink()


def _comparable(before: Weights, after: Weights) -> None:
    """Raises DataError where two models are not of one form, with every difference that there is room for."""
    configs = read_config(before.folder), read_config(after.folder)
    # A newer library writes more fields: only those that both have can disagree.
    other = sorted(name for name in configs[0].keys() & configs[1].keys() if configs[0][name] != configs[1][name])
    problems = [f"config.json: {n} is {configs[1][n]!r}, in the base {configs[0][n]!r}" for n in other]
    problems += [f"{name}: is missing" for name in sorted(before.tensors.keys() - after.tensors.keys())]
    problems += [f"{name}: is not in the base" for name in sorted(after.tensors.keys() - before.tensors.keys())]
    for name in sorted(before.tensors.keys() & after.tensors.keys()):
        old, new = before.tensors[name], after.tensors[name]
        if (old.dtype, old.shape) != (new.dtype, new.shape):
            forms = [f"{place.dtype} {list(place.shape)}" for place in (new, old)]
            problems.append(f"{name}: is {forms[0]}, in the base {forms[1]}")
    if problems:
        more = [f"and {len(problems) - _SHOWN} more differences"] if len(problems) > _SHOWN else []
        raise DataError(
            [f"{after.folder}: {problem}" for problem in problems[:_SHOWN] + more]
            + ["a patch joins two models of one architecture and type; save both with the same library and dtype"]
        )


def _run(result: str | Path) -> dict[str, Any] | None:
    """What a run's result says about itself, with the digest of the weights that it wrote."""
    if not result:
        return None
    from unlearning_engine.runner import read_result

    path = Path(result)
    found = read_result(path if path.is_dir() else path.parent)
    method = found.metrics.get("method")
    if found.verb != "unlearn" or not isinstance(method, str) or method not in METHODS:
        raise ConfigError(f"{result}: is no result of an unlearning; leave --result out, or give that of `unlearn`")
    claim = found.metrics.get("claim")
    # A lineage whose claim is narrower than its method's best may not be called exact.
    narrow = isinstance(claim, dict) and claim.get("code") != "exact"
    guarantee = Guarantee.APPROXIMATE if narrow else METHODS[method].guarantee
    weights = found.metrics.get("weights_digest")
    return {"method": method, "guarantee": str(guarantee), "spec": found.spec_digest, "weights": weights}
