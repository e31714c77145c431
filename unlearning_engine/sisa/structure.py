"""Whether a lineage's folder is whole and agrees with itself: everything that can be checked without training.

Files against the digests in the manifests, manifests against lineage.json, the chain of checkpoints, counts and
digests of the records that are kept, their places, the commitments, and the served model against the shards'
weights. What was purged on purpose is told apart from what is missing.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from unlearning_engine.checkpoints import FACTS, TENSORS, file_digest
from unlearning_engine.contracts import digest
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.placement import Place
from unlearning_engine.sisa import commitments
from unlearning_engine.sisa.config import SisaConfig, read_config
from unlearning_engine.sisa.export import INCIDENTAL
from unlearning_engine.sisa.lineage import (
    META,
    Lineage,
    ShardManifest,
    data_digest,
    shard_folder,
    slice_folder,
    weights_file,
)
from unlearning_engine.sisa.purge import purged_paths
from unlearning_engine.sisa.source import INDEX, Kept
from unlearning_engine.sisa.stages import stage_seed
from unlearning_engine.sisa.workload import Inputs, Rows, Workload

MODEL = "model"
#: Files that a lineage consists of. Those of models and tokenizer are held against what makes them.
_OWN = re.compile(
    r"lineage\.json|commitments\.json|private/key|purged\.json|tokenizer/.+|data/index\.json"
    r"|data/shard-\d+/slice-\d+\.(jsonl|safetensors)"
    r"|shards/shard-\d+/(shard\.json|slice-\d+/state\.(json|safetensors)|model/.+)"
)
#: States of a finding; the first three make the lineage false, the others leave something undecided.
MISSING, ALTERED, FALSE, PURGED, UNCHECKED = "missing", "altered", "false", "purged", "unchecked"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is not as it should be, or could not be looked at. `where` is relative to the lineage."""

    where: str
    state: str
    detail: str

    @property
    def false(self) -> bool:
        """Whether it makes the lineage false."""
        return self.state in (MISSING, ALTERED, FALSE)


def open_workload(lineage: Lineage, *, base: str, device: str) -> tuple[SisaConfig, Workload]:
    """The lineage's configuration and workload, as its training had them.

    Raises:
        ConfigError: the base is missing.
        DataError: base or tokenizer are not those of the lineage.
    """
    tokenizer = lineage.root / "tokenizer"
    inputs = Inputs(tokenizer=str(tokenizer) if tokenizer.is_dir() else "", base=base, device=device)
    common, workload = read_config(lineage.meta.config, inputs, where=f"{lineage.root}: config")
    ours, theirs = json.loads(json.dumps(workload.facts())), lineage.meta.facts
    wrong = sorted(name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name))
    if wrong:
        raise DataError(
            f"{lineage.root}: {', '.join(wrong)} differ from what the lineage was trained with; "
            "restore its tokenizer, or name its own base with --base"
        )
    return common, workload


class Inspection:
    """One look at a lineage; `findings` and the number of things `checked` grow as its methods are called."""

    def __init__(self, lineage: Lineage) -> None:
        self.lineage, self.root = lineage, lineage.root
        self.findings: list[Finding] = []
        self.checked = 0
        self._purged = purged_paths(lineage.root)

    @property
    def failed(self) -> bool:
        """Whether something false was found."""
        return any(finding.false for finding in self.findings)

    def tell(self, where: str | Path, state: str, detail: str) -> None:
        """Note a finding."""
        self.findings.append(Finding(where=self._name(where), state=state, detail=detail))

    def _name(self, where: str | Path) -> str:
        return str(where.relative_to(self.root)) if isinstance(where, Path) else where

    def expect(self, true: bool, where: str | Path, detail: str, state: str = FALSE) -> None:
        """Note a finding unless `true`."""
        self.checked += 1
        if not true:
            self.tell(where, state, detail)

    def file(self, path: Path, expected: str) -> None:
        """A file with this digest."""
        if path.is_file():
            detail = "its SHA-256 is not the manifest's; restore it, or train the lineage again"
            self.expect(file_digest(path) == expected, path, detail, ALTERED)
        elif self._name(path) in self._purged:
            self.tell(path, PURGED, self._purged[self._name(path)])
        else:
            self.expect(False, path, "restore it, or train the lineage again", MISSING)

    # ------------------------------------------------------------ manifests and files

    def shards(self) -> dict[int, ShardManifest]:
        """Manifests and files of all shards; returns the manifests that are whole."""
        self.expect(bool(self.lineage.shards), META, "it has no shard, so that nothing can be shown")
        self._strangers()
        found = {}
        for shard in self.lineage.shards:
            try:
                manifest = self.lineage.manifest(shard)
            except DataError as error:
                where = shard_folder(self.root, shard) / "shard.json"
                self.expect(False, where, str(error), ALTERED if where.exists() else MISSING)
                continue
            found[shard] = manifest
            self._shard(manifest)
        return found

    def _shard(self, manifest: ShardManifest) -> None:
        shard, entry = manifest.shard, self.lineage.meta.shards[str(manifest.shard)]
        name = f"shard {shard}"
        slices = int(self.lineage.meta.config["slices"])
        self.expect(
            [s.slice for s in manifest.slices] == list(range(slices)), name, f"its stages are not 1 to {slices}"
        )
        self.expect(manifest.counts == entry["counts"], name, "its counts are not those of lineage.json")
        self.expect(manifest.weights == entry["weights"], name, "its weights are not those of lineage.json")
        before, seen = "", 0
        for stage in manifest.slices:
            where = f"shard {shard}, slice {stage.slice + 1}"
            seen += stage.records
            self.expect(stage.cumulative == seen, where, "its records do not add up")
            self.expect(bool(stage.checkpoint) == bool(seen), where, "it has records and no checkpoint, or the reverse")
            if not stage.checkpoint:
                continue
            self.expect(stage.start == before, where, "it does not begin with the checkpoint before it")
            seed = stage_seed(self.lineage.meta.seed, shard, stage.slice)
            self.expect(stage.seed == seed, where, "its seed is not the lineage's")
            before = stage.checkpoint
            folder = slice_folder(self.root, shard, stage.slice)
            self.file(folder / TENSORS, stage.checkpoint)
            if (folder / FACTS).is_file():
                facts = _json(folder / FACTS)
                right = (facts.get("tensors"), facts.get("step")) == (stage.checkpoint, stage.steps)
                self.expect(right, folder / FACTS, "it is not the manifest's; restore it", ALTERED)
            elif (folder / TENSORS).is_file():
                self.expect(False, folder / FACTS, "restore it, or train the lineage again", MISSING)
        folder = shard_folder(self.root, shard) / MODEL
        self.file(folder / weights_file(folder), manifest.weights)

    def _strangers(self) -> None:
        """Files of the lineage that nothing in it names: what they hold is not looked at."""
        for path in sorted(p for p in self.root.rglob("*") if not p.is_dir()):
            if not _OWN.fullmatch(self._name(path)):
                self.tell(path, UNCHECKED, "nothing in the lineage names this file; look at it, and delete it")

    # ------------------------------------------------------------ records

    def records(self, kept: Kept, common: SisaConfig, manifests: Mapping[int, ShardManifest]) -> None:
        """Counts, digests and places of the records that are kept or given, and their commitments."""
        placement = common.placed(self.lineage.meta.seed)
        key = commitments.read_key(self.root) if (self.root / commitments.KEY).is_file() else b""
        lists: dict[int, list[list[str]]] = {}
        for shard, manifest in manifests.items():
            try:
                slices = kept.slices(shard)
            except DataError as error:
                self.expect(False, f"data of shard {shard}", str(error), ALTERED)
                continue
            self._records(manifest, slices)
            for number, rows in enumerate(slices):
                places = [placement.place(*row) for row in zip(rows.ids, rows.subjects, rows.likelihoods, strict=True)]
                here = all(place == Place(shard, number) for place in places)
                indexed = all(kept.index.get(name) == Place(shard, number) for name in rows.ids)
                where = f"data of shard {shard}, slice {number + 1}"
                self.expect(here and indexed, where, "some records belong elsewhere", ALTERED)
            lists[shard] = [commitments.commit(key, rows) for rows in slices] if key else []
        if kept.from_folder:
            names = {name for shard in lists for rows in kept.slices(shard) for name in rows.ids}
            strange = sorted(name for name, at in kept.index.items() if at.shard in lists and name not in names)
            self.expect(not strange, INDEX, f"it names records that are not there ({', '.join(strange[:5])})", ALTERED)
        if not key and (self.root / commitments.FILE).is_file():
            self.tell(commitments.KEY, UNCHECKED, "without the key the commitments cannot be held against the records")
        whole = len(lists) == len(manifests)
        self.published(lists if key and whole else None, key)

    def _records(self, manifest: ShardManifest, slices: Sequence[Rows]) -> None:
        """The rows of one shard are those of its manifest."""
        ids, subjects, contents = list[str](), list[str](), list[str]()
        for stage, rows in zip(manifest.slices, slices, strict=True):
            where = f"data of shard {manifest.shard}, slice {stage.slice + 1}"
            self.expect(len(rows) == stage.records, where, f"{len(rows)} records, not {stage.records}", ALTERED)
            ids += rows.ids
            subjects += rows.subjects
            contents += rows.digests()
            right = data_digest(ids, subjects, contents) == stage.data
            self.expect(right, where, "the records are not those that it was trained on", ALTERED)

    def published(self, lists: commitments.Lists | None = None, key: bytes = b"") -> None:
        """commitments.json against the lineage, and against the records where these are there."""
        path = self.root / commitments.FILE
        if not path.is_file():
            self.tell(path, UNCHECKED, "the lineage has no commitments")
            return
        try:
            published = commitments.read(path)
        except DataError as error:
            self.expect(False, path, str(error), ALTERED)
            return
        meta = self.lineage.meta
        counts = {shard: [len(part) for part in parts] for shard, parts in commitments.lists_of(published).items()}
        expected = {int(shard): entry["counts"] for shard, entry in meta.shards.items()}
        self.expect(published["lineage"] == meta.digest, path, "it is of another lineage", ALTERED)
        self.expect(counts == expected, path, "its counts are not the lineage's", ALTERED)
        if lists is not None:
            right = published == commitments.document(meta.digest, key, lists)
            self.expect(right, path, "it is not made from these records and this key", ALTERED)

    # ------------------------------------------------------------ what is served

    def served(self, workload: Workload) -> None:
        """The model beside the lineage is the one that its shards make; passed over where a shard's files are false."""
        if any(f.false for f in self.findings if f.where.startswith("shards")):
            return
        folder = self.root.parent / MODEL
        if not folder.is_dir():
            if any(name.startswith(f"../{MODEL}/") for name in self._purged):
                self.tell(f"../{MODEL}", PURGED, "the served model was deleted")
            else:
                self.tell(
                    f"../{MODEL}", UNCHECKED, "what is served does not lie beside the lineage; nothing is said of it"
                )
            return
        if any(name.startswith("shards/") and f"/{MODEL}/" in name for name in self._purged):
            self.tell(f"../{MODEL}", PURGED, "weights that it was made from were purged")
            return
        with tempfile.TemporaryDirectory(prefix="lineage-") as scratch:
            made = Path(scratch) / MODEL
            try:
                workload.export(self.root, self.lineage.shards, made)
            except (DataError, ConfigError, OSError) as error:
                self.tell(f"../{MODEL}", UNCHECKED, f"it cannot be made again from the shards: {error}")
                return
            names = {str(p.relative_to(made)) for p in made.rglob("*") if p.is_file()}
            names |= {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
            for name in sorted(names):
                self._served(name, folder / name, made / name)

    def _served(self, name: str, ours: Path, made: Path) -> None:
        where = f"../{MODEL}/{name}"
        if not ours.is_file() and where in self._purged:
            self.tell(where, PURGED, self._purged[where])
        elif not ours.is_file():
            self.expect(False, where, "restore it, or train the lineage again", MISSING)
        elif not made.is_file():
            self.expect(False, where, "the shards make no such file")
        else:
            self.expect(same(ours, made), where, "it is not made from the shards of this lineage", ALTERED)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def same(one: Path, other: Path) -> bool:
    """Equal bytes; for weights equal tensors, for JSON equal values but for who wrote it when."""
    if file_digest(one) == file_digest(other):
        return True
    if one.suffix == ".json":
        left, right = ({k: v for k, v in _json(p).items() if k not in INCIDENTAL} for p in (one, other))
        return left == right and bool(left)
    return one.suffix == ".safetensors" and digest(list(tensor_digests(one))) == digest(list(tensor_digests(other)))


def tensor_digests(path: Path) -> Iterator[tuple[str, str]]:
    """Name and digest of each tensor of a file, by name; damaged files have none."""
    try:
        with safe_open(path, framework="pt") as tensors:
            for name in sorted(tensors.keys()):
                value = tensors.get_tensor(name).contiguous()
                state = hashlib.sha256(f"{value.dtype} {tuple(value.shape)} ".encode())
                state.update(value.view(-1).view(torch.uint8).numpy())
                yield name, state.hexdigest()
    except SafetensorError:
        yield str(path), "damaged"
