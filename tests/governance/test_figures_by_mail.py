"""Figures by e-mail: for whoever asked and still may read them, once a time, with no name in them."""

from __future__ import annotations

from datetime import date

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from governance.errors import NotAllowed, Unfit
from governance.models import Role, StatementMail
from governance.policies import Actor
from governance.services import figure_mails, tallies
from tests.governance.conftest import file_case
from tests.governance.receivers import DOWN, refuse_mail

SUNDAY = date(2026, 11, 29)


def test_a_wish_is_ones_own_and_its_letter_comes_once(people: dict[Role, Actor]) -> None:
    case = file_case()
    tallies.tallies_recount()
    executive = people[Role.EXECUTIVE]
    assert figure_mails.wish_set(every="week", actor=executive, today=SUNDAY).next_on == date(2026, 11, 30)  # type: ignore[union-attr]
    assert figure_mails.mails_send(SUNDAY) == 0
    assert [figure_mails.mails_send(date(2026, 11, 30)) for _round in range(2)] == [1, 0]
    letter = mail.outbox[0]
    assert letter.to == ["executive@house.example"] and "Open cases: 1" in letter.body
    assert case.claimant.email not in letter.body and case.number not in letter.body
    assert StatementMail.objects.get().next_on == date(2026, 12, 7)


def test_the_first_of_the_next_month_is_never_today(people: dict[Role, Actor]) -> None:
    for today, then in ((date(2026, 12, 1), date(2027, 1, 1)), (date(2027, 1, 31), date(2027, 2, 1))):
        row = figure_mails.wish_set(every="month", actor=people[Role.AUDITOR], today=today)
        assert row is not None and row.next_on == then


@pytest.mark.parametrize("error", DOWN)
def test_a_mail_server_that_is_down_gets_the_letter_later(
    people: dict[Role, Actor], monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    figure_mails.wish_set(every="week", actor=people[Role.EXECUTIVE], today=SUNDAY)
    with monkeypatch.context() as patch:
        refuse_mail(patch, error)
        assert figure_mails.mails_send(date(2026, 11, 30)) == 0
    assert figure_mails.mails_send(date(2026, 11, 30)) == 1


def test_nobody_is_mailed_who_may_not_read(people: dict[Role, Actor]) -> None:
    with pytest.raises(NotAllowed):
        figure_mails.wish_set(every="week", actor=people[Role.LEGAL])
    with pytest.raises(Unfit, match="choose one of"):
        figure_mails.wish_set(every="hour", actor=people[Role.EXECUTIVE])
    figure_mails.wish_set(every="week", actor=people[Role.EXECUTIVE], today=SUNDAY)
    user = people[Role.EXECUTIVE].user
    assert user is not None
    type(user).objects.filter(pk=user.pk).update(is_active=False)
    assert figure_mails.mails_send(date(2026, 11, 30)) == 0 and not mail.outbox


def test_the_page_keeps_the_wish_and_leads_to_the_statements(client: Client, people: dict[Role, Actor]) -> None:
    user = people[Role.EXECUTIVE].user
    assert user is not None
    client.force_login(user)
    client.post(reverse("figures_mail"), {"every": "month"})
    text = client.get(reverse("dashboard")).content.decode()
    assert '<option value="month" selected>' in text and reverse("papers") in text
    client.post(reverse("figures_mail"), {"every": ""})
    assert not StatementMail.objects.exists()
