"""An engine that dies in the middle: its job goes on from the last checkpoint and ends once, with one result."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.house import House

SECONDS = 240


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path, artists=1, persons=0) as started:
        yield started


def ended(house: House, job: str) -> dict[str, Any]:
    """The job, once it is at an end."""
    deadline = time.monotonic() + SECONDS
    while True:
        found: dict[str, Any] = next(one for one in house.ask("jobs") if one["id"] == job)
        if found["state"] not in ("queued", "running"):
            return found
        assert time.monotonic() < deadline, f"{found['kind']} is still {found['state']}\n{house.said()}"
        time.sleep(0.3)


def assert_went_on(job: dict[str, Any]) -> None:
    """It succeeded at its second attempt, which began behind the checkpoint of the first."""
    assert (job["state"], job["attempt"]) == ("succeeded", 1), job["kind"]
    starts = [number for number, event in enumerate(job["log"]) if event["event"] == "start"]
    assert [job["log"][number]["resumed"] for number in starts] == [False, True]
    again = [event["step"] for event in job["log"][starts[1] :] if isinstance(event.get("step"), int)]
    assert min(again) >= 100, "the second attempt began before the first checkpoint"
    assert len([event for event in job["log"] if event["event"] == "end"]) == 1


def test_a_killed_engine_loses_nothing(house: House) -> None:
    trained = house.kill_engine("train")
    house.wait_until_built()
    assert_went_on(ended(house, trained))
    assert [version["state"] for version in house.ask("versions")] == ["released", "reference"]

    house.ask("confirm a plan")
    changed = house.kill_engine("unlearn")
    assert_went_on(ended(house, changed))
    assert [job["id"] for job in house.ask("jobs") if job["kind"] == "engine.unlearn"] == [changed]
    assert [version["plan__attempt"] for version in house.ask("versions")] == [None, None, 1]
