"""Accounts of the staff: made, closed, opened again, given a role by two administrators. Nobody does it to themselves.

The ledger learns who acted, on which account (its number) and with which role; never a name or an address.
"""

from __future__ import annotations

import uuid
from typing import Any

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from governance.errors import Conflict, NotAllowed, Unavailable, Unfit
from governance.evidence import ledger
from governance.models import Role, RoleGrant, User
from governance.notifications import mail
from governance.notifications.errors import SendFailed
from governance.policies import Actor, Permission, demand
from governance.selectors import organisation
from governance.services.shown import demand_shown
from governance.validators import one_line

#: Roles that can be given; having none is not given but left.
OFFERED = tuple(role.value for role in Role if role is not Role.NONE)
TAKEN = "This address has an account already. Open it under People; a closed account can be activated again."


@transaction.atomic
def person_create(*, first_name: str, last_name: str, email: str, role: str, actor: Actor) -> User:
    """Make an account without a password; its role is proposed, and another administrator signs it.

    The person chooses the password by the link of an invitation (`invitation_send`): no administrator knows one.

    Addresses are kept in lower case, as the sign-in compares them.

    Raises:
        NotAllowed: the policy refuses the actor.
        Unfit: every problem of the input at once: names, address, role, an address that has an account.
    """
    demand(actor, Permission.MANAGE_USERS)
    names = {"first_name": first_name.strip(), "last_name": last_name.strip()}
    user = User(**names, email=email.strip().lower())
    problems = [*_problems(user), *([] if role in OFFERED else [_unknown(role)])]
    if problems:
        raise Unfit(problems)
    user.set_unusable_password()
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError as error:  # somebody made the same account a moment ago
        raise Unfit(TAKEN) from error
    _record("people.created", user, actor)
    _propose(user, role, actor)
    return user


def invitation_send(*, person: User, actor: Actor) -> None:
    """Send a link, good once and for `PASSWORD_RESET_TIMEOUT`, by which the person chooses a password.

    The link is not kept anywhere, nor does the administrator see it; an unused earlier one goes on working until it
    expires or a password was chosen.

    Raises:
        NotAllowed: the policy refuses the actor, or it is the actor's own account.
        Conflict: the account is closed, or its person has signed in before; they ask for a new password themselves.
        Unavailable: the mail server does not take the letter; the account stays as it is.
    """
    with transaction.atomic():
        found = _other(person, actor)
        if not found.is_active:
            raise Conflict("This account is closed; activate it first.")
        if found.last_login is not None:
            raise Conflict("This person has signed in before; they ask for a new password on the page of the sign-in.")
        _record("people.invited", found, actor)
        link = reverse(
            "account_reset_password_from_key",
            kwargs={"uidb36": user_pk_to_url_str(found), "key": default_token_generator.make_token(found)},
        )
        context = {
            "person": found,
            "host": actor.user,
            "organisation": organisation.current().name,
            "link": settings.BASE_URL + link,
            "days": settings.PASSWORD_RESET_TIMEOUT // 86400,
        }
        title = render_to_string("account/email/invitation_subject.txt", context).strip()
        text = render_to_string("account/email/invitation_message.txt", context)
        try:
            mail.send(mail.Mail(key=str(uuid.uuid4()), to=found.email, title=title, body=text))
        except SendFailed as error:
            raise Unavailable(
                "The mail server did not take the invitation. The account is made; send the invitation again later."
            ) from error


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
    """Open a closed account again, with the password and the second factor that it had, and its role proposed anew.

    Raises:
        NotAllowed: the policy refuses the actor, or it is the actor's own account.
        Conflict: it is open.
    """
    found = _other(person, actor)
    if found.is_active:
        raise Conflict("This account is active already.")
    role, found.is_active, found.role = found.role, True, Role.NONE
    found.save(update_fields=["is_active", "role"])
    _record("people.activated", found, actor)
    if role != Role.NONE and not _open_grants(found).exists():
        _propose(found, role, actor)
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
def role_propose(*, person: User, role: str, actor: Actor) -> RoleGrant:
    """First signature under another role; until the second the account keeps the one that it has.

    Raises:
        NotAllowed: the policy refuses the actor, or it is the actor's own account.
        Unfit: no such role.
        Conflict: the account has this role, is closed, or a grant waits already.
    """
    found = _other(person, actor)
    if role not in OFFERED:
        raise Unfit(_unknown(role))
    if found.role == role:
        raise Conflict("The account has this role already.")
    if not found.is_active:
        raise Conflict("This account is closed; activate it first.")
    if _open_grants(found).exists():
        raise Conflict("A role is proposed for this account already; sign it or send it back first.")
    return _propose(found, role, actor)


@transaction.atomic
def role_remove(*, person: User, actor: Actor) -> User:
    """Take the role away at once: less needs no second signature.

    Raises:
        NotAllowed: the policy refuses the actor, or it is the actor's own account.
        Conflict: the account has none.
    """
    found = _other(person, actor)
    if found.role == Role.NONE:
        raise Conflict("This account has no role.")
    before, found.role = found.role, Role.NONE
    found.save(update_fields=["role"])
    _record("people.role_removed", found, actor, before=before)
    return found


@transaction.atomic
def role_approve(*, person: User, actor: Actor, shown: str) -> User:
    """Second signature: the role of the grant that was shown, by its id, holds from the person's next click.

    Raises:
        NotAllowed: the policy refuses the actor, who proposed it, or whose account it is.
        Conflict: nothing is proposed, something else than was shown, or somebody was quicker.
    """
    found = _other(person, actor)
    grant = _open_grants(found).first()
    if grant is None:
        raise Conflict("No role is proposed for this account.")
    if actor.user is None or grant.proposed_by_id == actor.user.pk:
        raise NotAllowed("You proposed this role; another administrator must sign it.")
    demand_shown(grant.pk, shown)
    if not _open_grants(found).filter(pk=grant.pk).update(approved_by=actor.user, approved_at=timezone.now()):
        raise Conflict("Somebody else answered in the meantime.")
    before, found.role = found.role, grant.role
    found.save(update_fields=["role"])
    _record("people.role_granted", found, actor, before=before, grant=grant.pk)
    return found


@transaction.atomic
def role_return(*, person: User, actor: Actor) -> None:
    """Send a proposed role back; whoever proposed it may take it back, too.

    Raises:
        NotAllowed: the policy refuses the actor, or it is the actor's own account.
        Conflict: nothing is proposed.
    """
    found = _other(person, actor)
    if not _open_grants(found).update(returned_by=actor.user, returned_at=timezone.now()):
        raise Conflict("No role is proposed for this account.")
    _record("people.role_returned", found, actor)


def _open_grants(user: User) -> QuerySet[RoleGrant]:
    return RoleGrant.objects.filter(person=user, approved_at=None, returned_at=None)


def _propose(user: User, role: str, actor: Actor) -> RoleGrant:
    if actor.user is None:
        raise NotAllowed("A role is proposed by a person.")
    grant = RoleGrant.objects.create(person=user, role=role, before=user.role, proposed_by=actor.user)
    _record("people.role_proposed", user, actor, proposed=role, grant=grant.pk)
    return grant


def _unknown(role: str) -> str:
    return f"{role!r} is no role; choose one of {', '.join(OFFERED)}."


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
