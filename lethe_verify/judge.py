"""One file, judged: a sealed report or a bundle around one. Never raises on any bytes."""

from __future__ import annotations

import hashlib
import struct
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

from lethe_verify import bundle, evidence, jcs, merkle, note, opened, seal, when
from lethe_verify.errors import Refused
from lethe_verify.trust import Trust
from lethe_verify.verdict import Finding, Outcome, Verdict

MAX_PDF: Final = bundle.LIMITS[bundle.REPORT]
#: The forms of bundles, and the members of each one's ledger file.
_MEMBERS: Final = {"format", "verifier_key", "checkpoint", "entries", "consistency"}
BUNDLES: Final = {"lethe-bundle/1": _MEMBERS, "lethe-bundle/2": {*_MEMBERS, "witnesses"},
                  "lethe-bundle/3": {*_MEMBERS, "witnesses", "time"}}  # fmt: skip
CONSISTENCY: Final = "lethe-consistency/1"
#: What shows that the ledger holds a file that comes alone.
REGISTERED: Final = {"bundled": "Its bundle shows the rest.", "alone": when.ADVICE["alone"]}
#: What reading hostile bytes may raise beside `Refused`. Each means that the file is not what was sealed.
UNREADABLE: Final = (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError,
                     struct.error)  # fmt: skip


@dataclass(frozen=True)
class Known:
    """An earlier checkpoint of the ledger that the one who checks kept, and where needed the proof to the newer one.

    `time`: the time stamp (RFC 3161) over that checkpoint, as the issuer serves it.
    """

    checkpoint: str
    consistency: bytes = b""
    time: bytes = b""


def judge(
    data: bytes, trust: Trust | None = None, *, known: Known | None = None, at: datetime | None = None
) -> Verdict:
    """Says what the file is, and what was and was not proved.

    Without `trust` a file can be whole, never genuine: whoever forges a report brings a key of their own.

    Args:
        at: judge as if on this day (with a time zone); now without it.
    """
    # Of a larger file no more than the beginning is here (`__main__.read`): its digest would be another file's.
    verdict = Verdict(sha256=hashlib.sha256(data).hexdigest() if len(data) <= bundle.MAX else "")
    trust = trust or Trust()
    try:
        moment = at or datetime.now(UTC)
        judged = _bundle if bundle.is_bundle(data) else _report
        proved = judged(data, verdict, trust, moment)
        compared(verdict, proved, known, trust, moment)
        _whole(verdict, trust)
    except Refused as refusal:
        verdict.findings.append(Finding(refusal.code, "refused", refusal.text))
    except UNREADABLE as error:
        text = f"The file cannot be read ({type(error).__name__})."
        verdict.findings.append(Finding("format", "refused", text))
    return verdict


def _whole(verdict: Verdict, trust: Trust) -> None:
    """Everything held; now who sealed it."""
    if verdict.fingerprint in trust.seals:
        verdict.proved("signer", "The seal is by the certificate that you trust.")
        open_ones = any(one.state == "undecided" for one in verdict.findings)
        verdict.outcome = Outcome.UNDECIDED if open_ones else Outcome.GENUINE
    elif trust.seals:
        raise Refused("signer", "The file is whole, but it was sealed by another certificate than the one you trust.")
    else:
        text = "Who sealed it is unknown: no fingerprint was given. Anybody can make a file that is whole in itself."
        verdict.open("signer", text)
        verdict.outcome = Outcome.UNKNOWN_SIGNER


def _report(data: bytes, verdict: Verdict, trust: Trust, at: datetime) -> evidence.Proved:
    proved, sealed, moment = _pdf(data, verdict, trust, at)
    kind = "bundled" if evidence.has_bundle(sealed.evidence) else "alone"
    verdict.open("registered", f"That the ledger holds this very file: of it, the evidence alone is an entry. "
                               f"{REGISTERED[kind]}")  # fmt: skip
    witnessed(verdict, proved, trust)
    if not when.in_hand(verdict, proved.key, proved.checkpoint, trust, [moment]):
        when.unplaced(verdict, proved.key, proved.checkpoint, trust, kind)
    return proved


def _pdf(
    data: bytes, verdict: Verdict, trust: Trust, at: datetime
) -> tuple[evidence.Proved, seal.Sealed, datetime | None]:
    """A sealed report: what its ledger proves, what the file says, and its first time from outside."""
    verdict.kind = verdict.kind or "report"
    if len(data) > MAX_PDF:
        raise Refused("size", f"The file is larger than {MAX_PDF // 2**20} MB; no report is.")
    if not data.startswith(b"%PDF-"):
        raise Refused("format", "The file is neither a PDF nor a bundle.")
    sealed = seal.check(data)
    verdict.fingerprint, verdict.level = sealed.certificate.fingerprint, sealed.level
    verdict.sealed_at = sealed.sealed_at.isoformat()
    after = f" but {len(sealed.stamps) - 1} time stamps over all of it" if sealed.stamps else ""
    verdict.proved("seal", f"The seal covers every byte of the report, and nothing was added after it{after}.")
    verdict.proved("revisions", "Seal and time stamps changed no page, no title and no metadata of the report.")
    document = evidence.read(sealed.evidence)
    verdict.report = {name: document["report"].get(name, "") for name in ("number", "issuer", "issued_at")}
    verdict.proved("evidence", f"The evidence inside is that of report {verdict.report['number']}, to the last byte.")
    _copy(verdict, document)
    _thresholds(verdict, document)
    _acknowledged(verdict, document, trust)
    proved = evidence.check_ledger(document)
    verdict.ledger_key = proved.key
    if trust.ledgers and verdict.fingerprint in trust.seals:
        if proved.key not in trust.ledgers:
            raise Refused("ledger_key", "The evidence rests on another ledger than the one you trust.")
        verdict.proved("ledger_key", "The ledger is the one whose key you trust.")
    size = proved.checkpoint.size
    verdict.proved("ledger", f"The evidence and its thresholds are entries of a ledger of {size} entries.")
    moment = when.judge(verdict, sealed, trust, at)
    verdict.open("truth", "The measurements are the issuer's own: a seal proves who states them.")
    verdict.open("pages", "That the pages say what the evidence says: the two are not compared here.")
    if not evidence.confirmed(document, proved):
        verdict.open("thresholds", "That the thresholds were fixed by signing the very plans: other entries hold them.")
    _opened(verdict, document, proved)
    return proved, sealed, moment


def _opened(verdict: Verdict, document: dict[str, Any], proved: evidence.Proved) -> None:
    """What the opened entries show of plans and searches, beside their thresholds."""
    silent, searched = opened.told(document, proved.entries)
    if silent:
        verdict.open("plan", f"That reference, controls and configuration of plan {', '.join(map(str, silent))} were "
                             f"signed with its thresholds: evidence or ledger do not say.")  # fmt: skip
    elif document.get("attempts"):
        verdict.proved("plan", "Method, configuration, reference and controls of each plan are those that were signed "
                               "with its thresholds.")  # fmt: skip
        verdict.open("run", "When the runs began: the ledger shows what was written first, and the issuer says when "
                            "they started.")  # fmt: skip
    unjudged = opened.unjudged(document)
    if unjudged:
        verdict.open("verdict", f"That the verdict of plan {', '.join(map(str, unjudged))} is the one of the day when "
                                f"its verification ended: no entry written then is opened.")  # fmt: skip
    elif unjudged is not None:
        verdict.proved("verdict", "Version, verdict and digest of the measurements of each plan are those of which the "
                                  "ledger was told when its run and its verification ended.")  # fmt: skip
    if searched:
        verdict.proved("search", "What was searched and when is what the ledger was told as each search ended, and no "
                                 "more is called found than was found then.")  # fmt: skip
        verdict.open("search", "That no other search was made, and that those made found what there was.")
    elif (document.get("matching") or {}).get("searched"):
        verdict.open("search", "When and how the search was made: the evidence opens no entry written at its end.")


def _thresholds(verdict: Verdict, document: dict[str, Any]) -> None:
    """Whether all plans of the case were held to the same policy; changed thresholds are said, and are no fault."""
    attempts = document.get("attempts") or []
    changed = [
        str(one["number"]) for before, one in pairwise(attempts) if one["policy_digest"] != before["policy_digest"]
    ]
    if changed:
        verdict.open("thresholds", "That every plan was held to the same thresholds: they were changed before plan "
                                   f"{', '.join(changed)}, after another plan had been tried.")  # fmt: skip


def _copy(verdict: Verdict, document: dict[str, Any]) -> None:
    """Of a copy in another language: which file is the record."""
    if copy := document["report"].get("copy"):
        digest = str(copy["pdf"]).removeprefix("sha256:")
        verdict.open("copy", f"That it says what the record says: this is a copy in another language "
                             f"({document['report']['language']}) of {copy['of']} ({copy['language']}). The record is "
                             f"the file with the SHA-256 {digest}; where they differ, it counts.")  # fmt: skip


def _acknowledged(verdict: Verdict, document: dict[str, Any], trust: Trust) -> None:
    """Of whom the report says that they stated something about its patch: whether they signed that."""
    told, signed, left = evidence.acknowledged(document, trust.feeds)
    if signed:
        verdict.proved("acknowledged", f"Statements about the patch, signed by the keys that they name: {signed}. "
                                       f"Whose keys these are is the issuer's word.")  # fmt: skip
    if told > signed:
        verdict.open("acknowledged", f"What the report says that others stated about its patch, in {told - signed} of "
                                     f"{told} cases: no statement signed by a key of its own, for the publisher's "
                                     f"feed, says so.")  # fmt: skip
    if left:
        verdict.open("acknowledged", f"What the report says that yet others stated about its patch was not looked at: "
                                     f"{left}.")  # fmt: skip


def _bundle(data: bytes, verdict: Verdict, trust: Trust, at: datetime) -> evidence.Proved:
    verdict.kind = "bundle"
    files = bundle.read(data)
    inner, sealed, moment = _pdf(files[bundle.REPORT], verdict, trust, at)
    ledger = jcs.parse(files[bundle.LEDGER], "The bundle's ledger file")
    if set(ledger) != BUNDLES.get(str(ledger.get("format"))):
        raise Refused("bundle", "The bundle is of a kind that this version does not know.")
    if sealed.evidence != files[bundle.EVIDENCE]:
        raise Refused("bundle", "The evidence beside the report is not the one inside of it.")
    proved = evidence.check_entries(ledger)
    _same_ledger(verdict, inner, proved, trust)
    _entry_of_file(files, proved)
    verdict.proved("registered", "The ledger holds the digest of this very report, of its evidence and of the README.")
    proof = merkle.hashes(ledger["consistency"])
    _grew(inner.checkpoint, proved.checkpoint, proof)
    verdict.proved("consistency", f"Between evidence and bundle the ledger only grew, from {inner.checkpoint.size} to "
                                  f"{proved.checkpoint.size} entries.")  # fmt: skip
    witnessed(verdict, proved, trust)
    stamped = None
    if "time" in ledger:
        given = note.decode(ledger["time"])
        told, outside = when.of_checkpoint(verdict, given, ledger["checkpoint"], trust, at, sealed)
        written = datetime.fromisoformat(proved.entries[0].at)
        if written > told + seal.AHEAD:
            raise Refused("time", "The checkpoint's time stamp is older than the ledger's entry for this report.")
        stamped = told if outside else None
    _in_hand(verdict, (inner, moment), (proved, stamped), trust)
    return proved


def _in_hand(
    verdict: Verdict,
    inner: tuple[evidence.Proved, datetime | None],
    outer: tuple[evidence.Proved, datetime | None],
    trust: Trust,
) -> None:
    """The checkpoints of evidence and bundle, each with its time from outside, where a key of the ledger was lost.

    What the bundle's checkpoint is believed for holds for each smaller one, which its tree was shown to begin with.
    """
    (first, moment), (last, stamped) = inner, outer
    if not when.in_hand(verdict, last.key, last.checkpoint, trust, [stamped]):
        when.unplaced(verdict, last.key, last.checkpoint, trust, "bundled")
    elif first.checkpoint.size > last.checkpoint.size and not when.in_hand(
        verdict, first.key, first.checkpoint, trust, [moment]
    ):
        when.unplaced(verdict, first.key, first.checkpoint, trust, "bundled")


def _same_ledger(verdict: Verdict, inner: evidence.Proved, proved: evidence.Proved, trust: Trust) -> None:
    """The bundle's checkpoint is signed by the key that the sealed evidence names, or by one that replaced it.

    Only a key of the same origin can have: who trusts two houses trusts neither one for the other's ledger.
    """
    if proved.key == inner.key:
        return
    verdict.ledger_key = proved.key
    if proved.checkpoint.origin != inner.checkpoint.origin:
        raise Refused(
            "ledger_key", "The bundle's checkpoint is of another ledger than the one that the evidence names."
        )
    if proved.key in trust.ledgers and inner.key in trust.ledgers:
        verdict.proved("ledger_key", "The ledger's key was replaced between evidence and bundle; you trust both.")
    elif trust.ledgers:
        raise Refused("ledger_key", "The bundle's checkpoint is by another key than the ledger's that you trust.")
    else:
        verdict.undecided("ledger_key", "Whether the bundle's checkpoint is by the ledger that the evidence names: it "
                                        "is signed by another key. If that key was replaced, the issuer's trust file "
                                        "names both; give it by --trust.")  # fmt: skip


def witnessed(verdict: Verdict, proved: evidence.Proved, trust: Trust) -> None:
    """Who outside of the issuer saw this checkpoint: a second ledger would have to be shown to none of them."""
    # One key is one witness, under how many names it may sign.
    keys = {note.key(one.witness, note.WITNESS)[2]: one for one in proved.checkpoint.seen
            if one.witness in trust.witnesses}  # fmt: skip
    believed = list(keys.values())
    if len(believed) < trust.quorum:
        raise Refused("witness", f"You demand {trust.quorum} of your witnesses; {len(believed)} of them signed.")
    for one in believed:
        name, day = one.witness.split("+", 1)[0], datetime.fromtimestamp(one.at, UTC).isoformat()
        verdict.proved("witness", f"The witness {name}, whose key you trust, saw this ledger on {day}, and that it "
                                  f"only grew since it saw it first.")  # fmt: skip
    if believed:
        return
    if proved.checkpoint.seen:
        names = ", ".join(one.witness.split("+", 1)[0] for one in proved.checkpoint.seen)
        text = f"The checkpoint is signed by {names}, of whom you named no key as trusted: anybody can be a witness."
    else:
        text = "No witness outside of the issuer signed the checkpoint."
    verdict.open("witness", f"{text} The ledger is whole, but there may be a second one. Keep this checkpoint and "
                            f"compare it with a later one.")  # fmt: skip


def _entry_of_file(files: dict[str, bytes], proved: evidence.Proved) -> None:
    named = {"pdf": bundle.REPORT, "evidence": bundle.EVIDENCE, "readme": bundle.README}
    expected = {name: evidence.digest(files[file]) for name, file in named.items()}
    if len(proved.entries) != 1 or proved.entries[0].action != "report.sealed" or proved.entries[0].body != expected:
        raise Refused("registered", "The ledger does not hold the digests of the files in this bundle.")


def _grew(one: note.Checkpoint, two: note.Checkpoint, proof: list[bytes]) -> None:
    old, new = sorted((one, two), key=lambda checkpoint: checkpoint.size)
    merkle.check_consistency(old=old.size, new=new.size, old_root=old.root, new_root=new.root, proof=proof)


def _kept(checkpoint: str, keys: list[str]) -> tuple[note.Checkpoint, str]:
    """The checkpoint that somebody kept, and the key that signed it, which the ledger has or had."""
    for key in keys[:-1]:
        with suppress(Refused):
            return note.verify(checkpoint, key, strict=False), key
    return note.verify(checkpoint, keys[-1], strict=False), keys[-1]


def compared(verdict: Verdict, proved: evidence.Proved, known: Known | None, trust: Trust, at: datetime) -> None:
    """Compare with the checkpoint that was kept from earlier: a ledger that was rewritten cannot continue it."""
    if known is None:
        verdict.open("earlier", "No earlier checkpoint was given to compare the ledger with.")
        return
    earlier, key = _kept(known.checkpoint, [*sorted(trust.ledgers - {proved.key}), proved.key])
    stamped = None
    if known.time:
        told, outside = when.of_checkpoint(verdict, known.time, known.checkpoint, trust, at)
        stamped = told if outside else None
    if not when.kept_in_hand(verdict, key, earlier, trust, stamped):
        return
    proof: list[bytes] = []
    if known.consistency:
        given: dict[str, Any] = jcs.parse(known.consistency, "The proof of consistency")
        sizes = sorted((earlier.size, proved.checkpoint.size))
        if given.get("format") != CONSISTENCY or [given.get("old"), given.get("new")] != sizes:
            raise Refused("proof", f"The proof of consistency is not the one from {sizes[0]} to {sizes[1]} entries.")
        proof = merkle.hashes(given.get("proof"))
    elif earlier.size != proved.checkpoint.size:
        sizes = sorted((earlier.size, proved.checkpoint.size))
        raise Refused("proof", f"To compare with your checkpoint, fetch the issuer's proof from {sizes[0]} to "
                               f"{sizes[1]} entries and give it by --consistency.")  # fmt: skip
    _grew(earlier, proved.checkpoint, proof)
    verdict.proved("earlier", f"The ledger agrees with your checkpoint of {earlier.size} entries.")
