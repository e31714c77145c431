"""The evidence document `lethe-evidence/1`, and the entries of the ledger that vouch for it."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Any, Final

from lethe_verify import jcs, merkle, note
from lethe_verify.errors import Refused

SCHEMA: Final = "lethe-evidence/1"
#: Letters, statements and registers: they rest on no run.
PAPER: Final = "lethe-paper/1"
HEX64 = re.compile(r"[0-9a-f]{64}")
_LEAF: Final = {
    "at": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
    "action": re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+"),
    "case": re.compile(r"(?:[0-9a-f]{64})?"),
    "actor": re.compile(r"[0-9a-f]{64}|system:[a-z][a-z0-9_-]*"),
    "body": HEX64,
}
MAX_ENTRIES: Final = 500


@dataclass(frozen=True)
class Entry:
    """An entry of the ledger that was opened: where it stands, what happened, and what it commits to."""

    index: int
    at: str
    action: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Proved:
    """A ledger's checkpoint, the key that signed it, and the entries that were found to be in it."""

    key: str
    checkpoint: note.Checkpoint
    entries: tuple[Entry, ...]


def digest(data: bytes) -> str:
    """`sha256:<hex>`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def read(data: bytes) -> dict[str, Any]:
    """The document from its canonical bytes, with every digest in it that can be computed again."""
    document = jcs.parse(data, "The evidence document")
    try:
        if document["schema"] not in (SCHEMA, PAPER):
            raise Refused(
                "evidence", f"The evidence is of a kind that this version does not know: {document['schema']}."
            )
        policy, attempts = _judged(document)
        texts = [(policy["text"], policy["digest"])] if policy else []
        texts += [(one["config"], one["config_digest"]) for one in attempts]
        if any(digest(said.encode()) != told for said, told in texts):
            raise Refused("evidence", "A policy or configuration in the evidence is not the one whose digest it names.")
        for one in attempts:
            if not one["thresholds_recorded"]["at"] <= one["started_at"] <= one["finished_at"]:
                raise Refused("evidence", "The evidence names thresholds that were recorded after the run began.")
        str(document["report"]["number"]), document["ledger"]
    except (KeyError, TypeError, AttributeError) as error:
        raise Refused("evidence", "The evidence document lacks something that each of ours has.") from error
    return document


def _judged(document: dict[str, Any]) -> tuple[Any, Any]:
    """The policy and the attempts; a paper that has either is none of ours."""
    if document["schema"] == PAPER:
        if "policy" in document or "attempts" in document:
            raise Refused("evidence", "The evidence mixes two kinds of document.")
        return None, []
    return document["policy"], document["attempts"]


def check_ledger(document: dict[str, Any], key: str = "") -> Proved:
    """The proofs inside of the document: it, and the thresholds that it names, are entries of the ledger."""
    if not isinstance(document["ledger"], dict):
        raise Refused("ledger", "The evidence carries no proof from the ledger.")
    proved = check_entries(document["ledger"], key)
    core = digest(jcs.dump({name: value for name, value in document.items() if name != "ledger"}))
    if not any(one.action == "evidence.recorded" and one.body.get("evidence") == core for one in proved.entries):
        raise Refused("ledger", "No entry of the ledger commits to this evidence.")
    known = {one.index: one.body for one in proved.entries}
    for one in _judged(document)[1]:
        body = known.get(one["thresholds_recorded"]["index"])
        if body is None or one["policy_digest"] not in body.values():
            raise Refused("ledger", "The ledger does not hold the thresholds that the evidence says were fixed before.")
    return proved


def check_entries(ledger: dict[str, Any], key: str = "") -> Proved:
    """Checkpoint, inclusion and opening of every entry given. `key` must be the ledger's where it is known."""
    try:
        used, entries = ledger["verifier_key"], ledger["entries"]
        if not isinstance(used, str) or (key and used != key):
            raise Refused("ledger_key", "The checkpoint is by another key than the ledger's that is trusted.")
        if not isinstance(entries, list) or not 0 < len(entries) <= MAX_ENTRIES:
            raise Refused("ledger", "The ledger's entries are missing.")
        checkpoint = note.verify(ledger["checkpoint"], used, ledger.get("witnesses", ()))
        return Proved(used, checkpoint, tuple(_entry(one, checkpoint) for one in entries))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Refused("ledger", "A proof from the ledger has not the form that it should have.") from error


def _entry(given: dict[str, Any], checkpoint: note.Checkpoint) -> Entry:
    leaf, body, salt = given["leaf"], given["body"], given["salt"]
    if (
        set(given) != {"leaf", "body", "salt", "proof"}
        or set(leaf) != {"v", "index", *_LEAF}
        or not HEX64.fullmatch(salt)
    ):
        raise Refused("ledger", "An entry of the ledger has not the form that it should have.")
    index = leaf["index"]
    if leaf["v"] is True or leaf["v"] != 1 or type(index) is not int or not isinstance(body, dict):
        raise Refused("ledger", "An entry of the ledger is of another kind.")
    if not all(isinstance(leaf[name], str) and form.fullmatch(leaf[name]) for name, form in _LEAF.items()):
        raise Refused("ledger", f"Entry {index} of the ledger has a value that none of ours has.")
    proof = merkle.hashes(given["proof"])
    root = merkle.root_from_inclusion(merkle.leaf_hash(jcs.dump(leaf)), index, checkpoint.size, proof)
    if root != checkpoint.root:
        raise Refused("ledger", f"Entry {index} is not in the ledger whose checkpoint was signed.")
    opened = hashlib.sha256(bytes.fromhex(salt) + jcs.dump(body)).hexdigest()
    if not hmac.compare_digest(opened, leaf["body"]):
        raise Refused("ledger", f"Entry {index} of the ledger does not commit to what is given for it.")
    return Entry(index, leaf["at"], leaf["action"], body)
