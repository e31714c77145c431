"""Lineages made from one before by deleting records: `unlearn(spec: UnlearnSpec, out, report)`.

Writes `out/lineage` and `out/model` like a training; every shard that lost no record is taken over as it is.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlearning_engine.contracts import UnlearnSpec
from unlearning_engine.data import load_ids, raise_all
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.placement import Place, deletion_cost
from unlearning_engine.progress import Report
from unlearning_engine.sisa import claims, commitments, parallel, source
from unlearning_engine.sisa.building import Build, adopt, chosen, site
from unlearning_engine.sisa.config import SisaConfig
from unlearning_engine.sisa.lineage import Lineage, ShardManifest, data_path, read_manifest, shard_folder, share
from unlearning_engine.sisa.purge import to_purge
from unlearning_engine.sisa.replay import check_determinism
from unlearning_engine.sisa.stages import train_shard
from unlearning_engine.sisa.structure import open_workload
from unlearning_engine.sisa.workload import Component, Rows


@dataclass(frozen=True, kw_only=True)
class _Deletion:
    """Which records go, where they lie, and the first stage of each shard that is trained again."""

    places: Mapping[str, Place]
    first: Mapping[int, int]


def _deletion(spec: UnlearnSpec, kept: source.Kept, lineage: Lineage) -> _Deletion:
    ids = load_ids(spec.forget_ids)
    if not ids:
        raise DataError(f"{spec.forget_ids}: names no record; there is nothing to forget")
    places = kept.locate(ids, strict=True)
    if spec.exclude_ids:
        places |= kept.locate(load_ids(spec.exclude_ids), strict=False)
    first: dict[int, int] = {}
    for place in places.values():
        first[place.shard] = min(place.slice, first.get(place.shard, place.slice))
    if spec.method == "retrain":
        first = dict.fromkeys(lineage.shards, 0)
    return _Deletion(places=places, first=first)


def unlearn(spec: UnlearnSpec, out: str | Path, report: Report) -> dict[str, Any]:
    """Delete records: each affected shard goes on from the checkpoint before its first affected slice.

    With the method `retrain`, every shard is trained from fresh weights; the result is the same.

    Raises:
        DataError: a record was never trained on; a checkpoint that is needed is missing or altered; nothing would
            be left.
        ConfigError: `spec.config` holds settings: a lineage's are fixed.
    """
    started = time.perf_counter()
    if spec.config:
        raise ConfigError("spec.config: a lineage's configuration is fixed; leave it out")
    lineage = Lineage(spec.lineage)
    build = _open(spec, lineage, Path(out), report)
    excluded = load_ids(spec.exclude_ids) if spec.exclude_ids else []
    kept = source.Kept(lineage, build.workload, build.common.placed(lineage.meta.seed), spec.dataset, excluded)
    deletion = _deletion(spec, kept, lineage)
    todo = chosen(spec.shard, sorted(deletion.first))
    _check_files(spec, lineage, deletion)
    slices = {shard: _remaining(lineage, kept, deletion, shard) for shard in todo}
    todo = [shard for shard in todo if any(len(part) for part in slices[shard])]
    if not todo and len(deletion.first) == len(lineage.shards):
        raise DataError(f"{spec.forget_ids}: names every record of the lineage; nothing would be left")
    parts = [*spec.parts, *parallel.train_apart(spec, todo, build.out, report)]
    made: dict[int, ShardManifest] = {}
    for shard in todo:
        adopt(parts, shard, build.root)
        made[shard] = _retrain(build, lineage, shard, slices[shard], deletion.first[shard])
    measured = _measures(spec, lineage, deletion, made)
    if spec.shard < 0:
        measured |= _succeed(build, lineage, kept, deletion, slices, made)
    return {**measured, "seconds": time.perf_counter() - started}


def _open(spec: UnlearnSpec, lineage: Lineage, out: Path, report: Report) -> Build:
    """The lineage's own configuration, seed and number of threads."""
    meta = lineage.meta
    common, workload = open_workload(lineage, base=spec.base, device=spec.device)
    where = site(workload, common, seed=meta.seed, threads=meta.threads, device=spec.device, out=out, report=report)
    return Build(method=meta.method, config=meta.config, common=common, site=where, out=out)


def _check_files(spec: UnlearnSpec, lineage: Lineage, deletion: _Deletion) -> None:
    """Whatever is taken over must be what the manifests name; a job for one shard has that shard's files alone."""
    shards = lineage.shards if spec.shard < 0 else [spec.shard]
    raise_all([p for shard in shards for p in lineage.problems(shard, upto=deletion.first.get(shard))])


def _remaining(lineage: Lineage, kept: source.Kept, deletion: _Deletion, shard: int) -> list[Rows]:
    """A shard's rows but those that go, once they were found to be what the checkpoints were trained on.

    Raises:
        DataError: rows or index were altered: what is to go might stay, or have been learned in another slice.
    """
    slices = kept.slices(shard)
    gone = {name: place.slice for name, place in deletion.places.items() if place.shard == shard}
    problems = [
        f"{lineage.root}: the records of shard {shard}, slice {stage.slice + 1} are not those that it was trained on; "
        "restore its data folder"
        for stage in lineage.manifest(shard).slices
        if source.named(slices[: stage.slice + 1]) != stage.data
    ]
    ids = [set(rows.ids) for rows in slices]
    problems += [
        f"{lineage.root / source.INDEX}: record id {name!r} is not in shard {shard}, slice {at + 1}; restore it"
        for name, at in gone.items()
        if name not in ids[at]
    ]
    raise_all(problems)
    return [source.without(rows, gone) for rows in slices]


def _retrain(build: Build, lineage: Lineage, shard: int, slices: Sequence[Rows], first: int) -> ShardManifest:
    """Take over the checkpoints before the first affected slice and train the rest."""
    before = lineage.manifest(shard).slices[:first]
    for manifest in before:
        name = f"slice-{manifest.slice + 1:02d}"
        if manifest.checkpoint:
            share(shard_folder(lineage.root, shard) / name, shard_folder(build.root, shard) / name)
    return train_shard(build.site, shard, slices, before)


def _succeed(
    build: Build,
    lineage: Lineage,
    kept: source.Kept,
    deletion: _Deletion,
    slices: Mapping[int, Sequence[Rows]],
    made: Mapping[int, ShardManifest],
) -> dict[str, Any]:
    """The whole successor: untouched shards and rows shared, the deletion in its history; and what may be claimed."""
    shards = dict(made)
    for shard in sorted(set(lineage.shards) - set(deletion.first)):
        share(shard_folder(lineage.root, shard), shard_folder(build.root, shard))
        shards[shard] = read_manifest(shard_folder(build.root, shard))
    if kept.from_folder:
        _keep_rows(build, lineage, kept, deletion, slices)
    determinism = check_determinism(build.site, made, deletion.first, slices)
    entry = {
        "parent": lineage.meta.digest,
        "records": len(deletion.places),
        "first_slices": {str(shard): number for shard, number in sorted(deletion.first.items())},
        "passes": _passes(deletion, made),
        "determinism": determinism,
    }
    components = [Component(**c) for c in lineage.meta.components]
    key = commitments.new_key(build.root, lineage.root)
    lists = commitments.inherit(lineage.root, key, sorted(shards), slices, kept.slices)
    meta = build.assemble(shards, components, [*lineage.meta.history, entry], lists)
    held = [dataclasses.asdict(file) for file in to_purge(lineage, Lineage(build.root))]
    return {
        "determinism": determinism,
        "lineage_digest": meta.digest,
        "claim": claims.claim(meta, shards),
        "to_purge": {"files": len(held), "bytes": sum(file["size"] for file in held), "entries": held},
    }


def _keep_rows(
    build: Build, lineage: Lineage, kept: source.Kept, deletion: _Deletion, slices: Mapping[int, Sequence[Rows]]
) -> None:
    """Share the files of rows, and write those of the slices that lost some anew."""
    hit = {(place.shard, place.slice) for place in deletion.places.values()}
    for shard in lineage.shards:
        share(data_path(lineage.root, shard, 0).parent, data_path(build.root, shard, 0).parent)
        changed = sorted(number for one, number in hit if one == shard)
        for path in (data_path(build.root, shard, number) for number in changed):
            path.with_name(path.name + build.workload.suffix).unlink(missing_ok=True)
        if shard in slices:
            source.keep(build.root, build.workload, shard, slices[shard], changed)
    source.write_index(build.root, {name: at for name, at in kept.index.items() if name not in deletion.places})


def _passes(deletion: _Deletion, made: Mapping[int, ShardManifest]) -> int:
    """Sample passes of the stages that were trained again."""
    return sum(s.passes for shard, m in made.items() for s in m.slices[deletion.first[shard] :])


def _measures(
    spec: UnlearnSpec, lineage: Lineage, deletion: _Deletion, made: Mapping[int, ShardManifest]
) -> dict[str, Any]:
    epochs = float(lineage.meta.config.get("epochs", SisaConfig().epochs))
    cost = deletion_cost(lineage.meta.counts, epochs, [list(deletion.places.values())])
    passes = _passes(deletion, made)
    return {
        "method": spec.method,
        "forgotten_records": len(deletion.places),
        "retrained": {str(shard): deletion.first[shard] + 1 for shard in made},
        "passes": passes,
        "analytic_passes": cost.passes,
        "retraining_passes": cost.retraining,
        "speed_up": cost.retraining / passes if passes else None,
        "shards": {str(shard): m.weights for shard, m in made.items()},
    }
