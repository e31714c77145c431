"""The folder of a lineage: who trained what on which records, slice by slice, named by digest.

    lineage.json                        configuration, components, shards, history; its digest names the lineage
    shards/shard-00/shard.json          manifest of one shard: a `SliceManifest` per slice, digest of the weights
    shards/shard-00/slice-01/           state.safetensors (weights, optimiser moments, generator state), state.json
    shards/shard-00/model/              final weights as safetensors, for the workload's own loader
    data/shard-00/slice-01.*            the rows; may be purged, then nothing can be replayed
    tokenizer/                          of a language model
    commitments.json, private/key       salted commitments to every row, and the key of their salts

Folders count from 0 for shards and from 1 for slices. Files are never changed in place, so that a successor may share
them by hard link.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unlearning_engine.checkpoints import TENSORS, file_digest
from unlearning_engine.configs import problems
from unlearning_engine.contracts import digest
from unlearning_engine.errors import DataError

SCHEMA = 1
FOLDER, META, MANIFEST = "lineage", "lineage.json", "shard.json"


@dataclass(frozen=True, kw_only=True)
class SliceManifest:
    """One stage. Digests read `sha256:<hex>`; `start` is the checkpoint before it, empty in the first slice.

    `records` are the slice's own, `cumulative` those that the stage trained on; `passes` are samples seen in
    training. `data` names the cumulative rows (ids, subjects and contents), `order` their sequence in training. A
    stage before the shard's first record has nothing to train on, and no checkpoint.
    """

    slice: int
    records: int
    cumulative: int
    passes: int
    steps: int
    seed: int
    data: str
    order: str
    start: str
    checkpoint: str
    fingerprint: dict[str, str]

    @property
    def identity(self) -> str:
        """Digest of what the stage is to be, whatever came out."""
        names = ("slice", "seed", "data", "order", "start")
        return digest({name: getattr(self, name) for name in names})


@dataclass(frozen=True, kw_only=True)
class ShardManifest:
    """One shard: its stages in order, and the digest of its final weights (file digest of model.safetensors)."""

    shard: int
    slices: list[SliceManifest]
    weights: str

    @property
    def counts(self) -> list[int]:
        """Records by slice."""
        return [s.records for s in self.slices]

    def to_json(self) -> dict[str, Any]:
        """As `shard.json` holds it."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, kw_only=True)
class Meta:
    """`lineage.json`. `shards` maps a shard's number, as text, to the digest of its manifest and its counts.

    `history` has one entry per deletion, oldest first: counts, retrained stages, digest of the lineage before.
    """

    method: str
    kind: str
    seed: int
    threads: int
    config: dict[str, Any]
    facts: dict[str, Any]
    components: list[dict[str, Any]]
    shards: dict[str, dict[str, Any]]
    history: list[dict[str, Any]] = field(default_factory=list)
    schema: int = SCHEMA

    @property
    def digest(self) -> str:
        """The lineage's name."""
        return digest(dataclasses.asdict(self))

    @property
    def counts(self) -> list[list[int]]:
        """Records by shard and slice; a shard that was emptied has zeros."""
        slices = int(self.config["slices"])
        rows = {int(name): list(entry["counts"]) for name, entry in self.shards.items()}
        return [rows.get(shard, [0] * slices) for shard in range(int(self.config["shards"]))]


class Lineage:
    """A lineage's folder, read."""

    def __init__(self, folder: str | Path) -> None:
        """Open `folder`, or the lineage inside a job's folder.

        Raises:
            DataError: there is none, or its lineage.json is damaged.
        """
        given = Path(folder).resolve()  # what lies beside it is found from within it, and through a link, too
        self.root = given if (given / META).is_file() else given / FOLDER
        self.meta = _read_meta(self.root / META)

    @property
    def shards(self) -> list[int]:
        """Numbers of the shards that have records."""
        return sorted(int(name) for name in self.meta.shards)

    def manifest(self, shard: int) -> ShardManifest:
        """Manifest of one shard, checked against lineage.json.

        Raises:
            DataError: missing, damaged or altered.
        """
        found = read_manifest(shard_folder(self.root, shard))
        if digest(found.to_json()) != self.meta.shards[str(shard)]["manifest"]:
            raise DataError(f"{shard_folder(self.root, shard)}: the manifest was altered; restore the lineage's folder")
        return found

    def problems(self, shard: int, *, upto: int | None = None) -> list[str]:
        """What is missing or altered among a shard's files: checkpoints of the first `upto` slices, or everything."""
        try:
            manifest = self.manifest(shard)
        except DataError as error:
            return list(error.messages)
        folder = shard_folder(self.root, shard)
        stages = [s for s in manifest.slices[:upto] if s.checkpoint]
        wanted = {slice_folder(self.root, shard, s.slice) / TENSORS: s.checkpoint for s in stages}
        if upto is None:
            wanted[folder / "model" / weights_file(folder / "model")] = manifest.weights
        return [fault for path, expected in wanted.items() if (fault := _fault(path, expected))]


def _fault(path: Path, expected: str) -> str:
    if not path.is_file():
        return f"{path}: is missing; restore it, or train the lineage again"
    if file_digest(path) != expected:
        return f"{path}: was altered (its SHA-256 is not the manifest's); restore it, or train the lineage again"
    return ""


# ---------------------------------------------------------------- places in the folder


def shard_folder(root: Path, shard: int) -> Path:
    """Folder of one shard."""
    return root / "shards" / f"shard-{shard:02d}"


def slice_folder(root: Path, shard: int, number: int) -> Path:
    """Checkpoint after one slice (from 0)."""
    return shard_folder(root, shard) / f"slice-{number + 1:02d}"


def data_path(root: Path, shard: int, number: int) -> Path:
    """File of a slice's rows, without its suffix."""
    return root / "data" / f"shard-{shard:02d}" / f"slice-{number + 1:02d}"


def belongs_to(shard: int) -> Callable[[str], bool]:
    """Whether a file of a lineage, by its path in the folder, is needed to train that shard again."""
    own = tuple(
        str(path.relative_to(".")) + "/" for path in (shard_folder(Path(), shard), data_path(Path(), shard, 0).parent)
    )
    return lambda name: name in (META, "data/index.json") or name.startswith(("tokenizer/", *own))


def weights_file(folder: Path) -> str:
    """Name of the file with a shard's final weights."""
    return "adapter_model.safetensors" if (folder / "adapter_config.json").is_file() else "model.safetensors"


# ---------------------------------------------------------------- files


def write_json(path: Path, value: Mapping[str, Any], *, indent: int | None = 1) -> None:
    """JSON, whole or not at all; `indent` None for what is long and nobody reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    with draft.open("w", encoding="utf-8") as out:
        out.write(json.dumps(value, indent=indent, sort_keys=True, allow_nan=False) + "\n")
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)


def _read_meta(path: Path) -> Meta:
    try:
        data = json.loads(path.read_bytes())
        schema = data.get("schema")
        if schema != SCHEMA:
            raise DataError(f"{path}: has schema {schema!r}; this engine reads {SCHEMA}: use the version that wrote it")
        meta = Meta(**data)
        if wrong := problems(meta):
            raise DataError([f"{path}: {problem}; restore it" for problem in wrong])
        for name, entry in meta.shards.items():
            int(name), str(entry["manifest"]), str(entry["weights"]), [int(count) for count in entry["counts"]]
        for entry in meta.history:
            int(entry["records"]), int(entry["passes"]), str(entry["parent"]), dict(entry["first_slices"])
    except FileNotFoundError as error:
        raise DataError(
            f"{path}: there is no lineage here; give the folder of a training with --method sisa"
        ) from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{path}: is no readable lineage ({error!r}); give the folder of a training, or restore it"
        ) from error
    return meta


def read_manifest(folder: Path) -> ShardManifest:
    """The manifest in a shard's folder.

    Raises:
        DataError: missing or damaged.
    """
    path = folder / MANIFEST
    try:
        data = json.loads(path.read_bytes())
        return ShardManifest(**{**data, "slices": [SliceManifest(**entry) for entry in data["slices"]]})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path}: is missing or damaged ({error}); restore the lineage's folder") from error


def share(source: Path, target: Path) -> None:
    """Give `target` the files of the folder `source`: by hard link where the disk can, else by copy."""
    for path in sorted(p for p in source.rglob("*") if p.is_file()):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        try:
            os.link(path, place)
        except OSError:
            place.write_bytes(path.read_bytes())


def data_digest(ids: Sequence[str], subjects: Sequence[str], contents: Sequence[str]) -> str:
    """`sha256:<hex>` over rows, whatever their order: ids, subjects and digests of contents."""
    return digest(sorted(zip(ids, subjects, contents, strict=True)))
