"""The verifier against the evidence itself: verdicts that add up, thresholds of the very plan, pages left open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from governance.evidence.leaf import canonical
from lethe_verify import evidence
from lethe_verify.errors import Refused
from lethe_verify.evidence import Proved
from lethe_verify.judge import judge
from lethe_verify.opened import CONFIRMED, Entry
from lethe_verify.trust import Trust
from lethe_verify.verdict import Outcome
from tests.governance import evidence_example as make
from tests.verifier.example import genuine

Change = Callable[[dict[str, Any]], None]


def failing_probe(verification: dict[str, Any]) -> None:
    verification["probes"][0]["outcome"] = "fail"


def nothing_decided(verification: dict[str, Any]) -> None:
    for one in verification["probes"]:
        one["outcome"] = "reported"


def a_finding(verification: dict[str, Any]) -> None:
    verification["findings"] = [{"code": "too_few_items", "outcome": "inconclusive", "data": {}}]


@pytest.mark.parametrize("change", [failing_probe, nothing_decided, a_finding])
def test_a_pass_that_its_own_outcomes_contradict_is_refused(change: Change) -> None:
    document = make.example()
    evidence.read(canonical(document))
    change(document["attempts"][-1]["verification"])
    with pytest.raises(Refused, match="whose own outcomes are none"):
        evidence.read(canonical(document))


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ({"attempt": 2, "policy": "p"}, True),
        ({"attempt": 1, "policy": "p"}, False),
        ({"policy": "p"}, False),
        ({"attempt": 2, "policy": "q", "forget": "p"}, False),
    ],
)
def test_the_signing_of_a_plan_fixes_the_thresholds_of_its_own_attempt(body: dict[str, Any], fits: bool) -> None:
    assert evidence._fixes(Entry(3, "", CONFIRMED, body), "p", 2) is fits


def test_thresholds_held_by_other_entries_are_told() -> None:
    document = make.example()
    checkpoint: Any = None
    signed = Proved("key", checkpoint, (Entry(3, "", CONFIRMED, {}),))
    assert evidence.confirmed(document, signed)
    assert not evidence.confirmed(document, Proved("key", checkpoint, (Entry(3, "", "policy.recorded", {}),)))


def test_a_genuine_report_says_that_its_pages_were_not_compared() -> None:
    found = judge(genuine().pdf, Trust(frozenset({genuine().fingerprint})))
    assert found.outcome is not Outcome.REFUSED
    assert {"pages", "thresholds"} <= {one.code for one in found.findings}
