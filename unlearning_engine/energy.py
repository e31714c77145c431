"""The energy of a run: read from the machine's own counters where it has them, else estimated from its work.

Counters: RAPL of the processor packages (`/sys/class/powercap`, microjoules that wrap around), NVML of an NVIDIA
device (millijoules since the driver was loaded). They count all that the machine did meanwhile, so `source` is
told with the number. Without a counter CPU seconds times `WATTS_PER_CORE` are an estimate, and say so.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

#: Power of one busy core with its share of memory, W: a server processor of 150 to 350 W over 16 to 32 cores.
WATTS_PER_CORE = 10.0
POWERCAP = Path("/sys/class/powercap")


def packages(root: Path = POWERCAP) -> dict[str, tuple[int, int]]:
    """Microjoules and where they wrap around, per processor package; empty where they cannot be read."""
    found = {}
    for zone in sorted(root.glob("intel-rapl:[0-9]")) if root.is_dir() else ():
        try:
            now, most = (int((zone / name).read_text()) for name in ("energy_uj", "max_energy_range_uj"))
        except (OSError, ValueError):
            return {}  # one package that may not be read would make the sum wrong
        found[zone.name] = (now, most)
    return found


def device_millijoules() -> int | None:
    """What NVML counted for the device in use, or None without one or without its library."""
    torch = sys.modules.get("torch")
    if torch is None or not (torch.cuda.is_available() and torch.cuda.is_initialized()):
        return None
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(torch.cuda.current_device())
        return int(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle))
    except pynvml.NVMLError:
        return None


class Meter:
    """Begins to count when made."""

    def __init__(self, root: Path = POWERCAP) -> None:
        self._root, self._cpu = root, time.process_time()
        self._packages, self._device = packages(root), device_millijoules()

    def read(self) -> dict[str, Any]:
        """`wh` since the beginning, its `source`, `estimated` where no counter told it all, and `cpu_seconds`."""
        seconds = time.process_time() - self._cpu
        after, estimated = packages(self._root), False
        if self._packages and set(after) == set(self._packages):
            joules = sum((after[n][0] - was) % (most + 1) for n, (was, most) in self._packages.items()) / 1e6
            source = "processor counters (RAPL), the whole machine"
        else:
            estimated = True
            joules, source = seconds * WATTS_PER_CORE, f"estimate, {WATTS_PER_CORE:g} W for each busy core"
        now = device_millijoules()
        if now is not None:
            # A device that was first used during the run has no earlier reading: what it drew before is not counted.
            joules += (now - (self._device if self._device is not None else now)) / 1e3
            source += "; device counter (NVML)" if self._device is not None else "; device not counted"
            estimated = estimated or self._device is None
        wh, cpu = round(joules / 3600, 6), round(seconds, 3)
        return {"wh": wh, "source": source, "estimated": estimated, "cpu_seconds": cpu}
