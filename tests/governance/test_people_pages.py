"""The administrator's pages: what they show, what they ask first, and that nobody sees another's password."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from governance.models import Role, User
from governance.policies import Actor
from governance.services import people as service
from tests.governance.staff import give_second_factor, member, sign_in_to_decide

NEW = {"first_name": "Ilse", "last_name": "Maratoni", "email": "ilse@house.example", "role": "legal"}


@pytest.fixture
def admin(client: Client) -> User:
    user = member("admin@house.example", first_name="Ada", last_name="Root", role=Role.ADMINISTRATOR)
    sign_in_to_decide(client, user)
    return user


@pytest.fixture
def person() -> User:
    return member("vel@house.example", first_name="Vel", last_name="Oss", role=Role.LEGAL)


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def test_the_desk_leads_the_administrator_to_the_people(client: Client, admin: User) -> None:
    answer = client.get("/desk/", follow=True)
    assert answer.request["PATH_INFO"] == "/people/" and answer.status_code == 200
    assert re.search(r'href="/people/" aria-current="page"', text_of(answer))


def test_the_list_shows_who_can_sign_in_and_who_can_decide(client: Client, admin: User, person: User) -> None:
    member("gone@house.example", first_name="Left", role=Role.AUDITOR, is_active=False)
    text = text_of(client.get("/people/"))
    assert "3 people can sign in" in text and "2 have no second factor" in text
    for words in ("Ada Root", "vel@house.example", "Legal officer", "not set up", "never", "closed"):
        assert words in text
    assert text.index("Ada Root") < text.index("Left")


def test_the_list_takes_as_many_queries_for_ten_people_as_for_two(client: Client, admin: User, person: User) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            client.get("/people/")
        return len(asked)

    few = queries()
    for n in range(8):
        member(f"p{n}@house.example", role=Role.AUDITOR)
    assert queries() == few


def test_a_new_person_is_invited_and_the_page_shows_no_password(client: Client, admin: User) -> None:
    answer = client.post(reverse("person_new"), NEW, follow=True)
    text = text_of(answer)
    assert "The invitation is on its way to ilse@house.example" in text and "Send the invitation again" in text
    link = next(line for line in mail.outbox[-1].body.splitlines() if "/accounts/password/reset/" in line)
    assert link.rsplit("/", 2)[1] not in text
    client.post(reverse("person_invite", args=[User.objects.get(email=NEW["email"]).pk]))
    assert len(mail.outbox) == 2


def test_one_sees_all_that_is_kept_about_oneself(client: Client, admin: User) -> None:
    text = text_of(client.get(reverse("own_account")))
    assert "You are signed in as Ada Root, Administrator" in text and "has a second factor" in text
    answer = client.get(reverse("own_data"))
    assert answer.json()["email"] == "admin@house.example" and "attachment" in answer["Content-Disposition"]
    assert Client().get(reverse("own_account")).status_code == 302


def test_the_form_that_was_sent_before_the_password_was_asked_for_is_sent_on(client: Client) -> None:
    user = member("admin@house.example", "a long and quiet river", role=Role.ADMINISTRATOR)
    client.force_login(user)
    give_second_factor(user)
    answer = client.post(reverse("person_new"), NEW)
    assert answer["Location"].startswith("/accounts/reauthenticate/") and User.objects.count() == 1
    answer = client.post("/accounts/reauthenticate/", {"password": "a long and quiet river", "next": "/people/new/"})
    assert User.objects.filter(email=NEW["email"]).exists()


def test_a_taken_address_is_told_at_the_field_and_the_input_is_kept(client: Client, admin: User, person: User) -> None:
    answer = client.post(reverse("person_new"), {**NEW, "email": "VEL@house.example"})
    text = text_of(answer)
    assert answer.status_code == 422 and 'href="#id_email"' in text
    assert "has an account already" in text and 'value="Ilse"' in text and '<details class="extra" open>' in text


@pytest.mark.parametrize(
    ("field", "value"),
    [("first_name", ""), ("last_name", "a\u202eb"), ("email", "nobody"), ("role", "king"), ("first_name", "x" * 151)],
)
def test_weak_input_is_refused_at_its_field(client: Client, admin: User, field: str, value: str) -> None:
    answer = client.post(reverse("person_new"), {**NEW, field: value})
    assert answer.status_code == 422 and f'href="#id_{field}' in text_of(answer)
    assert User.objects.count() == 1


def test_a_persons_page_offers_what_can_be_done_now(client: Client, admin: User, person: User) -> None:
    page = reverse("person", args=[person.pk])
    text = text_of(client.get(page))
    assert "Close the account" in text and "Propose another role" in text
    assert "Remove the second factor" not in text and "Activate the account again" not in text
    give_second_factor(person)
    assert "Remove the second factor" in text_of(client.get(page))
    client.post(reverse("person_deactivate", args=[person.pk]))
    text = text_of(client.get(page))
    assert "Activate the account again" in text and "Close the account" not in text


def test_the_steps_do_what_their_buttons_say(client: Client, admin: User, person: User) -> None:
    give_second_factor(person)
    for name, data in (("role", {"role": "engineer"}), ("second_factor", {}), ("deactivate", {}), ("activate", {})):
        answer = client.post(reverse(f"person_{name}", args=[person.pk]), data)
        assert answer["Location"] == reverse("person", args=[person.pk]), name
        person.refresh_from_db()
        assert person.is_active == (name != "deactivate")
    assert person.role == Role.NONE and not Authenticator.objects.filter(user=person).exists()


def test_the_own_page_offers_nothing_and_its_steps_are_refused(client: Client, admin: User) -> None:
    text = text_of(client.get(reverse("person", args=[admin.pk])))
    assert "This is your own account." in text and "Close the account" not in text
    for name, data in (("role", {"role": "legal"}), ("deactivate", {}), ("second_factor", {})):
        answer = client.post(reverse(f"person_{name}", args=[admin.pk]), data)
        assert answer.status_code == 403 and "their own account" in text_of(answer)
    admin.refresh_from_db()
    assert admin.is_active and admin.role == Role.ADMINISTRATOR


def test_an_unknown_account_and_an_unknown_role_are_refused(client: Client, admin: User, person: User) -> None:
    assert client.get(reverse("person", args=[10**9])).status_code == 404
    assert client.post(reverse("person_deactivate", args=[10**9])).status_code == 404
    assert client.post(reverse("person_role", args=[person.pk]), {"role": "king"}).status_code == 422


def test_the_auditor_reads_what_was_done_to_accounts(client: Client, admin: User, person: User) -> None:
    service.role_propose(person=person, role="engineer", actor=Actor.of(admin))
    client.force_login(member("audit@house.example", role=Role.AUDITOR))
    text = text_of(client.get("/ledger/?kind=people"))
    assert f"proposed for account {person.pk} the role ML engineer" in text
    assert "vel@house.example" not in text and "Vel Oss" not in text


def test_the_second_administrator_signs_on_the_persons_page(client: Client, admin: User, person: User) -> None:
    page = reverse("person", args=[person.pk])
    client.post(reverse("person_role", args=[person.pk]), {"role": "approver"})
    text = text_of(client.get(page))
    assert "approver waits for a second signature" in text and "Sign the role" not in text
    assert client.post(reverse("person_role_approve", args=[person.pk])).status_code == 403
    sign_in_to_decide(client, User.objects.filter(role=Role.ADMINISTRATOR).exclude(pk=admin.pk).earliest("pk"))
    assert "Sign the role" in text_of(client.get(page))
    shown = {"shown": person.grants.get(approved_at=None).pk}
    assert client.post(reverse("person_role_approve", args=[person.pk]), shown)["Location"] == page
    person.refresh_from_db()
    assert person.role == Role.APPROVER
