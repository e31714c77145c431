"""A sample of cases for an audit, drawn again: by the statement in the ledger, the checkpoint after it, and a text."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from lethe_verify import evidence, jcs
from lethe_verify.errors import Refused
from lethe_verify.judge import UNREADABLE, witnessed
from lethe_verify.trust import Trust
from lethe_verify.verdict import Finding, Outcome, Verdict

FORMAT: Final = "lethe-sample/1"
MEMBERS: Final = {"format", "verifier_key", "checkpoint", "witnesses", "entries", "text", "seed", "population", "drawn"}
#: Bytes of the largest file that is read: half a million cases.
MAX: Final = 32 * 1024 * 1024


def is_sample(data: bytes) -> bool:
    """Whether a file looks like one; what it holds is judged afterwards."""
    return data[:1] == b"{" and f'"format":"{FORMAT}"'.encode() in data


def judge(data: bytes, trust: Trust) -> Verdict:
    """Says whether the sample is the one that statement, checkpoint and text lead to."""
    verdict = Verdict(kind="sample", sha256=hashlib.sha256(data).hexdigest())
    try:
        _judged(data, verdict, trust)
    except Refused as refusal:
        verdict.findings.append(Finding(refusal.code, "refused", refusal.text))
    except UNREADABLE as error:
        text = f"The file cannot be read ({type(error).__name__})."
        verdict.findings.append(Finding("format", "refused", text))
    return verdict


def _judged(data: bytes, verdict: Verdict, trust: Trust) -> None:
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
    _drawn(given, stated.body, proved.checkpoint.root, verdict)
    verdict.report = {"number": f"sample {stated.body['sample']}"}
    verdict.proved("stated", f"Sample {stated.body['sample']} was stated at {stated.at}, before its checkpoint was "
                             f"signed over {proved.checkpoint.size} entries.")  # fmt: skip
    verdict.open("first", "That this was the first checkpoint after the statement, that the house did not know the "
                          "auditor's text before it (it could have tried roots), and that the list of cases is "
                          "complete: compare the checkpoint with a witness's, and the list with what you "
                          "know.")  # fmt: skip
    witnessed(verdict, proved, trust)
    if proved.key in trust.ledgers:
        verdict.proved("ledger_key", "The ledger is the one whose key you trust.")
        verdict.outcome = Outcome.GENUINE
    elif trust.ledgers:
        raise Refused("ledger_key", "The sample rests on another ledger than the one you trust.")
    else:
        verdict.open("ledger_key", "Whose ledger it is: give the issuer's trust file by --trust.")
        verdict.outcome = Outcome.UNKNOWN_SIGNER


def _drawn(given: dict[str, Any], stated: dict[str, Any], root: bytes, verdict: Verdict) -> None:
    """The list is the one that was stated, the text too, and the draw follows from both and the root."""
    listed, text = given["population"], given["text"]
    lines = "".join(f"{number},{stratum}\n" for number, stratum in listed)
    if listed != sorted(listed) or len(listed) != stated["cases"]:
        raise Refused("population", "The list of cases is not as long or not in the order that was stated.")
    if "sha256:" + hashlib.sha256(lines.encode()).hexdigest() != stated["population"]:
        raise Refused("population", "The list of cases is not the one that was stated before the draw.")
    if hashlib.sha256(text.encode()).hexdigest() != stated["commitment"]:
        raise Refused("text", "The auditor's text is not the one whose digest was stated.")
    seed = hashlib.sha256(f"{FORMAT}\n{root.hex()}\n{text}".encode()).hexdigest()
    if seed != given["seed"]:
        raise Refused("seed", "The seed does not follow from the checkpoint and the text.")
    if drawn(listed, stated["n"], seed) != given["drawn"]:
        raise Refused("drawn", "Other cases are named than those that the seed draws.")
    verdict.proved("drawn", f"The {len(given['drawn'])} cases are those that the seed draws from the {len(listed)} "
                            f"that were stated.")  # fmt: skip


def drawn(listed: list[list[str]], n: int, seed: str) -> list[list[str]]:
    """Of each stratum the first `n` cases, in the order of SHA-256(seed LF number)."""
    found: list[list[str]] = []
    for stratum in sorted({one[1] for one in listed}):
        inside = [one for one in listed if one[1] == stratum]
        found += sorted(inside, key=lambda one: hashlib.sha256(f"{seed}\n{one[0]}".encode()).hexdigest())[:n]
    return found
