"""Accounts: who may make and close them, what is refused, and that the ledger learns no name."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.test import Client

from governance.errors import Conflict, NotAllowed, Unavailable, Unfit
from governance.models import LedgerEntry, LedgerOpening, Role, RoleGrant, User
from governance.policies import CLAIMANT, Actor
from governance.services import people as service
from tests.governance.receivers import DOWN, refuse_mail
from tests.governance.staff import give_second_factor

NEW = {"first_name": "Ilse", "last_name": "Maratoni", "email": "ilse@house.example", "role": "legal"}
OTHERS = [role for role in Role if role != Role.ADMINISTRATOR]
STEPS = (
    service.person_deactivate,
    service.person_activate,
    service.second_factor_remove,
    service.invitation_send,
)


@pytest.fixture
def admin(people: dict[Role, Actor]) -> Actor:
    return people[Role.ADMINISTRATOR]


def second(admin: Actor) -> Actor:
    """Another administrator."""
    others = User.objects.filter(role=Role.ADMINISTRATOR).exclude(email=admin.user.email if admin.user else "")
    return Actor.of(others.earliest("pk"))


@pytest.fixture
def person(people: dict[Role, Actor]) -> User:
    user = people[Role.LEGAL].user
    assert user is not None
    return user


def told() -> list[tuple[str, Any]]:
    """What the ledger learned, oldest first."""
    rows = LedgerOpening.objects.filter(entry__action__startswith="people.").order_by("entry")
    return [(row.entry.action, row.body) for row in rows.select_related("entry")]


def invite(person: User, admin: Actor) -> str:
    """The path of the link in the letter that just went out."""
    service.invitation_send(person=person, actor=admin)
    letter = mail.outbox[-1]
    assert letter.to == [person.email]
    found = re.search(r"http://[^/]+(/accounts/password/reset/\S+)", letter.body)
    assert found is not None
    return found[1]


def choose(client: Client, link: str, password: str) -> Any:
    """Open the link and choose a password."""
    page = client.get(link, follow=True)
    return client.post(page.request["PATH_INFO"], {"password1": password, "password2": password})


def test_an_invited_person_chooses_the_password_by_a_link_that_works_once(admin: Actor, client: Client) -> None:
    made = service.person_create(**NEW, actor=admin)
    assert (str(made), made.role, made.is_active, made.has_usable_password()) == ("Ilse Maratoni", "none", True, False)
    link = invite(made, admin)
    assert "Ilse Maratoni" in mail.outbox[-1].body and "for 3 days" in mail.outbox[-1].body
    assert choose(client, link, "four quiet words here").status_code == 302
    answer = client.post("/accounts/login/", {"login": NEW["email"], "password": "four quiet words here"})
    assert (answer.status_code, answer["Location"]) == (302, "/desk/")
    assert "This link no longer works" in Client().get(link).content.decode()
    with pytest.raises(Conflict, match="has signed in before"):
        service.invitation_send(person=made, actor=admin)


def test_an_invitation_expires_and_a_weak_password_is_refused(
    admin: Actor, client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = invite(service.person_create(**NEW, actor=admin), admin)
    assert choose(client, link, "short").status_code == 200
    later = datetime.now() + timedelta(days=3, minutes=1)
    monkeypatch.setattr("django.contrib.auth.tokens.PasswordResetTokenGenerator._now", lambda self: later)
    assert "This link no longer works" in Client().get(link).content.decode()


@pytest.mark.parametrize("error", DOWN)
def test_a_mail_server_that_refuses_loses_nothing(
    admin: Actor, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    made = service.person_create(**NEW, actor=admin)
    with monkeypatch.context() as patch:
        refuse_mail(patch, error)
        with pytest.raises(Unavailable, match="send the invitation again"):
            service.invitation_send(person=made, actor=admin)
    assert User.objects.filter(pk=made.pk).exists() and "people.invited" not in dict(told())
    assert invite(made, admin)


def test_asking_for_a_new_password_tells_nobody_who_has_an_account(person: User, client: Client) -> None:
    answers = [client.post("/accounts/password/reset/", {"email": email}) for email in (person.email, "x@y.example")]
    assert {(a.status_code, a["Location"]) for a in answers} == {(302, "/accounts/password/reset/sent/")}
    assert [letter.to for letter in mail.outbox] == [[person.email]]
    assert "Your second factor stays" in mail.outbox[0].body


def test_an_address_is_kept_as_the_sign_in_compares_it(admin: Actor) -> None:
    made = service.person_create(**{**NEW, "email": " Ilse@House.Example "}, actor=admin)
    assert made.email == "ilse@house.example"


@pytest.mark.parametrize("email", ["legal@house.example", "LEGAL@House.example"])
def test_an_address_has_one_account(admin: Actor, email: str) -> None:
    with pytest.raises(Unfit, match="has an account already"):
        service.person_create(**{**NEW, "email": email}, actor=admin)


def test_an_account_that_was_made_a_moment_ago_is_told_as_taken(admin: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_problems", lambda user: [])
    with pytest.raises(Unfit, match="has an account already"):
        service.person_create(**{**NEW, "email": "legal@house.example"}, actor=admin)
    assert not told()


def test_weak_input_is_refused_with_all_its_faults_and_nothing_is_made(admin: Actor) -> None:
    before = User.objects.count()
    with pytest.raises(Unfit) as caught:
        service.person_create(first_name=" ", last_name="A\nB", email="nobody", role="king", actor=admin)
    text = " ".join(caught.value.messages)
    assert len(caught.value.messages) == 4
    assert all(word in text for word in ("First name", "Last name", "email", "role"))
    assert (User.objects.count(), told()) == (before, [])


@pytest.mark.parametrize("role", OTHERS)
def test_no_other_role_manages_accounts(people: dict[Role, Actor], role: Role) -> None:
    target = people[Role.AUDITOR if role != Role.AUDITOR else Role.LEGAL].user
    assert target is not None
    with pytest.raises(NotAllowed):
        service.person_create(**NEW, actor=people[role])
    for step in STEPS:
        with pytest.raises(NotAllowed):
            step(person=target, actor=people[role])
    with pytest.raises(NotAllowed):
        service.role_propose(person=target, role="legal", actor=people[role])
    assert not told()


@pytest.mark.parametrize("actor", [CLAIMANT, Actor.system("jobs")], ids=["claimant", "machine"])
def test_neither_claimants_nor_machines_manage_accounts(actor: Actor, person: User) -> None:
    with pytest.raises(NotAllowed):
        service.person_create(**NEW, actor=actor)
    with pytest.raises(NotAllowed):
        service.person_deactivate(person=person, actor=actor)


def test_nobody_changes_their_own_account(admin: Actor) -> None:
    assert admin.user is not None
    give_second_factor(admin.user)
    for step in STEPS:
        with pytest.raises(NotAllowed, match="their own account"):
            step(person=admin.user, actor=admin)
    with pytest.raises(NotAllowed, match="their own account"):
        service.role_propose(person=admin.user, role="legal", actor=admin)
    admin.user.refresh_from_db()
    assert admin.user.is_active and admin.user.role == Role.ADMINISTRATOR and not told()


def test_an_administrator_who_was_closed_a_moment_ago_closes_nobody(admin: Actor, person: User) -> None:
    assert admin.user is not None
    User.objects.filter(pk=admin.user.pk).update(is_active=False)
    with pytest.raises(NotAllowed):
        service.person_deactivate(person=person, actor=admin)


def test_a_closed_account_is_out_at_once_and_its_old_sessions_never_come_back(
    admin: Actor, person: User, client: Client
) -> None:
    other = Client()
    other.force_login(User.objects.get(role=Role.AUDITOR))
    client.force_login(person)
    assert client.get("/cases/").status_code == 200
    service.person_deactivate(person=person, actor=admin)
    assert client.get("/cases/").status_code == 302
    service.person_activate(person=person, actor=admin)
    assert client.get("/cases/").status_code == 302
    assert other.get("/cases/").status_code == 200


def test_a_closed_account_does_not_sign_in_and_an_activated_one_does(admin: Actor) -> None:
    made = service.person_create(**NEW, actor=admin)
    made.set_password("four quiet words here")
    made.save()
    entry = {"login": NEW["email"], "password": "four quiet words here"}
    service.person_deactivate(person=made, actor=admin)
    assert Client().post("/accounts/login/", entry)["Location"] == "/accounts/inactive/"
    service.person_activate(person=made, actor=admin)
    assert Client().post("/accounts/login/", entry)["Location"] == "/desk/"


def test_a_lost_second_factor_goes_with_its_codes_and_its_sessions(admin: Actor, person: User, client: Client) -> None:
    give_second_factor(person)
    Authenticator.objects.create(user=person, type=Authenticator.Type.RECOVERY_CODES, data={"seed": "x"})
    client.force_login(person)
    service.second_factor_remove(person=person, actor=admin)
    assert not Authenticator.objects.filter(user=person).exists()
    assert client.get("/cases/").status_code == 302


def test_another_role_holds_from_the_next_click(admin: Actor, person: User, client: Client) -> None:
    client.force_login(person)
    service.role_propose(person=person, role="executive", actor=admin)
    assert client.get("/cases/").status_code == 200
    service.role_approve(person=person, shown=str(person.grants.last().pk), actor=second(admin))
    assert client.get("/cases/").status_code == 403
    assert client.get("/dashboard/").status_code == 200


def test_a_role_takes_two_administrators_and_none_signs_twice(admin: Actor, person: User) -> None:
    service.role_propose(person=person, role="approver", actor=admin)
    with pytest.raises(Conflict, match="proposed for this account already"):
        service.role_propose(person=person, role="engineer", actor=second(admin))
    with pytest.raises(NotAllowed, match="another administrator must sign"):
        service.role_approve(person=person, shown=str(person.grants.last().pk), actor=admin)
    service.role_return(person=person, actor=second(admin))
    with pytest.raises(Conflict, match="No role is proposed"):
        service.role_approve(person=person, shown=str(person.grants.last().pk), actor=second(admin))
    person.refresh_from_db()
    assert person.role == Role.LEGAL


def test_a_role_is_taken_away_by_one_and_comes_back_by_two(admin: Actor, person: User, client: Client) -> None:
    client.force_login(person)
    service.role_remove(person=person, actor=admin)
    assert client.get("/cases/").status_code == 403
    service.role_propose(person=person, role="legal", actor=admin)
    service.role_approve(person=person, shown=str(person.grants.last().pk), actor=second(admin))
    assert client.get("/cases/").status_code == 200


def test_what_is_so_already_is_a_conflict(admin: Actor, person: User) -> None:
    for refused in (service.person_activate, service.second_factor_remove):
        with pytest.raises(Conflict):
            refused(person=person, actor=admin)
    with pytest.raises(Conflict):
        service.role_propose(person=person, role="legal", actor=admin)
    with pytest.raises(Unfit, match="no role"):
        service.role_propose(person=person, role="king", actor=admin)
    service.person_deactivate(person=person, actor=admin)
    with pytest.raises(Conflict):
        service.person_deactivate(person=person, actor=admin)


def test_the_ledger_learns_account_and_role_and_nothing_personal(admin: Actor) -> None:
    made = service.person_create(**NEW, actor=admin)
    give_second_factor(made)
    service.second_factor_remove(person=made, actor=admin)
    service.role_approve(person=made, shown=str(made.grants.last().pk), actor=second(admin))
    service.person_deactivate(person=made, actor=admin)
    service.person_activate(person=made, actor=admin)
    service.role_return(person=made, actor=admin)
    none, legal = {"person": made.pk, "role": "none"}, {"person": made.pk, "role": "legal"}
    first, again = RoleGrant.objects.filter(person=made).values_list("pk", flat=True)
    assert told() == [
        ("people.created", none),
        ("people.role_proposed", {**none, "proposed": "legal", "grant": first}),
        ("people.second_factor_removed", none),
        ("people.role_granted", {**legal, "before": "none", "grant": first}),
        ("people.deactivated", legal),
        ("people.activated", none),
        ("people.role_proposed", {**none, "proposed": "legal", "grant": again}),
        ("people.role_returned", none),
    ]
    kept = json.dumps(told()) + " ".join(bytes(entry.leaf).decode() for entry in LedgerEntry.objects.all())
    for personal in ("Ilse", "Maratoni", "ilse", "house.example"):
        assert personal not in kept


def test_a_change_that_the_ledger_refuses_does_not_happen(
    admin: Actor, person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_fields: Any) -> None:
        raise RuntimeError("no ledger")

    monkeypatch.setattr(service.ledger, "append", broken)
    for change in (lambda: service.person_create(**NEW, actor=admin),
                   lambda: service.person_deactivate(person=person, actor=admin)):  # fmt: skip
        with pytest.raises(RuntimeError):
            change()
    person.refresh_from_db()
    assert person.is_active and not User.objects.filter(email=NEW["email"]).exists()
