"""A version's weights leave as one streamed ZIP, by role and noted; how versions descend is drawn."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from governance import dispatch
from governance.errors import NotAllowed
from governance.models import Disposal, LedgerEntry, ModelVersion, Role, Status, User
from governance.policies import Actor
from governance.services import downloads, release
from governance.web.lineage_tree import Row, lanes
from tests.governance.conftest import file_case
from tests.governance.staff import member, sign_in_to_decide


@pytest.fixture
def engineer(client: Client) -> User:
    user = member("weights@house.example", role=Role.ENGINEER)
    sign_in_to_decide(client, user)
    return user


def version(catalogue: dict[str, Any], folder: Path) -> ModelVersion:
    """The released version, with weights in two files."""
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"w" * (3 * downloads.CHUNK + 7))
    found = catalogue["released"]
    found.artifact = dispatch.store().put_tree(folder)
    found.save(update_fields=["artifact"])
    return ModelVersion.objects.get(pk=found.pk)


def test_weights_leave_as_one_zip_in_pieces_and_the_ledger_says_who_took_them(
    client: Client, engineer: User, catalogue: dict[str, Any], tmp_path: Path
) -> None:
    found = version(catalogue, tmp_path / "model")
    address = reverse("version_weights", args=[found.model.public_id, 1])
    assert "Download the weights" in client.get(reverse("version", args=[found.model.public_id, 1])).content.decode()
    answer = client.post(address)
    assert answer["Content-Disposition"] == 'attachment; filename="lumen-rev-1.zip"' and answer.streaming
    pieces = list(answer.streaming_content)  # type: ignore[attr-defined]
    assert len(pieces) > 4 and max(map(len, pieces)) < 2 * downloads.CHUNK
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert archive.testzip() is None and archive.namelist() == ["a/config.json", "model.safetensors"]
        assert archive.read("model.safetensors") == (tmp_path / "model" / "model.safetensors").read_bytes()
    entry = LedgerEntry.objects.latest("index")
    assert entry.action == downloads.TAKEN_ACTION and client.get(address).status_code == 405


def test_what_is_to_be_deleted_and_what_never_leaves_is_not_given_out(
    client: Client, engineer: User, catalogue: dict[str, Any], tmp_path: Path
) -> None:
    found = version(catalogue, tmp_path / "model")
    page = reverse("version", args=[found.model.public_id, 1])
    Disposal.objects.create(version=found, what="weights", artifact=found.artifact, due_on=date.today())
    assert "a copy would outlive it" in client.get(page).content.decode()
    answer = client.post(reverse("version_weights", args=[found.model.public_id, 1]), follow=True)
    assert "a copy would outlive it" in answer.content.decode() and answer.redirect_chain[-1][0] == page
    assert "only a candidate or the version in service" in downloads.refusal(catalogue["reference"])
    assert not LedgerEntry.objects.filter(action=downloads.TAKEN_ACTION).exists()
    for role in (Role.AUDITOR, Role.EXECUTIVE, Role.LEGAL):
        with pytest.raises(NotAllowed):
            downloads.weights_take(version=found, actor=Actor.of(member(f"{role}.w@house.example", role=role)))


def test_lines_of_descent_run_from_each_version_to_its_parent() -> None:
    straight = lanes([(3, 2), (2, 1), (1, None)])
    assert [(row.lane, row.above, row.below) for row in straight] == [
        (0, False, True),
        (0, True, True),
        (0, True, False),
    ]
    forked = lanes([(5, 3), (4, 2), (3, 1), (2, 1), (1, None)])
    assert [row.lane for row in forked] == [0, 1, 0, 1, 0] and forked[2].passing == [1]
    assert forked[-1] == Row(lane=0, passing=[], joining=[1], above=True, below=False)
    apart = lanes([(9, None), (8, 77)])
    assert [(row.lane, row.below) for row in apart] == [(0, False), (0, False)]


def test_a_model_shows_which_version_came_from_which_and_where_each_answers(
    client: Client, engineer: User, walk: Any, people: Any, catalogue: dict[str, Any]
) -> None:
    case = walk(file_case(), Status.RELEASE)
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=case, actor=people[role])
    text = client.get(reverse("model", args=[catalogue["released"].model.public_id])).content.decode()
    tree = text[text.index('<ol class="tree">') : text.index("</ol>")]
    shown = ModelVersion.objects.count()
    assert (
        tree.count('class="tree__dot"') == tree.count("tree__text") == shown and tree.count("tree__line") >= shown - 2
    )
    assert "from rev. 1" in tree and "Production" in tree and "Replacement pending" in tree
