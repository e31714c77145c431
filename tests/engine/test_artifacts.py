"""The store returns exactly what was put in, or refuses and says which file is wrong."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from unlearning_engine.artifacts import Store, resolve
from unlearning_engine.contracts import canonical, digest
from unlearning_engine.errors import ConfigError, DataError, StorageError
from unlearning_engine.trees import name_of


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "parts").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "parts" / "weights.safetensors").write_bytes(b"w" * 3_000_000)
    return folder


def blob(store: Store, ref: str) -> Path:
    name = ref.removeprefix("sha256:")
    return Path(store.url) / "sha256" / name[:2] / name[2:]


def listing(entries: dict[str, object]) -> bytes:
    return canonical({"files": entries, "kind": "lethe-tree", "schema": 1})


def plant(store: Store, data: bytes) -> str:
    """Puts bytes into the store's folder by hand, as an attacker with access to it would."""
    ref = "sha256:" + hashlib.sha256(data).hexdigest()
    blob(store, ref).parent.mkdir(parents=True, exist_ok=True)
    blob(store, ref).write_bytes(data)
    return ref


def test_a_file_is_named_by_its_bytes_and_comes_back(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    ref = store.put(tmp_path / "a")
    assert ref == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert store.read(ref) == b"abc"
    assert store.fetch(ref, tmp_path / "b").read_bytes() == b"abc"


def test_json_is_named_as_the_contracts_name_it(store: Store) -> None:
    value = {"b": [1, 2.5, "ü"], "a": None}
    assert store.put_json(value) == digest(value)


def test_a_folder_comes_back_file_by_file(store: Store, model: Path, tmp_path: Path) -> None:
    ref = store.put(model)
    assert ref == name_of(model)
    assert store.exists(ref)
    fetched = store.fetch(ref, tmp_path / "again")
    assert name_of(fetched) == ref
    assert set(store.list_tree(ref) or {}) == {"config.json", "parts/weights.safetensors"}


def test_storing_twice_gives_the_same_name_and_no_second_copy(store: Store, model: Path) -> None:
    first = store.put(model)
    count = sum(1 for p in Path(store.url).rglob("*") if p.is_file())
    assert store.put(model) == first
    assert sum(1 for p in Path(store.url).rglob("*") if p.is_file()) == count


def test_every_damaged_or_missing_file_of_a_tree_is_named_and_nothing_is_left_behind(
    store: Store, model: Path, tmp_path: Path
) -> None:
    ref = store.put(model)
    files = store.list_tree(ref) or {}
    weights = blob(store, files["parts/weights.safetensors"])
    data = bytearray(weights.read_bytes())
    data[1_500_000] ^= 1
    weights.write_bytes(data)
    blob(store, files["config.json"]).unlink()
    with pytest.raises(DataError) as caught:
        store.fetch(ref, tmp_path / "again")
    assert len(caught.value.messages) == 2
    assert "parts/weights.safetensors" in str(caught.value)
    assert "config.json" in str(caught.value)
    assert not list(tmp_path.glob("*again*"))
    assert not list(tmp_path.glob(".again*"))


def test_a_damaged_blob_is_never_handed_out(store: Store) -> None:
    ref = store.put_bytes(b"twelve bytes")
    blob(store, ref).write_bytes(b"twelve bytez")
    with pytest.raises(DataError, match="damaged"):
        store.open(ref)


def test_a_missing_name_and_a_malformed_name_are_told_apart(store: Store) -> None:
    with pytest.raises(DataError, match="is not in the store"):
        store.read("sha256:" + "0" * 64)
    assert not store.exists("sha256:" + "0" * 64)
    with pytest.raises(DataError, match="no name of a stored object"):
        store.read("../../etc/passwd")


@pytest.mark.parametrize("name", ["../escape", "/etc/escape", "a/../../escape", "a//b", "./a", "a\\b", "a\nb", ""])
def test_a_listing_whose_path_leaves_the_folder_is_refused(store: Store, tmp_path: Path, name: str) -> None:
    content = plant(store, b"evil").removeprefix("sha256:")
    ref = plant(store, listing({name: {"sha256": content, "size": 4}}))
    with pytest.raises(DataError, match="tree listing"):
        store.fetch(ref, tmp_path / "deep" / "er")
    assert not (tmp_path / "escape").exists()


@pytest.mark.parametrize(
    "entries",
    [{"a": {"sha256": "../x", "size": 1}}, {"a": {"sha256": "0" * 64, "size": -1}}, {"a": 1}, {"a": {}}],
)
def test_a_listing_with_malformed_entries_is_refused(store: Store, tmp_path: Path, entries: dict[str, object]) -> None:
    with pytest.raises(DataError, match="no valid sha256"):
        store.fetch(plant(store, listing(entries)), tmp_path / "out")


def test_a_listing_that_makes_one_name_file_and_folder_is_refused(store: Store, tmp_path: Path) -> None:
    entry = {"sha256": plant(store, b"x").removeprefix("sha256:"), "size": 1}
    with pytest.raises(DataError, match="both file and folder"):
        store.fetch(plant(store, listing({"a": entry, "a/b": entry})), tmp_path / "out")


def test_a_file_that_poses_as_a_listing_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "fake.json").write_bytes(listing({"a": {"sha256": "0" * 64, "size": 1}}))
    with pytest.raises(DataError, match="tree listing"):
        store.put(tmp_path / "fake.json")


def test_symlinks_and_special_files_are_refused_and_all_named(store: Store, model: Path, tmp_path: Path) -> None:
    (model / "link").symlink_to("/etc/passwd")
    (model / "folder-link").symlink_to(tmp_path)
    os.mkfifo(model / "pipe")
    with pytest.raises(DataError) as caught:
        store.put(model)
    text = str(caught.value)
    assert "folder-link" in text
    assert "/link" in text
    assert "pipe" in text
    with pytest.raises(DataError, match="no link"):
        store.put(model / "link")


def test_an_empty_folder_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no file"):
        store.put(tmp_path / "empty")


def test_fetching_over_something_is_refused(store: Store, tmp_path: Path) -> None:
    ref = store.put_bytes(b"x")
    (tmp_path / "here").write_text("mine")
    with pytest.raises(DataError, match="exists already"):
        store.fetch(ref, tmp_path / "here")
    assert (tmp_path / "here").read_text() == "mine"


def test_deleting_a_tree_removes_its_bytes_but_not_what_others_need(store: Store, model: Path, tmp_path: Path) -> None:
    old = store.put(model)
    (model / "parts" / "weights.safetensors").write_bytes(b"new")
    new = store.put(model)
    gone = store.delete(old)
    assert gone.removed == 2  # the old weights and the old listing; config.json is in the new tree
    assert len(gone.kept) == 1
    assert not store.exists(old)
    assert name_of(store.fetch(new, tmp_path / "new")) == new


def test_a_file_stored_for_its_own_sake_survives_the_deletion_of_a_tree_that_holds_it(
    store: Store, model: Path
) -> None:
    ref = store.put(model / "config.json")
    store.delete(store.put(model))
    assert store.read(ref) == b"{}"
    store.delete(ref)
    assert not store.exists(ref)


def test_deleting_a_file_that_a_tree_needs_keeps_its_bytes_and_says_so(store: Store, model: Path) -> None:
    ref, tree = store.put(model / "config.json"), store.put(model)
    assert store.delete(ref).kept == (ref,)
    assert store.exists(tree)


def test_deleting_nothing_is_no_error(store: Store) -> None:
    store.delete("sha256:" + "1" * 64)


def test_a_full_disk_says_that_nothing_stored_before_is_lost(
    store: Store, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = store.put_bytes(b"before")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"disk is full.*stored before is safe") as caught:
        store.put(model)
    assert caught.value.retryable
    monkeypatch.undo()
    assert store.read(kept) == b"before"
    assert not list(Path(store.url).rglob(".new-*"))
    assert store.exists(store.put(model))


def test_a_really_full_disk_is_a_storage_error(model: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(StorageError):
        Store("/dev/full/store").put(model)


def test_flags_are_seen_by_another_store_object(store: Store) -> None:
    store.set_flag("cancel/job-1")
    other = Store(store.url)
    assert other.has_flag("cancel/job-1")
    assert not other.has_flag("cancel/job-2")
    other.clear_flag("cancel/job-1")
    assert not store.has_flag("cancel/job-1")
    store.clear_flag("cancel/job-1")
    with pytest.raises(DataError, match="flag's name"):
        store.set_flag("../../x")


def test_a_store_without_an_address_or_of_an_unknown_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LETHE_ARTIFACTS", raising=False)
    with pytest.raises(ConfigError, match="LETHE_ARTIFACTS"):
        Store.from_environment()
    with pytest.raises(ConfigError, match="nosuch"):
        Store("nosuch://x")


def test_a_reference_is_a_path_or_a_verified_copy(store: Store, model: Path, tmp_path: Path) -> None:
    assert resolve(str(model), None, tmp_path / "cache") == model
    with pytest.raises(DataError, match="does not exist"):
        resolve(str(tmp_path / "nothing"), store, tmp_path / "cache")
    ref = store.put(model)
    with pytest.raises(ConfigError, match="artefact store"):
        resolve(ref, None, tmp_path / "cache")
    copy = resolve(ref, store, tmp_path / "cache")
    assert name_of(copy) == ref
    assert resolve(ref, store, tmp_path / "cache") == copy


def test_a_copy_that_was_changed_is_fetched_again(store: Store, model: Path, tmp_path: Path) -> None:
    ref = store.put(model)
    (resolve(ref, store, tmp_path / "cache") / "config.json").write_text("changed")
    assert (resolve(ref, store, tmp_path / "cache") / "config.json").read_text() == "{}"


def test_a_parquet_blob_gets_its_suffix_back(store: Store, tmp_path: Path) -> None:
    ref = store.put_bytes(b"PAR1 and so on")
    first = resolve(ref, store, tmp_path / "cache")
    assert first.suffix == ".parquet"
    assert resolve(ref, store, tmp_path / "cache") == first
