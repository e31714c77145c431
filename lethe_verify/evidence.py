"""The evidence document `lethe-evidence/1`, and the entries of the ledger that vouch for it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lethe_verify import ed25519, jcs, merkle, note, opened, passed
from lethe_verify.errors import Refused
from lethe_verify.opened import CONFIRMED, Entry

SCHEMA: Final = "lethe-evidence/1"
#: Letters, statements and registers: they rest on no run.
PAPER: Final = "lethe-paper/1"
#: What whoever runs a patched model elsewhere signs.
ACKNOWLEDGEMENT: Final = "lethe-patch-acknowledgement/1"
#: Kinds of reports of which a bundle is made; a report from before there were kinds names none.
BUNDLED: Final = ("compliance", "no_data")
_WORD: Final = {"kind", "feed", "patch", "base", "result", "state", "at", "public_key"}
HEX64 = re.compile(r"[0-9a-f]{64}")
#: Times of this one form can be compared as they are written; other digits than these could not.
TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_LEAF: Final = {
    "at": TIME,
    "action": re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+"),
    "case": re.compile(r"(?:[0-9a-f]{64})?"),
    "actor": re.compile(r"[0-9a-f]{64}|system:[a-z][a-z0-9_-]*"),
    "body": HEX64,
}
#: Statements of subscribers that are looked at, and entries of the ledger that evidence may open.
MAX_STATEMENTS: Final = 500
MAX_ENTRIES: Final = 2000


@dataclass(frozen=True)
class Proved:
    """A ledger's checkpoint, the key that signed it, and the entries that were found to be in it."""

    key: str
    checkpoint: note.Checkpoint
    entries: tuple[Entry, ...]


def digest(data: bytes) -> str:
    """`sha256:<hex>`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def has_bundle(data: bytes) -> bool:
    """Whether the issuer makes bundles of files with this evidence, found good: of reports, not of their copies."""
    about = jcs.parse(data, "The evidence document")["report"]
    return about.get("kind", "compliance") in BUNDLED and "copy" not in about


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
        rules = passed.thresholds(policy["text"]) if policy else {}
        for place, one in enumerate(attempts, start=1):
            if one["number"] is True or one["number"] != place:
                raise Refused("evidence", f"The evidence calls a plan number {one['number']} that stands as number "
                                          f"{place}: one is missing, or they are out of order.")  # fmt: skip
            times = [one["thresholds_recorded"]["at"], one["started_at"], one["finished_at"]]
            if times != sorted(times) or not all(TIME.fullmatch(each) for each in times):
                raise Refused("evidence", "The evidence names thresholds that were recorded after the run began.")
            passed.hold(one["verification"], rules if one["policy_digest"] == policy["digest"] else None)
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


def acknowledged(document: dict[str, Any], feeds: Collection[str] = ()) -> tuple[int, int, int]:
    """Of how many subscribers the document says that they stated what they did with its patch; by how many keys just
    that is signed; and how many, of very many, were not looked at.

    Args:
        feeds: keys of the publisher's feeds; without them those that the sealed document names, or, where it names
            none, one and the same for all statements.
    """
    found = document.get("downstream") or {"patch": None, "subscribers": []}
    told = [one for one in found["subscribers"] if one["state"] in ("fetched", "applied") or "statement" in one]
    words = [_acknowledged(one, found["patch"] or {}) for one in told[:MAX_STATEMENTS]]
    named = {feed for _key, feed in filter(None, words)}
    believed = set(feeds) or set(found.get("feeds", ())) or (named if len(named) == 1 else set())
    signed = {key for key, feed in filter(None, words) if feed in believed}
    return len(words), len(signed), len(told) - len(words)


def _acknowledged(one: dict[str, Any], patch: dict[str, Any]) -> tuple[bytes, str] | None:
    """The key that signed what is told of a subscriber, and for which feed; None where none did."""
    try:
        data = one["statement"].encode()
        said = jcs.parse(data, "A statement about a patch")
        key, signature = (base64.b64decode(text, validate=True) for text in (said["public_key"], one["signature"]))
        moment = datetime.fromisoformat(said["at"])
        at = moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment.tzinfo else ""
        about = {"kind": ACKNOWLEDGEMENT, "state": one["state"], "patch": patch["digest"], "base": patch["base"],
                 "result": patch["result"]}  # fmt: skip
        right = set(said) == _WORD and at == one["since"] and isinstance(said["feed"], str)
    except (Refused, KeyError, TypeError, AttributeError, ValueError, OverflowError):
        return None
    right = right and all(said[name] == value for name, value in about.items()) and ed25519.verify(key, data, signature)
    return (key, said["feed"]) if right else None


def check_ledger(document: dict[str, Any]) -> Proved:
    """The proofs inside of the document: it, and the thresholds that it names, are entries of the ledger."""
    if not isinstance(document["ledger"], dict):
        raise Refused("ledger", "The evidence carries no proof from the ledger.")
    proved = check_entries(document["ledger"])
    core = digest(jcs.dump({name: value for name, value in document.items() if name != "ledger"}))
    own = [one for one in proved.entries if one.action == "evidence.recorded" and one.body.get("evidence") == core]
    if not own:
        raise Refused("ledger", "No entry of the ledger commits to this evidence.")
    policy, attempts = _judged(document)
    # What the evidence rests on was written before it: the order of entries is what witnesses prove, not their times.
    known = {one.index: one for one in proved.entries if one.index <= own[0].index}
    for point, digest_of, attempt in _points(policy, attempts):
        found = known.get(point["index"]) if type(point["index"]) is int else None
        if found is None or not _fixes(found, digest_of, attempt):
            raise Refused("ledger", "The ledger does not hold, before this evidence, the thresholds that it says were "
                                    "fixed.")  # fmt: skip
        if found.at != point["at"]:
            raise Refused("ledger", f"The evidence says that thresholds were recorded at {point['at']}; the ledger "
                                    f"says {found.at}.")  # fmt: skip
    opened.hold(document, known.values(), own[0].case)
    return proved


def _points(policy: Any, attempts: Any) -> list[tuple[dict[str, Any], str, int | None]]:
    """Where thresholds are said to be recorded, the policy's digest, and of which attempt; None: of any."""
    points = [(one["thresholds_recorded"], one["policy_digest"], one["number"]) for one in attempts]
    return [*points, *([(policy["recorded"], policy["digest"], None)] if policy else [])]


def _fixes(entry: Entry, policy: str, attempt: int | None) -> bool:
    """Whether an entry commits to these thresholds; the signing of a plan only to those of its own attempt."""
    if entry.action != CONFIRMED:
        return policy in entry.body.values()
    return entry.body.get("policy") == policy and attempt in (None, entry.body.get("attempt"))


def confirmed(document: dict[str, Any], proved: Proved) -> bool:
    """Whether every threshold was fixed by the signing of the very plan that it judged."""
    signed = {one.index for one in proved.entries if one.action == CONFIRMED}
    return all(point["index"] in signed for point, _policy, _attempt in _points(*_judged(document)))


def check_entries(ledger: dict[str, Any]) -> Proved:
    """Checkpoint, inclusion and opening of every entry given, by the key that is named there."""
    try:
        used, entries = ledger["verifier_key"], ledger["entries"]
        if not isinstance(used, str):
            raise Refused("ledger_key", "The checkpoint names no key.")
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
    return Entry(index, leaf["at"], leaf["action"], body, leaf["case"])
