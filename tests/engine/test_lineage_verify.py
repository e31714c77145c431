"""A lineage is verified by its files and by training its stages again: true, false, or not to be decided."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.engine.lineages import FORGOTTEN, Pair, forget, made, pair, written
from unlearning_engine.checkpoints import FACTS, TENSORS, file_digest
from unlearning_engine.contracts import digest
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.methods import unlearn
from unlearning_engine.placement import Place
from unlearning_engine.sisa import replay
from unlearning_engine.sisa.lineage import Lineage, shard_folder, slice_folder, write_json
from unlearning_engine.sisa.replay import Outcome, Verification, verify_lineage


@pytest.fixture(scope="module", params=["classifier", "language"])
def each(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return pair(tmp_path_factory.mktemp("pair"), request.param)


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return pair(tmp_path_factory.mktemp("classifiers"))


@pytest.fixture
def own(classifiers: Pair, tmp_path: Path) -> Pair:
    return classifiers.copy(tmp_path)


def states(found: Verification) -> set[tuple[str, str]]:
    return {(one["where"], one["state"]) for one in found.findings}


def outcomes(found: Verification) -> dict[tuple[int, int], str]:
    return {(one["shard"], one["slice"]): str(one["outcome"]) for one in found.replayed}


def relabel(lineage: Lineage, shard: int, change: Callable[[dict[str, Any]], None]) -> None:
    """Rewrite a shard's manifest and everything that names it, as who forges a lineage would."""
    folder = shard_folder(lineage.root, shard)
    manifest = json.loads((folder / "shard.json").read_bytes())
    change(manifest)
    write_json(folder / "shard.json", manifest)
    meta = json.loads((lineage.root / "lineage.json").read_bytes())
    counts = [one["records"] for one in manifest["slices"]]
    meta["shards"][str(shard)] = {"manifest": digest(manifest), "weights": manifest["weights"], "counts": counts}
    write_json(lineage.root / "lineage.json", meta)
    path = lineage.root / "commitments.json"
    write_json(path, {**json.loads(path.read_bytes()), "lineage": Lineage(lineage.root).meta.digest})


def test_every_stage_of_a_training_and_of_a_deletion_is_identical(each: Pair) -> None:
    for folder in (each.before, each.after):
        events: list[dict[str, Any]] = []
        found = verify_lineage(folder, report=events.append)
        assert found.exit_code == 0 and not found.findings
        stages = [s for shard in Lineage(folder).shards for s in Lineage(folder).manifest(shard).slices if s.checkpoint]
        assert list(outcomes(found).values()) == ["identical"] * len(stages)
        steps = [e for e in events if e["stage"] == "replay"]
        assert (steps[-1]["step"], steps[-1]["total"]) == (len(stages), len(stages))


def test_a_stage_of_choice_is_replayed_alone(classifiers: Pair) -> None:
    shard, number = classifiers.first
    found = verify_lineage(classifiers.after, only=[Place(shard, number)])
    assert outcomes(found) == {(shard, number): "identical"} and found.exit_code == 0
    assert not verify_lineage(classifiers.after, replay=False).replayed
    with pytest.raises(ConfigError, match="--stage: 7.1 is no stage of this lineage"):
        verify_lineage(classifiers.after, only=[Place(7, 0)])


def test_a_forged_checkpoint_is_false_though_every_digest_was_rewritten(own: Pair) -> None:
    lineage = Lineage(own.after)
    shard, number = own.first
    folder = slice_folder(lineage.root, shard, number)
    tensors = load_file(folder / TENSORS)
    name = next(n for n in tensors if n.startswith("weight."))
    tensors[name] = tensors[name] + np.float32(1e-3)
    save_file(tensors, folder / TENSORS)
    facts = json.loads((folder / FACTS).read_bytes())
    (folder / FACTS).write_text(json.dumps({**facts, "tensors": file_digest(folder / TENSORS)}))

    def change(manifest: dict[str, Any]) -> None:
        manifest["slices"][number]["checkpoint"] = file_digest(folder / TENSORS)
        for later in manifest["slices"][number + 1 : number + 2]:
            later["start"] = file_digest(folder / TENSORS)

    relabel(lineage, shard, change)
    assert not verify_lineage(own.after, replay=False).findings
    found = verify_lineage(own.after, only=[Place(shard, number)])
    assert outcomes(found) == {(shard, number): "different"} and found.exit_code == 1
    assert "1 of" in found.replayed[0]["detail"]


def test_on_another_machine_a_difference_proves_nothing_and_equal_bits_still_do(
    own: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard, number = own.first
    real = replay.fingerprint
    monkeypatch.setattr(replay, "fingerprint", lambda *a: {**real(*a), "processor": "another"})
    same = verify_lineage(own.after, only=[Place(shard, number)])
    assert outcomes(same) == {(shard, number): "identical"} and same.exit_code == 0
    assert "processor" in same.replayed[0]["detail"]

    def change(manifest: dict[str, Any]) -> None:
        manifest["slices"][number]["checkpoint"] = file_digest(other)

    other = slice_folder(Lineage(own.after).root, shard, number) / TENSORS
    tensors = load_file(other)
    save_file({n: t * np.float32(1.001) if n.startswith("weight.") else t for n, t in tensors.items()}, other)
    relabel(Lineage(own.after), shard, change)
    found = verify_lineage(own.after, only=[Place(shard, number)])
    assert outcomes(found) == {(shard, number): "not comparable"}
    assert "processor" in found.replayed[0]["detail"] and "proves nothing" in found.replayed[0]["detail"]


def test_records_that_are_not_the_trained_ones_are_false_whatever_the_machine(
    own: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard, number = own.first

    def change(manifest: dict[str, Any]) -> None:
        manifest["slices"][number]["data"] = digest("other records")

    relabel(Lineage(own.after), shard, change)
    real = replay.fingerprint
    monkeypatch.setattr(replay, "fingerprint", lambda *a: {**real(*a), "processor": "another"})
    found = verify_lineage(own.after, only=[Place(shard, number)])
    assert outcomes(found) == {(shard, number): "different"} and found.exit_code == 1
    assert (f"data of shard {shard}, slice {number + 1}", "altered") in states(found)


def test_a_missing_and_an_altered_checkpoint_are_named_and_stop_only_what_begins_with_them(own: Pair) -> None:
    lineage = Lineage(own.after)
    shard = next(s for s in lineage.shards if all(m.checkpoint for m in lineage.manifest(s).slices))
    path = slice_folder(lineage.root, shard, 0) / TENSORS
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    found = verify_lineage(own.after)
    assert (str(path.relative_to(lineage.root)), "altered") in states(found) and found.exit_code == 1
    assert outcomes(found)[shard, 1] == Outcome.NOT_POSSIBLE
    path.unlink()
    found = verify_lineage(own.after, replay=False)
    assert (str(path.relative_to(lineage.root)), "missing") in states(found) and found.exit_code == 1


def test_a_served_model_of_other_weights_is_false(own: Pair) -> None:
    served = next((own.after / "model").rglob("*.safetensors"))
    tensors = load_file(served)
    name = next(iter(tensors))
    save_file({**tensors, name: tensors[name] + np.float32(1)}, served)
    found = verify_lineage(own.after, replay=False)
    assert states(found) == {(f"../{served.relative_to(own.after)}", "altered")} and found.exit_code == 1


def test_commitments_of_other_records_are_false(own: Pair) -> None:
    path = own.after / "lineage" / "commitments.json"
    path.write_bytes((own.before / "lineage" / "commitments.json").read_bytes())
    found = verify_lineage(own.after, replay=False)
    assert states(found) == {("commitments.json", "altered")} and found.exit_code == 1


def test_records_that_are_not_kept_are_given_or_leave_the_replay_not_possible(tmp_path: Path) -> None:
    folders = pair_without_rows(tmp_path)
    found = verify_lineage(folders.after)
    assert set(outcomes(found).values()) == {"not possible"} and found.exit_code == 3
    given = str(folders.before.with_suffix(".jsonl"))
    found = verify_lineage(folders.after, dataset=given, deleted=FORGOTTEN)
    assert set(outcomes(found).values()) == {"identical"} and found.exit_code == 0
    with pytest.raises(DataError, match="holds not the records that the lineage was trained on"):
        verify_lineage(folders.after, dataset=written(tmp_path / "less.jsonl", "classifier", ["r00"]))


def pair_without_rows(folder: Path) -> Pair:
    before = made(folder / "before", "classifier", keep_data=False)
    spec = forget(before, FORGOTTEN, dataset=str(before.with_suffix(".jsonl")))
    return Pair(before, folder / "after", unlearn(spec, folder / "after"))
