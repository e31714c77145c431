"""A verdict compares with controls of that model, fixed with the plan, that no version of it was trained on."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, transaction

from governance import dispatch
from governance.errors import Unfit
from governance.models import AiModel, Dataset, Job, ModelVersion, Plan, Record, Role, Status
from governance.policies import Actor
from governance.selectors.catalogue import controls_of
from governance.services import catalogue as register
from governance.services import planning, verification
from tests.governance.conftest import file_case

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def controls(name: str, model: AiModel | None = None, digest: str = "") -> Dataset:
    """One more set of controls, of one record."""
    made = Dataset.objects.create(
        name=name, purpose="controls", artifact=dispatch.put_bytes(name.encode()), controls_for=model
    )
    Record.objects.create(dataset=made, record_id="c1", digest=digest)
    return made


def test_those_named_for_the_model_come_before_newer_ones(catalogue: dict[str, Any]) -> None:
    base = catalogue["released"]
    assert controls_of(base) == catalogue["controls"]
    own = controls("Own", base.model)
    newer = controls("For every model")
    other = AiModel.objects.create(name="Other")
    controls("Of another", other)
    assert controls_of(base) == own
    version = ModelVersion.objects.create(model=AiModel.objects.create(name="Third"), revision=1, artifact="sha256:3")
    assert controls_of(version) == newer


def test_controls_that_the_model_learned_are_none(catalogue: dict[str, Any]) -> None:
    base = catalogue["released"]
    learned = Record.objects.filter(dataset=catalogue["data"]).values_list("digest", flat=True)[0]
    controls("Learned", base.model, digest=learned)
    assert controls_of(base) == catalogue["controls"]
    Record.objects.create(dataset=catalogue["controls"], record_id="c2", digest=learned)
    assert controls_of(base) is None


def test_a_plan_fixes_them_before_the_run(
    walk: Any, catalogue: dict[str, Any], people: dict[Role, Actor], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = walk(file_case(), Status.PLANNING)
    planning.plan_propose(job=Job(case=case, kind="plan"))
    plan = case.plans.get()
    assert plan.controls == catalogue["controls"]
    later = controls("Chosen by a result", plan.base.model)
    planning.plan_choose(case=case, actor=people[Role.ENGINEER])
    planning.plan_confirm(case=case, shown=planning.mark(case.plans.last()), actor=people[Role.APPROVER])
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        Plan.objects.filter(pk=plan.pk).update(controls=later)
    Plan.objects.filter(pk=plan.pk).update(candidate=plan.base)
    asked = []
    monkeypatch.setattr(dispatch, "enqueue_engine", lambda *, spec, **_more: asked.append(spec))
    verification.verification_start(job=Job(case=case, kind="verify"))
    assert [spec.controls for spec in asked] == [catalogue["controls"].artifact]


def test_controls_are_no_training_data_and_training_data_are_no_controls(
    catalogue: dict[str, Any], people: dict[Role, Actor]
) -> None:
    base, engineer = catalogue["released"], people[Role.ENGINEER]
    with pytest.raises(Unfit, match="Controls are never-seen controls"):
        register.version_register(
            model="Lumen", artifact=base.artifact, method="train", datasets=[catalogue["controls"]],
            state=ModelVersion.State.RELEASED, actor=engineer,
        )  # fmt: skip
    with pytest.raises(Unfit, match="Only never-seen controls are for one model"):
        register.dataset_register(
            name="Texts", purpose=Dataset.Purpose.TRAINING, artifact=catalogue["data"].artifact, actor=engineer,
            controls_for=base.model,
        )  # fmt: skip


def test_nobody_signs_a_plan_without_controls_and_none_are_chosen_after_the_run(
    walk: Any, catalogue: dict[str, Any], people: dict[Role, Actor]
) -> None:
    Dataset.objects.filter(purpose="controls").update(purpose="tokenizer")
    case = walk(file_case(), Status.PLANNING)
    planning.plan_propose(job=Job(case=case, kind="plan"))
    with pytest.raises(Unfit, match="Register some, then sign"):
        planning.plan_choose(case=case, actor=people[Role.ENGINEER])
    first = controls("First")
    planning.plan_choose(case=case, actor=people[Role.ENGINEER])
    planning.plan_confirm(case=case, shown=planning.mark(case.plans.last()), actor=people[Role.APPROVER])
    plan = case.plans.get()
    assert plan.controls == first
    assert controls_of(plan.base, until=plan.confirmed_at) == first
    controls("Chosen by a result", plan.base.model)
    assert controls_of(plan.base, until=plan.confirmed_at) == first
    Dataset.objects.filter(pk=first.pk).update(purpose="tokenizer")
    assert controls_of(plan.base, until=plan.confirmed_at) is None


def test_a_plan_from_before_takes_no_controls_that_came_after_its_signatures(
    walk: Any, catalogue: dict[str, Any], people: dict[Role, Actor]
) -> None:
    case = walk(file_case(), Status.PLANNING)
    planning.plan_propose(job=Job(case=case, kind="plan"))
    planning.plan_choose(case=case, actor=people[Role.ENGINEER])
    case.plans.update(controls=None)
    planning.plan_confirm(case=case, shown=planning.mark(case.plans.last()), actor=people[Role.APPROVER])
    case.plans.update(candidate=catalogue["released"])
    Dataset.objects.filter(purpose="controls").update(purpose="tokenizer")
    controls("Chosen by a result")
    with pytest.raises(Unfit, match="registered when this plan was signed"):
        verification.verification_start(job=Job(case=case, kind="verify"))
