"""The evidence document `lethe-evidence/1`: its schema, its coherence, its canonical bytes.

The caller builds a plain dict (see `evidence-1.schema.json`). The order of work: validate without `ledger`; append the
ledger entry `evidence.recorded` whose body holds `core_digest(document)`; put the proof under `ledger`; `build`.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jsonschema
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.evidence import acknowledged, opened, paper_schema, passing, said, wording
from governance.evidence.checkpoint import verify_checkpoint
from governance.evidence.errors import ContradictionError, DocumentError, ProofError
from governance.evidence.leaf import Leaf, canonical, open_leaf, parse_leaf
from governance.evidence.merkle import leaf_hash, verify_inclusion
from governance.evidence.numerals import apart
from governance.evidence.outcomes import attacks_made, unattacked
from governance.evidence.sentences import Construction, Deletion, Facts, statement
from governance.evidence.vocabulary import Comparison, Disposition, Guarantee, Kind, Verdict, service_of

SCHEMA: Final = "lethe-evidence/1"
#: Stages of a deletion that a sentence names; the report's table has all.
NAMED_STAGES: Final = 6
#: Versions not looked at that a sentence names; the report's table has all.
NAMED_VERSIONS: Final = 4
EVIDENCE_ACTION: Final = "evidence.recorded"
MAX_BYTES: Final = 8 * 1024 * 1024
LOGO_PIXELS: Final = 480
CHANGED: Final = ("fulfilled", "partly_fulfilled")

Document = Mapping[str, Any]


@functools.cache
def _validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(Path(__file__).with_name("evidence-1.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def digest(data: bytes) -> str:
    """`sha256:<hex>` of bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def core_digest(document: Document) -> str:
    """Digest of the document without its ledger proofs: what the entry `evidence.recorded` commits to."""
    return digest(canonical({name: value for name, value in document.items() if name != "ledger"}))


def validate(document: Document) -> None:
    """Follows the schema and does not contradict itself.

    Raises:
        DocumentError: with one message per problem, each with its place.
    """
    paper = document.get("schema") == paper_schema.SCHEMA
    validator = paper_schema.validator() if paper else _validator()
    errors = sorted(validator.iter_errors(dict(document)), key=lambda e: list(map(str, e.absolute_path)))
    problems = [f"evidence.{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in errors]
    if not problems:
        found = [*_incoherent_logo(document), *(_incoherent_paper(document) if paper else _incoherent(document))]
        problems = [f"evidence.{text}" for text in found]
    if problems:
        raise DocumentError(problems)


def build(document: Document) -> bytes:
    """Canonical bytes of a valid document: the file that is attached to the report."""
    validate(document)
    data = canonical(dict(document))
    if len(data) > MAX_BYTES:
        raise DocumentError(f"evidence: {len(data)} bytes are more than {MAX_BYTES}")
    return data


def parse(data: bytes) -> dict[str, Any]:
    """A valid document from canonical bytes; any other byte form of the same JSON is refused.

    Raises:
        DocumentError: not JSON, not canonical, not valid.
    """
    if len(data) > MAX_BYTES:
        raise DocumentError(f"evidence: {len(data)} bytes are more than {MAX_BYTES}")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"evidence: not JSON ({error})") from error
    if not isinstance(document, dict):
        raise DocumentError("evidence: not a JSON object")
    validate(document)
    if canonical(document) != data:
        raise DocumentError("evidence: not in canonical form (RFC 8785)")
    return document


def final_attempt(document: Document) -> dict[str, Any] | None:
    """The attempt that was released: the one whose candidate is the version after; else the last."""
    after = ((document["models"] or {}).get("after") or {}).get("digest")
    for attempt in reversed(document["attempts"]):
        if attempt["candidate"] == after or after is None:
            return dict(attempt)
    return None


def facts(document: Document) -> Facts:
    """What the sentences of this document's report depend on."""
    case, models, attempt = document["case"], document["models"] or {}, final_attempt(document)
    verification = (attempt or {}).get("verification")
    made = (attempt or {}).get("construction")
    tested = [p for p in (verification or {}).get("probes", []) if p["outcome"] != "reported"]
    name = models.get("name", "")
    return Facts(
        verdict=Verdict(verification["verdict"]) if verification else Verdict.NONE,
        guarantee=Guarantee(attempt["guarantee"]) if attempt and verification else Guarantee.NONE,
        disposition=Disposition(case["disposition"]),
        service=service_of([one["state"] for one in document["deployments"]]),
        kind=Kind(case["kind"]),
        model=name,
        before=_revision(name, models["before"]) if models else "",
        after=_revision(name, models["after"]) if models.get("after") else "",
        items=case["items_count"],
        unmet_items=_unmet(document),
        records=document["matching"]["counts"]["erase"],
        kept_records=sum(document["matching"]["counts"][choice] for choice in ("exclude", "refuse", "undecided")),
        probes=len(tested),
        confidence=confidence(document),
        comparison=Comparison(verification["comparison"]) if verification else Comparison.RETRAINED,
        unproven_reference=(verification or {}).get("reference_lineage") != "proven",
        attacks=len(attacks_made(verification)) if verification else 0,
        unattacked=unattacked(verification) if verification else "",
        deployments=len(document["deployments"]),
        still=_still(document, name),
        other_versions=len(document.get("others", ())),
        others=_others(document.get("others", ())),
        construction=Construction(**made) if made else None,
        deletion=_deletion((attempt or {}).get("deletion")),
    )


def _unmet(document: Document) -> int:
    """How much is named without a record that was accepted; of a document that does not count it, what has no text."""
    case = document["case"]
    if "items_accepted" in case:
        return int(case["items_count"] - case["items_accepted"])
    return sum("without_text" in one for one in case["items"]) if document["matching"]["searched"] else 0


def _still(document: Document, name: str) -> str:
    """The version that still answers, or may, at the place that is worst off; empty where all were replaced."""
    left = [one for one in document["deployments"] if one["state"] != "replaced"]
    return _revision(name, max(left, key=lambda one: service_of([one["state"]]))) if left else ""


def _others(versions: Sequence[Mapping[str, Any]]) -> str:
    """Versions that learned the records and were not looked at, by name and state."""
    told = [f"{_revision(one['model'], one)} ({wording.version_words(one['state'])})" for one in versions]
    left = len(told) - NAMED_VERSIONS
    more = [ngettext("and %(n)d more", "and %(n)d more", left) % {"n": left}] if left > 0 else []
    return "; ".join([*told[:NAMED_VERSIONS], *more])


def _revision(name: str, version: Mapping[str, Any]) -> str:
    return _("%(model)s revision %(n)d") % {"model": apart(name), "n": version["revision"]}


def _deletion(found: Document | None) -> Deletion | None:
    if found is None:
        return None
    claim = found["claim"] or {"code": "", "sentence": ""}
    named = [
        _("shard %(shard)s from slice %(first)d of %(slices)d")
        % {"shard": f"{one['shard']:02d}", "first": one["first_slice"], "slices": one["slices"]}
        for one in found["retrained"]
    ]
    left = len(named) - NAMED_STAGES
    more = [ngettext("%(n)d more shard", "%(n)d more shards", left) % {"n": left}] if left > 0 else []
    stages = "; ".join([*named[:NAMED_STAGES], *more])
    return Deletion(
        code=claim["code"], sentence=said.printed(claim["sentence"]), records_left_out=found["records_left_out"],
        stages=stages or _("no shard, since the records filled theirs alone"),
    )  # fmt: skip


def policy_of(document: Document) -> dict[str, Any]:
    """The policy as an object; empty where no plan was tried or the text is no JSON object."""
    try:
        policy = json.loads(document["policy"]["text"]) if document["policy"] else {}
    except (ValueError, RecursionError):
        return {}
    return policy if isinstance(policy, dict) else {}


def confidence(document: Document) -> float:
    """The policy's confidence, between 0 and 1; 0.95 where it names none."""
    value = policy_of(document).get("confidence", 0.95)
    return float(value) if isinstance(value, int | float) and 0 < value < 1 else 0.95


def _incoherent_logo(document: Document) -> Iterator[str]:
    """A picture is drawn only if it is a small PNG: whoever sets a stranger's paper again must not be harmed by it."""
    logo = document["report"].get("logo")
    if logo is not None and not _small_png(logo):
        yield f"report.logo: not a PNG of at most {LOGO_PIXELS} pixels a side"


def _small_png(text: str) -> bool:
    try:
        head = base64.b64decode(text, validate=True)[:24]
    except ValueError:
        return False
    sides = [int.from_bytes(head[place : place + 4]) for place in (16, 20)]
    return head[:8] == b"\x89PNG\r\n\x1a\n" and len(head) == 24 and all(0 < side <= LOGO_PIXELS for side in sides)


def _incoherent_paper(document: Document) -> Iterator[str]:
    yield from paper_schema.incoherent(document)
    yield from _incoherent_ledger(document)


def _incoherent(document: Document) -> Iterator[str]:
    yield from _incoherent_case(document)
    yield from _incoherent_attempts(document)
    yield from _incoherent_models(document)
    yield from acknowledged.incoherent(document)
    yield from _incoherent_ledger(document)
    try:
        statement(facts(document))
    except ContradictionError as error:
        yield from (f"case.disposition: {problem}" for problem in error.problems)


def _incoherent_case(document: Document) -> Iterator[str]:
    case, matching = document["case"], document["matching"]
    if document["report"].get("kind") == "no_data" and case["disposition"] != "no_data_found":
        yield f"report.kind: no_data, but the case is {case['disposition']}"
    if case["items"] and document["report"]["audience"] != "claimant":
        yield "case.items: titles are the claimant's own and go into the claimant's report only"
    if len(case["items"]) > case["items_count"]:
        yield f"case.items: {len(case['items'])} titles for {case['items_count']} items"
    if not 0 <= case.get("items_accepted", 0) <= case["items_count"]:
        yield f"case.items_accepted: {case['items_accepted']} of {case['items_count']} items"
    decisions = Counter(record["decision"] for record in matching["records"])
    counts = matching["counts"]
    for choice in ("erase", "exclude", "refuse", "undecided"):
        if counts[choice] != decisions[choice]:
            yield f"matching.counts.{choice}: {counts[choice]}, but {decisions[choice]} records say so"
    if counts["found"] != len(matching["records"]):
        yield f"matching.counts.found: {counts['found']}, but {len(matching['records'])} records are listed"
    if len({record["commitment"] for record in matching["records"]}) != len(matching["records"]):
        yield "matching.records: a commitment appears twice"
    if case["disposition"] == "no_data_found" and counts["found"]:
        yield f"case.disposition: no data found, but {counts['found']} records are listed"
    if case["disposition"] in ("refused", "not_fulfilled") and not case["reason"]:
        yield "case.reason: a request that is not fulfilled needs reasons (GDPR Art. 12(4))"


def _incoherent_attempts(document: Document) -> Iterator[str]:
    policy = document["policy"]
    if policy and digest(policy["text"].encode()) != policy["digest"]:
        yield "policy.digest: not the digest of policy.text"
    if policy and not policy_of(document):
        yield "policy.text: not a JSON object"
    if document["attempts"] and not policy:
        yield "policy: missing, though plans were tried"
    for place, attempt in enumerate(document["attempts"]):
        here = f"attempts.{place}"
        if attempt["number"] != place + 1:
            yield f"{here}.number: {attempt['number']}, but it is number {place + 1}"
        if digest(attempt["config"].encode()) != attempt["config_digest"]:
            yield f"{here}.config_digest: not the digest of config"
        if not attempt["thresholds_recorded"]["at"] <= attempt["started_at"] <= attempt["finished_at"]:
            yield f"{here}: thresholds must be recorded before the start, and the start lie before the end"
        if attempt.get("deletion"):
            yield from _incoherent_deletion(f"{here}.deletion", attempt)
        if attempt["verification"]:
            judged = policy_of(document) if policy and attempt["policy_digest"] == policy["digest"] else {}
            for path, problem in passing.problems(attempt["verification"], judged):
                yield f"{here}.verification.{path}: {problem}"
    final = final_attempt(document)
    if final and policy and final["policy_digest"] != policy["digest"]:
        yield "policy: not the one that the released attempt was judged by"


def _incoherent_deletion(here: str, attempt: Mapping[str, Any]) -> Iterator[str]:
    found = attempt["deletion"]
    if attempt["guarantee"] != "exact":
        yield f"{here}: present, though the method is {attempt['guarantee']}"
    if found["lineage_before"] == found["lineage_after"]:
        yield f"{here}.lineage_after: the lineage of before"
    for place, one in enumerate(found["retrained"]):
        if one["first_slice"] > one["slices"] or one["shard"] >= found["shards"]:
            yield f"{here}.retrained.{place}: no such stage"


def _incoherent_models(document: Document) -> Iterator[str]:
    models, disposition = document["models"], document["case"]["disposition"]
    after = models and models["after"]
    if disposition in CHANGED and not after:
        yield f"models.after: missing, though the case is {disposition}"
    if disposition not in CHANGED and after and disposition not in ("not_fulfilled", "withdrawn"):
        yield f"models.after: present, though the case is {disposition}"
    if document["attempts"] and not models:
        yield "models: missing, though plans were tried"
    if after and not any(attempt["candidate"] == after["digest"] for attempt in document["attempts"]):
        yield "models.after.digest: no attempt made this version"
    if after and after["digest"] == models["before"]["digest"]:
        yield "models.after.digest: the same weights as before"
    if after and models["reference"] and after["digest"] == models["reference"]["digest"]:
        yield "models.after.digest: the laboratory's reference was released as the result; a run of its own is needed"
    if (
        disposition in CHANGED
        and models
        and any(
            one["state"] == "replaced" and one["revision"] != models["before"]["revision"]
            for one in document["deployments"]
        )
    ):
        yield "deployments: list the deployments of the version before, with its revision"


def _incoherent_ledger(document: Document) -> Iterator[str]:
    if document["ledger"] is None:
        return
    try:
        verify_ledger(document)
    except ProofError as error:
        yield from (f"ledger: {problem}" for problem in error.problems)


def verify_ledger(document: Document, trusted: Collection[str] = ()) -> int:
    """Checkpoint, inclusion and opening of every entry under `ledger`; returns the size of the ledger.

    `trusted` are the keys that the one who checks trusts; without them the document's own is used, which proves only
    that the document is intact.

    Raises:
        ProofError: something does not hold, or no entry commits to this document.
    """
    ledger = document["ledger"]
    if ledger is None:
        raise ProofError("the document carries no ledger proof")
    if trusted and ledger["verifier_key"] not in trusted:
        raise ProofError("the checkpoint is signed by another key than the ledger's that is trusted")
    checkpoint = verify_checkpoint(ledger["checkpoint"], ledger["verifier_key"])
    own: Leaf | None = None
    entries: dict[int, opened.Opened] = {}
    for entry in ledger["entries"]:
        leaf = parse_leaf(entry["leaf"])
        proof = [bytes.fromhex(text) for text in entry["proof"]]
        verify_inclusion(
            leaf=leaf_hash(leaf.to_bytes()), index=leaf.index, size=checkpoint.size, proof=proof, root=checkpoint.root
        )
        if not open_leaf(leaf, entry["body"], bytes.fromhex(entry["salt"])):
            raise ProofError(f"entry {leaf.index} does not commit to the body given for it")
        entries[leaf.index] = opened.Opened(leaf, entry["body"])
        if leaf.action == EVIDENCE_ACTION and entry["body"].get("evidence") == core_digest(document):
            own = leaf
    if own is None:
        raise ProofError(f"no entry {EVIDENCE_ACTION} commits to this document")
    final = final_attempt(document) if document.get("attempts") else None
    # What a document rests on was written before it: the order of entries is what witnesses prove, not their times.
    before = {index: entry for index, entry in entries.items() if index <= own.index}
    opened.hold(document, before, case=own.case, final=final)
    return checkpoint.size
