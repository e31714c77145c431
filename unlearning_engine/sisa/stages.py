"""One shard, slice after slice: every stage goes on from the one before and leaves a checkpoint.

A stage's seed, order, schedule and number of steps derive from the lineage's seed and the rows up to its slice.
So a deletion disturbs nothing before the record's slice, and what is trained after it is what a training
without the record would have been.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from unlearning_engine import checkpoints
from unlearning_engine.checkpoints import FACTS, TENSORS, file_digest
from unlearning_engine.contracts import digest
from unlearning_engine.errors import StorageError
from unlearning_engine.placement import epochs_per_slice
from unlearning_engine.progress import Report
from unlearning_engine.sisa.lineage import (
    MANIFEST,
    ShardManifest,
    SliceManifest,
    data_digest,
    shard_folder,
    slice_folder,
    weights_file,
    write_json,
)
from unlearning_engine.sisa.workload import Rows, Workload
from unlearning_engine.training import LoopConfig, run


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where and how stages are trained: the workload, the lineage's seed and folder, a folder for running state."""

    workload: Workload
    seed: int
    slices: int
    root: Path
    scratch: Path
    fingerprint: dict[str, str]
    report: Report


def stage_seed(seed: int, shard: int, number: int | None = None) -> int:
    """Seed of a stage, or of a shard's first weights; below 2**31."""
    name = f"shard {shard}" if number is None else f"shard {shard} slice {number}"
    return int.from_bytes(hashlib.blake2b(name.encode(), key=f"{seed}".encode(), digest_size=4).digest()) >> 1


def in_order(rows: Rows) -> Rows:
    """The rows by id, so that nothing depends on the order of a file."""
    ids = rows.ids
    return rows.take(sorted(range(len(ids)), key=lambda at: ids[at]))


def train_shard(site: Site, shard: int, slices: Sequence[Rows], kept: Sequence[SliceManifest] = ()) -> ShardManifest:
    """Train a shard's slices after those in `kept`, whose checkpoints lie in the folder already.

    Args:
        slices: every slice's own rows, also of those kept.

    Raises:
        StorageError: the disk refused a checkpoint; those before it stay, and the same call goes on from them.
        DataError, DivergenceError, DeviceError: see `training.run`.
    """
    done = list(kept)
    model: Any = None
    for number in range(len(done), site.slices):
        if not any(len(part) for part in slices[: number + 1]):
            done.append(_nothing(number))
            continue
        stage = Stage(site, shard, slices[: number + 1], next((s for s in reversed(done) if s.checkpoint), None))
        if (found := stage.found()) is None:
            model = model or fresh(site, shard, slices)
            found = stage.train(model)
        done.append(found)
    folder = slice_folder(site.root, shard, done[-1].slice)
    if model is None:  # an earlier attempt left every stage
        model = fresh(site, shard, slices)
        checkpoints.restore_weights(model, checkpoints.read(folder)[1])
    return _finish(site, shard, done, model)


def fresh(site: Site, shard: int, slices: Sequence[Rows]) -> Any:
    """The shard's model before its first stage."""
    first = next(part for part in slices if len(part))
    return site.workload.build(stage_seed(site.seed, shard), in_order(first))


class Stage:
    """One stage: what it is to be, and how it is trained or found."""

    def __init__(self, site: Site, shard: int, slices: Sequence[Rows], start: SliceManifest | None) -> None:
        number, rows = len(slices) - 1, in_order(site.workload.concat(slices))
        self.site, self.shard, self.number, self.rows, self.start = site, shard, number, rows, start
        self.records = len(slices[-1])
        self.folder = slice_folder(site.root, shard, number)
        self.data = data_digest(rows.ids, rows.subjects, rows.digests())
        self.seed = stage_seed(site.seed, shard, number)
        self.objective = site.workload.objective(
            rows, epochs=epochs_per_slice(site.workload.epochs, site.slices), seed=self.seed
        )
        self.order = self.objective.order_digest()
        self.identity = digest(
            {
                "facts": site.workload.facts(),
                "loop": _deciding(site.workload.loop),
                "order": self.order,
                "seed": [site.seed, shard, number],
                "data": self.data,
                "start": start.checkpoint if start else "",
                "fingerprint": site.fingerprint,
            }
        )

    def found(self) -> SliceManifest | None:
        """The manifest of a checkpoint that an earlier attempt left whole."""
        try:
            facts = json.loads((self.folder / FACTS).read_bytes())
            whole = facts["identity"] == self.identity and facts["tensors"] == file_digest(self.folder / TENSORS)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return self._manifest(facts) if whole else None

    def train(self, model: Any) -> SliceManifest:
        """Train, and leave the checkpoint."""
        site = self.site
        running = site.scratch / f"shard-{self.shard:02d}-slice-{self.number + 1:02d}-{self.identity[7:23]}"
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        run(
            model,
            self.objective,
            site.workload.loop,
            seed=self.seed,
            report=site.report,
            stage=f"shard {self.shard}, slice {self.number + 1} of {site.slices}",
            folder=running,
            identity=self.identity,
            start=slice_folder(site.root, self.shard, self.start.slice) if self.start else None,
            finish=self.folder,
        )
        shutil.rmtree(running, ignore_errors=True)
        return self._manifest(json.loads((self.folder / FACTS).read_bytes()))

    def _manifest(self, facts: dict[str, Any]) -> SliceManifest:
        return SliceManifest(
            slice=self.number,
            records=self.records,
            cumulative=len(self.rows),
            passes=self.objective.passes,
            steps=facts["step"],
            seed=self.seed,
            data=self.data,
            order=self.order,
            start=self.start.checkpoint if self.start else "",
            checkpoint=facts["tensors"],
            fingerprint=self.site.fingerprint,
        )


def _deciding(loop: LoopConfig) -> dict[str, Any]:
    """The loop's settings but when it saves, which changes no bit."""
    settings = dataclasses.asdict(loop)
    return {name: value for name, value in settings.items() if not name.startswith("checkpoint_")}


def _nothing(number: int) -> SliceManifest:
    """The stage before a shard's first record."""
    return SliceManifest(
        slice=number,
        records=0,
        cumulative=0,
        passes=0,
        steps=0,
        seed=0,
        data=data_digest([], [], []),
        order="",
        start="",
        checkpoint="",
        fingerprint={},
    )


def _finish(site: Site, shard: int, done: list[SliceManifest], model: Any) -> ShardManifest:
    """Save the final weights and the manifest, which is written last."""
    folder = shard_folder(site.root, shard)
    final, draft = folder / "model", folder / ".model.part"
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        site.workload.save(draft, model)
        shutil.rmtree(final, ignore_errors=True)
        draft.rename(final)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise StorageError(f"{final}: cannot be written ({error}); free space and run the job again") from error
    made = ShardManifest(shard=shard, slices=done, weights=file_digest(final / weights_file(final)))
    write_json(folder / MANIFEST, made.to_json())
    return made
