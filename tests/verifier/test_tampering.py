"""No file of the tamper corpus is accepted, by the stranger's verifier or by the house's own check."""

from __future__ import annotations

from governance.evidence.check import check
from lethe_verify import Outcome, judge
from lethe_verify.bundle import is_bundle
from lethe_verify.trust import Trust
from tests.verifier.corpus import mutations, named
from tests.verifier.example import forged, genuine

COUNT = 400


def trust() -> Trust:
    return Trust(frozenset({genuine().fingerprint}))


def test_no_mutation_of_the_corpus_is_accepted() -> None:
    accepted, seen = [], set()
    for name, data in mutations(COUNT):
        seen.add(data)
        if judge(data, trust()).outcome is Outcome.GENUINE:
            accepted.append(name)
    assert not accepted
    assert len(seen) >= 300, "the corpus repeats itself"


def test_the_genuine_files_are_accepted_by_both_checks() -> None:
    one = genuine()
    for trusted in (trust(), Trust(frozenset({one.fingerprint}), frozenset({one.ledger_key}))):
        for data in (one.pdf, one.bundle):
            assert judge(data, trusted).outcome is Outcome.GENUINE, judge(data, trusted).findings
    assert check(one.pdf, [one.fingerprint], ledger_key=one.ledger_key).genuine


def test_both_checks_refuse_the_same_reports() -> None:
    """Two programs that share no line agree on every report of the corpus that was altered by name."""
    one, differ = genuine(), []
    for name, data in named(one):
        if not is_bundle(data):
            ours = check(data, [one.fingerprint], ledger_key=one.ledger_key).genuine
            theirs = judge(data, Trust(frozenset({one.fingerprint}), frozenset({one.ledger_key}))).outcome
            if ours or theirs is Outcome.GENUINE:
                differ.append((name, ours, theirs))
    assert not differ


def test_a_forger_with_keys_ledger_and_clock_of_their_own_is_refused() -> None:
    for data in (forged().pdf, forged().bundle):
        verdict = judge(data, trust())
        assert verdict.outcome is Outcome.REFUSED
        assert verdict.findings[-1].code == "signer"
        assert judge(data).outcome is Outcome.UNKNOWN_SIGNER, "whole in itself, and that is no success"


def test_the_issuers_other_ledger_is_refused_where_the_key_is_known_from_outside() -> None:
    one = genuine()
    verdict = judge(one.bundle, Trust(frozenset({one.fingerprint}), frozenset({forged().ledger_key})))
    assert verdict.outcome is Outcome.REFUSED and verdict.findings[-1].code == "ledger_key"
