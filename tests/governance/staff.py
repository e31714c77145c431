"""Signing in as somebody who may decide: a second factor, and a password entered a moment ago."""

from __future__ import annotations

import time

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.mfa.models import Authenticator
from django.test import Client
from django.utils import timezone

from governance.models import Role, RoleGrant, User


def administrators() -> list[User]:
    """The first two accounts of the installation: no role can be given without them."""
    for n in range(User.objects.count(), 2):
        User.objects.create_user(
            f"root-{n}@house.example", first_name="Root", last_name=str(n), role=Role.ADMINISTRATOR
        )
    return list(User.objects.filter(role=Role.ADMINISTRATOR).order_by("pk")[:2])


def grant(user: User, role: str) -> User:
    """Give a role as two administrators do."""
    first, second = [one for one in administrators() if one.pk != user.pk][:2]
    row = RoleGrant.objects.create(person=user, role=role, before=user.role, proposed_by=first)
    RoleGrant.objects.filter(pk=row.pk).update(approved_by=second, approved_at=timezone.now())
    user.role = Role(role)
    user.save()
    return user


def member(email: str, password: str | None = None, *, role: str, is_active: bool = True, **fields: str) -> User:
    """Somebody of the staff, by two administrators' signatures."""
    if role == Role.ADMINISTRATOR and User.objects.count() < 2:
        return User.objects.create_user(email, password, role=role, **fields)
    administrators()
    user = User.objects.create_user(email, password, **fields)
    if role != Role.NONE:
        grant(user, role)
    if not is_active:
        user.is_active = False
        user.save()
    return user


def everybody() -> dict[Role, User]:
    """Somebody of each role as `member` makes them, in a tenth of the statements: a thousand tests begin with them."""
    first, second = administrators()
    people = {role: User(email=f"{role.value}@house.example", first_name=role.value) for role in Role}
    for user in people.values():
        user.set_unusable_password()
    User.objects.bulk_create(people.values())
    granted = {role: user for role, user in people.items() if role != Role.NONE}
    grants = RoleGrant.objects.bulk_create(
        RoleGrant(person=user, role=role, before=user.role, proposed_by=first) for role, user in granted.items()
    )
    RoleGrant.objects.filter(pk__in=[row.pk for row in grants]).update(approved_by=second, approved_at=timezone.now())
    for role, user in granted.items():
        user.role = role
    User.objects.bulk_update(granted.values(), ["role"])
    return people


def give_second_factor(user: User) -> None:
    """An authenticator app, as if it had been set up."""
    Authenticator.objects.get_or_create(user=user, type=Authenticator.Type.TOTP, defaults={"data": {"secret": "x"}})


def sign_in_to_decide(client: Client, user: User) -> None:
    """Signed in, with a second factor and a fresh password."""
    give_second_factor(user)
    client.force_login(user)
    session = client.session
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "password", "at": time.time(), "reauthenticated": True}]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
