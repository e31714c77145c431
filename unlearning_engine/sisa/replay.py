"""Verify a lineage: is it whole, and does training a stage again give the very same bits?

A stage is trained again in a scratch folder from the checkpoint before it, on the records that are kept, with the
same seed and threads. Where each stage comes out identical, so does the whole chain, for each begins with the
checkpoint that the one before it left. What a difference means depends on the fingerprint: where code, libraries,
processor and threads are the same, the manifest is false; elsewhere it proves nothing.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from unlearning_engine import models
from unlearning_engine.checkpoints import TENSORS, file_digest
from unlearning_engine.contracts import digest
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.placement import Place
from unlearning_engine.progress import Report, silent
from unlearning_engine.sisa.config import SisaConfig
from unlearning_engine.sisa.descriptions import describe
from unlearning_engine.sisa.fingerprint import entries_that_differ, fingerprint, make_deterministic
from unlearning_engine.sisa.lineage import (
    Lineage,
    ShardManifest,
    SliceManifest,
    shard_folder,
    share,
    slice_folder,
    weights_file,
)
from unlearning_engine.sisa.purge import purged_paths
from unlearning_engine.sisa.source import INDEX, Kept
from unlearning_engine.sisa.stages import Site, Stage, fresh
from unlearning_engine.sisa.structure import ALTERED, PURGED, UNCHECKED, Inspection, open_workload, tensor_digests
from unlearning_engine.sisa.workload import Counted, Rows, Workload
from unlearning_engine.training import Step, run


class Outcome(StrEnum):
    """Of one stage's replay. Only DIFFERENT makes the lineage false; the last two leave it undecided."""

    IDENTICAL = "identical"
    DIFFERENT = "different"
    NOT_COMPARABLE = "not comparable"
    NOT_POSSIBLE = "not possible"


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """One stage, trained again: `detail` says what differed, or why nothing could be said."""

    shard: int
    slice: int
    outcome: Outcome
    detail: str = ""
    records: int = 0
    steps: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What `verify_lineage` found. `exit_code`: 0 all good, 1 something false, 3 something could not be decided.

    `stages` trained something; a verification of which `replayed` has fewer says nothing of the weights of the others.
    """

    lineage: str
    checked: int
    findings: list[dict[str, str]]
    replayed: list[dict[str, Any]]
    exit_code: int
    seconds: float
    stages: int
    fingerprint: dict[str, str] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether nothing was found to be false."""
        return self.exit_code != 1


def verify_lineage(
    folder: str | Path,
    *,
    only: Sequence[Place] | None = None,
    replay: bool = True,
    dataset: str = "",
    deleted: Sequence[str] = (),
    base: str = "",
    tokenizer_text: str = "",
    device: str = "",
    report: Report = silent,
) -> Verification:
    """Check the structure of a lineage, then train stages again and compare.

    Args:
        only: the stages to train again; None is all of them.
        dataset: the records, where the lineage does not keep them.
        deleted: ids in `dataset` that were deleted from the lineage before.
        base, tokenizer_text: the frozen base of adapters; what a language model's tokenizer was learnt from.
        device: empty takes the kind of device that the lineage was trained on.

    Raises:
        DataError: there is no readable lineage, or base, tokenizer, its text or dataset are not its own.
        ConfigError: a stage in `only` is not one of the lineage, the base is missing, or it learnt no tokenizer.
        StorageError, DeviceError: the scratch folder or the device refused; nothing is said about the lineage.
    """
    started = time.perf_counter()
    lineage = Lineage(folder)
    inspection = Inspection(lineage)
    manifests = inspection.shards()
    chosen = _stages(manifests, lineage, only)
    common, site = _site(lineage, manifests, base, device, report)
    kept = _kept(lineage, site.workload, common.placed(lineage.meta.seed), dataset, deleted, inspection)
    if kept:
        inspection.records(kept, common, manifests)
        describe(inspection, site, kept, manifests, tokenizer_text)
    else:
        inspection.published()
    inspection.served(site.workload)
    replayed = _replay_all(site, lineage, [(manifests[shard], s) for shard, s in chosen] if replay else [], kept)
    return Verification(
        lineage=lineage.meta.digest,
        checked=inspection.checked,
        findings=[dataclasses.asdict(f) for f in inspection.findings],
        replayed=[dataclasses.asdict(r) for r in replayed],
        exit_code=_exit_code(inspection, replayed),
        seconds=time.perf_counter() - started,
        stages=len(_stages(manifests, lineage, None)),
        fingerprint=site.fingerprint,
    )


def _site(
    lineage: Lineage, manifests: Mapping[int, ShardManifest], base: str, device: str, report: Report
) -> tuple[SisaConfig, Site]:
    """The lineage's configuration, and where it is trained again: as it was, but in no folder yet."""
    recorded = next((s.fingerprint for m in manifests.values() for s in m.slices if s.checkpoint), {})
    device = device or ("auto" if recorded.get("instructions", "").startswith("CUDA") else "cpu")
    models.choose_threads(lineage.meta.threads)
    common, workload = open_workload(lineage, base=base, device=device)
    place = str(models.choose_device(device))
    make_deterministic(place)
    site = Site(
        workload=workload,
        seed=lineage.meta.seed,
        slices=common.slices,
        root=Path(),
        scratch=Path(),
        fingerprint=fingerprint(place, workload.kind),
        report=report,
    )
    return common, site


def _exit_code(inspection: Inspection, replayed: Sequence[Replayed]) -> int:
    if any(f.false for f in inspection.findings) or any(r.outcome is Outcome.DIFFERENT for r in replayed):
        return 1
    if inspection.findings or not replayed:  # files that agree with each other show nothing of what made them
        return 3
    return 3 if any(r.outcome is not Outcome.IDENTICAL for r in replayed) else 0


def _stages(
    manifests: Mapping[int, ShardManifest], lineage: Lineage, only: Sequence[Place] | None
) -> list[tuple[int, SliceManifest]]:
    """Stages that trained something, all or those chosen, of the shards whose manifests are whole."""
    every = {(s, m.slice): m for s, manifest in manifests.items() for m in manifest.slices if m.checkpoint}
    if only is None:
        return [(shard, stage) for (shard, _), stage in sorted(every.items(), key=lambda item: item[0])]
    counts = lineage.meta.counts
    wrong = [p for p in only if not (0 <= p.shard < len(counts) and 0 <= p.slice < len(counts[0]))]
    wrong += [p for p in only if p not in wrong and not sum(counts[p.shard][: p.slice + 1])]
    if wrong:
        raise ConfigError([f"--stage: {p.shard}.{p.slice + 1} is no stage of this lineage with records" for p in wrong])
    return [(p.shard, every[p.shard, p.slice]) for p in sorted(set(only)) if (p.shard, p.slice) in every]


def _kept(
    lineage: Lineage,
    workload: Workload,
    placement: Any,
    dataset: str,
    deleted: Sequence[str],
    inspection: Inspection,
) -> Kept | None:
    """The records; None, and a finding, where there are none."""
    if dataset:
        return Kept(lineage, workload, placement, dataset, deleted)
    if not (lineage.root / INDEX).exists():
        why = purged_paths(lineage.root).get(INDEX, "")
        inspection.tell(
            lineage.root / INDEX,
            PURGED if why else UNCHECKED,
            why or "the lineage keeps no records; give them with --data",
        )
        return None
    try:
        return Kept(lineage, workload, placement, "", deleted)
    except DataError as error:
        inspection.expect(False, lineage.root / INDEX, str(error), ALTERED)
        return None


# ---------------------------------------------------------------- one stage


def _replay_all(
    site: Site, lineage: Lineage, stages: Sequence[tuple[ShardManifest, SliceManifest]], kept: Kept | None
) -> list[Replayed]:
    """Train stages again one after the other, in a scratch folder that is gone afterwards."""
    found = []
    with tempfile.TemporaryDirectory(prefix="lineage-") as scratch:
        here = dataclasses.replace(site, root=Path(scratch) / "lineage", scratch=Path(scratch) / "running")
        for at, (manifest, stage) in enumerate(stages):
            site.report({"event": "progress", "stage": "replay", "step": at, "total": len(stages)})
            found.append(_replay(here, lineage, manifest, stage, kept))
    if stages:
        site.report({"event": "progress", "stage": "replay", "step": len(stages), "total": len(stages)})
    return found


def _replay(site: Site, lineage: Lineage, manifest: ShardManifest, stage: SliceManifest, kept: Kept | None) -> Replayed:
    """Train one stage again, and compare."""
    started = time.perf_counter()
    facts = {"shard": manifest.shard, "slice": stage.slice, "records": stage.cumulative, "steps": stage.steps}
    if kept is None:
        return Replayed(**facts, outcome=Outcome.NOT_POSSIBLE, detail="the records are not kept")
    start = next((s for s in reversed(manifest.slices[: stage.slice]) if s.checkpoint), None)
    if start and (fault := _start_fault(lineage, manifest.shard, start)):
        return Replayed(**facts, outcome=Outcome.NOT_POSSIBLE, detail=fault)
    try:
        slices = kept.slices(manifest.shard)[: stage.slice + 1]
    except DataError as error:
        return Replayed(**facts, outcome=Outcome.NOT_POSSIBLE, detail=str(error))
    if not any(len(part) for part in slices):
        return Replayed(**facts, outcome=Outcome.NOT_POSSIBLE, detail="the records are not kept")
    if start:
        number = start.slice
        share(slice_folder(lineage.root, manifest.shard, number), slice_folder(site.root, manifest.shard, number))
    model = fresh(site, manifest.shard, slices)
    again = Stage(site, manifest.shard, slices, start).train(model)
    differing = [
        name
        for name in ("data", "order", "seed", "passes", "steps", "checkpoint")
        if getattr(again, name) != getattr(stage, name)
    ]
    if stage.slice == manifest.slices[-1].slice and _weights(site, manifest.shard, model) != manifest.weights:
        differing.append("weights")
    outcome, detail = _judge(stage, again, differing)
    if "checkpoint" in differing:
        detail += _distance(site.root, lineage.root, manifest.shard, stage.slice)
    shutil.rmtree(site.root)  # one stage on the disk at a time
    return Replayed(**facts, outcome=outcome, detail=detail, seconds=time.perf_counter() - started)


def _start_fault(lineage: Lineage, shard: int, start: SliceManifest) -> str:
    path = slice_folder(lineage.root, shard, start.slice) / TENSORS
    if not path.is_file():
        why = purged_paths(lineage.root).get(str(path.relative_to(lineage.root)), "missing")
        return f"the checkpoint that it begins with is not there: {why}"
    return "" if file_digest(path) == start.checkpoint else "the checkpoint that it begins with was altered"


def _judge(stage: SliceManifest, again: SliceManifest, differing: Sequence[str]) -> tuple[Outcome, str]:
    other = entries_that_differ([stage.fingerprint, again.fingerprint])
    if not differing:
        return Outcome.IDENTICAL, f"though made with other {', '.join(other)}" if other else ""
    what = f"{', '.join(differing)} differ"
    # Which records, in which order, is plain hashing: only other code could give another answer.
    if not other or ("code" not in other and {"data", "order", "seed", "passes", "steps"} & set(differing)):
        return Outcome.DIFFERENT, what
    return Outcome.NOT_COMPARABLE, f"{what}; made with other {', '.join(other)}, so that this proves nothing"


def _weights(site: Site, shard: int, model: Any) -> str:
    folder = shard_folder(site.root, shard) / "model"
    folder.mkdir(parents=True, exist_ok=True)
    site.workload.save(folder, model)
    return file_digest(folder / weights_file(folder))


def _distance(ours: Path, theirs: Path, shard: int, number: int) -> str:
    """How many of the checkpoint's tensors differ."""
    path = slice_folder(theirs, shard, number) / TENSORS
    if not path.is_file():
        return "; the recorded checkpoint is not there to compare with"
    one, other = (dict(tensor_digests(slice_folder(root, shard, number) / TENSORS)) for root in (ours, theirs))
    differ = sum(one.get(name) != other.get(name) for name in {**one, **other})
    return f" ({differ} of {len(one)} tensors)"


# ---------------------------------------------------------------- is this machine deterministic?

#: Steps of a check, at least and at most, and the largest share of the retraining that it may cost.
_FEWEST, _MOST, _SHARE = 2, 20, 0.03


class _Head:
    """The first steps of an objective, under the schedule of the whole."""

    def __init__(self, whole: Counted, steps: int) -> None:
        self._whole, self._left = whole, steps
        self.total = whole.total

    def step(self, model: Any, number: int) -> Step:
        """The whole's."""
        return self._whole.step(model, number)

    def enough(self, numbers: Mapping[str, float]) -> bool:
        """After the last of the steps."""
        self._left -= 1
        return self._left <= 0


def check_determinism(
    site: Site, made: Mapping[int, ShardManifest], first: Mapping[int, int], slices: Mapping[int, Sequence[Rows]]
) -> dict[str, Any]:
    """Train the start of the first stage of a retraining again and compare bits, before identity is claimed.

    A stage of few steps is trained again whole and compared with the checkpoint that it left; of a longer one the
    first steps are trained twice and compared with each other. At most 3% of the retraining's steps, but two or
    twice two at least.

    Args:
        first: of each shard that was trained, its first stage.
        slices: every slice's rows of (at least) the first of these shards.
    """
    stages = [(shard, s) for shard in sorted(made) for s in made[shard].slices[first[shard] :] if s.checkpoint]
    if not stages:
        return {"checked": False, "reason": "no stage was trained"}
    shard, target = stages[0]
    total = sum(stage.steps for _, stage in stages)
    steps = max(_FEWEST, min(_MOST, int(_SHARE * total / 2)))
    start = next((s for s in reversed(made[shard].slices[: target.slice]) if s.checkpoint), None)
    began = slice_folder(site.root, shard, start.slice) if start else None
    parts = slices[shard][: target.slice + 1]
    stage = Stage(dataclasses.replace(site, report=silent), shard, parts, start)
    whole = stage.objective.total <= 2 * steps
    steps = stage.objective.total if whole else steps
    found = []
    site.scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="determinism-", dir=site.scratch) as scratch:
        for attempt in range(1 if whole else 2):
            folder = Path(scratch) / str(attempt)
            run(
                fresh(site, shard, parts),
                stage.objective if whole else _Head(stage.objective, steps),
                dataclasses.replace(site.workload.loop, checkpoint_every=0),
                seed=stage.seed,
                start=began,
                finish=folder,
            )
            found.append(file_digest(folder / TENSORS))
    compared = [*found, target.checkpoint] if whole else found
    return {
        "checked": True,
        "identical": len(set(compared)) == 1,
        "stage": [shard, target.slice + 1],
        "steps": steps,
        "whole_stage": whole,
        "share": len(found) * steps / total,
        "fingerprint": digest(site.fingerprint),
    }
