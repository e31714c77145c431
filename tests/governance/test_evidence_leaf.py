"""A leaf has one form of bytes, opens only with its own body and salt, and checkpoints are signed notes."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.evidence.checkpoint import make_checkpoint, verifier_key, verify_checkpoint
from governance.evidence.errors import DocumentError, ProofError
from governance.evidence.leaf import (
    Leaf,
    actor_commitment,
    case_commitment,
    commit_body,
    leaf_bytes,
    open_leaf,
    parse_leaf,
    timestamp,
)

KEY, SALT = b"k" * 32, b"s" * 32
BODY = {"from": "review", "to": "matching", "reason": "admissible"}
ORIGIN = "lethe.example/ledger"
SIGNING_KEY = Ed25519PrivateKey.from_private_bytes(b"7" * 32)
VERIFIER = verifier_key(ORIGIN, SIGNING_KEY.public_key())


def make_leaf(**changes: object) -> Leaf:
    members: dict[str, object] = {
        "index": 7, "at": "2026-11-24T08:51:00.000Z", "action": "case.advanced",
        "case": case_commitment(KEY, "c-1"), "actor": "system:scheduler", "body": commit_body(BODY, SALT),
    }  # fmt: skip
    return Leaf(**(members | changes))  # type: ignore[arg-type]


def test_the_bytes_are_the_final_format() -> None:
    leaf = Leaf(
        index=0, at="2026-11-24T08:51:00.000Z", action="case.advanced", case="", actor="system:web", body="0" * 64
    )
    zeros = b"0" * 64
    assert leaf.to_bytes() == (
        b'{"action":"case.advanced","actor":"system:web","at":"2026-11-24T08:51:00.000Z",'
        b'"body":"' + zeros + b'","case":"","index":0,"v":1}'
    )


def test_times_are_written_in_utc_with_milliseconds() -> None:
    east = datetime(2026, 11, 24, 9, 51, 0, 1999, tzinfo=timezone(timedelta(hours=1)))
    assert timestamp(east) == "2026-11-24T08:51:00.001Z"
    assert leaf_bytes(index=0, at=east, action="a.b", case="", actor="system:x", body="0" * 64).count(b"08:51:00.001Z")
    with pytest.raises(DocumentError, match="no zone"):
        timestamp(datetime(2026, 1, 1))  # noqa: DTZ001


def test_a_leaf_opens_with_its_body_and_salt_alone() -> None:
    leaf = make_leaf()
    assert open_leaf(leaf, dict(reversed(list(BODY.items()))), SALT)
    assert not open_leaf(leaf, BODY | {"to": "closed"}, SALT)
    assert not open_leaf(leaf, BODY, b"t" * 32)


def test_commitments_need_the_key_and_keep_cases_and_actors_apart() -> None:
    assert case_commitment(KEY, "c-1") != case_commitment(b"l" * 32, "c-1")
    assert case_commitment(KEY, "c-1") != actor_commitment(KEY, "c-1")
    for weak in (lambda: case_commitment(b"short", "c"), lambda: actor_commitment(KEY, ""),
                 lambda: commit_body(BODY, b"")):  # fmt: skip
        with pytest.raises(DocumentError):
            weak()


def test_all_problems_of_a_leaf_are_reported_at_once() -> None:
    with pytest.raises(DocumentError) as caught:
        Leaf(index=-1, at="2026-13-01T00:00:00.000Z", action="Advanced", case="anna", actor="anna@x.org", body="")
    assert len(caught.value.problems) == 6


def test_a_body_that_json_cannot_hold_is_refused() -> None:
    for value in (float("nan"), 2**60, datetime.now(UTC), {1: 2}):
        with pytest.raises(DocumentError):
            commit_body({"x": value}, SALT)


def test_a_leaf_survives_its_json_and_other_forms_are_refused() -> None:
    leaf = make_leaf()
    assert parse_leaf(leaf.to_json()) == leaf
    good = leaf.to_json()
    for bad in (good | {"v": 2}, good | {"v": True}, good | {"extra": ""}, good | {"index": "7"}, good | {"body": 1},
                {k: v for k, v in good.items() if k != "case"}):  # fmt: skip
        with pytest.raises(ProofError):
            parse_leaf(bad)


def test_a_checkpoint_is_read_back_by_its_verifier_key() -> None:
    note = make_checkpoint(origin=ORIGIN, size=182604, root=b"r" * 32, key=SIGNING_KEY)
    lines = note.split("\n")
    assert lines[:4] == [ORIGIN, "182604", base64.b64encode(b"r" * 32).decode(), ""]
    checkpoint = verify_checkpoint(note, VERIFIER)
    assert (checkpoint.size, checkpoint.root) == (182604, b"r" * 32)


def test_the_signed_note_example_of_the_specification_has_this_key_form() -> None:
    name, identity, key = VERIFIER.split("+", 2)
    assert (name, len(identity), len(base64.b64decode(key))) == (ORIGIN, 8, 33)


def test_a_signature_of_another_is_skipped_but_ours_must_be_there_and_good() -> None:
    note = make_checkpoint(origin=ORIGIN, size=5, root=b"r" * 32, key=SIGNING_KEY)
    witness = "\N{EM DASH} witness.example " + base64.b64encode(b"w" * 76).decode() + "\n"
    assert verify_checkpoint(note + witness, VERIFIER).size == 5
    stranger = make_checkpoint(origin=ORIGIN, size=5, root=b"r" * 32, key=Ed25519PrivateKey.generate())
    changed = note.replace("\n5\n", "\n6\n")
    for bad in (stranger, changed, note[:-1], note.replace("\n\n", "\n"), "", "\n\n", note.replace("=", "!")):
        with pytest.raises(ProofError):
            verify_checkpoint(bad, VERIFIER)
    with pytest.raises(ProofError):
        verify_checkpoint(note, VERIFIER[:-6] + "AAAAA=")
    with pytest.raises(ProofError, match="origin"):
        make_checkpoint(origin="with space", size=1, root=b"r" * 32, key=SIGNING_KEY)
