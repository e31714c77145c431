"""The ledger's key is in other hands since a moment: what stands, what falls, and what a thief with it can do."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.evidence import bundle, outside_time
from governance.evidence.bundle_check import unpack
from governance.evidence.checkpoint import make_checkpoint, verifier_key
from governance.evidence.errors import DocumentError
from governance.evidence.merkle import Tree, leaf_hash
from governance.evidence.report_kinds import has_bundle
from governance.evidence.trust_file import believed
from governance.web import verify_child
from lethe_verify import Outcome, evidence, jcs, judge
from lethe_verify.__main__ import main
from lethe_verify.judge import Known
from lethe_verify.trust import TrustError, read
from lethe_witness.__main__ import Witness
from lethe_witness.__main__ import verifier_key as witness_key
from tests.governance import evidence_example as make
from tests.governance.evidence_sealed import sealed
from tests.verifier.authorities import Authority
from tests.verifier.example import bundled, genuine, witness_of
from tests.verifier.stamped import authorities, example

NOW, DAY = datetime.now(UTC), timedelta(days=1)
NEXT = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"the next key").digest())
THIEF = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"the thief's own").digest())
#: When the example's witness saw its checkpoint.
SEEN = datetime.fromtimestamp(1_795_000_000, UTC)


def file(
    lost: datetime | None, *more: Ed25519PrivateKey, witness: bool = False, own: Authority | None = None
) -> dict[str, Any]:
    """A trust file of the example's house."""
    key = genuine().ledger_key
    return {
        "format": "lethe-trust/2",
        "seals": [genuine().fingerprint],
        "ledgers": [key, *(verifier_key(make.ORIGIN, one.public_key()) for one in more)],
        "time_authorities": [
            {"certificate": base64.b64encode(one.der).decode(), "own": one == own} for one in authorities()
        ],
        "ended": [], "models": [], "feeds": [], "quorum": 0,
        "witnesses": [witness_key("witness.example/w1", witness_of(make.LEDGER_KEY).key)] if witness else [],
        **({"lost_keys": [{"purpose": "ledger", "key": key, "at": lost.isoformat()}]} if lost else {}),
    }  # fmt: skip


def both(data: bytes, told: dict[str, Any]) -> tuple[Outcome, str]:
    """What the stranger's verifier and the house's own page say."""
    return judge(data, read(json.dumps(told))).outcome, verify_child.judge(data, believed(told))["outcome"]


GENUINE, UNDECIDED = (Outcome.GENUINE, "genuine"), (Outcome.UNDECIDED, "ledger_lost")
REFUSED = (Outcome.REFUSED, "ledger_late")


def timed(key: Ed25519PrivateKey = make.LEDGER_KEY, at: str = "") -> bytes:
    one = sealed()
    return bundled(json.loads(one.evidence), one.data, one.fingerprint, key, timed_at=at or authorities()[0].url).bundle


@pytest.mark.parametrize("data", [genuine().pdf, genuine().bundle], ids=["report", "bundle"])
def test_what_no_outside_time_places_cannot_be_judged_whatever_our_clock_says(data: bytes) -> None:
    for lost in (NOW + DAY, NOW - DAY, datetime(2020, 1, 1, tzinfo=UTC)):
        assert both(data, file(lost)) == UNDECIDED
    assert both(data, file(None)) == GENUINE


@pytest.mark.parametrize("kind", ["report", "bundle"])
def test_what_an_outside_authority_stamped_before_stays_and_after_is_refused(kind: str) -> None:
    data = example().pdf if kind == "report" else timed()
    assert both(data, file(NOW + DAY)) == GENUINE
    assert both(data, file(NOW - DAY)) == REFUSED
    # A house's own authority is in the thief's hands too, so its time is the house's clock.
    assert both(data, file(NOW + DAY, own=authorities()[0])) == UNDECIDED
    assert both(data, file(NOW - DAY, own=authorities()[0])) == UNDECIDED


def test_what_a_witness_saw_before_stays_and_after_is_refused() -> None:
    assert both(genuine().bundle, file(SEEN + DAY, witness=True)) == GENUINE
    assert both(genuine().bundle, file(SEEN, witness=True)) == REFUSED
    assert both(genuine().bundle, file(SEEN + DAY)) == UNDECIDED, "a witness that nobody named"


def test_the_first_of_all_times_counts_since_anybody_can_stamp_an_old_checkpoint_again() -> None:
    """The example's witness saw it long before the stamp of today."""
    assert SEEN < NOW - DAY
    assert both(timed(), file(NOW - DAY, witness=True)) == GENUINE


def test_a_bundle_that_the_next_key_signed_is_genuine_though_its_evidence_names_the_lost_one() -> None:
    for lost in (NOW - DAY, NOW + DAY):
        data = timed(NEXT)
        assert both(data, file(lost, NEXT)) == GENUINE
        assert both(genuine().pdf, file(lost, NEXT)) == UNDECIDED, "the report alone"


def test_a_thief_who_hands_over_to_a_key_of_his_own_is_refused() -> None:
    """A trust file names it only where the house's own next key says so."""
    told = file(NOW - DAY, NEXT)
    assert both(timed(THIEF), told) == (Outcome.REFUSED, "altered")
    assert both(timed(THIEF), file(None)) == (Outcome.REFUSED, "altered"), "with a trust file of before too"


def by_thief(**more: Any) -> bytes:
    """A genuine report in a history that the thief goes on with."""
    one = genuine()
    told = json.loads(one.ledger)
    tree = Tree([*one.tree._levels[0], *(leaf_hash(b"the thief's %d" % index) for index in range(5))])
    note = make_checkpoint(origin=make.ORIGIN, size=20, root=tree.root(), key=make.LEDGER_KEY)
    entry = {**told["entries"][0], "proof": [node.hex() for node in tree.inclusion_proof(14)]}
    ledger = bundle.ledger_file(verifier_key=one.ledger_key, checkpoint=note, entry=entry,
                                consistency=tree.consistency_proof(8), **more)  # fmt: skip
    return one.with_parts(ledger=ledger)


def test_a_thief_goes_on_with_the_true_history() -> None:
    data = by_thief()
    assert both(data, file(None)) == GENUINE, "an old trust file without a quorum cannot know better"
    assert both(data, file(NOW - DAY)) == UNDECIDED
    with_quorum = {**file(None, witness=True), "quorum": 1}
    assert judge(data, read(json.dumps(with_quorum))).outcome is Outcome.REFUSED, "a quorum does, even an old file"


def test_a_thief_backdates_with_parts_of_genuine_files() -> None:
    """A stamp or a witness's line from before is over another checkpoint."""
    one, told = genuine(), json.loads(genuine().ledger)
    stamp = outside_time.stamp(one.note(15).encode(), authorities()[0].url)
    for told_before in (file(NOW + DAY), file(NOW + DAY, witness=True)):
        verdict = judge(by_thief(time=stamp), read(json.dumps(told_before)))
        assert verdict.outcome is Outcome.REFUSED
    line = told["checkpoint"].split("\n")[5]
    size, root = by_thief_checkpoint()
    note = make_checkpoint(origin=make.ORIGIN, size=size, root=root, key=make.LEDGER_KEY) + line + "\n"
    ledger = {**json.loads(unzipped(by_thief())), "checkpoint": note, "witnesses": told["witnesses"]}
    data = one.with_parts(ledger=json.dumps(ledger, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
    assert judge(data, read(json.dumps(file(SEEN + DAY, witness=True)))).outcome is Outcome.REFUSED


def by_thief_checkpoint() -> tuple[int, bytes]:
    note = json.loads(unzipped(by_thief()))["checkpoint"].split("\n")
    return int(note[1]), base64.b64decode(note[2])


def unzipped(data: bytes) -> bytes:
    return unpack(data)["ledger.json"]


def test_a_checkpoint_that_a_thief_gave_away_makes_no_true_ledger_look_rewritten() -> None:
    one = genuine()
    forged = make_checkpoint(origin=make.ORIGIN, size=12, root=hashlib.sha256(b"fork").digest(), key=make.LEDGER_KEY)
    proof = bundle.consistency_file(old=12, new=15, proof=one.tree.consistency_proof(12))
    data = timed(NEXT)
    known = Known(forged, proof)
    assert judge(data, read(json.dumps(file(None, NEXT))), known=known).outcome is Outcome.REFUSED
    told = read(json.dumps(file(NOW - DAY, NEXT)))
    assert judge(data, told, known=known).outcome is Outcome.UNDECIDED
    true = Known(one.note(12), proof)
    assert judge(data, told, known=true).outcome is Outcome.UNDECIDED, "who gave it, nobody can say"
    before = read(json.dumps(file(NOW + DAY, NEXT)))
    stamp = outside_time.stamp(one.note(12).encode(), authorities()[0].url)
    assert judge(data, before, known=Known(one.note(12), proof, stamp)).outcome is Outcome.GENUINE
    for kept in (forged, one.note(12)):
        late = outside_time.stamp(kept.encode(), authorities()[0].url)
        verdict = judge(data, told, known=Known(kept, proof, late))
        assert verdict.outcome is Outcome.UNDECIDED, "its stamp of after the loss is no fault of a file that is good"
        assert "Your checkpoint of 12 entries was compared with nothing" in verdict.findings[-2].text
        assert not [one for one in verdict.findings if one.code == "earlier" or one.state == "refused"]


def seen_by(*days: datetime) -> bytes:
    """The genuine bundle, signed by as many witnesses as there are days."""
    told = json.loads(genuine().ledger)
    text = told["checkpoint"].partition("\n\n")[0].encode() + b"\n"
    told["checkpoint"] = "\n".join(told["checkpoint"].split("\n")[:5]) + "\n"
    for one, day in zip(watchers(), days, strict=True):
        one.clock = day.timestamp
        told["checkpoint"] += one._sign(text)
    told["witnesses"] = [witness_key(one.name, one.key) for one in watchers()]
    return genuine().with_parts(
        ledger=json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    )


@functools.cache
def watchers() -> tuple[Witness, Witness]:
    first = witness_of(make.LEDGER_KEY)
    return first, Witness(name="w2", key=NEXT, logs=[], state=first.state, clock=first.clock)


@pytest.mark.parametrize(("days", "quorum", "outcome"), [
    ((SEEN, SEEN), 2, Outcome.GENUINE),
    ((SEEN, SEEN + 2 * DAY), 1, Outcome.GENUINE),
    ((SEEN, SEEN + 2 * DAY), 2, Outcome.UNDECIDED),
    ((SEEN + 2 * DAY, SEEN), 2, Outcome.UNDECIDED),
    ((SEEN + 2 * DAY, SEEN + DAY), 2, Outcome.REFUSED),
])  # fmt: skip
def test_one_witness_that_dates_back_is_not_enough_where_two_are_demanded(
    days: tuple[datetime, datetime], quorum: int, outcome: Outcome
) -> None:
    told = {**file(SEEN + DAY), "quorum": quorum}
    told["witnesses"] = [witness_key(one.name, one.key) for one in watchers()]
    verdict = judge(seen_by(*days), read(json.dumps(told)))
    assert verdict.outcome is outcome, verdict.findings
    if outcome is Outcome.UNDECIDED:
        assert any("(2 witnesses, or a time stamp)" in one.text for one in verdict.findings)


def test_what_helps_is_said_by_what_was_judged() -> None:
    told = file(NOW - DAY)
    assert "a bundle that was made with the next key" in judge(genuine().pdf, read(json.dumps(told))).findings[-3].text
    page = verify_child.judge(genuine().pdf, believed(told))
    assert has_bundle(page["report"])
    for change in ({"kind": "certificate"}, {"kind": "letter"}, {"copy": {}}):
        document = {**make.example(), "report": {**make.example()["report"], **change}}
        assert not evidence.has_bundle(jcs.dump(document))
        assert not has_bundle(document["report"])


def test_an_old_trust_file_beside_a_new_one_takes_no_mark_away() -> None:
    old, new = json.dumps(file(None)), json.dumps(file(NOW - DAY))
    later = json.dumps(file(NOW + DAY))
    for together in (read(old) | read(new), read(new) | read(old), read(later) | read(new), read(new) | read(later)):
        assert together.lost == {genuine().ledger_key: NOW - DAY}
        assert judge(genuine().bundle, together).outcome is Outcome.UNDECIDED


@pytest.mark.parametrize("wrong", [
    {"purpose": "seal", "key": "k", "at": NOW.isoformat()},
    {"purpose": "ledger", "key": "k", "at": "2026-11-29T12:00:00"},
    {"purpose": "ledger", "key": "k"},
    {"purpose": "ledger", "key": "k", "at": NOW.isoformat(), "until": "2027"},
])  # fmt: skip
def test_a_mark_that_is_not_understood_is_never_passed_over(wrong: dict[str, str]) -> None:
    told = {**file(None), "lost_keys": [wrong]}
    with pytest.raises(TrustError):
        read(json.dumps(told))
    with pytest.raises(DocumentError):
        believed(told)


def test_the_command_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "trust.json").write_text(json.dumps(file(NOW - DAY)))
    (tmp_path / "one.zip").write_bytes(genuine().bundle)
    assert main([str(tmp_path / "one.zip"), "--trust", str(tmp_path / "trust.json")]) == 4
    assert "may be in other hands since" in capsys.readouterr().out


def test_a_lost_key_of_the_feeds_still_tells_for_whom_a_subscriber_signed() -> None:
    told = {**file(None), "lost_keys": [{"purpose": "feed", "key": "food", "at": NOW.isoformat()}]}
    assert read(json.dumps(told)).feeds == {"food"}
