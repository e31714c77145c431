"""Every public page has at least 95 of 100 points in Lighthouse; in a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests.e2e.browser import NAMES

pytestmark = [pytest.mark.bench]


def test_every_public_page_has_95_points() -> None:
    if not shutil.which("npx") or not any(map(shutil.which, NAMES)):
        pytest.skip("service: npx and Chromium are needed")
    command = [sys.executable, "-m", "tests.bench.lighthouse"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    sys.stdout.write(ended.stdout)
    assert ended.returncode == 0, ended.stdout + ended.stderr[-3000:]
