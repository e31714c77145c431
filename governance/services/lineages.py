"""Lineages in the artefact store: read, checked against the weights they claim to have made, and what deleting costs.

The layout is the engine's (`unlearning_engine.sisa.lineage`); only its JSON, and its weights as bytes, are read here.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from governance import dispatch
from governance.errors import Unfit
from governance.models import Job

META, INDEX, SCHEMA = "lineage.json", "data/index.json", 1
_NEEDED = {"method": str, "kind": str, "seed": int, "config": dict, "shards": dict, "history": list}
_SEED_END = 2**63


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """A lineage's tree in the store: `files` maps each path to its digest, `meta` is lineage.json."""

    ref: str
    files: Mapping[str, str]
    meta: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """The lineage's own name, as its successors record it."""
        return dispatch.digest(dict(self.meta))

    @property
    def slices(self) -> int:
        """Slices of a shard."""
        return int(self.meta["config"].get("slices", 2 if self.meta["method"] == "sisa" else 1))

    @property
    def epochs(self) -> float:
        """Passes of a training without slices."""
        return float(self.meta["config"].get("epochs", 12))

    @property
    def counts(self) -> list[list[int]]:
        """Records by shard and slice; a shard that was emptied has zeros."""
        found = {int(name): list(entry["counts"]) for name, entry in self.meta["shards"].items()}
        shards = max(int(self.meta["config"].get("shards", 0)), max(found, default=-1) + 1)
        return [found.get(shard, [0] * self.slices) for shard in range(shards)]

    @cached_property
    def index(self) -> Mapping[str, dispatch.Place]:
        """Place of each record, where the lineage keeps its records; else empty."""
        if INDEX not in self.files:
            return {}
        try:
            return dispatch.places_of(dispatch.read_json(self.files[INDEX]))
        except (ValueError, TypeError, AttributeError, dispatch.DataError) as error:
            raise Unfit(f"{self.ref}: {INDEX} is damaged ({error}); store the lineage again.") from error

    @property
    def keeps_records(self) -> bool:
        """Whether deleting needs no dataset."""
        return INDEX in self.files

    def places(self, ids: Iterable[str], dataset: str) -> dict[str, dispatch.Place]:
        """Place of each of these records that the lineage has; worked out anew where it keeps no records."""
        wanted = set(ids)
        if self.keeps_records:
            return {name: self.index[name] for name in sorted(wanted) if name in self.index}
        with dispatch.store().open(dataset) as lines:
            rows = [row for row in map(json.loads, lines) if row["id"] in wanted]
        place = self._placement().place
        return {
            row["id"]: place(row["id"], str(row.get("subject") or ""), float(row.get("likelihood") or 0.0))
            for row in rows
        }

    def _placement(self) -> dispatch.Placement:
        config = self.meta["config"]
        names = {"group": "group", "placement": "strategy", "likely_shards": "likely_shards", "threshold": "threshold"}
        given = {ours: config[theirs] for theirs, ours in names.items() if theirs in config}
        return dispatch.Placement(shards=len(self.counts), slices=self.slices, seed=int(self.meta["seed"]), **given)

    def checkpoint(self, shard: int, number: int) -> str:
        """Digest of the checkpoint after a slice (from 0); empty where the stage had nothing to train on."""
        return self.files.get(f"shards/shard-{shard:02d}/slice-{number + 1:02d}/state.safetensors", "")


def read(ref: str) -> Lineage:
    """The lineage under this name: what lineage.json says of it, in two reads however large it is.

    Raises:
        Unfit: not stored, no lineage, of another schema, or lineage.json is damaged.
    """
    try:
        files = dispatch.store().list_tree(ref) or {}
    except dispatch.DataError as error:
        raise Unfit(f"{ref} is not in the artefact store; put the lineage's folder there.") from error
    if META not in files:
        raise Unfit(f"{ref} holds no lineage.json; name the folder `lineage` that a training left behind.")
    try:
        meta = dispatch.read_json(files[META])
    except (ValueError, dispatch.DataError) as error:
        raise Unfit(f"{ref}: lineage.json is not JSON ({error}); store the lineage again.") from error
    if not isinstance(meta, dict) or meta.get("schema") != SCHEMA:
        found = meta.get("schema") if isinstance(meta, dict) else None
        raise Unfit(f"{ref}: lineage.json has schema {found!r}; this installation reads {SCHEMA}.")
    problems = [
        f"{name} is missing or no {kind.__name__}"
        for name, kind in _NEEDED.items()
        if not isinstance(meta.get(name), kind)
    ]
    if problems:
        raise Unfit(f"{ref}: lineage.json is damaged: {'; '.join(problems)}.")
    if not 0 <= meta["seed"] < _SEED_END or not meta["shards"]:
        raise Unfit(f"{ref}: lineage.json names no shard, or a seed that is out of range ({meta['seed']}).")
    return Lineage(ref=ref, files=files, meta=meta)


def check_whole(lineage: Lineage) -> None:
    """Every file is stored, and manifests and weights are those that lineage.json names.

    Raises:
        Unfit: with every problem.
    """
    if not dispatch.store().exists(lineage.ref):
        raise Unfit(f"{lineage.ref}: parts of the lineage are missing in the artefact store; store it again.")
    if problems := list(_contradictions(lineage.files, lineage.meta)):
        raise Unfit([f"{lineage.ref}: {problem}" for problem in problems])


def _contradictions(files: Mapping[str, str], meta: Mapping[str, Any]) -> Iterable[str]:
    for name, entry in sorted(meta["shards"].items()):
        folder = f"shards/shard-{int(name):02d}"
        manifest = files.get(f"{folder}/shard.json")
        if manifest is None:
            yield f"the manifest of shard {name} is missing; store the lineage again."
        elif dispatch.digest(dispatch.read_json(manifest)) != entry["manifest"]:
            yield f"the manifest of shard {name} is not the one that lineage.json names."
        if entry["weights"] not in {ref for path, ref in files.items() if path.startswith(f"{folder}/model/")}:
            yield f"the weights of shard {name} are missing, or are not the ones that lineage.json names."


def check_belongs(lineage: Lineage, artifact: str) -> None:
    """The weights are those that the lineage's shards ended with.

    Known from the job that made both; else every tensor of every shard is compared.

    Raises:
        Unfit: they are not, or nothing shows that they are.
    """
    if Job.objects.filter(summary__outputs__model=artifact, summary__outputs__lineage=lineage.ref).exists():
        return
    served = dispatch.store().list_tree(artifact) or {}
    problems = []
    for name, entry in sorted(lineage.meta["shards"].items()):
        if entry["weights"] in served.values():
            continue
        parts = [
            ref
            for path, ref in served.items()
            if path.startswith(f"shard-{int(name):02d}") and path.endswith(".safetensors")
        ]
        found = {key.partition(".")[2]: value for ref in parts for key, value in _tensors(ref).items()}
        if not found or found != _tensors(entry["weights"]):
            problems.append(f"the weights of shard {name} are not among the version's")
    if problems:
        raise Unfit(
            f"{lineage.ref} is not the lineage of {artifact}: {'; '.join(problems)}. Name the lineage that the same "
            "training left behind."
        )


def _tensors(ref: str) -> dict[str, str]:
    """Name of each tensor in a safetensors file to the digest of its type, shape and bytes."""
    with dispatch.store().open(ref) as file:
        try:
            (size,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(size))
            found = {}
            for name, entry in header.items():
                if name == "__metadata__":
                    continue
                start, end = entry["data_offsets"]
                file.seek(8 + size + start)
                state = hashlib.sha256(f"{entry['dtype']}{entry['shape']}".encode())
                state.update(file.read(end - start))
                found[name] = state.hexdigest()
        except (struct.error, ValueError, KeyError, TypeError) as error:
            raise Unfit(f"{ref} holds no readable safetensors weights ({error}); store the model again.") from error
    return found


def foresee(lineage: Lineage, requests: Sequence[Iterable[dispatch.Place]], *, method: str) -> dict[str, Any]:
    """What deleting these records in one pass takes, request by request, as a plan keeps it.

    `passes` are samples seen in training; `share` is of all that the lineage was trained with.
    """
    wanted = [list(places) for places in requests if places]
    if method == "retrain":
        first = {shard: 0 for shard, row in enumerate(lineage.counts) if sum(row)}
        cost = dispatch.deletion_cost(lineage.counts, lineage.epochs, wanted)
        passes = _whole(lineage, wanted)
    else:
        cost = dispatch.deletion_cost(lineage.counts, lineage.epochs, wanted)
        first, passes = dict(cost.first_slices), cost.passes
    return {
        "lineage": lineage.digest,
        "counts": lineage.counts,
        "first_slices": {str(shard): number for shard, number in sorted(first.items())},
        "records": sum(map(len, wanted)),
        "cases": len(wanted),
        "passes": round(passes, 3),
        "lineage_passes": round(cost.lineage, 3),
        "retraining_passes": round(cost.retraining, 3),
        "one_by_one_passes": round(cost.one_by_one, 3),
        "share": round(passes / cost.lineage, 6) if cost.lineage else 0.0,
    }


def _whole(lineage: Lineage, requests: Sequence[Sequence[dispatch.Place]]) -> float:
    """Passes of training every shard from fresh weights without these records."""
    counts = [list(row) for row in lineage.counts]
    for place in (place for places in requests for place in places):
        counts[place.shard][place.slice] -= 1
    return dispatch.deletion_cost(counts, lineage.epochs, []).lineage


def superseded(old: Lineage, new: Lineage) -> list[str]:
    """Digests of the old lineage's checkpoints that the new one has no more: those that the records may have shaped."""
    kept = set(new.files.values())
    gone = {ref for path, ref in old.files.items() if path.endswith("/state.safetensors") and ref not in kept}
    return sorted(gone)
