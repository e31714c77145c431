"""Forgeries that neither bytes nor signatures betray: what a stranger with a time stamp authority adds, an issuer with
its own keys misstates, and a bundle counts twice."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.evidence import pdf, schema, seal
from governance.evidence.bundle_check import check_files, unpack
from governance.evidence.check import check
from governance.evidence.checkpoint import make_checkpoint
from governance.evidence.errors import EvidenceError, ProofError
from governance.evidence.leaf import canonical
from governance.evidence.merkle import Tree
from lethe_verify import Outcome, evidence, judge
from lethe_verify.errors import Refused
from lethe_verify.trust import Trust
from lethe_witness.__main__ import Witness
from lethe_witness.__main__ import verifier_key as witness_key
from tests.governance import evidence_example as make
from tests.governance.evidence_sealed import sealed
from tests.verifier.corpus import updated
from tests.verifier.example import genuine, witness_of
from tests.verifier.stamped import _over, authorities, example, stamped, trust

Change = Callable[[Any], None]


def ours(data: bytes) -> bool:
    """Whether the house's own check finds a report genuine."""
    roots = [one.root for one in authorities()]
    return check(data, [sealed().fingerprint], ledger_key=make.VERIFIER, timestamp_roots=roots).genuine


def restamped(change: Change) -> bytes:
    """A genuine report with one revision more by a stranger, stamped by an authority that is believed."""
    writer = updated(stamped().pdf, "")
    change(writer)
    return _over(writer, authorities()[1])


def info(name: str, value: str) -> Change:
    from pyhanko.pdf_utils import generic

    def step(writer: Any) -> None:
        held = writer.trailer.raw_get("/Info")
        held.get_object()[generic.NameObject(name)] = generic.TextStringObject(value)
        writer.mark_update(held)

    return step


def xmp(old: bytes, new: bytes) -> Change:
    def step(writer: Any) -> None:
        held = writer.root.raw_get("/Metadata")
        stream = held.get_object()
        data = stream.data
        assert old in data
        stream._data, stream._encoded_data = data.replace(old, new, 1), None
        writer.mark_update(held)

    return step


def test_another_stamp_by_a_stranger_is_no_forgery() -> None:
    assert judge(restamped(lambda _writer: None), trust()).outcome is Outcome.GENUINE


@pytest.mark.parametrize(
    "change",
    [
        info("/Producer", "Approved by the Data Protection Authority"),
        info("/Producer", "Approved by the Court; pyHanko 0.38.0"),
        info("/Author", "The Data Protection Authority"),
        xmp(b"</rdf:RDF>", b'<rdf:Description rdf:about="" xmlns:a="urn:a" a:Producer="Void"/></rdf:RDF>'),
        xmp(b"</rdf:RDF>", b'<rdf:Description rdf:about="" xmlns:a="urn:a" a:ModifyDate="Void"/></rdf:RDF>'),
        xmp(b"</rdf:RDF>", b'<rdf:Description rdf:about="" xmlns:x="http://ns.adobe.com/xap/1.0/" '
            b'x:MetadataDate="This report is void"/></rdf:RDF>'),
    ],
    ids=["producer", "producer before pyHanko", "author", "foreign producer", "foreign date", "no date"],
)  # fmt: skip
def test_what_a_stranger_writes_into_the_documents_properties(change: Change) -> None:
    data = restamped(change)
    assert judge(data, trust()).outcome is Outcome.REFUSED
    assert not ours(data)


def misstated(change: Callable[[dict[str, Any]], None]) -> bytes:
    """A report by the issuer's own seal and ledger, whose evidence says something else than the ledger.

    Its program would not write it; one that leaves out this check does.
    """
    document = make.bare()
    change(document)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(schema, "verify_ledger", lambda *_args: 8)
        return seal.seal(pdf.render(canonical(make.with_ledger(document))), key=sealed().key)


def earlier(document: dict[str, Any]) -> None:
    for one in document["attempts"]:
        one["thresholds_recorded"]["at"] = "2026-11-10T09:00:00.000Z"


def other_entry(document: dict[str, Any]) -> None:
    document["attempts"][0]["thresholds_recorded"]["index"] = 2


def earlier_policy(document: dict[str, Any]) -> None:
    document["policy"]["recorded"]["at"] = "2026-11-10T09:00:00.000Z"


@pytest.mark.parametrize("change", [earlier, other_entry, earlier_policy])
def test_thresholds_that_the_ledger_recorded_at_another_time_or_not(change: Callable[[dict[str, Any]], None]) -> None:
    """The leaf says when; whoever fixes thresholds after the run has no older one."""
    data = misstated(change)
    verdict = judge(data, Trust(frozenset({sealed().fingerprint}), frozenset({make.VERIFIER})))
    assert verdict.outcome is Outcome.REFUSED and verdict.findings[-1].code == "ledger"
    assert not ours(data)


def test_a_run_whose_time_only_looks_later() -> None:
    """Other digits come behind ours in every alphabet, and other zones say other times."""
    for said in ("\N{ARABIC-INDIC DIGIT TWO}026-11-18T09:00:00.000Z", "2026-11-18T09:30:00.000+14:00", "later"):

        def late(document: dict[str, Any], said: str = said) -> None:
            for one in document["attempts"]:
                one["started_at"] = one["finished_at"] = said

        document = make.bare()
        late(document)
        with pytest.raises(EvidenceError):
            schema.validate(document)
        with pytest.raises(Refused, match="after the run began"):
            evidence.read(canonical(make.with_ledger(document)))


def with_ledger_file(**parts: Any) -> bytes:
    one = genuine()
    return one.with_parts(ledger=canonical({**json.loads(one.ledger), **parts}))


def demanding(quorum: int, *more: str) -> Trust:
    one, named = genuine(), json.loads(genuine().ledger)["witnesses"]
    return Trust(frozenset({one.fingerprint}), frozenset({one.ledger_key}), witnesses=frozenset({*named, *more}),
                 quorum=quorum)  # fmt: skip


def test_a_witness_that_signs_twice_is_one_witness() -> None:
    told = json.loads(genuine().ledger)
    line, key = told["checkpoint"].split("\n")[5], told["witnesses"][0]
    twice = with_ledger_file(checkpoint=f"{told['checkpoint']}{line}\n", witnesses=[key, key])
    other = witness_key("witness.example/w2", Ed25519PrivateKey.generate())
    assert judge(twice, demanding(2, other)).outcome is Outcome.REFUSED
    assert judge(twice, demanding(0)).outcome is Outcome.REFUSED
    with pytest.raises(ProofError, match="cosignatures"):
        check_files(unpack(twice), json.loads(genuine().evidence), [genuine().ledger_key])


def test_a_witness_under_two_names_is_one_witness() -> None:
    told = json.loads(genuine().ledger)
    one = witness_of(make.LEDGER_KEY)
    alias = Witness(name="witness.example/w2", key=one.key, logs=[], state=one.state, clock=one.clock)
    text = told["checkpoint"].partition("\n\n")[0].encode() + b"\n"
    name = witness_key(alias.name, alias.key)
    data = with_ledger_file(checkpoint=told["checkpoint"] + alias._sign(text), witnesses=[*told["witnesses"], name])
    assert judge(data, demanding(2, name)).outcome is Outcome.REFUSED
    assert judge(data, demanding(1, name)).outcome is Outcome.GENUINE


def test_a_checkpoint_larger_than_it_can_be_and_one_with_the_root_of_nothing() -> None:
    one = genuine()
    for size, root in ((2**53, one.tree.root()), (14, one.tree.root()), (0, Tree().root()), (15, b"\x00" * 32)):
        note = make_checkpoint(origin=make.ORIGIN, size=size, root=root, key=make.LEDGER_KEY)
        assert judge(with_ledger_file(checkpoint=note, witnesses=[]), demanding(0)).outcome is Outcome.REFUSED


def test_a_leaf_that_python_takes_for_another() -> None:
    """True is 1, 14.0 is 14, and a text with a byte order mark looks the same."""
    told = json.loads(genuine().ledger)
    for change in ({"index": 14.0}, {"v": True}, {"v": 1.0}, {"at": "\ufeff" + told["entries"][0]["leaf"]["at"]}):
        entry = copy.deepcopy(told["entries"][0])
        entry["leaf"] |= change
        if canonical(entry) != canonical(told["entries"][0]):
            assert judge(with_ledger_file(entries=[entry]), demanding(0)).outcome is Outcome.REFUSED


def test_a_seal_that_stands_in_for_an_authority() -> None:
    """A fingerprint says not of what it is; the seal's own certificate vouches for no time stamp."""
    mark = frozenset({sealed().fingerprint})
    assert judge(example().pdf, Trust(mark, authorities=mark)).outcome is Outcome.UNDECIDED
