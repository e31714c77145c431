"""What an attacker builds with keys of their own, with stolen ones, or out of genuine parts: each is refused."""

from __future__ import annotations

import copy
import dataclasses
import functools
import hashlib
import json
import time
import tracemalloc
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.evidence import bundle, pdf, renewal, schema, seal
from governance.evidence.bundle_check import check_files, unpack
from governance.evidence.check import Outcome as Ours
from governance.evidence.check import check
from governance.evidence.check import main as houses_main
from governance.evidence.checkpoint import make_checkpoint, verifier_key
from governance.evidence.errors import ProofError
from governance.evidence.leaf import canonical
from lethe_verify import Outcome, der, judge
from lethe_verify import seal as theirs
from lethe_verify.__main__ import main
from lethe_verify.judge import Known
from lethe_verify.trust import Ended, Trust, read
from lethe_witness.__main__ import verifier_key as witness_key
from tests.governance import evidence_example as make
from tests.governance.evidence_sealed import sealed
from tests.verifier.authorities import authority
from tests.verifier.corpus import forked
from tests.verifier.example import Example, bundled, forged, genuine, witness_of
from tests.verifier.stamped import authorities, example, stamped


def trust(**more: Any) -> Trust:
    one = genuine()
    return Trust(frozenset({one.fingerprint}), frozenset({one.ledger_key}), **more)


@functools.cache
def other_case() -> Example:
    """Another report of the same house, by the same keys."""
    document = copy.deepcopy(json.loads(sealed().evidence))
    document["report"]["number"] = "LR-2026-0999"
    tree, kept = make.ledger_of({**document, "ledger": None})
    document["ledger"] = {
        **document["ledger"],
        "checkpoint": bundle_note(tree),
        "entries": [make.opened(kept[index], tree) for index in (3, 6)],
    }
    data = seal.seal(pdf.render(schema.build(document)), key=sealed().key)
    return bundled(document, data, sealed().fingerprint, make.LEDGER_KEY)


def bundle_note(tree: Any) -> str:
    return make_checkpoint(origin=make.ORIGIN, size=8, root=tree.root(), key=make.LEDGER_KEY)


def test_all_of_it_forged_with_own_keys_ledger_clock_and_witness() -> None:
    fake = forged()
    own_clock = authority("A forger's authority")
    whole = bundled(json.loads(fake.evidence), fake.pdf, fake.fingerprint, fake.key, timed_at=own_clock.url)
    for data in (fake.pdf, fake.bundle, whole.bundle):
        assert judge(data, trust()).outcome is Outcome.REFUSED
        assert judge(data).outcome is Outcome.UNKNOWN_SIGNER
    # Who takes the forger's seal for good still learns that no witness and no authority of theirs stands behind it.
    genuine_witness = witness_of(genuine().key)
    believing = Trust(frozenset({fake.fingerprint}),
                      witnesses=frozenset({witness_key(genuine_witness.name, genuine_witness.key)}))  # fmt: skip
    found = {one.code: one.state for one in judge(whole.bundle, believing).findings}
    assert found["witness"] == found["ledger_time"] == "not_proved"
    assert judge(whole.bundle, dataclasses.replace(believing, quorum=1)).outcome is Outcome.REFUSED
    assert judge(whole.bundle, dataclasses.replace(believing, ledgers=trust().ledgers)).outcome is Outcome.REFUSED


def test_a_report_with_the_proofs_of_another_case_and_a_fork_of_the_ledger() -> None:
    one, other = genuine(), other_case()
    assert judge(other.bundle, trust()).outcome is Outcome.GENUINE
    for parts in ({"ledger": other.ledger}, {"pdf": other.pdf}, {"evidence": other.evidence},
                  {"pdf": other.pdf, "evidence": other.evidence}, {"readme": other.readme}):  # fmt: skip
        assert judge(one.with_parts(**parts), trust()).outcome is Outcome.REFUSED, set(parts)
    mixed = json.loads(one.ledger)
    mixed["entries"] = json.loads(other.ledger)["entries"]
    assert judge(one.with_parts(ledger=canonical(mixed)), trust()).outcome is Outcome.REFUSED
    assert judge(one.with_parts(ledger=forked(one)), trust()).outcome is Outcome.REFUSED
    # The house itself forks its ledger: whoever kept a checkpoint sees it.
    kept = Known(one.note(15))
    assert judge(other.bundle, trust(), known=kept).outcome is Outcome.REFUSED
    assert judge(one.bundle, trust(), known=kept).outcome is Outcome.GENUINE


def test_the_checkpoint_of_another_house_that_is_trusted_too() -> None:
    """Who trusts two houses is shown a report of one whose bundle rests on the other's ledger."""
    one, key, origin = genuine(), Ed25519PrivateKey.generate(), "other.example/ledger"
    other = verifier_key(origin, key.public_key())
    note = make_checkpoint(origin=origin, size=len(one.tree), root=one.tree.root(), key=key)
    told = {**json.loads(one.ledger), "verifier_key": other, "checkpoint": note, "witnesses": []}
    data = one.with_parts(ledger=canonical(told))
    both = dataclasses.replace(trust(), ledgers=trust().ledgers | {other})
    for believed in (both, Trust(both.seals)):
        verdict = judge(data, believed)
        assert verdict.outcome is Outcome.REFUSED
        assert verdict.findings[-1].code == "ledger_key" and "of another ledger" in verdict.findings[-1].text
    files = unpack(data)
    with pytest.raises(ProofError, match="of another ledger"):
        check_files(files, json.loads(files["evidence.json"]), both.ledgers)


def test_a_stolen_seal_with_a_time_set_back_at_the_houses_own_authority() -> None:
    first, second = authorities()
    moment = theirs.check(stamped().pdf).stamps[-1].time
    after, day = moment + timedelta(hours=1), moment + timedelta(days=1)
    own = frozenset({hashlib.sha256(first.der).hexdigest()})
    roots = read(first.pem.decode() + second.pem.decode())

    def both(data: bytes, ended: datetime, own: frozenset[str]) -> tuple[Outcome, Ours]:
        mark = sealed().fingerprint
        result = check(data, [mark], timestamp_roots=[first.root, second.root], at=day,
                       ended={mark: (ended, "compromised")}, own=[first.root] if own else [])  # fmt: skip
        return alone(data, ended, own), result.outcome

    def alone(data: bytes, ended: datetime, own: frozenset[str]) -> Outcome:
        mine = trust(own=own, ended={sealed().fingerprint: Ended(ended, "compromised")}) | roots
        return judge(data, mine, at=day).outcome

    assert alone(stamped().pdf, after, frozenset()) is Outcome.GENUINE, "by an authority of others"
    assert both(stamped().pdf, after, own) == (Outcome.UNDECIDED, Ours.ENDED), "by the house's own"
    assert alone(stamped().pdf, moment - timedelta(days=1), own) is Outcome.REFUSED
    # Stamped again by an authority of others, after the theft: that one's time counts, not the one set back.
    while moment + timedelta(seconds=2) > datetime.now(moment.tzinfo):
        time.sleep(0.1)
    late = renewal.renew(stamped().pdf, authority=second.asked(), earlier=first.asked())
    theft = moment + timedelta(seconds=1)
    assert both(late, theft, own) == (Outcome.UNDECIDED, Ours.ENDED)
    assert alone(late, after, own) is Outcome.GENUINE, "in time"


def test_a_seal_that_says_no_change_permitted_and_does_not_forbid_one(monkeypatch: pytest.MonkeyPatch) -> None:
    one, made = sealed(), seal._metadata

    def uncertified(*given: Any) -> Any:
        return dataclasses.replace(made(*given), certify=False, docmdp_permissions=None)

    monkeypatch.setattr(seal, "_metadata", uncertified)
    data = seal.seal(one.base, key=one.key)
    assert b"no change permitted" in data
    assert judge(data, trust()).outcome is Outcome.REFUSED and check(data, [one.fingerprint]).outcome is Ours.ALTERED


def test_a_large_structure_takes_linear_time() -> None:
    """Many small values, without a copy of the rest for each."""
    part = der.make(der.SEQUENCE, der.make(der.INTEGER, b"\x05"), der.make(der.NULL))
    many = der.make(der.SEQUENCE, *[part] * 20_000)
    begun = time.process_time()
    assert len(der.parse(many).children) == 20_000
    assert time.process_time() - begun < 3


def test_a_timed_bundle_without_its_time_or_with_that_of_another_ledger() -> None:
    one = example()
    timed = bundled(json.loads(one.evidence), one.pdf, one.fingerprint, make.LEDGER_KEY, timed_at=authorities()[1].url)
    told = json.loads(timed.ledger)
    untimed = {name: value for name, value in told.items() if name != "time"}
    for changed in ({**told, "time": ""}, {**told, "format": bundle.FORMAT}, untimed,
                    {**told, "checkpoint": genuine().note(15)}):  # fmt: skip
        assert judge(timed.with_parts(ledger=canonical(changed)), trust()).outcome is Outcome.REFUSED


def test_a_huge_file_is_refused_from_its_beginning_and_a_cut_bundle_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    huge = tmp_path / "huge.pdf"
    with huge.open("wb") as file:
        file.write(b"%PDF-1.7\n")
        file.truncate(2**30)
    tracemalloc.start()
    assert main([str(huge), "--trust", genuine().fingerprint]) == 1
    assert houses_main([str(huge), "--fingerprint", genuine().fingerprint]) == 1
    assert tracemalloc.get_traced_memory()[1] < 128 * 2**20
    tracemalloc.stop()
    told = capsys.readouterr().out
    assert told.count("larger than 25 MB") == 2 and "SHA-256 of the file" not in told and "sha256" not in told
    cut = tmp_path / "cut.zip"
    cut.write_bytes(genuine().bundle[:9000])
    assert main([str(cut)]) == 1 and "cut off within report.pdf" in capsys.readouterr().out
    assert main([str(tmp_path / "nothing.pdf")]) == 2 and "cannot be read: No such file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([str(cut), "--at", "soon"])
    assert "write it as 2036-01-31" in capsys.readouterr().err
