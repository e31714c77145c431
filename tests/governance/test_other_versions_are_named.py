"""A report about one model says of each other version that learned the same records that nobody looked at it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from governance import dispatch
from governance.evidence import certificate, pdf, report, schema, sentences
from governance.models import AiModel, Case, Deployment, Disposal, ModelVersion, Role, Status
from governance.policies import Actor
from governance.services import dossier, recipients, release
from tests.governance import evidence_example as make
from tests.governance import report_examples as examples
from tests.governance.test_evidence_pdf import text_of

OTHERS = [
    {"model": "Tide 7B", "revision": n, "digest": make.sha(f"tide {n}"), "state": state}
    for n, state in enumerate(("released", "retired", "candidate", "reference", "rejected"), start=3)
]


def told(document: dict[str, Any]) -> sentences.Statement:
    return sentences.statement(schema.facts(document))


@pytest.mark.parametrize("make_one", [make.bare, make.approximate])
def test_the_headline_is_about_one_model_and_counts_the_others(make_one: Callable[[], dict[str, Any]]) -> None:
    document = make_one()
    alone = told(document)
    document["others"] = OTHERS
    schema.validate(document)
    found = told(document)
    assert found.headline == f"{alone.headline}; other versions that learned these records, not looked at: 5"
    (line,) = set(found.claims) - set(alone.claims)
    assert "Tide 7B revision 3 (released); Tide 7B revision 4 (replaced)" in line and line.count("and 1 more") == 1
    made = certificate.context(document, make.sha("evidence"))
    assert made["headline"].endswith("not looked at: 5") and line in made["limits"]
    assert [one["words"] for one in report.context(document, make.sha("evidence"))["others"]] == [
        "released", "replaced", "not released", "reference of the laboratory", "rejected"
    ]  # fmt: skip


def test_a_report_without_a_change_names_them_without_a_word_in_its_headline() -> None:
    document = make.refused()
    document["case"] |= {"disposition": "excluded", "reason": ""}
    before = told(document).headline
    document["others"] = OTHERS[:1]
    assert told(document).headline == before
    assert "Tide 7B revision 3 (released)" in " ".join(told(document).claims)


def test_the_table_of_the_report_has_each(tmp_path: Path) -> None:
    document = examples.of_case("compliance")
    document["others"] = OTHERS
    text = text_of(pdf.render(schema.build({**document, "ledger": None})), tmp_path)
    assert "Other versions that learned these records, not looked at" in text and "and 1 more" in text
    assert text.count("Tide 7B") == 9  # four in the sentence, five in the table


def version(name: str, revision: int, **more: Any) -> ModelVersion:
    model, _new = AiModel.objects.get_or_create(name=name)
    artifact = "sha256:" + f"{revision:064d}"
    return ModelVersion.objects.create(model=model, revision=revision, artifact=artifact, method="train", **more)


@pytest.mark.database
def test_evidence_lists_what_learned_the_records_and_was_not_looked_at(
    walk: Callable[..., Case], case: Case, people: dict[Role, Actor], catalogue: dict[str, Any]
) -> None:
    walk(case, Status.RELEASE)
    plan = case.plans.get(verification__verdict="pass")
    learned = [version("Tide", 3, state="released"), version("Lumen", 90, state="retired")]
    without = version("Tide", 4, state="released", excluded=plan.forget_ids)
    partly = version("Tide", 5, state="retired", excluded=dispatch.put_lines(["r1"]))
    gone = version("Lumen", 91, state="retired")
    Disposal.objects.create(version=gone, what="weights", artifact=gone.artifact, due_on=date.today(),
                            deleted_at=timezone.now())  # fmt: skip
    for one in (*learned, without, partly, gone):
        one.datasets.add(catalogue["data"])
    version("Elsewhere", 1, state="released")
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=case, actor=people[role])
    for place in Deployment.objects.filter(state=Deployment.State.PENDING):
        release.deployment_record(
            deployment=place, state=Deployment.State.REPLACED, case=case, actor=people[Role.RELEASE]
        )
    case = Case.objects.get(pk=case.pk)
    recipients.recipients_tell(case=case, actor=people[Role.RELEASE])
    case = release.release_finish(case=case, actor=people[Role.RELEASE])
    document = dossier.document(case, number="LR-1", issued_at=timezone.now())
    schema.validate(document)
    assert {(one["model"], one["revision"], one["state"]) for one in document["others"]} == {
        ("Tide", 3, "released"), ("Lumen", 90, "retired"), ("Tide", 5, "retired")
    }  # fmt: skip
    assert told(document).headline.endswith("not looked at: 3")
