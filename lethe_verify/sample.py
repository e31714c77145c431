"""A sample of cases for an audit, drawn again: by the statement in the ledger, the root up to it, and a text."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, Final

from lethe_verify import bundle, evidence, jcs, merkle, when
from lethe_verify.errors import Refused
from lethe_verify.judge import UNREADABLE, Known, compared, witnessed
from lethe_verify.trust import Trust
from lethe_verify.verdict import Finding, Outcome, Verdict

FORMAT: Final = "lethe-sample/2"
MEMBERS: Final = {"format", "verifier_key", "checkpoint", "witnesses", "entries", "root", "consistency", "text", "seed",
                  "population", "drawn"}  # fmt: skip
#: Bytes of the largest file that is read: half a million cases.
MAX: Final = 32 * 1024 * 1024


def is_sample(data: bytes) -> bool:
    """Whether a file looks like one; what it holds is judged afterwards."""
    return data[:1] == b"{" and b'"format":"lethe-sample/' in data


def judge(data: bytes, trust: Trust, known: Known | None = None, at: datetime | None = None) -> Verdict:
    """Says whether the sample is the one that statement, root and text lead to, in the ledger of the checkpoint that
    was kept.
    """
    # Of a larger file no more than the beginning is here (`__main__.read`): its digest would be another file's.
    verdict = Verdict(kind="sample", sha256=hashlib.sha256(data).hexdigest() if len(data) <= bundle.MAX else "")
    try:
        _judged(data, verdict, trust, known, at or datetime.now(UTC))
    except Refused as refusal:
        verdict.findings.append(Finding(refusal.code, "refused", refusal.text))
    except UNREADABLE as error:
        text = f"The file cannot be read ({type(error).__name__})."
        verdict.findings.append(Finding("format", "refused", text))
    return verdict


def _judged(data: bytes, verdict: Verdict, trust: Trust, known: Known | None, at: datetime) -> None:
    if len(data) > MAX:
        raise Refused("size", "The file is larger than any of ours.")
    given = jcs.parse(data, "The file of the sample")
    if set(given) != MEMBERS or given["format"] != FORMAT:
        raise Refused("format", "This is no sample of a kind that this version knows.")
    proved = evidence.check_entries(given)
    verdict.ledger_key = proved.key
    stated = proved.entries[0]
    if len(proved.entries) != 1 or stated.action != "sample.stated":
        raise Refused("statement", "The entry of the ledger is no statement of a sample.")
    [root] = merkle.hashes([given["root"]])
    merkle.check_consistency(old=stated.index + 1, new=proved.checkpoint.size, old_root=root,
                             new_root=proved.checkpoint.root, proof=merkle.hashes(given["consistency"]))  # fmt: skip
    _drawn(given, stated.body, root, verdict)
    verdict.report = {"number": f"sample {stated.body['sample']}"}
    verdict.proved("stated", f"Sample {stated.body['sample']} was stated at {stated.at}, by the issuer's clock, as "
                             f"entry {stated.index} of the ledger. The draw follows from the ledger up to that entry: "
                             f"no later entry or checkpoint changes it.")  # fmt: skip
    groups = f" of each {stated.body['strata']}" if stated.body["strata"] else ""
    verdict.proved("asked", f"It asks for {stated.body['n']} cases{groups}, of those with "
                            f"{jcs.dump(stated.body['narrowed']).decode()}.")  # fmt: skip
    verdict.open("unknown", f"That the house did not know the auditor's text when it entered the statement, nor "
                            f"entered several of which it shows the one that pleases it. An auditor who noted this "
                            f"root before telling the text knows that it did not choose among several once it was "
                            f"told; that it did not know the text holds only where the text was kept and nobody "
                            f"could guess it from its SHA-256: {root.hex()}.")  # fmt: skip
    verdict.open("complete", "That the list of cases is complete: compare it with what you know.")
    witnessed(verdict, proved, trust)
    compared(verdict, proved, known, trust, at)
    if proved.key in trust.ledgers:
        verdict.proved("ledger_key", "The ledger is the one whose key you trust.")
        placed = when.in_hand(verdict, proved.key, proved.checkpoint, trust, [])
        if not placed:
            when.unplaced(verdict, proved.key, proved.checkpoint, trust, "sample")
        doubted = any(one.state == "undecided" for one in verdict.findings)
        verdict.outcome = Outcome.GENUINE if placed and not doubted else Outcome.UNDECIDED
    elif trust.ledgers:
        raise Refused("ledger_key", "The sample rests on another ledger than the one you trust.")
    else:
        verdict.open("ledger_key", "Whose ledger it is: give the issuer's trust file by --trust.")
        verdict.outcome = Outcome.UNKNOWN_SIGNER


def _drawn(given: dict[str, Any], stated: dict[str, Any], root: bytes, verdict: Verdict) -> None:
    """The list is the one that was stated, the text too, and the draw follows from both and the root."""
    listed, text = given["population"], given["text"]
    if not all(type(one) is list and len(one) == 2 and _plain(*one) for one in listed):
        raise Refused("population", "The list of cases holds something that is no case's number with its group.")
    if len({number for number, _stratum in listed}) != len(listed):
        raise Refused("population", "The list of cases names a case twice.")
    if stated["strata"] == "" and any(stratum for _number, stratum in listed):
        raise Refused("population", "The list of cases is cut into groups that were not stated.")
    if type(stated["n"]) is not int or stated["n"] < 1:
        raise Refused("statement", "The statement does not say how many cases are drawn.")
    lines = "".join(f"{number},{stratum}\n" for number, stratum in listed)
    if listed != sorted(listed) or len(listed) != stated["cases"]:
        raise Refused("population", "The list of cases is not as long or not in the order that was stated.")
    if "sha256:" + hashlib.sha256(lines.encode()).hexdigest() != stated["population"]:
        raise Refused("population", "The list of cases is not the one that was stated before the draw.")
    if hashlib.sha256(text.encode()).hexdigest() != stated["commitment"]:
        raise Refused("text", "The auditor's text is not the one whose digest was stated.")
    seed = hashlib.sha256(f"{FORMAT}\n{root.hex()}\n{text}".encode()).hexdigest()
    if seed != given["seed"]:
        raise Refused("seed", "The seed does not follow from the ledger and the text.")
    if drawn(listed, stated["n"], seed) != given["drawn"]:
        raise Refused("drawn", "Other cases are named than those that the seed draws.")
    verdict.proved("drawn", f"The {len(given['drawn'])} cases are those that the seed draws from the {len(listed)} "
                            f"that were stated.")  # fmt: skip


def _plain(number: object, stratum: object) -> bool:
    """Texts whose line `number,stratum` can be read in one way only."""
    if not isinstance(number, str) or not isinstance(stratum, str):
        return False
    return f"{number}{stratum}".isprintable() and number != "" and "," not in number


def drawn(listed: list[list[str]], n: int, seed: str) -> list[list[str]]:
    """Of each stratum the first `n` cases, in the order of SHA-256(seed LF number)."""
    strata: dict[str, list[list[str]]] = {}
    for one in listed:
        strata.setdefault(one[1], []).append(one)
    found: list[list[str]] = []
    for _stratum, inside in sorted(strata.items()):
        found += sorted(inside, key=lambda one: hashlib.sha256(f"{seed}\n{one[0]}".encode()).hexdigest())[:n]
    return found
