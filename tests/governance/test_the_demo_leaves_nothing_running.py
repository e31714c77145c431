"""The demonstration ends whatever it started, also what does not end when it is asked to."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from governance.management.demo import supervision

#: A supervisor that hears no SIGTERM, with a program in a session of its own, as honcho has them.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "120"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(120)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system has no /proc")
def test_programs_in_sessions_of_their_own_are_ended_with_a_supervisor_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervision, "STOP_SECONDS", 0.3)
    group = supervision.Group(0, "http://127.0.0.1:1")
    group.process = subprocess.Popen(
        [sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert group.process.stdout
    child = int(group.process.stdout.readline())
    group.__exit__()
    group.process.stdout.close()
    assert group.process.returncode is not None
    deadline = time.monotonic() + 10
    while _runs(child):
        assert time.monotonic() < deadline, "the program is still running"
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    """Whether it is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
