"""What a worker tells of its machine: numbers that the machine itself has, and nothing where it does not answer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from unlearning_engine import presence


def test_the_machine_is_told_in_numbers(tmp_path: Path) -> None:
    told = presence.machine(tmp_path)
    assert told["cores"] >= 1 and 0 < told["memory_free_mib"] <= told["memory_mib"] and told["disk_free_mib"] > 0


def test_memory_counts_children_too() -> None:
    program = "import sys; held = b'x' * (80 * 2**20); print(flush=True); sys.stdin.read()"
    before = presence.memory_of(os.getpid())
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert presence.memory_of(os.getpid()) >= before + 70
        child.communicate(b"")
    assert presence.memory_of(2**22 + 1) == 0


@pytest.mark.parametrize(
    ("says", "names"),
    [("NVIDIA H200, 143771, 1024, 7\nbroken\n", ["NVIDIA H200"]), ("No devices were found\n", []), (None, [])],
)
def test_devices_are_those_that_the_driver_tells(tmp_path: Path, says: str | None, names: list[str]) -> None:
    program = tmp_path / "smi"
    body = f"printf '%s' '{says}'" if says else "exit 9"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    found = presence.devices(str(program))
    assert [one["name"] for one in found] == names
    assert not found or found[0]["memory_free_mib"] == 142747
