"""Accounts of the staff: made, closed, opened again, given another role. Nobody does any of it to themselves.

The ledger learns who acted, on which account (its number) and with which role; never a name or an address.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import ledger
from governance.models import Role, User
from governance.policies import Actor, Permission, demand
from governance.validators import one_line

#: Without letters and digits that are taken for one another on paper.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
GROUPS, GROUP = 5, 4
TAKEN = "This address has an account already. Open it under People; a closed account can be activated again."


@dataclass(frozen=True)
class Made:
    """A new account with its first password, which is stored nowhere in the clear."""

    user: User
    password: str = field(repr=False)


def first_password() -> str:
    """Five groups of four signs: about 99 bits, and still readable aloud."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP)) for _ in range(GROUPS))


@transaction.atomic
def person_create(*, first_name: str, last_name: str, email: str, role: str, actor: Actor) -> Made:
    """Make an account with a random first password.

    Addresses are kept in lower case, as the sign-in compares them.

    Raises:
        NotAllowed: the policy refuses the actor.
        Unfit: every problem of the input at once: names, address, role, an address that has an account.
    """
    demand(actor, Permission.MANAGE_USERS)
    names = {"first_name": first_name.strip(), "last_name": last_name.strip()}
    user = User(**names, email=email.strip().lower(), role=role)
    problems = _problems(user)
    if problems:
        raise Unfit(problems)
    password = first_password()
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError as error:  # somebody made the same account a moment ago
        raise Unfit(TAKEN) from error
    _record("people.created", user, actor)
    return Made(user, password)


def _problems(user: User) -> list[str]:
    problems = []
    for label, name in (("First name", user.first_name), ("Last name", user.last_name)):
        if not name:
            problems.append(f"{label}: write the name as it shall stand under a decision.")
        try:
            one_line(name)
        except ValidationError as error:
            problems += [f"{label}: {message}" for message in error.messages]
    try:
        user.full_clean(exclude=["password"], validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        problems += [f"{label}: {message}" for label, messages in error.message_dict.items() for message in messages]
    if user.email and User.objects.filter(email__iexact=user.email).exists():
        problems.append(TAKEN)
    return problems


@transaction.atomic
def person_deactivate(*, person: User, actor: Actor) -> User:
    """Close an account and end its sessions. What the person signed stays.

    Raises:
        NotAllowed: the policy refuses the actor, or it is the actor's own account.
        Conflict: it is closed already.
    """
    found = _other(person, actor)
    if not found.is_active:
        raise Conflict("This account is closed already.")
    found.is_active = False
    found.save(update_fields=["is_active"])
    _sessions_end(found)
    _record("people.deactivated", found, actor)
    return found


@transaction.atomic
def person_activate(*, person: User, actor: Actor) -> User:
    """Open a closed account again, with the password and the second factor that it had.

    Raises:
        NotAllowed: the policy refuses the actor, or it is the actor's own account.
        Conflict: it is open.
    """
    found = _other(person, actor)
    if found.is_active:
        raise Conflict("This account is active already.")
    found.is_active = True
    found.save(update_fields=["is_active"])
    _record("people.activated", found, actor)
    return found


@transaction.atomic
def second_factor_remove(*, person: User, actor: Actor) -> User:
    """Remove a lost second factor with its recovery codes, and end the sessions: a finder may hold one.

    Until a new one is set up the person can read but not decide.

    Raises:
        NotAllowed: the policy refuses the actor, or it is the actor's own account.
        Conflict: there is none.
    """
    found = _other(person, actor)
    removed, _kinds = Authenticator.objects.filter(user=found).delete()
    if not removed:
        raise Conflict("This account has no second factor.")
    _sessions_end(found)
    _record("people.second_factor_removed", found, actor)
    return found


@transaction.atomic
def role_change(*, person: User, role: str, actor: Actor) -> User:
    """Give an account another role; it holds from the person's next click.

    Raises:
        NotAllowed: the policy refuses the actor, or it is the actor's own account.
        Unfit: no such role.
        Conflict: the account has this role.
    """
    found = _other(person, actor)
    if role not in Role.values:
        raise Unfit(f"{role!r} is no role; choose one of {', '.join(Role.values)}.")
    if found.role == role:
        raise Conflict("The account has this role already.")
    before, found.role = found.role, role
    found.save(update_fields=["role"])
    _record("people.role_changed", found, actor, before=before)
    return found


def _other(person: User, actor: Actor) -> User:
    """The account as it is now, locked together with the actor's: two administrators cannot close one another.

    Raises:
        NotAllowed: the actor may not, may no longer, or is the person.
    """
    demand(actor, Permission.MANAGE_USERS)
    if actor.user is None or actor.user.pk == person.pk:
        raise NotAllowed("Nobody changes their own account; another administrator does.")
    rows = User.objects.select_for_update().filter(pk__in=[actor.user.pk, person.pk]).order_by("pk")
    locked = {user.pk: user for user in rows}
    demand(Actor.of(locked[actor.user.pk]), Permission.MANAGE_USERS)
    return locked[person.pk]


def _sessions_end(user: User) -> None:
    """Delete the person's sessions, so that none comes back to life when the account is opened again."""
    running = Session.objects.filter(expire_date__gt=timezone.now())
    theirs = [row.pk for row in running.iterator() if row.get_decoded().get(SESSION_KEY) == str(user.pk)]
    Session.objects.filter(pk__in=theirs).delete()


def _record(action: str, user: User, actor: Actor, **more: Any) -> None:
    ledger.append(action=action, actor=actor, body={"person": user.pk, "role": str(user.role), **more})
