"""What a worker's machine is and has left, for whoever looks after it. Standard library only."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

MIB = 2**20
_QUERY = "name,memory.total,memory.used,utilization.gpu"


def machine(folder: Path, root: Path = Path("/")) -> dict[str, Any]:
    """`cores`, `load` (1 minute), `memory_mib` and `memory_free_mib`, `disk_free_mib` where `folder` lies, `devices`.

    The last is a list of `{"name", "memory_mib", "memory_free_mib", "busy_percent"}`, empty without an accelerator.
    """
    memory = _memory(root)
    return {
        "cores": os.cpu_count() or 1,
        "load": round(os.getloadavg()[0], 2),
        "memory_mib": memory.get("MemTotal", 0) // 1024,
        "memory_free_mib": memory.get("MemAvailable", 0) // 1024,
        "disk_free_mib": shutil.disk_usage(folder).free // MIB,
        "devices": devices(),
    }


def _memory(root: Path) -> dict[str, int]:
    """KiB by the kernel's names; empty where there is no such file."""
    try:
        lines = [line.split() for line in (root / "proc/meminfo").read_text().splitlines()]
    except OSError:
        return {}
    return {line[0].rstrip(":"): int(line[1]) for line in lines if len(line) > 1 and line[1].isdecimal()}


def devices(program: str = "nvidia-smi") -> list[dict[str, Any]]:
    """The NVIDIA devices, as their driver's own program tells; none where it is not there or does not answer."""
    path = shutil.which(program)
    if path is None:
        return []
    command = [path, f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return []
    return [found for line in told.splitlines() if (found := _device(line))]


def _device(line: str) -> dict[str, Any]:
    parts = [part.strip() for part in line.split(",")]
    if len(parts) != len(_QUERY.split(",")) or not all(part.isdecimal() for part in parts[1:3]):
        return {}
    busy = int(parts[3]) if parts[3].isdecimal() else None
    total, used = int(parts[1]), int(parts[2])
    return {"name": parts[0][:80], "memory_mib": total, "memory_free_mib": total - used, "busy_percent": busy}


def memory_of(pid: int, root: Path = Path("/proc")) -> int:
    """MiB that a process and all its descendants hold in main memory; 0 when it is gone."""
    held, ahead = 0, [pid]
    while ahead:
        here = root / str(ahead.pop())
        try:
            held += int((here / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            ahead += [int(one) for task in (here / "task").iterdir() for one in (task / "children").read_text().split()]
        except (OSError, ValueError, IndexError):
            continue
    return held // MIB
