"""Checks the file of a sample that was drawn for an audit: what was stated, and that it leads to just these cases."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Final

from governance.evidence import cosignature, lost_key, sampling
from governance.evidence.check_result import Outcome
from governance.evidence.checkpoint import verify_checkpoint
from governance.evidence.errors import DocumentError, EvidenceError, ProofError
from governance.evidence.findings import Finding, _, told
from governance.evidence.leaf import canonical, open_leaf, parse_leaf
from governance.evidence.lost_key import LostKeyError
from governance.evidence.merkle import leaf_hash, verify_consistency, verify_inclusion
from governance.evidence.schema import digest
from governance.evidence.trust_file import Believed

#: The entry by which an auditor states what is to be drawn.
STATED_ACTION: Final = "sample.stated"
MEMBERS: Final = {"format", "verifier_key", "checkpoint", "witnesses", "entries", "root", "consistency", "text", "seed",
                  "population", "drawn"}  # fmt: skip
#: Characters of a value in a statement, and values, at most.
LONGEST: Final = 100


@dataclass(frozen=True, kw_only=True)
class SampleResult:
    """What the file is, all that led to it, and, where it is whole, what it says of itself."""

    outcome: Outcome
    findings: tuple[Finding, ...]
    sha256: str
    sample: dict[str, Any] = field(default_factory=dict)


def is_sample(data: bytes) -> bool:
    """Whether a file looks like one; what it holds is judged afterwards."""
    return data[:1] == b"{" and b'"format":"lethe-sample/' in data


def check_sample(data: bytes, trusted: Believed) -> SampleResult:
    """Whether statement, list, text, seed and cases belong together, in the ledger that is trusted."""
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        given = json.loads(data)
        if set(given) != MEMBERS or given["format"] != sampling.FORMAT or canonical(given) != data:
            raise DocumentError("This is no sample of a kind that this version knows.")
        sample, seen = _stated(given)
        _drawn(given, sample)
    except EvidenceError as error:
        return SampleResult(outcome=Outcome.ALTERED, findings=(_broken(" ".join(error.problems)),), sha256=sha256)
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        fault = f"The file cannot be read ({type(error).__name__})."
        return SampleResult(outcome=Outcome.ALTERED, findings=(_broken(fault),), sha256=sha256)
    outcome, hand = _hand(given["verifier_key"], [at for key, at in seen.items() if key in trusted.witnesses], trusted)
    findings = (*_held(sample), *([hand] if hand else ()))
    return SampleResult(outcome=outcome, findings=findings, sha256=sha256, sample=sample)


def _broken(fault: str) -> Finding:
    words = _("What the sample holds does not belong together, or something was changed.")
    return Finding(code="sample", good=False, sentence=words, detail=fault)


def _stated(given: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """What was stated, and when which witness saw the checkpoint that proves it."""
    checkpoint = verify_checkpoint(given["checkpoint"], given["verifier_key"])
    seen = cosignature.verify_all(given["checkpoint"], given["witnesses"])
    [entry] = given["entries"]
    leaf, root = parse_leaf(entry["leaf"]), bytes.fromhex(given["root"])
    verify_inclusion(leaf=leaf_hash(leaf.to_bytes()), index=leaf.index, size=checkpoint.size, root=checkpoint.root,
                     proof=[bytes.fromhex(node) for node in entry["proof"]])  # fmt: skip
    if leaf.action != STATED_ACTION or not open_leaf(leaf, entry["body"], bytes.fromhex(entry["salt"])):
        raise ProofError("The entry of the ledger is not the statement that the file gives.")
    verify_consistency(old=leaf.index + 1, new=checkpoint.size, old_root=root, new_root=checkpoint.root,
                       proof=[bytes.fromhex(node) for node in given["consistency"]])  # fmt: skip
    _plainly_stated(entry["body"])
    numbers = {"entry": leaf.index, "size": checkpoint.size, "at": leaf.at}
    return {**entry["body"], **numbers, "root": root.hex(), "seed": given["seed"], "drawn": given["drawn"]}, seen


def _plainly_stated(body: dict[str, Any]) -> None:
    """Whoever signs a ledger of their own writes anything into it: no more is shown than a statement has."""
    asked = body["narrowed"]
    texts = [*asked, *asked.values(), body["strata"], body["population"], body["commitment"]]
    if not all(isinstance(one, str) and len(one) <= LONGEST for one in texts) or len(asked) > LONGEST:
        raise ProofError("The statement holds something that none of ours has.")
    if not all(type(body[name]) is int and body[name] > 0 for name in ("sample", "n", "cases")):
        raise ProofError("The statement does not say how many cases are drawn, or of how many.")


def _drawn(given: dict[str, Any], stated: dict[str, Any]) -> None:
    """The list is the one that was stated, the text too, and the draw follows from both and the root.

    Raises:
        ProofError: saying what does not.
    """
    listed = [(number, stratum) for number, stratum in given["population"]]
    if not all(_plain(*one) for one in listed) or len({number for number, _stratum in listed}) != len(listed):
        raise ProofError("The list of cases can be read in more than one way.")
    if stated["strata"] == "" and any(stratum for _number, stratum in listed):
        raise ProofError("The list of cases is cut into groups that were not stated.")
    if listed != sorted(listed) or len(listed) != stated["cases"]:
        raise ProofError("The list of cases is not as long or not in the order that was stated.")
    if digest(sampling.population(listed)) != stated["population"]:
        raise ProofError("The list of cases is not the one that was stated before the draw.")
    if sampling.commitment(given["text"]) != stated["commitment"]:
        raise ProofError("The auditor's text is not the one whose digest was stated.")
    if sampling.seed(bytes.fromhex(given["root"]), given["text"]) != given["seed"]:
        raise ProofError("The seed does not follow from the ledger and the text.")
    if [list(one) for one in sampling.draw(listed, stated["n"], given["seed"])] != given["drawn"]:
        raise ProofError("Other cases are named than those that the seed draws.")


def _plain(number: object, stratum: object) -> bool:
    """Texts whose line `number,stratum` can be read in one way only."""
    if not isinstance(number, str) or not isinstance(stratum, str):
        return False
    return f"{number}{stratum}".isprintable() and number != "" and "," not in number


def _held(sample: dict[str, Any]) -> tuple[Finding, ...]:
    drawn, cases = len(sample["drawn"]), sample["cases"]
    return (
        told("stated", _("Sample %(number)s was stated as entry %(entry)s of the ledger, which only grew since."),
             good=True, values={"number": sample["sample"], "entry": sample["entry"]}),
        told("list", _("The list of %(cases)s cases and the auditor’s text are those whose digests were stated."),
             good=True, values={"cases": cases}),
        told("drawn", _("The seed follows from the ledger up to the statement and from the text, and the %(drawn)s "
                        "cases follow from the seed. No later entry changes them."),
             good=True, values={"drawn": drawn}),
    )  # fmt: skip


def _hand(key: str, times: list[Any], trusted: Believed) -> tuple[Outcome, Finding | None]:
    """Whose ledger it is, and whether its key is in that hand alone."""
    if key not in trusted.ledger_keys:
        words = _("The ledger of the sample is signed by another key than ours.")
        return Outcome.UNKNOWN_SIGNER, Finding(code="ledger_key", good=False, open=True, sentence=words)
    try:
        found = lost_key.judged(trusted.lost.get(key), times)
    except LostKeyError as error:
        sentence, values = error.words
        return Outcome.LEDGER_LATE, Finding(code="lost_key", good=False, sentence=sentence, values=values)
    if found:
        return (Outcome.GENUINE if found.good else Outcome.LEDGER_LOST), found
    return Outcome.GENUINE, told("ledger_key", _("The ledger is ours: our key signed its checkpoint."), good=True)
