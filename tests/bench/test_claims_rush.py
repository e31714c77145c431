"""4,000 claims in 6 minutes beside a batch, a worker killed and the broker restarted: receipts in a second, all there.

In processes of its own. LETHE_RUSH="CLAIMS WORKS" makes it smaller; what it found stands in docs/performance.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.bench.claims_rush import BAR_SECONDS
from tests.services import servers

pytestmark = [pytest.mark.bench, pytest.mark.services]


def test_nothing_is_lost_or_doubled_and_receipts_come_in_a_second() -> None:
    try:
        servers.postgresql()
    except servers.Missing as error:
        pytest.skip(str(error))
    claims, works = os.environ.get("LETHE_RUSH", "4000 1000000").split()
    command = [sys.executable, "-m", "tests.bench.claims_rush", "--claims", claims, "--works", works]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    sys.stdout.write(ended.stdout)
    assert ended.returncode == 0, ended.stdout + ended.stderr[-3000:]
    assert json.loads(ended.stdout.splitlines()[-1])["p95_s"] <= BAR_SECONDS
