"""After a deletion nothing in the old folder holds the records or learned from them, and this is written down."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.engine.lineages import FORGOTTEN, Pair, forget, made, pair
from unlearning_engine import runner
from unlearning_engine.checkpoints import file_digest
from unlearning_engine.contracts import to_json
from unlearning_engine.errors import ConfigError, DataError, StorageError
from unlearning_engine.methods import unlearn
from unlearning_engine.progress import silent
from unlearning_engine.sisa import purge
from unlearning_engine.sisa.lineage import Lineage
from unlearning_engine.sisa.replay import verify_lineage


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return pair(tmp_path_factory.mktemp("texts"), "language")


@pytest.fixture
def own(texts: Pair, tmp_path: Path) -> Pair:
    return texts.copy(tmp_path)


def files(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): file_digest(p) for p in folder.rglob("*") if p.is_file()}


def test_a_deletion_lists_what_still_holds_the_records(texts: Pair) -> None:
    listed = {entry["path"]: entry for entry in texts.metrics["to_purge"]["entries"]}
    old, new = Lineage(texts.before), Lineage(texts.after)
    expected = {"data/index.json"}
    for shard, first in new.meta.history[-1]["first_slices"].items():
        name = f"shards/shard-{int(shard):02d}"
        expected |= {f"{name}/model/model.safetensors", f"../model/shard-{int(shard):02d}.safetensors"}
        for stage in old.manifest(int(shard)).slices[first:]:
            expected.add(f"{name}/slice-{stage.slice + 1:02d}/state.safetensors")
    rows = {path for path in listed if path.startswith("data/shard")}
    assert set(listed) == expected | rows
    told = {name for path in rows for name in FORGOTTEN if f'"{name}"' in (old.root / path).read_text()}
    assert told == set(FORGOTTEN)
    for path, entry in listed.items():
        assert (entry["digest"], entry["size"]) == (file_digest(old.root / path), (old.root / path).stat().st_size)
    assert texts.metrics["to_purge"]["files"] == len(listed)


def test_purging_leaves_the_successor_whole_and_no_record_in_the_old_folder(own: Pair) -> None:
    left = files(own.before)
    whole = files(own.after)
    done = purge.purge(Lineage(own.before), Lineage(own.after))
    gone = {os.path.normpath(f"lineage/{entry['path']}") for entry in done["entries"]}
    now = files(own.before)
    assert set(left) - set(now) == gone and set(now) - set(left) == {"lineage/purged.json"}
    assert files(own.after) == whole and verify_lineage(own.after).exit_code == 0
    for path in own.before.rglob("*"):
        text = path.read_bytes().decode(errors="replace") if path.is_file() else ""
        assert not any(f'"{name}"' in text for name in FORGOTTEN), path
    entry = json.loads((own.before / "lineage" / "purged.json").read_bytes())["files"][0]
    assert set(entry) == {"path", "digest", "size", "why", "when", "successor"}
    assert entry["successor"] == Lineage(own.after).meta.digest


def test_what_was_purged_is_neither_failed_nor_passed(own: Pair) -> None:
    purge.purge(Lineage(own.before), Lineage(own.after))
    found = verify_lineage(own.before)
    assert {one["state"] for one in found.findings} == {"purged"} and found.exit_code == 3
    assert {str(one["outcome"]) for one in found.replayed} == {"not possible"}
    # What is lost without a purge is still a loss.
    next((own.before / "lineage" / "shards").glob("*/slice-01/state.safetensors")).unlink()
    assert verify_lineage(own.before, replay=False).exit_code == 1


def test_records_are_purged_altogether(own: Pair) -> None:
    done = purge.purge_rows(Lineage(own.after))
    assert done["files"] > 1 and not (own.after / "lineage" / "data").exists()
    found = verify_lineage(own.after)
    assert found.exit_code == 3 and {str(one["outcome"]) for one in found.replayed} == {"not possible"}
    with pytest.raises(DataError, match="keeps no records .never kept, or purged.; give the dataset with --data"):
        unlearn(forget(own.after, ["r00"]), own.after.parent / "next")


def test_only_a_whole_descendant_allows_a_purge(own: Pair, tmp_path: Path) -> None:
    before = files(own.before)
    stranger = made(tmp_path / "stranger", "language", epochs=2)
    for other in (stranger, own.before):
        with pytest.raises(DataError, match="does not descend from"):
            purge.purge(Lineage(own.before), Lineage(other))
    with pytest.raises(DataError, match="does not descend from"):
        purge.purge(Lineage(own.after), Lineage(own.before))
    damaged = next((own.after / "lineage" / "shards").glob("*/model/model.safetensors"))
    damaged.unlink()
    with pytest.raises(DataError, match="nothing was purged, since its successor is not whole"):
        purge.purge(Lineage(own.before), Lineage(own.after))
    assert files(own.before) == before


def test_a_later_descendant_does_as_well(own: Pair, tmp_path: Path) -> None:
    unlearn(forget(own.after, ["r00"]), tmp_path / "later")
    direct = {entry["path"] for entry in own.metrics["to_purge"]["entries"]}
    done = purge.purge(Lineage(own.before), Lineage(tmp_path / "later"))
    assert direct <= {entry["path"] for entry in done["entries"]}


def test_a_purge_that_was_cut_short_goes_on(own: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    real, left = Path.unlink, 3

    def unlink(self: Path, missing_ok: bool = False) -> None:
        nonlocal left
        left -= self.suffix == ".safetensors"
        if not left:
            raise OSError(30, "Read-only file system", str(self))
        real(self, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(StorageError, match="cannot be deleted"):
        purge.purge(Lineage(own.before), Lineage(own.after))
    monkeypatch.undo()
    purge.purge(Lineage(own.before), Lineage(own.after))
    listed = {entry["path"] for entry in purge.read_purged(own.before / "lineage")}
    assert listed == {entry["path"] for entry in own.metrics["to_purge"]["entries"]}
    assert not [path for path in listed if (own.before / "lineage" / path).exists()]


def test_other_names_of_the_same_bytes_are_told(own: Pair, tmp_path: Path) -> None:
    shard = own.first[0]
    path = own.before / "lineage" / "shards" / f"shard-{shard:02d}" / "model" / "model.safetensors"
    os.link(path, tmp_path / "backup.safetensors")
    done = purge.purge(Lineage(own.before), Lineage(own.after))
    assert done["linked_elsewhere"] == [str(path.relative_to(own.before / "lineage"))]


def test_working_state_beside_the_lineage_goes_too(own: Pair) -> None:
    for name in (".shards", "checkpoints", ".inputs"):
        (own.before / name).mkdir()
        (own.before / name / "left.bin").write_bytes(b"state")
    purge.purge(Lineage(own.before), Lineage(own.after))
    assert not [name for name in (".shards", "checkpoints", ".inputs") if (own.before / name).exists()]


# ---------------------------------------------------------------- in one go


def run(own: Pair, folder: Path, **fields: Any) -> None:
    runner.run(to_json(forget(own.before, FORGOTTEN, purge=True, **fields)), folder, store=None, report=silent)


def test_unlearn_purges_once_its_result_is_written(own: Pair, tmp_path: Path) -> None:
    run(own, tmp_path / "new")
    listed = runner.read_result(tmp_path / "new").metrics["to_purge"]["entries"]
    assert {e["path"] for e in listed} == {e["path"] for e in purge.read_purged(own.before / "lineage")}
    assert not [e for e in listed if (own.before / "lineage" / e["path"]).exists()]
    assert verify_lineage(tmp_path / "new").exit_code == 0


def test_nothing_is_purged_where_the_deletion_fails(own: Pair, tmp_path: Path) -> None:
    before = files(own.before)
    shard = own.first[0]
    stray = own.before / "lineage" / "shards" / f"shard-{shard:02d}" / "shard.json"
    stray.write_text("{}")
    with pytest.raises(DataError):
        run(own, tmp_path / "new")
    assert set(files(own.before)) == set(before)


def test_a_stored_lineage_and_a_plain_model_are_not_purged(own: Pair) -> None:
    spec = to_json(forget(own.before, FORGOTTEN, purge=True))
    stored = {**spec, "lineage": "sha256:" + "0" * 64}
    with pytest.raises(ConfigError, match="the lineage lies in an artefact store, which deletes its own"):
        runner.check(stored)
    with pytest.raises(ConfigError, match="only a lineage is purged"):
        runner.check({**spec, "lineage": "", "method": "graddiff", "model": "m", "dataset": "d"})
