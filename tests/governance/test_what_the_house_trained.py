"""A recipe in a folder that was handed in proves nothing: only what this house's engine trained is told as proven."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from governance.evidence import outcomes
from governance.models import Case, Job, Plan, Role, Status, Verification
from governance.policies import Actor
from governance.services import dossier, dossier_parts, origins
from tests.governance import conftest as world

pytestmark = pytest.mark.database


def verified(walk: Callable[..., Case], case: Case) -> Verification:
    """A pass whose document calls the reference proven, as its recipe does."""
    walk(case, Status.VERIFICATION)
    world.run_house_jobs(case)
    plan = Plan.objects.get(case=case)
    told = json.loads(world.verdict_document(plan, "pass")) | {"reference_lineage": "proven"}
    world.finish(world.engine_job(case, "verify"), verification=json.dumps(told).encode())
    return Verification.objects.get()


def test_a_reference_that_the_engine_trained_stays_proven(
    walk: Callable[..., Case], case: Case, people: dict[Role, Actor]
) -> None:
    found = verified(walk, case).document
    assert outcomes.lineage_of(found) == "proven" and "retrained in the" in dossier_parts.reference_made(found)


def test_one_that_was_handed_in_is_unproven(
    walk: Callable[..., Case], case: Case, people: dict[Role, Actor], catalogue: dict[str, Any]
) -> None:
    Job.objects.filter(key=f"trained:{catalogue['reference'].artifact}").update(state=Job.State.FAILED)
    found = verified(walk, case).document
    assert found["reference_lineage"] == "unproven" and "issuer's word" in dossier_parts.reference_made(found)


def test_the_tokenizer_of_a_base_that_was_handed_in_shows_nothing(
    walk: Callable[..., Case], case: Case, people: dict[Role, Actor], catalogue: dict[str, Any]
) -> None:
    walk(case, Status.RELEASE)
    plan = case.plans.latest("attempt")
    assert plan.method == "retrain" and dossier.constructed(plan)
    assert plan.candidate is not None and origins.tokenizer_made_here(plan.candidate.artifact)
    Job.objects.filter(key=f"trained:{catalogue['released'].artifact}").update(state=Job.State.FAILED)
    assert not dossier.constructed(plan)
    assert not origins.trained_here(plan.candidate.artifact)


def test_where_nothing_is_said_of_a_reference_the_weak_words_stand() -> None:
    assert "the issuer says" in outcomes.comparison_words({"comparison": "retrained"})[0]
