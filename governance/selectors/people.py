"""Accounts of the staff, as their administrator sees them."""

from __future__ import annotations

from dataclasses import dataclass

from allauth.mfa.models import Authenticator
from django.db.models import QuerySet

from governance.models import RoleGrant, User
from governance.policies import Actor, Permission, demand


@dataclass(frozen=True)
class Person:
    """An account, and whether an authenticator guards it."""

    user: User
    second_factor: bool
    #: A role that waits for the second administrator's signature.
    grant: RoleGrant | None = None


def _guarded(**of: int) -> set[int]:
    return set(Authenticator.objects.filter(type=Authenticator.Type.TOTP, **of).values_list("user_id", flat=True))


def people(actor: Actor) -> list[Person]:
    """Every account, active ones first, by name: three queries in all.

    Raises:
        NotAllowed: the policy refuses the actor.
    """
    demand(actor, Permission.MANAGE_USERS)
    guarded = _guarded()
    rows = User.objects.order_by("-is_active", "last_name", "first_name", "email")
    grants = {grant.person_id: grant for grant in _open_grants()}
    return [Person(user, user.pk in guarded, grants.get(user.pk)) for user in rows]


def person_get(actor: Actor, pk: int) -> Person:
    """One account.

    Raises:
        NotAllowed: the policy refuses the actor.
        User.DoesNotExist: no such account.
    """
    demand(actor, Permission.MANAGE_USERS)
    user = User.objects.get(pk=pk)
    return Person(user, bool(_guarded(user_id=user.pk)), _open_grants().filter(person=user).first())


def _open_grants() -> QuerySet[RoleGrant]:
    return RoleGrant.objects.filter(approved_at=None, returned_at=None).select_related("proposed_by")
