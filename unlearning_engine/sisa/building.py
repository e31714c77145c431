"""Lineages made from data: `train(spec, out, report)` writes `out/lineage`, and `out/model`, which is served."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlearning_engine import models
from unlearning_engine.contracts import TrainSpec, digest
from unlearning_engine.data import load_ids, raise_all
from unlearning_engine.errors import ConfigError
from unlearning_engine.progress import Report
from unlearning_engine.sisa import claims, commitments, parallel, source
from unlearning_engine.sisa.config import SisaConfig, read_config
from unlearning_engine.sisa.fingerprint import fingerprint, make_deterministic
from unlearning_engine.sisa.lineage import (
    FOLDER,
    MANIFEST,
    META,
    Meta,
    ShardManifest,
    shard_folder,
    share,
    write_json,
)
from unlearning_engine.sisa.replay import check_determinism
from unlearning_engine.sisa.stages import Site, train_shard
from unlearning_engine.sisa.workload import Component, Inputs, Workload

MODEL, RUNNING = "model", "checkpoints"


@dataclass(frozen=True, kw_only=True)
class Build:
    """A lineage while it is made."""

    method: str
    config: dict[str, Any]
    common: SisaConfig
    site: Site
    out: Path

    @property
    def root(self) -> Path:
        """The lineage's folder."""
        return self.site.root

    @property
    def workload(self) -> Workload:
        """What is trained."""
        return self.site.workload

    def assemble(
        self,
        shards: Mapping[int, ShardManifest],
        components: Sequence[Component],
        history: list[Any],
        lists: commitments.Lists,
    ) -> Meta:
        """Write the model that is served, commitments to the records, and lineage.json, last of all."""
        meta = Meta(
            method=self.method,
            kind=self.workload.kind,
            seed=self.site.seed,
            threads=int(self.site.fingerprint["threads"]),
            config=self.config,
            facts=self.workload.facts(),
            components=[dataclasses.asdict(c) for c in components],
            shards={
                str(shard): {"manifest": digest(made.to_json()), "weights": made.weights, "counts": made.counts}
                for shard, made in sorted(shards.items())
            },
            history=history,
        )
        self.workload.save_shared(self.root)
        self.workload.export(self.root, sorted(shards), self.out / MODEL)
        key = commitments.new_key(self.root)
        commitments.write(self.root, commitments.document(meta.digest, key, lists))
        write_json(self.root / META, dataclasses.asdict(meta))
        shutil.rmtree(self.out / RUNNING, ignore_errors=True)
        return meta


def site(
    workload: Workload, common: SisaConfig, *, seed: int, threads: int, device: str, out: Path, report: Report
) -> Site:
    """Where a lineage's stages are trained, with its own number of threads: another one adds in another order."""
    models.choose_threads(threads)
    where = str(models.choose_device(device))
    make_deterministic(where)
    return Site(
        workload=workload,
        seed=seed,
        slices=common.slices,
        root=out / FOLDER,
        scratch=out / RUNNING,
        fingerprint=fingerprint(where, workload.kind),
        report=report,
    )


def chosen(shard: int, shards: Sequence[int]) -> list[int]:
    """The shards that a job is to train: one, or all."""
    if shard < 0:
        return list(shards)
    if shard not in shards:
        raise ConfigError(
            f"spec.shard: {shard} is not trained here; the shards to train are {', '.join(map(str, shards))}"
        )
    return [shard]


def adopt(parts: Iterable[str], shard: int, root: Path) -> None:
    """Take over a shard from the job that trained it; its stages are checked like those of an earlier attempt."""
    for part in parts:
        for place in (Path(part) / FOLDER, Path(part)):
            found = shard_folder(place, shard)
            if (found / MANIFEST).is_file():
                share(found, shard_folder(root, shard))
                return


# ---------------------------------------------------------------- training


def train(spec: TrainSpec, out: str | Path, report: Report) -> dict[str, Any]:
    """Train every shard on its records, slice after slice.

    Raises:
        ConfigError: the configuration is wrong, or leaves shards empty.
        DataError, StorageError, DivergenceError, DeviceError: see `stages.train_shard`.
    """
    started = time.perf_counter()
    build = _open(spec, Path(out), report)
    placed = _placed(spec, build)
    todo = chosen(spec.shard, range(build.common.shards))
    parts = [*spec.parts, *parallel.train_apart(spec, todo, build.out, report)]
    made: dict[int, ShardManifest] = {}
    for shard in todo:
        adopt(parts, shard, build.root)
        made[shard] = train_shard(build.site, shard, placed.slices(shard, build.common.slices))
    measured: dict[str, Any] = {
        "method": spec.method,
        "records": len(placed.rows),
        "passes": sum(s.passes for m in made.values() for s in m.slices),
        "shards": {str(shard): m.weights for shard, m in made.items()},
    }
    if spec.shard < 0:
        measured |= _complete(build, placed, made)
    return {**measured, "seconds": time.perf_counter() - started}


def _open(spec: TrainSpec, out: Path, report: Report) -> Build:
    inputs = Inputs(tokenizer_text=spec.tokenizer_text, tokenizer=spec.tokenizer, base=spec.base, device=spec.device)
    data = dict(spec.config)
    if spec.method == "retrain" and "shards" not in data:
        data |= {"shards": 1, "slices": 1}
    common, workload = read_config(data, inputs)
    if spec.method == "retrain" and (common.shards, common.slices) != (1, 1):
        raise ConfigError("spec.config: retrain trains one shard in one slice; leave shards and slices out")
    data |= {"shards": common.shards, "slices": common.slices}
    # Never chosen by load: the same spec gives the same bits.
    threads = spec.threads or 1
    where = site(workload, common, seed=spec.seed, threads=threads, device=spec.device, out=out, report=report)
    return Build(method=spec.method, config=data, common=common, site=where, out=out)


def _placed(spec: TrainSpec, build: Build) -> source.Placed:
    """The records to train on, and the place of each."""
    common, rows = build.common, build.workload.load(spec.dataset)
    if spec.exclude_ids:
        excluded = load_ids(spec.exclude_ids)
        known = set(rows.ids)
        raise_all([f"record id {name!r} is not in the dataset" for name in excluded if name not in known])
        rows = source.without(rows, excluded)
    placed = source.Placed.by(common.placed(spec.seed), rows)
    empty = [shard for shard, row in enumerate(placed.counts(common.shards, common.slices)) if not sum(row)]
    if empty:
        raise ConfigError(
            f"spec.config.shards: {len(rows)} records leave {len(empty)} of {common.shards} shards empty "
            f"({', '.join(map(str, empty[:20]))}); take fewer shards"
        )
    return placed


def _complete(build: Build, placed: source.Placed, made: Mapping[int, ShardManifest]) -> dict[str, Any]:
    """The lineage around its shards: records, commitments, the model that is served, and what may be claimed."""
    key = commitments.new_key(build.root)
    lists: dict[int, list[list[str]]] = {}
    for shard in made:
        slices = placed.slices(shard, build.common.slices)
        lists[shard] = [commitments.commit(key, part) for part in slices]
        if build.common.keep_data:
            source.keep(build.root, build.workload, shard, slices)
    if build.common.keep_data:
        source.write_index(build.root, placed.index)
    first = min(made)
    start = {first: placed.slices(first, build.common.slices)}
    determinism = check_determinism(build.site, made, dict.fromkeys(made, 0), start)
    meta = build.assemble(made, build.workload.components(placed.rows), [], lists)
    return {"determinism": determinism, "lineage_digest": meta.digest, "claim": claims.claim(meta, made)}
