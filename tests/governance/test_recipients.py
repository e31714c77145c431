"""Whoever received the data, or what learned it, is told one by one, or excused with reasons (GDPR Art. 19)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance.errors import Conflict, NotAllowed, Unfit
from governance.models import (
    Case,
    Deployment,
    LedgerOpening,
    Message,
    ModelVersion,
    Recipient,
    RecipientNotice,
    Role,
    Status,
    Subscription,
)
from governance.models.vault import subject_create
from governance.policies import Actor
from governance.services import catalogue as register
from governance.services import dossier, recipients, release
from governance.tokens import link_token
from tests.governance.staff import sign_in_to_decide

pytestmark = pytest.mark.database

Walk = Callable[..., Case]
People = dict[Role, Actor]
TODAY = timezone.localdate()
TEXT = "Please erase the records r1 and r2."


@pytest.fixture
def got(catalogue: dict[str, Any], people: People) -> dict[str, Recipient]:
    """One who received the version, one the dataset, and one a version that never learned the records."""
    engineer = people[Role.ENGINEER]
    day = TODAY - timedelta(days=30)
    return {
        "version": register.recipient_register(
            version=catalogue["released"], name="Ferry Lab", received_on=day, email="ferry@lab.example", actor=engineer
        ),
        "dataset": register.recipient_register(
            dataset=catalogue["data"], name="Archive House", received_on=day, actor=engineer
        ),
        "clean": register.recipient_register(
            version=catalogue["reference"], name="Clean Room", received_on=day, actor=engineer
        ),
    }


@pytest.fixture
def released(walk: Walk, case: Case, people: People, got: dict[str, Recipient]) -> Case:
    """A case whose new version was released and whose places are accounted for."""
    walk(case, Status.RELEASE)
    for role in (Role.RELEASE, Role.LEGAL):
        release.release_sign(case=case, actor=people[role])
    place = Deployment.objects.get(state="pending")
    release.deployment_record(deployment=place, state=place.State.REPLACED, case=case, actor=people[Role.RELEASE])
    return Case.objects.get(pk=case.pk)


def test_those_who_got_the_data_or_what_learned_it_are_owed_a_notice(released: Case) -> None:
    assert [one.name for one in recipients.open_recipients(released)] == ["Ferry Lab", "Archive House"]


def test_a_release_is_not_finished_before_everybody_was_told_or_excused(
    released: Case, people: People, got: dict[str, Recipient]
) -> None:
    with pytest.raises(Unfit, match="2 recipients were neither told .* Archive House, Ferry Lab"):
        release.release_finish(case=released, actor=people[Role.RELEASE])
    recipients.notice_record(
        case=released, recipient=got["version"], channel="phone", day=TODAY, text=TEXT, actor=people[Role.RELEASE]
    )
    recipients.notice_excuse(
        case=released, recipient=got["dataset"], reasons="The archive was dissolved in 2024 without a successor.",
        actor=people[Role.LEGAL],
    )  # fmt: skip
    assert release.release_finish(case=released, actor=people[Role.RELEASE]).status == Status.REPORTING
    document = dossier.document(released, number="LR-1", issued_at=timezone.now())
    told = {row["name"]: (row["told_at"] is not None, row.get("excused", "")) for row in document["recipients"]}
    assert told["Ferry Lab"] == (True, "")
    assert told["Archive House"] == (False, "The archive was dissolved in 2024 without a successor.")


def test_a_notice_goes_by_mail_where_an_address_is_on_record(
    released: Case, people: People, got: dict[str, Recipient], django_capture_on_commit_callbacks: Any
) -> None:
    mail.outbox.clear()
    with django_capture_on_commit_callbacks(execute=True):
        text = recipients.draft(released, got["version"])
        recipients.notice_send(case=released, recipient=got["version"], text=text, actor=people[Role.LEGAL])
    sent = mail.outbox[-1]
    assert sent.to == ["ferry@lab.example"] and "r1, r2" in sent.body and "Marun" not in sent.body
    notice = RecipientNotice.objects.get()
    assert notice.told_at and notice.channel == "email"
    assert LedgerOpening.objects.filter(case=released, entry__action="recipient.told").exists()
    with pytest.raises(Conflict, match="has a notice"):
        recipients.notice_send(case=released, recipient=got["version"], text=TEXT, actor=people[Role.LEGAL])


def test_a_mail_server_that_is_down_is_tried_again_and_shown(
    released: Case, people: People, got: dict[str, Recipient], monkeypatch: Any, django_capture_on_commit_callbacks: Any
) -> None:
    def down(letter: Any) -> str:
        raise recipients.SendFailed("ConnectionRefusedError: no server")

    with monkeypatch.context() as broken, django_capture_on_commit_callbacks(execute=True):
        broken.setattr(recipients.mail, "send", down)
        recipients.notice_send(case=released, recipient=got["version"], text=TEXT, actor=people[Role.LEGAL])
    notice = RecipientNotice.objects.get()
    assert (notice.told_at, notice.attempts, notice.settled) == (None, 1, False)
    assert "no server" in notice.last_error
    assert recipients.notices_sweep() == 0
    past = timezone.now() - timedelta(hours=1)
    RecipientNotice.objects.update(next_try_at=past, written_at=past)
    assert recipients.notices_sweep() == 1
    assert RecipientNotice.objects.get().told_at


def test_a_notice_by_webhook_counts_as_told_when_it_arrived(
    released: Case, people: People, got: dict[str, Recipient]
) -> None:
    hook = Subscription(subject=subject_create(), name="Archive", url="https://archive.example/hook", seen=0)
    hook.secret = "whsec"
    hook.save()
    Recipient.objects.filter(pk=got["dataset"].pk).update(subscription=hook)
    to = Recipient.objects.get(pk=got["dataset"].pk)
    notice = recipients.notice_send(case=released, recipient=to, text=TEXT, actor=people[Role.LEGAL])
    message = Message.objects.get(event="recipient.notice")
    assert message.payload["data"]["text"] == TEXT and notice.message == message
    assert recipients.notices_sweep() == 0
    Message.objects.update(state="sent")
    assert recipients.notices_sweep() == 1
    Message.objects.update(state="failed")
    assert RecipientNotice.objects.get().told_at


def test_refusals_say_what_is_wrong(released: Case, people: People, got: dict[str, Recipient], walk: Walk) -> None:
    legal, to = people[Role.LEGAL], got["dataset"]
    with pytest.raises(Unfit, match="has no address"):
        recipients.notice_send(case=released, recipient=to, text=TEXT, actor=legal)
    with pytest.raises(Unfit, match="what the recipient is to know"):
        recipients.notice_send(case=released, recipient=to, text=" ", actor=legal)
    with pytest.raises(Unfit, match="received nothing that this case concerns"):
        recipients.notice_send(case=released, recipient=got["clean"], text=TEXT, actor=legal)
    with pytest.raises(Unfit) as refused:
        day = TODAY + timedelta(days=1)
        recipients.notice_record(case=released, recipient=to, channel="smoke", day=day, text="", actor=legal)
    assert len(refused.value.messages) == 3
    with pytest.raises(Unfit, match="full sentence"):
        recipients.notice_excuse(case=released, recipient=to, reasons="no", actor=legal)
    with pytest.raises(NotAllowed):
        recipients.notice_excuse(case=released, recipient=to, reasons="x" * 30, actor=people[Role.RELEASE])
    with pytest.raises(NotAllowed):
        recipients.notice_send(case=released, recipient=to, text=TEXT, actor=people[Role.ENGINEER])


def test_nobody_is_told_before_the_release(walk: Walk, case: Case, people: People, got: dict[str, Recipient]) -> None:
    walk(case, Status.RELEASE)
    with pytest.raises(Unfit, match="until then nothing was erased"):
        recipients.notice_send(case=case, recipient=got["version"], text=TEXT, actor=people[Role.LEGAL])


def test_one_notice_per_recipient_and_case_even_by_sql(
    released: Case, people: People, got: dict[str, Recipient]
) -> None:
    recipients.recipients_tell(case=released, actor=people[Role.LEGAL])
    with pytest.raises(IntegrityError), transaction.atomic():
        RecipientNotice.objects.create(
            recipient=got["version"], case=released, subject=released.claimant.subject, channel="post"
        )
    with pytest.raises(IntegrityError), transaction.atomic():
        RecipientNotice.objects.update(channel="excused")


def test_an_answer_is_kept_once(released: Case, people: People) -> None:
    recipients.recipients_tell(case=released, actor=people[Role.LEGAL])
    notice = RecipientNotice.objects.first()
    assert notice
    recipients.notice_acknowledge(notice=notice, note="Erased on Monday.", actor=people[Role.RELEASE])
    notice.refresh_from_db()
    assert notice.acknowledged_at and notice.acknowledged_note == "Erased on Monday."
    with pytest.raises(Conflict):
        recipients.notice_acknowledge(notice=notice, note="Again.", actor=people[Role.RELEASE])


def test_a_recipient_received_a_version_or_a_dataset_on_a_day_that_was(
    people: People, catalogue: dict[str, Any]
) -> None:
    with pytest.raises(Unfit) as refused:
        register.recipient_register(name="X", received_on=TODAY + timedelta(days=2), actor=people[Role.ENGINEER])
    assert len(refused.value.messages) == 2


def test_the_list_of_recipients_is_there_for_staff_and_for_the_person_who_asks(
    client: Client, released: Case, people: People
) -> None:
    recipients.recipients_tell(case=released, actor=people[Role.LEGAL])
    private = client.get(reverse("status_recipients", args=[link_token(released.public_id, "status")]))
    rows = list(csv.reader(io.StringIO(private.content.decode())))
    assert [row[0] for row in rows[1:]] == ["Ferry Lab", "Archive House"]
    user = people[Role.AUDITOR].user
    assert user
    sign_in_to_decide(client, user)
    assert client.get(reverse("recipients_csv", args=[released.public_id])).content == private.content


def test_a_person_asks_in_vain_before_anything_was_released(client: Client, case: Case) -> None:
    assert client.get(reverse("status_recipients", args=[link_token(case.public_id, "status")])).status_code == 404


def test_the_pages_tell_record_answer_and_register(
    client: Client, released: Case, people: People, got: dict[str, Recipient], catalogue: dict[str, Any]
) -> None:
    user = people[Role.LEGAL].user
    assert user
    sign_in_to_decide(client, user)
    page = client.get(reverse("case", args=[released.public_id]) + "?tab=release").content.decode()
    assert "Tell a recipient" in page and "Ferry Lab" in page
    action = reverse("case_recipients", args=[released.public_id])
    base = {"recipient": got["version"].pk, "text": TEXT}
    assert client.post(action, {**base, "how": "phone"}).status_code == 302
    wrong = client.post(action, {"recipient": got["dataset"].pk, "text": TEXT, "how": "send"})
    assert wrong.status_code == 422 and "has no address" in wrong.content.decode()
    why = {"recipient": got["dataset"].pk, "how": "excuse", "text": "The archive was dissolved in 2024."}
    assert client.post(action, why).status_code == 302
    page = client.get(reverse("recipients")).content.decode()
    assert "not told, with reasons" in page and "Record an answer" in page
    notice = RecipientNotice.objects.get(channel="phone")
    assert client.post(reverse("recipient_answer"), {"notice": notice.pk, "note": "Done."}).status_code == 302
    engineer = people[Role.ENGINEER].user
    assert engineer
    sign_in_to_decide(client, engineer)
    form = {"dataset": catalogue["data"].pk, "name": "Museum", "received_on": TODAY.isoformat()}
    assert client.post(reverse("dataset_recipient"), form).status_code == 302
    assert Recipient.objects.filter(name="Museum", dataset=catalogue["data"]).exists()
    assert json.dumps(ModelVersion.objects.count())
