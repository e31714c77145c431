"""5,000 files of the tamper corpus before the stranger's verifier and the house's check: none accepted, in bounds.

`LETHE_BENCH_FILES` takes fewer.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from governance.evidence.check import check
from lethe_verify import Outcome, judge
from lethe_verify.bundle import is_bundle
from lethe_verify.trust import Trust
from tests.governance.evidence_sealed import sealed
from tests.verifier import stamped
from tests.verifier.corpus import mutations
from tests.verifier.example import genuine

COUNT = int(os.environ.get("LETHE_BENCH_FILES", "5000"))
CPU_SECONDS = 15 * 60


def told(what: str, spent: float, count: int, codes: Counter[str]) -> None:
    each = 1000 * spent / max(1, count)
    print(f"\n{what}: {count} files, {spent:.0f} s of processor time, {each:.1f} ms each: {dict(codes)}")  # noqa: T201


def corpora() -> Iterator[tuple[str, Trust, Iterator[tuple[str, bytes]]]]:
    """Half without and half with time stamps."""
    yield "B-B", Trust(frozenset({genuine().fingerprint})), mutations(COUNT // 2)
    yield "B-LTA", stamped.trust(), stamped.mutations(COUNT - COUNT // 2)


@pytest.mark.bench
def test_five_thousand_altered_files_are_refused_by_the_strangers_verifier() -> None:
    started, accepted = time.process_time(), []
    for what, trust, files in corpora():
        codes, begun, count = Counter[str](), time.process_time(), 0
        for name, data in files:
            verdict = judge(data, trust)
            codes[verdict.findings[-1].code] += 1
            count += 1
            if verdict.outcome is Outcome.GENUINE:
                accepted.append(name)
        told(f"lethe_verify, {what}", time.process_time() - begun, count, codes)
    assert not accepted
    assert time.process_time() - started < CPU_SECONDS


@pytest.mark.bench
def test_five_thousand_altered_files_are_refused_by_the_houses_check() -> None:
    started, accepted = time.process_time(), []
    roots = [one.root for one in stamped.authorities()]
    for what, _trust, files in corpora():
        codes, begun, count = Counter[str](), time.process_time(), 0
        for name, data in files:
            if is_bundle(data):
                continue
            result = check(data, [sealed().fingerprint], timestamp_roots=roots)
            codes[result.findings[-1].code] += 1
            count += 1
            if result.genuine:
                accepted.append(name)
        told(f"the house's check, {what}", time.process_time() - begun, count, codes)
    assert not accepted
    assert time.process_time() - started < CPU_SECONDS
