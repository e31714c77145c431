"""1,000 reports sealed B-LTA: within 20 CPU minutes, in flat memory. `LETHE_BENCH_REPORTS` takes fewer."""

from __future__ import annotations

import os
import resource
import time

import pytest

from governance.evidence import seal
from tests.governance.evidence_sealed import sealed
from tests.verifier.authorities import authority

COUNT = int(os.environ.get("LETHE_BENCH_REPORTS", "1000"))
WHOLE, CPU_SECONDS = 1000, 20 * 60
#: What memory may grow by after the first reports, MiB.
GROWTH = 40


def memory() -> float:
    """Most memory held so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.bench
def test_a_thousand_reports_are_sealed_with_time_stamps_in_flat_memory() -> None:
    """The key in a file, the report rendered before: what is reckoned is sealing, the authority's work beside it."""
    one, asked = sealed(), authority().asked()
    held, mine, others = 0.0, time.process_time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    for number in range(COUNT):
        seal.seal(one.base, key=one.key, authority=asked)
        if number == COUNT // 10:
            held = memory()
    ours = time.process_time() - mine
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    theirs = now.ru_utime + now.ru_stime - others.ru_utime - others.ru_stime
    grown = memory() - held
    print(f"\n{COUNT} reports: {ours:.0f} s of processor time ({1000 * ours / COUNT:.0f} ms each), the authority's "  # noqa: T201
          f"own {theirs:.0f} s; memory {held:.0f} MiB, then {grown:+.1f} MiB")  # fmt: skip
    assert ours * WHOLE / COUNT < CPU_SECONDS
    assert grown < GROWTH
