"""The verification as a lawyer reads it: each plan against its own reference and limit, and what was not tried."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from governance.models import Case, Role, Status, Verification
from governance.policies import Actor
from governance.services import verification_policies as policies
from governance.web import probes, verdict_words
from tests.governance.conftest import file_case
from tests.governance.staff import sign_in_to_decide


def estimate(value: float, n: int = 180) -> dict[str, Any]:
    return {"value": value, "low": max(0.0, value - 0.02), "high": value + 0.02, "n": n}


def probe(name: str, family: str, reference: float | None, outcome: str = "pass", **more: Any) -> dict[str, Any]:
    limit = None if reference is None else reference + 0.1
    return {
        "name": name, "family": family, "candidate": estimate(0.05), "original": estimate(0.9),
        "reference": None if reference is None else estimate(reference), "difference": estimate(0.01), "margin": 0.1,
        "limit": limit, "bounds": "upper", "outcome": outcome, "p_value": 0.4, "items_needed": None,
        "detail": {}, **more,
    }  # fmt: skip


def tell(found: Verification, *probes: dict[str, Any], **more: Any) -> None:
    found.document = {**found.document, "probes": list(probes), **more}
    found.save()


@pytest.fixture
def case(walk: Any) -> Case:
    """A case with a failed and a passed plan, each with references and limits of its own."""
    made = walk(file_case(), Status.RELEASE)
    first, second = Verification.objects.order_by("plan__attempt")
    utility = probe("utility_retain", "utility", None, limit=0.9, bounds="lower", margin=None)
    survivors = probe("surviving_works", "knowledge", 0.3, "reported", limit=None, margin=None)
    tell(first, probe("exact_value", "memorisation", 0.30), probe("pruning_value", "robustness", 0.3, "fail"), utility,
         survivors, verdict="fail")  # fmt: skip
    tell(second, probe("exact_value", "memorisation", 0.02), probe("pruning_value", "robustness", 0.05), utility,
         survivors, attacks_not_named=["sampling", "finetuning"], reference_lineage="unproven")  # fmt: skip
    return made


@pytest.fixture
def page(client: Client, case: Case, people: dict[Role, Actor]) -> str:
    user = people[Role.LEGAL].user
    assert user
    sign_in_to_decide(client, user)
    return client.get(reverse("verification", args=[case.public_id])).content.decode()


def lines(case: Case) -> dict[str, list[dict[str, Any]]]:
    rows = probes.groups(list(Verification.objects.order_by("plan__attempt")))
    return {row["title"]: row["plans"] for group in rows for row in group["probes"]}


def test_each_plan_is_drawn_against_its_own_reference_and_limit(case: Case) -> None:
    first, second = lines(case)["Gives the right value"]
    assert (first["row"]["limit"], second["row"]["limit"]) == (pytest.approx(40), pytest.approx(12))
    assert (first["reference_text"], second["reference_text"]) == ("30%", "2%")
    assert (first["limit_text"], second["limit_text"]) == ("at most 40%", "at most 12%")
    assert first["limit_note"] == "margin 10 points"


def test_probes_stand_in_four_groups_with_a_conclusion_each(case: Case) -> None:
    groups = probes.groups(list(Verification.objects.order_by("plan__attempt")))
    assert [group["key"] for group in groups] == ["plain", "attacks", "survivors", "utility"]
    assert [group["sentence"] for group in groups] == [
        "It stays inside its limit.", "It stays inside its limit.", "Nothing beyond what chance explains.",
        "It stays inside its limit."]  # fmt: skip


def test_a_probe_bounded_on_both_sides_shows_both_limits(case: Case) -> None:
    found = Verification.objects.order_by("plan__attempt").last()
    assert found
    tell(found, probe("membership_loss", "membership", 0.5, bounds="both"))
    line = lines(case)["Tells training text from unseen"][0]
    assert (line["row"]["limit_low"], line["row"]["limit"]) == (pytest.approx(40), pytest.approx(60))
    assert line["limit_text"] == "40% to 60%"


def test_the_page_says_suppressed_where_only_an_attack_brought_it_back(page: str) -> None:
    assert "Suppressed, recoverable by small weights removed" in page


def test_the_page_names_attacks_not_made_and_a_reference_of_unproven_lineage(page: str) -> None:
    assert "Many sampled answers" in page and "not named by the policy" in page
    assert "a reference whose training is not proven" in page


def test_every_chart_has_its_table_which_is_asked_for(client: Client, case: Case, page: str) -> None:
    assert page.count("Every number behind this chart") == 4 and 'id="numbers"' not in page
    keys = re.findall(r"\?numbers=(\w+)#numbers", page)
    asked = client.get(reverse("verification", args=[case.public_id]), {"numbers": keys[0]}).content.decode()
    assert asked.count('id="numbers"') == 1 and asked.count("Every number behind this chart") == 3
    assert asked.count("<td") > page.count("<td")
    assert page.count('<th scope="rowgroup" rowspan="2">') == 4


def test_what_would_decide_is_said_where_it_is_open(client: Client, case: Case, page: str) -> None:
    assert "What would decide it" not in page
    found = Verification.objects.order_by("plan__attempt").last()
    assert found
    undecided = probe("exact_value", "memorisation", 0.02, "inconclusive", items_needed=1200)
    tell(found, undecided, verdict="inconclusive")
    text = client.get(reverse("verification", args=[case.public_id])).content.decode()
    assert "What would decide it" in text and "about 1,200 independent facts would decide" in text


def test_a_failed_plan_says_first_which_probes_failed_and_not_what_would_decide_others(
    client: Client, case: Case, page: str
) -> None:
    assert "Beyond its limit" not in page
    found = Verification.objects.order_by("plan__attempt").last()
    assert found
    beyond = [{"code": "beyond_margin", "data": {"probe": name}} for name in ("exact_value", "pruning_value")]
    undecided = probe("exact_value", "memorisation", 0.02, "inconclusive", items_needed=1200)
    tell(found, undecided, verdict="fail", findings=beyond)
    text = client.get(reverse("verification", args=[case.public_id])).content.decode()
    assert "Beyond its limit: Gives the right value; Gives it with small weights removed." in text
    assert "What would decide it" not in text


def test_an_eased_policy_is_marked(walk: Any, people: dict[Role, Actor], catalogue: Any) -> None:
    made = policies.policy_propose(
        thresholds={**policies.current(), "utility_floor": 0.8}, reason="Measured on eight seeds in spring.",
        actor=people[Role.LEGAL],
    )  # fmt: skip
    policies.policy_approve(policy=made, actor=people[Role.ENGINEER])
    plan = walk(file_case(), Status.VERIFICATION).plans.get()
    told = verdict_words.policy_of(plan)
    assert told["eased"] == ["Floor of utility: 90%, then 80%"]
    assert "Measured on eight seeds" in json.dumps([str(f) for f in told["facts"]])
