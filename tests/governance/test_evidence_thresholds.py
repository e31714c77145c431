"""Eased thresholds, and what was changed between two plans, are told in report, certificate and by the verifier."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from governance import dispatch
from governance.evidence import certificate, report, schema, thresholds_said
from governance.models import Role
from governance.policies import Actor
from governance.services import dossier_policy, verification_policies
from lethe_verify.judge import _thresholds
from lethe_verify.verdict import Verdict
from tests.governance import evidence_example as make

EASED: dict[str, Any] = {
    "changes": [{"name": "margins.exact_value", "before": 0.1, "after": 0.2, "effect": "easier"},
                {"name": "attacks", "before": "sampling", "after": None, "effect": "easier"}],
    "version": 1, "reason": "Short answers of this model vary more than was thought.",
    "proposed": {"role": "Engineer", "at": "2026-11-10T09:00:00.000Z"},
    "approved": {"role": "Engineer", "at": "2026-11-11T09:00:00.000Z"},
}  # fmt: skip


def test_an_eased_policy_is_printed_in_report_and_certificate() -> None:
    document = make.bare()
    assert not thresholds_said.eased(document)
    document["policy"]["eased"] = EASED
    schema.validate(document)
    told = report.context(document, make.sha("evidence"))["eased"]
    assert "In 2 points they are easier to pass" in told
    assert "Margin of “Gives the right value”: 10 points, then 20 points" in told
    assert "Attack left out: many sampled answers" in told and "exact_value" not in told
    assert "Approved: Engineer" in told and EASED["reason"] in told
    assert told in certificate.context(document, make.sha("evidence"))["done"]


def test_what_was_changed_after_a_plan_that_failed_is_told_at_the_next() -> None:
    document = make.bare()
    one, other = document["attempts"]
    assert [row["changed"] for row in report.context(document, make.sha("e"))["attempts"]] == ["", ""]
    one["policy_digest"] = make.sha("a stricter policy")
    one["compared"] = {"controls": make.sha("controls"), "reference": None}
    other["compared"] = {"controls": make.sha("other controls"), "reference": make.sha("reference")}
    schema.validate(document)
    first, second = (row["changed"] for row in report.context(document, make.sha("e"))["attempts"])
    assert not first
    printed = dict(report.context(document, make.sha("e"))["digests"])
    assert printed["Plan 2, controls"].replace(" ", "") == make.sha("other controls").partition(":")[2]
    assert "Plan 2, reference" in printed and "Plan 1, reference" not in printed
    assert second == ("Changed after plan 1 had ended without a release: thresholds; never-seen controls; reference.")


def test_the_verifier_says_that_thresholds_were_changed_between_plans() -> None:
    document, verdict = make.bare(), Verdict()
    _thresholds(verdict, document)
    assert not verdict.findings
    document["attempts"][0]["policy_digest"] = make.sha("a stricter policy")
    _thresholds(verdict, document)
    (found,) = verdict.findings
    assert (found.code, found.state) == ("thresholds", "not_proved") and "before plan 2" in found.text


@pytest.mark.django_db
def test_evidence_names_who_eased_the_thresholds_by_role(people: dict[Role, Actor]) -> None:
    row = verification_policies.policy_propose(
        thresholds={**verification_policies.current(), "minimum_items": 2}, reason=str(EASED["reason"]),
        actor=people[Role.LEGAL],
    )  # fmt: skip
    row = verification_policies.policy_approve(policy=row, actor=people[Role.ENGINEER])
    plan: Any = SimpleNamespace(policy=row.policy, policy_digest=row.digest)
    told = dossier_policy.eased(plan)["eased"]
    assert [one["name"] for one in told["changes"]] == ["minimum_items"]
    assert told["approved"]["role"] == str(Role.ENGINEER.label) and told["reason"] == EASED["reason"]
    plan = SimpleNamespace(policy=dispatch.whole_policy({}), policy_digest="sha256:none")
    assert dossier_policy.eased(plan) == {}
