"""Evidence of an issuer that lies: a pass that its own numbers contradict, plans left out, thresholds written after."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from governance.evidence import schema
from governance.evidence.errors import DocumentError
from governance.evidence.leaf import canonical
from lethe_verify import evidence, opened, passed
from lethe_verify.errors import Refused
from tests.governance import evidence_example as make
from tests.verifier.test_opened import LEDGER, PLANS, document

Found = dict[str, Any]


def refused(found: Found, ledger: dict[int, make.Told] | None = None) -> str:
    """Why the stranger's verifier refuses it; the house's own refuses it too."""
    given = make.with_ledger(found, LEDGER if ledger is None else ledger)
    with pytest.raises(Refused) as why:
        evidence.check_ledger(evidence.read(canonical(given)))
    with pytest.raises(DocumentError):
        schema.validate(given)
    return str(why.value)


def probe(found: Found, place: int = 0) -> Found:
    one: Found = found["attempts"][1]["verification"]["probes"][place]
    return one


def beyond(found: Found) -> None:
    probe(found)["candidate"] = {"value": 0.7, "low": 0.67, "high": 0.73, "n": 150}
    probe(found)["difference"] = {"value": 0.69, "low": 0.66, "high": 0.72, "n": 150}


def wider(found: Found) -> None:
    beyond(found)
    probe(found)["margin"], probe(found)["limit"] = 0.9, 0.91


def far_below(found: Found) -> None:
    one = next(one for one in found["attempts"][1]["verification"]["probes"] if one["name"] == "membership_loss")
    one["bounds"], one["difference"] = "both", {"value": -0.3, "low": -0.35, "high": -0.25, "n": 150}


def useless(found: Found) -> None:
    probe(found, -1)["candidate"] = {"value": 0.1, "low": 0.05, "high": 0.15, "n": 150}


def unmeasured(found: Found) -> None:
    found["attempts"][1]["verification"]["probes"][0]["name"] = "answer_length"


def nothing_asked(found: Found) -> None:
    found["attempts"][1]["verification"]["probes"] = found["attempts"][1]["verification"]["probes"][-1:]


def called_utility(found: Found) -> None:
    """What still knows the answers would be a ratio that stayed."""
    probe(found)["family"], probe(found)["limit"], probe(found)["bounds"] = "utility", 0.9, "lower"
    probe(found)["candidate"] = {"value": 0.97, "low": 0.95, "high": 0.99, "n": 150}


def excused(found: Found) -> None:
    unmeasured(found)
    found["attempts"][1]["verification"]["attacks_not_applicable"] = {"": "not made", "exact": "not made"}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (called_utility, "not of the family"), (excused, "lacks a probe: exact_value"),
        (beyond, "not inside the margin"), (wider, "names another limit"), (far_below, "not inside the margin"),
        (useless, "below its floor"), (unmeasured, "lacks a probe: exact_value"), (nothing_asked, "lacks a probe"),
    ],
)  # fmt: skip
def test_a_pass_that_its_numbers_contradict_is_refused(change: Callable[[Found], None], word: str) -> None:
    found = document()
    change(found)
    assert word in refused(found)


@pytest.mark.parametrize(
    "rules",
    [{"required_utility": ["neighbours"]}, {"pooled_utility_floor": 0.95}, {"utility_floor": 0.95},
     {"margins": {"steering_value": 0.1}}],
)  # fmt: skip
def test_a_pass_without_what_its_policy_demands_is_refused(rules: Found) -> None:
    judged = {"exact_value", "utility_retain"}
    found = make.verification("pass", (0.01, 0.02, 0.01, 0.18, 0.51, 0.22, 0.25))
    found["probes"] = [one for one in found["probes"] if one["name"] in judged]
    passed.hold(found, {"margins": {"exact_value": 0.1}})
    with pytest.raises(Refused):
        passed.hold(found, rules)
    if "margins" in rules:
        passed.hold({**found, "attacks_not_applicable": {"steering": "no hidden state"}}, rules)


def test_a_verdict_of_no_known_name_is_refused() -> None:
    found = document()
    found["attempts"][1]["verification"]["verdict"] = "PASS "
    assert "does not know" in refused(found)


@pytest.mark.parametrize("chosen", [slice(1, None), slice(None, None, -1)], ids=["left out", "out of order"])
def test_every_plan_stands_in_its_order(chosen: slice) -> None:
    found = document()
    found["attempts"] = found["attempts"][chosen]
    assert "out of order" in refused(found)


def test_thresholds_searches_and_verdicts_that_were_written_after_the_evidence_are_refused() -> None:
    late = document()
    late["attempts"][1]["thresholds_recorded"]["index"] = 7
    assert "before this evidence" in refused(late, {0: LEDGER[0], 5: LEDGER[5], 7: PLANS[1]})
    searched = document()
    searched["matching"]["searches"][0]["index"] = 7
    late_search = {index: told for index, told in LEDGER.items() if index != 5} | {7: LEDGER[5]}
    assert "no entry of the ledger" in refused(searched, late_search)
    judged = document()
    judged["attempts"][1]["ended"]["judged"]["index"] = 7
    late_verdict = {index: told for index, told in LEDGER.items() if index != 4} | {7: LEDGER[4]}
    assert "another verdict" in refused(judged, late_verdict)


def test_the_records_searched_are_those_of_the_data_sets() -> None:
    for change in ({"searched": 5_000_000}, {"data_sets": []}):
        found = document()
        found["matching"] |= change
        assert "as searched" in refused(found)


def test_a_method_that_no_entry_signed_is_not_called_signed() -> None:
    bodies = {n: ("plan.confirmed", {k: v for k, v in PLANS[n][1].items() if k != "method"}) for n in PLANS}
    given = make.with_ledger(document(), {**LEDGER, **bodies})
    proved = evidence.check_ledger(evidence.read(canonical(given)))
    assert opened.told(given, proved.entries)[0] == [1, 2]


@pytest.mark.parametrize("text", ["[]", "{", json.dumps({"margins": []}), json.dumps({"required_utility": 3})])
def test_thresholds_of_another_form_are_refused(text: str) -> None:
    with pytest.raises(Refused):
        passed.thresholds(text)
