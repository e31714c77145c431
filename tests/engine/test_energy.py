"""Energy from counters that wrap around, and an estimate that says so where there are none."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from unlearning_engine.energy import WATTS_PER_CORE, Meter, packages


def zone(root: Path, number: int, energy: int, most: int = 1_000_000_000) -> None:
    folder = root / f"intel-rapl:{number}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "energy_uj").write_text(f"{energy}\n")
    (folder / "max_energy_range_uj").write_text(f"{most}\n")


def test_packages_are_added_and_a_counter_may_wrap_around(tmp_path: Path) -> None:
    zone(tmp_path, 0, 100)
    zone(tmp_path, 1, 999_999_000, most=999_999_999)
    meter = Meter(tmp_path)
    zone(tmp_path, 0, 600_000_100)
    zone(tmp_path, 1, 3_599_000, most=999_999_999)
    # The first counted 600,000,000 uJ. The second 1,000 up to its end and 3,599,000 from nought: 3.6 J.
    found = meter.read()
    assert found["wh"] == pytest.approx((600.0 + 3.6) / 3600, abs=1e-6)
    assert found["source"].startswith("processor counters") and not found["estimated"]


def test_without_counters_the_work_is_estimated_and_said_so(tmp_path: Path) -> None:
    meter = Meter(tmp_path / "nowhere")
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    found = meter.read()
    assert found["cpu_seconds"] >= 0.05
    assert found["wh"] == pytest.approx(found["cpu_seconds"] * WATTS_PER_CORE / 3600, rel=0.05)
    assert found["source"] == "estimate, 10 W for each busy core" and found["estimated"]


def test_a_counter_that_cannot_be_read_counts_for_nothing(tmp_path: Path) -> None:
    zone(tmp_path, 0, 5)
    zone(tmp_path, 1, 5)
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("secret")
    assert packages(tmp_path) == {}
