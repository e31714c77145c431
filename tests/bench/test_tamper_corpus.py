"""5,000 files of the tamper corpus before the stranger's verifier: none accepted, within 15 CPU minutes."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from lethe_verify import Outcome, judge
from lethe_verify.trust import Trust
from tests.verifier.corpus import mutations
from tests.verifier.example import genuine

COUNT = 5000
CPU_SECONDS = 15 * 60


@pytest.mark.bench
def test_five_thousand_altered_files_are_refused() -> None:
    trust, codes = Trust(frozenset({genuine().fingerprint})), Counter[str]()
    started, accepted = time.process_time(), []
    for name, data in mutations(COUNT):
        verdict = judge(data, trust)
        codes[verdict.findings[-1].code] += 1
        if verdict.outcome is Outcome.GENUINE:
            accepted.append(name)
    spent = time.process_time() - started
    print(f"\n{COUNT} files, {spent:.0f} s of processor time, {1000 * spent / COUNT:.1f} ms each: {dict(codes)}")  # noqa: T201
    assert not accepted
    assert spent < CPU_SECONDS
