"""An outsider checks from published numbers that a record was in a lineage and is not in the one after."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.lineages import FORGOTTEN, ROWS, Pair, forget, pair, row
from unlearning_engine.errors import DataError
from unlearning_engine.methods import unlearn
from unlearning_engine.sisa import commitments
from unlearning_engine.sisa.lineage import Lineage
from unlearning_engine.sisa.openings import open_record

FILE, KEY = "commitments.json", "private/key"


@pytest.fixture(scope="module", params=["language", "classifier"])
def each(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return pair(tmp_path_factory.mktemp("pair"), request.param)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return pair(tmp_path_factory.mktemp("texts"), "language")


def test_a_deleted_record_was_in_the_old_list_and_is_not_in_the_new_one(each: Pair) -> None:
    old, new = (commitments.read(f / "lineage" / FILE) for f in (each.before, each.after))
    for name in (*FORGOTTEN, "r00"):
        found = commitments.check(open_record(Lineage(each.before), name), old, new)
        assert (found["was_in"], found["is_in"], found["problems"]) == (True, name not in FORGOTTEN, [])


def test_the_commitment_is_worked_out_by_hand_from_key_id_and_text(texts: Pair) -> None:
    root = texts.before / "lineage"
    told = row("language", 4)
    content = hashlib.sha256(f"{told['prompt']}\0{told['answer']}\0".encode()).digest()
    salt = hmac.new((root / KEY).read_bytes(), b"r04", "sha256").digest()
    own = hashlib.sha256(b"record commitment v1" + salt + (3).to_bytes(8, "big") + b"r04" + content).hexdigest()
    opening = open_record(Lineage(root), "r04")
    assert (opening.salt, opening.content, opening.commitment) == (salt.hex(), content.hex(), own)
    assert own in commitments.lists_of(commitments.read(root / FILE))[opening.shard][opening.slice]


def test_a_successor_keeps_the_key_and_all_other_commitments(each: Pair) -> None:
    keys = {(f / "lineage" / KEY).read_bytes() for f in (each.before, each.after)}
    assert len(keys) == 1
    assert stat.S_IMODE((each.after / "lineage" / KEY).stat().st_mode) == 0o600
    old, new = (
        {c for parts in commitments.lists_of(commitments.read(f / "lineage" / FILE)).values() for p in parts for c in p}
        for f in (each.before, each.after)
    )
    assert new < old and len(old) == ROWS and len(old - new) == len(FORGOTTEN)


def test_the_published_file_names_no_record_and_says_nothing_of_a_record_without_the_key(texts: Pair) -> None:
    published = (texts.before / "lineage" / FILE).read_text()
    assert "r04" not in published.replace(commitments.read(texts.before / "lineage" / FILE)["key"], "").split('"')
    assert "Colour" not in published
    content = commitments.content_digest(prompt="Colour of 4?", answer="green")
    assert content not in published and hashlib.sha256(b"r04").hexdigest() not in published


def test_absence_under_another_key_proves_nothing(texts: Pair, tmp_path: Path) -> None:
    old = commitments.read(texts.before / "lineage" / FILE)
    rekeyed = texts.copy(tmp_path)
    (rekeyed.before / "lineage" / KEY).unlink()
    unlearn(forget(rekeyed.before, FORGOTTEN), tmp_path / "rekeyed")
    new = commitments.read(tmp_path / "rekeyed" / "lineage" / FILE)
    opening = open_record(Lineage(texts.before), "r04")
    found = commitments.check(opening, old, new)
    assert found["is_in"] is None and "absence proves nothing" in found["problems"][0]
    # The same key named, other salts used: the lists give it away.
    found = commitments.check(opening, old, {**new, "key": old["key"]})
    assert found["is_in"] is None and "absence proves nothing" in found["problems"][0]


def test_an_opening_of_another_text_or_place_is_not_believed(texts: Pair) -> None:
    old = commitments.read(texts.before / "lineage" / FILE)
    opening = open_record(Lineage(texts.before), "r04")
    other = commitments.content_digest(prompt="Colour of 4?", answer="purple")
    found = commitments.check(opening, old, content=other)
    assert not found["was_in"] and "another text" in found["problems"][0]
    assert not commitments.check(dataclasses.replace(opening, content=other), old)["was_in"]
    assert not commitments.check(dataclasses.replace(opening, slice=9), old)["was_in"]
    with pytest.raises(DataError, match="must be hexadecimal"):
        commitments.check(dataclasses.replace(opening, salt="what"), old)


def test_a_list_whose_root_does_not_fit_is_refused(texts: Pair, tmp_path: Path) -> None:
    published = json.loads((texts.before / "lineage" / FILE).read_bytes())
    shard = next(iter(published["shards"].values()))
    next(part for part in shard if part["commitments"])["commitments"].pop()
    (tmp_path / FILE).write_text(json.dumps(published))
    with pytest.raises(DataError, match="the root is not that of the list"):
        commitments.read(tmp_path / FILE)
    (tmp_path / FILE).write_text(json.dumps({**published, "schema": 9}))
    with pytest.raises(DataError, match="has schema 9"):
        commitments.read(tmp_path / FILE)


def test_the_merkle_root_is_that_of_rfc_6962() -> None:
    def by_the_book(leaves: list[bytes]) -> bytes:
        if len(leaves) == 1:
            return hashlib.sha256(b"\0" + leaves[0]).digest()
        at = 1
        while at * 2 < len(leaves):
            at *= 2
        return hashlib.sha256(b"\1" + by_the_book(leaves[:at]) + by_the_book(leaves[at:])).digest()

    for count in range(1, 20):
        leaves = [hashlib.sha256(bytes([n])).digest() for n in range(count)]
        assert commitments.merkle_root([leaf.hex() for leaf in leaves]) == "sha256:" + by_the_book(leaves).hex()
    assert commitments.merkle_root([]) == "sha256:" + hashlib.sha256(b"").hexdigest()


def test_a_record_whose_text_is_gone_is_opened_with_its_digest(texts: Pair) -> None:
    content = commitments.content_digest(prompt="Colour of 4?", answer=row("language", 4)["answer"])
    lineage = Lineage(texts.before)
    assert open_record(lineage, "r04", content=content) == open_record(lineage, "r04")
    with pytest.raises(DataError, match="'r04' is not in the lineage: never trained on, or deleted before"):
        open_record(Lineage(texts.after), "r04")
    with pytest.raises(DataError, match="has no commitment to record 'r04'"):
        open_record(Lineage(texts.after), "r04", content=content)


def test_the_check_needs_the_standard_library_alone() -> None:
    code = (
        "import sys\nfrom unlearning_engine.sisa import commitments\n"
        "sys.exit(any(m in sys.modules for m in ('torch', 'numpy', 'transformers', 'safetensors', 'rich')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
