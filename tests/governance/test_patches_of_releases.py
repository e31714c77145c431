"""The patch of a release: asked for, made by the engine, private, and gone with the weights of before."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance import dispatch, tasks
from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import schema
from governance.models import Case, Disposal, Job, Kind, LedgerOpening, Patch, Role, Status
from governance.policies import Actor
from governance.services import dossier, jobs, patches, release
from tests.governance.conftest import file_case
from tests.governance.staff import sign_in_to_decide

Walk = Callable[..., Case]
People = dict[Role, Actor]
DIGEST = "sha256:" + "a" * 64


def release_case(case: Case, walk: Walk, people: People) -> Case:
    walk(case, Status.RELEASE)
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=case, actor=people[role])
    return Case.objects.get(pk=case.pk)


@pytest.fixture
def released(walk: Walk, case: Case, people: People, catalogue: dict[str, Any]) -> Case:
    """A copyright case whose version was released."""
    return release_case(case, walk, people)


def made(tmp_path: Path) -> Patch:
    """The engine's end of the job, with a folder of two files."""
    job = Job.objects.filter(kind=patches.KIND).latest("created_at")
    folder = tmp_path / f"patch-{job.pk}"
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    (folder / "patch.safetensors").write_bytes(b"bits")
    refs = {"patch": dispatch.store().put_tree(folder)}
    document = {"outputs": refs, "metrics": {"digest": DIGEST, "bytes": 4}, "verb": "patch-make"}
    result = dispatch.put_bytes(json.dumps(document).encode())
    assert jobs.job_start(job_id=str(job.pk), attempt=job.attempt)
    jobs.job_succeed(job_id=str(job.pk), attempt=job.attempt, result=result, summary={}, then=tasks.DONE)
    return Patch.objects.get(job=job)


def test_a_patch_is_made_from_the_version_before_to_the_one_released(
    released: Case, people: People, tmp_path: Path
) -> None:
    patch = patches.patch_make(case=released, actor=people[Role.ENGINEER])
    spec = dispatch.read_json(patch.job.spec)
    version = released.release.version
    assert version.parent
    assert (spec["verb"], spec["base"], spec["model"]) == ("patch-make", version.parent.artifact, version.artifact)
    assert spec["public"] is False and patches.patch_state(patch) == "making"
    patch = made(tmp_path)
    assert (patch.digest, patch.size, patches.patch_state(patch)) == (DIGEST, 4, "there")
    assert LedgerOpening.objects.get(case=released, entry__action="patch.made").body["digest"] == DIGEST


def test_it_goes_on_the_day_of_the_old_weights_and_is_in_the_report(
    released: Case, people: People, tmp_path: Path
) -> None:
    patches.patch_make(case=released, actor=people[Role.RELEASE])
    patch = made(tmp_path)
    weights = Disposal.objects.get(what="weights", version=released.release.version.parent)
    mine = Disposal.objects.get(what="patch")
    assert (mine.due_on, mine.artifact) == (weights.due_on, patch.artifact)
    rows = dossier.document(released, number="LR-1", issued_at=timezone.now())["disposals"]
    assert {row["what"] for row in rows} == {"weights", "patch"}
    found = json.dumps(json.loads((Path(schema.__file__).parent / "evidence-1.schema.json").read_text()))
    assert '"patch"' in found
    Disposal.objects.update(due_on=timezone.localdate())
    release.dispose_due()
    assert patches.patch_state(patch) == "gone"
    with pytest.raises(Unfit, match="deleted with the weights"):
        patches.patch_fetch(patch=patch, actor=people[Role.ENGINEER])


def test_a_patch_about_personal_data_is_never_public(walk: Walk, people: People, catalogue: dict[str, Any]) -> None:
    case = release_case(file_case(kind=Kind.PRIVACY), walk, people)
    with pytest.raises(Unfit, match="never public"):
        patches.patch_make(case=case, actor=people[Role.ENGINEER], public=True)
    assert patches.patch_make(case=case, actor=people[Role.ENGINEER]).public is False


def test_it_is_made_once_and_again_only_after_a_failure(released: Case, people: People) -> None:
    patch = patches.patch_make(case=released, actor=people[Role.ENGINEER], public=True)
    with pytest.raises(Conflict, match="made already"):
        patches.patch_make(case=released, actor=people[Role.ENGINEER])
    error = {"type": "DataError", "messages": ["there is nothing to ship"]}
    jobs.job_fail(job_id=str(patch.job.pk), attempt=0, error=error, then=tasks.FAILED)
    assert patches.patch_state(Patch.objects.get()) == "failed"
    assert patches.patch_make(case=released, actor=people[Role.ENGINEER]).job_id != patch.job_id


def test_refusals(walk: Walk, case: Case, people: People, catalogue: dict[str, Any]) -> None:
    walk(case, Status.RELEASE)
    with pytest.raises(Unfit, match="has released no version"):
        patches.patch_make(case=case, actor=people[Role.ENGINEER])
    with pytest.raises(NotAllowed):
        patches.patch_make(case=case, actor=people[Role.LEGAL])


def test_none_is_made_once_the_old_weights_are_to_go(released: Case, people: People) -> None:
    Disposal.objects.update(due_on=timezone.localdate())
    with pytest.raises(Unfit, match="are gone, or go today"):
        patches.patch_make(case=released, actor=people[Role.ENGINEER])


def test_the_page_makes_and_hands_out_the_folder(
    client: Client, released: Case, people: People, tmp_path: Path
) -> None:
    user = people[Role.ENGINEER].user
    assert user
    sign_in_to_decide(client, user)
    assert "No patch was made" in client.get(reverse("patches")).content.decode()
    assert client.post(reverse("patch_make"), {"case": released.pk}).status_code == 302
    assert client.post(reverse("patch_make"), {"case": released.pk}).status_code == 409
    patch = made(tmp_path)
    page = client.get(reverse("patches")).content.decode()
    assert "holders of the base only" in page and "Fetch the patch" in page
    answer = client.post(reverse("patch_zip", args=[patch.pk]))
    assert zipfile.ZipFile(io.BytesIO(answer.content)).namelist() == ["manifest.json", "patch.safetensors"]
    assert LedgerOpening.objects.filter(entry__action="patch.fetched").exists()
    assert client.post(reverse("patch_zip", args=[10**6])).status_code == 404
