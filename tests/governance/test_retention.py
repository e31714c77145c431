"""A closed case's personal data ends with its time, by two people or the schedule; a hold stops it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance import dispatch
from governance.errors import Conflict, KeyDestroyed, NotAllowed, Unfit
from governance.evidence import ledger
from governance.models import Case, Erasure, LedgerOpening, Report, Role
from governance.models.vault import subject_readable
from governance.policies import Actor
from governance.services import case_export, retention
from governance.tokens import link_token
from tests.governance.conftest import file_case
from tests.governance.staff import sign_in_to_decide

pytestmark = pytest.mark.database
People = dict[Role, Actor]


def end(case: Case, *, months: int = 40) -> Case:
    """The case ended so many months ago, with a report."""
    at = timezone.now() - timedelta(days=31 * months)
    Case.objects.filter(pk=case.pk).update(status="closed", disposition="fulfilled", closed_at=at)
    refs = {"pdf": dispatch.put_bytes(b"%PDF " + case.number.encode()), "evidence": dispatch.put_bytes(b"{}")}
    Report.objects.create(case=case, number=f"LR-{case.pk}", headline="Test.", **refs)
    return Case.objects.get(pk=case.pk)


@pytest.fixture
def old(case: Case) -> Case:
    """A case whose time is over."""
    return end(case)


def destroy(case: Case, people: People, commit: Any) -> Erasure:
    erasure = retention.erasure_ask(case=case, actor=people[Role.LEGAL])
    with commit(execute=True):
        return retention.erasure_approve(erasure=erasure, actor=people[Role.APPROVER])


def test_two_people_destroy_the_key_and_the_houses_copies_of_the_report(
    old: Case, people: People, django_capture_on_commit_callbacks: Any
) -> None:
    erasure = destroy(old, people, django_capture_on_commit_callbacks)
    assert erasure.done_at and not subject_readable(old.claimant)
    assert not dispatch.exists(Report.objects.get().pdf)
    with pytest.raises(KeyDestroyed):
        _name = old.claimant.name
    assert LedgerOpening.objects.get(case=old, entry__action="person.erased").body["mode"] == "people"


def test_the_ledger_still_verifies_afterwards(
    old: Case, people: People, django_capture_on_commit_callbacks: Any
) -> None:
    before = ledger.tree()
    destroy(old, people, django_capture_on_commit_callbacks)
    assert ledger.tree(len(before)).root() == before.root()


def test_whoever_asked_does_not_approve_and_it_is_asked_once(old: Case, people: People) -> None:
    erasure = retention.erasure_ask(case=old, actor=people[Role.LEGAL])
    with pytest.raises(Conflict, match="asked for already"):
        retention.erasure_ask(case=old, actor=people[Role.LEGAL])
    with pytest.raises(NotAllowed):
        retention.erasure_approve(erasure=erasure, actor=people[Role.LEGAL])
    for role in (Role.ENGINEER, Role.AUDITOR, Role.ADMINISTRATOR, Role.APPROVER):
        with pytest.raises(NotAllowed):
            retention.erasure_ask(case=old, actor=people[role])


def test_the_database_refuses_one_person_and_any_change_of_what_was_done(
    old: Case, people: People, django_capture_on_commit_callbacks: Any
) -> None:
    erasure = retention.erasure_ask(case=old, actor=people[Role.LEGAL])
    rows = Erasure.objects.filter(pk=erasure.pk)
    now = timezone.now()
    legal = people[Role.LEGAL].user
    for change in ({"done_at": now}, {"approved_by": legal, "approved_at": now}, {"mode": "schedule", "done_at": now}):
        with pytest.raises(DatabaseError), transaction.atomic():
            rows.update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        rows.delete()
    with django_capture_on_commit_callbacks(execute=True):
        retention.erasure_approve(erasure=erasure, actor=people[Role.APPROVER])
    with pytest.raises(DatabaseError), transaction.atomic():
        rows.update(done_at=None)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"held_at": timezone.now()}, "legal hold"),
        ({"closed_at": timezone.now() - timedelta(days=100)}, "Kept until"),
    ],
)
def test_what_stands_against_it_is_said(old: Case, people: People, columns: dict[str, Any], told: str) -> None:
    Case.objects.filter(pk=old.pk).update(**columns)
    with pytest.raises(Unfit, match=told):
        retention.erasure_ask(case=Case.objects.get(pk=old.pk), actor=people[Role.LEGAL])


def test_an_open_case_keeps_its_persons_data(case: Case, people: People) -> None:
    with pytest.raises(Unfit, match="is open"):
        retention.erasure_ask(case=case, actor=people[Role.LEGAL])


def test_a_hold_that_comes_between_the_signatures_stops_it(old: Case, people: People) -> None:
    erasure = retention.erasure_ask(case=old, actor=people[Role.LEGAL])
    Case.objects.filter(pk=old.pk).update(held_at=timezone.now())
    with pytest.raises(Unfit, match="legal hold"):
        retention.erasure_approve(erasure=erasure, actor=people[Role.APPROVER])
    assert subject_readable(old.claimant)


def test_the_schedule_acts_only_where_it_is_told_to_and_never_on_an_open_recourse(
    old: Case, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    recourse = end(file_case())
    Case.objects.filter(pk=recourse.pk).update(law="quebec")
    assert retention.retention_run() == 0
    settings.RETENTION = "schedule"
    with django_capture_on_commit_callbacks(execute=True):
        assert retention.retention_run() == 1
    assert not subject_readable(old.claimant) and subject_readable(recourse.claimant)
    assert Erasure.objects.get().mode == "schedule"


def test_what_a_crash_left_half_done_is_finished(old: Case, people: People) -> None:
    erasure = retention.erasure_ask(case=old, actor=people[Role.LEGAL])
    retention.erasure_approve(erasure=erasure, actor=people[Role.APPROVER])
    assert subject_readable(old.claimant)
    retention.retention_run()
    assert not subject_readable(old.claimant)


def test_each_law_keeps_its_own_time(case: Case, settings: Any) -> None:
    closed = timezone.make_aware(datetime(2026, 1, 31, 12))
    Case.objects.filter(pk=case.pk).update(status="closed", disposition="refused", closed_at=closed)
    found = retention.due_of(case.claimant)
    assert found and found[0] == date(2029, 1, 31)
    Case.objects.filter(pk=case.pk).update(law="ccpa")
    case.clocks.update(ended_at=timezone.now())
    found = retention.due_of(Case.objects.get(pk=case.pk).claimant)
    assert found and found[0] == date(2028, 1, 31) and "7101" in found[1].citation
    settings.RETENTION_MONTHS = 1
    assert retention.keep_of("gdpr").months == 1 and retention.keep_of("ccpa").months == 24
    assert retention._after(date(2026, 1, 31), 1) == date(2026, 2, 28)


def test_afterwards_page_downloads_export_and_command_say_what_is_no_longer_possible(
    client: Client, old: Case, people: People, django_capture_on_commit_callbacks: Any
) -> None:
    destroy(old, people, django_capture_on_commit_callbacks)
    user = people[Role.LEGAL].user
    assert user
    sign_in_to_decide(client, user)
    page = client.get(reverse("case", args=[old.public_id]))
    assert page.status_code == 410 and "rendered again" in page.content.decode() and old.number in page.content.decode()
    for name, args in (("report", [f"LR-{old.pk}"]), ("report_evidence", [f"LR-{old.pk}"])):
        answer = client.get(reverse(name, args=args))
        assert answer.status_code == 410 and "cannot be" in answer.content.decode()
    with pytest.raises(KeyDestroyed, match="cannot be replayed"):
        case_export.case_export(case=Case.objects.get(pk=old.pk), actor=people[Role.LEGAL])
    out = StringIO()
    call_command("retention", case=old.number, stdout=out)
    assert "cannot be replayed" in out.getvalue()
    assert client.get(reverse("status", args=[link_token(old.public_id, "status")])).status_code == 410


def test_the_command_lists_and_runs(old: Case) -> None:
    out = StringIO()
    call_command("retention", stdout=out)
    assert "may be destroyed" in out.getvalue()
    out = StringIO()
    call_command("retention", run=True, stdout=out)
    assert out.getvalue().startswith("0 persons")
    with pytest.raises(CommandError):
        call_command("retention", case="LT-NONE")


def test_the_page_asks_approves_and_tells(client: Client, old: Case, people: People) -> None:
    legal, approver = people[Role.LEGAL].user, people[Role.APPROVER].user
    assert legal and approver
    sign_in_to_decide(client, legal)
    assert "may go" in client.get(reverse("retention")).content.decode()
    assert client.post(reverse("erasure_ask"), {"case": old.number.lower()}).status_code == 302
    assert client.post(reverse("erasure_ask"), {"case": old.number}).status_code == 422
    sign_in_to_decide(client, approver)
    erasure = Erasure.objects.get()
    assert client.post(reverse("erasure_approve", args=[erasure.pk])).status_code == 302
    assert client.post(reverse("erasure_approve", args=[10**6])).status_code == 404
    assert "The data of 1 person was destroyed" in client.get(reverse("retention")).content.decode()
