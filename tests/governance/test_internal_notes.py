"""Notes for colleagues: sealed, with author and time, struck but never deleted, never shown to the claimant."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance.errors import Conflict, NotAllowed, Unfit
from governance.models import Case, LedgerOpening, Note, Role
from governance.models.vault import subject_destroy
from governance.policies import Actor
from governance.services.notes import note_strike, note_write
from governance.tokens import link_token
from tests.governance.conftest import file_case

pytestmark = pytest.mark.database

TEXT = "Spoke to the claimant's agent; <b>the power of attorney</b> follows."


def test_a_note_is_sealed_and_the_ledger_knows_only_that_it_was_written(people: dict[Role, Actor], case: Case) -> None:
    note = note_write(case=case, text=TEXT, actor=people[Role.LEGAL])
    with connection.cursor() as cursor:
        cursor.execute("SELECT text FROM governance_note")
        assert b"attorney" not in bytes(cursor.fetchone()[0])
    assert Note.objects.get().text == TEXT
    opening = LedgerOpening.objects.get(entry__action="note.written")
    assert opening.body == {"note": note.pk} and b"attorney" not in bytes(opening.entry.leaf)


@pytest.mark.parametrize("text", ["", "   ", "x" * 4001])
def test_what_is_no_note_is_refused(people: dict[Role, Actor], case: Case, text: str) -> None:
    with pytest.raises(Unfit):
        note_write(case=case, text=text, actor=people[Role.LEGAL])


def test_a_note_is_struck_once_by_whom_and_when(people: dict[Role, Actor], case: Case) -> None:
    note = note_write(case=case, text=TEXT, actor=people[Role.LEGAL])
    with pytest.raises(NotAllowed):
        note_strike(case=case, note=note.pk, actor=people[Role.ENGINEER])
    with pytest.raises(Unfit):
        note_strike(case=file_case(), note=note.pk, actor=people[Role.LEGAL])
    note_strike(case=case, note=note.pk, actor=people[Role.APPROVER])
    with pytest.raises(Conflict):
        note_strike(case=case, note=note.pk, actor=people[Role.LEGAL])
    note.refresh_from_db()
    assert note.struck_by == people[Role.APPROVER].user and note.text == TEXT


def test_the_database_refuses_to_delete_or_to_change_a_note(people: dict[Role, Actor], case: Case) -> None:
    note_write(case=case, text=TEXT, actor=people[Role.LEGAL])
    changes = (
        lambda: Note.objects.all().delete(),
        lambda: Note.objects.update(text=b"other"),
        lambda: Note.objects.update(author=people[Role.APPROVER].user),
        lambda: Note.objects.update(written_at=timezone.now()),
    )
    for change in changes:
        with pytest.raises(IntegrityError, match="a note is"), transaction.atomic():
            change()
    assert Note.objects.get().text == TEXT


def test_the_page_shows_notes_to_those_who_write_them(client: Client, people: dict[Role, Actor], case: Case) -> None:
    legal, engineer = people[Role.LEGAL].user, people[Role.ENGINEER].user
    assert legal and engineer
    client.force_login(legal)
    address = reverse("case", args=[case.public_id])
    assert client.post(reverse("case_note", args=[case.public_id]), {"text": ""}).status_code == 422
    assert client.post(reverse("case_note", args=[case.public_id]), {"text": TEXT}).status_code == 302
    text = client.get(address, {"tab": "notes"}).content.decode()
    assert "the power of attorney" in text and "<b>the power" not in text and "Notes, 1" in text
    note = Note.objects.get()
    assert client.post(reverse("case_strike", args=[case.public_id]), {"note": note.pk}).status_code == 302
    text = client.get(address, {"tab": "notes"}).content.decode()
    assert "<del>" in text and "Struck by" in text
    client.force_login(engineer)
    text = client.get(address, {"tab": "notes"}).content.decode()
    assert "attorney" not in text and "Read by legal officers and approvers only" in text
    client.logout()
    assert "attorney" not in client.get(f"/status/{link_token(case.public_id, 'status')}/").content.decode()


def test_after_erasure_nobody_reads_the_note(client: Client, people: dict[Role, Actor], case: Case) -> None:
    note_write(case=case, text=TEXT, actor=people[Role.LEGAL])
    subject_destroy(case.claimant.subject)
    user = people[Role.LEGAL].user
    assert user
    client.force_login(user)
    answer = client.get(reverse("case", args=[case.public_id]), {"tab": "notes"})
    assert answer.status_code == 410 and "attorney" not in answer.content.decode()
    printed = client.get(reverse("case_print", args=[case.public_id]))
    assert printed.status_code == 200 and "attorney" not in printed.content.decode()
