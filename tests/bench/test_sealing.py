"""1,000 reports sealed B-LTA, and 1,000 certificates set and sealed: each within 20 CPU minutes, in flat memory.

`LETHE_BENCH_REPORTS` takes fewer.
"""

from __future__ import annotations

import os
import resource
import time
from itertools import pairwise
from pathlib import Path

import pytest

from governance.evidence import pdf, schema, seal
from governance.notifications.languages import LANGUAGES
from tests.governance import evidence_example as make
from tests.governance import report_examples
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


def resident() -> float:
    """Memory held now, MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


@pytest.mark.bench
def test_a_thousand_certificates_are_set_and_sealed_in_flat_memory() -> None:
    """Each from its facts to the sealed file, in the seven languages by turns; what comes first in a process counts."""
    key, asked = sealed().key, authority().asked()
    documents = [report_examples.of_case("certificate", language) for language in LANGUAGES]
    spent, held = [0.0, 0.0, 0.0], 0.0
    for number in range(COUNT):
        facts = documents[number % len(documents)]
        facts["report"]["number"] = f"LC-{number:04}"
        moments = [time.process_time()]
        evidence = schema.build(make.with_ledger({**facts, "ledger": None}))
        moments.append(time.process_time())
        base = pdf.render(evidence)
        moments.append(time.process_time())
        seal.seal(base, key=key, authority=asked)
        moments.append(time.process_time())
        spent = [had + after - before for had, (before, after) in zip(spent, pairwise(moments), strict=True)]
        if number == COUNT // 5:
            held = resident()
    evidence_ms, setting_ms, sealing_ms = (f"{1000 * one / COUNT:.0f}" for one in spent)
    print(f"\n{COUNT} certificates: {sum(spent):.0f} s of processor time, {1000 * sum(spent) / COUNT:.0f} ms each "  # noqa: T201
          f"(evidence {evidence_ms}, setting {setting_ms}, sealing {sealing_ms}); memory {held:.0f} MiB, "
          f"then {resident() - held:+.1f} MiB")  # fmt: skip
    assert sum(spent) * WHOLE / COUNT < CPU_SECONDS
    assert resident() - held < GROWTH
