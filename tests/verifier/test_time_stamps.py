"""Reports with outside time: believed through roots from outside alone, for as long as a stamp vouches for the last."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from governance.evidence import bundle, bundle_check, outside_time, renewal
from governance.evidence.check import Outcome as Ours
from governance.evidence.check import check
from governance.evidence.check import main as houses_main
from governance.evidence.check_time import LedgerTime
from governance.evidence.errors import EvidenceError, SealError
from governance.evidence.leaf import canonical
from lethe_verify import Outcome, judge
from lethe_verify.__main__ import main
from lethe_verify.bundle import is_bundle
from lethe_verify.judge import Known
from lethe_verify.trust import Ended, Trust, TrustError, read
from tests.governance import evidence_example as make
from tests.governance.evidence_sealed import sealed
from tests.verifier.authorities import authority
from tests.verifier.example import bundled
from tests.verifier.stamped import FORGER, authorities, example, mutations, stamped, trust

IN_2036 = datetime(2036, 6, 1, tzinfo=UTC)
COUNT = 480


def test_genuine_files_are_accepted_by_both_checks_today_and_in_2036() -> None:
    one, roots = stamped(), [each.root for each in authorities()]
    for data in (one.pdf, one.renewed, one.bundle):
        for at in (None, IN_2036):
            verdict = judge(data, trust(), at=at)
            assert verdict.outcome is Outcome.GENUINE, verdict.findings
            assert verdict.stamped_at and verdict.level == "PAdES-B-LTA"
    for at in (None, IN_2036):
        result = check(one.renewed, [sealed().fingerprint], timestamp_roots=roots, at=at)
        assert result.genuine, result.findings


def test_no_altered_file_is_accepted_by_the_strangers_verifier() -> None:
    accepted = [name for name, data in mutations(COUNT) if judge(data, trust()).outcome is Outcome.GENUINE]
    assert not accepted


def test_no_altered_file_is_accepted_by_the_houses_check() -> None:
    """Of the attacks by name each tenth, and those that hold a stamp that is believed: the rest runs in the bench."""
    roots, accepted = [each.root for each in authorities()], []
    for number, (name, data) in enumerate(mutations(COUNT)):
        telling = name.startswith(("renewed: hidden", "by a stranger: unnamed")) or name.endswith(
            ("believed: overlay", "be seen")
        )
        if (telling or not number % 10) and not is_bundle(data):
            result = check(data, [sealed().fingerprint], timestamp_roots=roots)
            accepted += [name] if result.genuine else []
    assert not accepted


def test_without_the_authoritys_root_nobody_can_say() -> None:
    one = stamped()
    seal = Trust(frozenset({sealed().fingerprint}))
    assert judge(one.pdf, seal).outcome is Outcome.UNDECIDED
    assert judge(one.pdf).outcome is Outcome.UNKNOWN_SIGNER
    other = read(authority("Somebody else").pem.decode())
    assert judge(one.pdf, seal | other).outcome is Outcome.UNDECIDED
    assert judge(one.pdf, other).outcome is Outcome.UNKNOWN_SIGNER
    first = read(authorities()[0].pem.decode())
    assert judge(one.pdf, seal | first).outcome is Outcome.GENUINE
    assert judge(one.renewed, seal | first).outcome is Outcome.UNDECIDED, "each stamp needs its authority"
    for data, roots in ((one.pdf, []), (one.pdf, [authority("Somebody else").root]),
                        (one.renewed, [authorities()[0].root])):  # fmt: skip
        found = check(data, [sealed().fingerprint], timestamp_roots=roots)
        assert found.outcome is Ours.TIME_ENDED, "whole, and nobody can say: never told as altered"


def test_a_stamp_of_anybodys_own_says_nothing_before_the_seal_is_known(tmp_path: Path) -> None:
    """Neither a foreign seal nor one used after its end is told as a report of ours that wants renewal."""
    from governance.evidence import identity, seal

    forger, roots, now = authority(FORGER), [authorities()[0].root], datetime.now(UTC)
    identity.create_seal_identity(tmp_path / "seal", "Anybody")
    foreign = seal.seal(sealed().base, key=identity.load_seal(tmp_path / "seal"), authority=forger.asked())
    found = check(foreign, [sealed().fingerprint], timestamp_roots=roots)
    assert found.outcome is Ours.UNKNOWN_SIGNER and not found.findings[-1].good
    assert [one.open for one in found.findings if one.code == "time"] == [True]
    known = check(foreign, [sealed().fingerprint], timestamp_roots=roots, known_sha256="0" * 64)
    assert known.outcome is Ours.ALTERED and known.findings[-1].code == "digest"
    mine = seal.seal(sealed().base, key=sealed().key, authority=forger.asked())
    day = timedelta(days=1)
    for since, reason, expected in (
        (now - day, "compromised", Ours.ALTERED),
        (now - day, "retired", Ours.ALTERED),
        (now + day, "compromised", Ours.ENDED),
        (now + day, "retired", Ours.TIME_ENDED),
    ):
        ended = {sealed().fingerprint: (since, reason)}
        assert check(mine, [sealed().fingerprint], timestamp_roots=roots, ended=ended).outcome is expected, reason


def test_the_time_over_the_ledgers_checkpoint_is_checked_by_both(monkeypatch: pytest.MonkeyPatch) -> None:
    one, (first, other) = example(), authorities()
    document, seals = json.loads(one.evidence), [sealed().fingerprint]
    timed = bundled(document, one.pdf, one.fingerprint, make.LEDGER_KEY, timed_at=other.url)
    told = json.loads(timed.ledger)
    assert told["format"] == bundle.TIMED_FORMAT
    roots = [first.root, other.root]

    def states(trusted: Trust, data: bytes = timed.bundle) -> tuple[Outcome, set[str]]:
        verdict = judge(data, trusted)
        return verdict.outcome, {one.state for one in verdict.findings if one.code in ("ledger_time", "time")}

    def ours(data: bytes, roots: list[x509.Certificate], **more: Any) -> LedgerTime:
        size, time = bundle_check.check_files(
            bundle_check.unpack(data), document, [one.ledger_key], roots=roots, **more
        )
        assert size == 15 and time is not None
        return time

    assert states(trust()) == (Outcome.GENUINE, {"proved"}) and ours(timed.bundle, roots).proved
    alone = Trust(frozenset(seals)) | read(first.pem.decode())
    assert states(alone) == (Outcome.GENUINE, {"proved", "not_proved"}), "of an authority that nobody believes"
    assert states(trust() | Trust(own=frozenset({hashlib.sha256(other.der).hexdigest()})))[1] == {
        "proved",
        "not_proved",
    }
    token = base64.b64decode(told["time"])
    elsewhere = outside_time.stamp(one.note(14).encode(), other.url)
    for wrong in (token[:-1], token + b"\0\0x", token[:-9] + bytes([token[-9] ^ 1]) + token[-8:], elsewhere):
        changed = timed.with_parts(ledger=canonical({**told, "time": base64.b64encode(wrong).decode()}))
        assert states(trust(), changed)[0] is Outcome.REFUSED
        with pytest.raises(EvidenceError):
            ours(changed, roots)
    late = datetime.now(UTC) + timedelta(days=20000)
    for open_one in (ours(timed.bundle, roots[:1]), ours(timed.bundle, []), ours(timed.bundle, roots, at=late)):
        assert not open_one.proved and "cannot be shown now" in open_one.findings(15)[0].text, "not altered, nor proved"
    assert "proves nothing to others" in ours(timed.bundle, roots, own=roots[1:]).findings(15)[0].text
    with pytest.raises(EvidenceError, match="does not hold"):
        ours(timed.bundle, roots, at=datetime(2026, 1, 1, tzinfo=UTC))
    monkeypatch.setattr(bundle_check, "AHEAD", -timedelta(days=20000))
    with pytest.raises(EvidenceError, match="older than the ledger's entry"):
        ours(timed.bundle, roots)
    kept = Known(told["checkpoint"], time=token)
    assert "ledger_time" in {one.code for one in judge(one.bundle, trust(), known=kept).findings}
    assert judge(one.bundle, trust(), known=Known(kept.checkpoint, time=elsewhere)).outcome is Outcome.REFUSED


def test_a_fingerprint_of_the_root_is_enough() -> None:
    prints = frozenset({sealed().fingerprint, hashlib.sha256(authorities()[0].der).hexdigest()})
    assert judge(stamped().pdf, Trust(prints, authorities=prints)).outcome is Outcome.GENUINE


def test_a_stamp_is_believed_no_longer_than_its_certificate_and_longer_where_it_was_renewed() -> None:
    short = authority("Short-lived", days=400)
    one = sealed()
    from governance.evidence import seal

    data = seal.seal(one.base, key=one.key, authority=short.asked())
    roots = Trust(frozenset({one.fingerprint})) | read(short.pem.decode()) | trust()
    assert judge(data, roots).outcome is Outcome.GENUINE
    late = judge(data, roots, at=IN_2036)
    assert late.outcome is Outcome.UNDECIDED and "no later stamp" in late.findings[0].text + str(late.findings)
    assert renewal.due_at(data) < datetime.now(UTC) + timedelta(days=40)
    renewed = renewal.renew(data, authority=authorities()[1].asked(), earlier=short.asked())
    assert renewed.startswith(data)
    assert judge(renewed, roots, at=IN_2036).outcome is Outcome.GENUINE
    assert renewal.due_at(renewed) > datetime.now(UTC) + timedelta(days=3000)
    with pytest.raises(SealError, match="no time stamp"):
        renewal.due_at(one.data)


def test_a_seal_that_ended_is_believed_for_what_the_stamps_show_to_be_older() -> None:
    now = datetime.now(UTC)
    for reason in ("retired", "compromised"):
        later = trust() | Trust(ended={sealed().fingerprint: Ended(now + timedelta(days=1), reason)})
        assert judge(stamped().pdf, later).outcome is Outcome.GENUINE
        before = trust() | Trust(ended={sealed().fingerprint: Ended(now - timedelta(days=1), reason)})
        verdict = judge(stamped().pdf, before)
        assert verdict.outcome is Outcome.REFUSED and verdict.findings[-1].code == "revoked"
    own_clock = Trust(frozenset({sealed().fingerprint}))
    later = Ended(now + timedelta(days=1), "retired")
    assert judge(sealed().data, own_clock | Trust(ended={sealed().fingerprint: later})).outcome is Outcome.GENUINE
    worse = Ended(now + timedelta(days=1), "compromised")
    assert judge(sealed().data, own_clock | Trust(ended={sealed().fingerprint: worse})).outcome is Outcome.UNDECIDED
    assert judge(sealed().data, own_clock, at=now + timedelta(days=4000)).outcome is Outcome.UNDECIDED


def test_the_command_takes_several_trusts_and_a_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, roots = tmp_path / "report.pdf", tmp_path / "roots.pem"
    file.write_bytes(stamped().renewed)
    roots.write_bytes(b"".join(each.pem for each in authorities()))
    seal = ["--trust", sealed().fingerprint]
    assert main([str(file), *seal]) == 4
    assert "CANNOT BE JUDGED" in capsys.readouterr().out
    assert main([str(file), *seal, "--trust", str(roots), "--at", "2036-06-01"]) == 0
    assert "GENUINE" in capsys.readouterr().out
    assert main([str(file), *seal, "--trust", str(roots), "--at", "2020-01-01"]) == 1
    assert houses_main([str(file), "--fingerprint", sealed().fingerprint, "--timestamp-root", str(roots)]) == 0


def test_a_trust_file_names_authorities_and_seals_that_ended() -> None:
    import base64

    entry = {"certificate": base64.b64encode(authorities()[0].der).decode(), "own": True}
    ended = {"seal": "0" * 64, "at": "2026-11-29T12:00:00+00:00", "reason": "compromised"}
    document = {"format": "lethe-trust/2", "seals": [sealed().fingerprint], "ledgers": [], "time_authorities": [entry],
                "ended": [ended]}  # fmt: skip
    found = read(json.dumps(document))
    verdict = judge(stamped().pdf, found)
    assert verdict.outcome is Outcome.GENUINE
    assert any("own time stamp authority" in one.text and one.state == "not_proved" for one in verdict.findings)
    assert found.ended["0" * 64].reason == "compromised"
    for wrong in (
        {"more": 1},
        {"ended": [{**ended, "reason": "tired"}]},
        {"ended": [{**ended, "at": "2026-11-29T12:00:00"}]},
        {"time_authorities": [{"certificate": "AAAA", "own": False}]},
        {"format": "lethe-trust/9"},
    ):
        with pytest.raises(TrustError):
            read(json.dumps({**document, **wrong}))
