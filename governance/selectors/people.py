"""Accounts of the staff, as their administrator sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db.models import QuerySet

from governance.models import LedgerOpening, RoleGrant, User
from governance.policies import Actor, Permission, demand

#: What guards an account beside its password; recovery codes alone do not.
SECOND_FACTORS = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]


@dataclass(frozen=True)
class Person:
    """An account, and whether an authenticator or a passkey guards it."""

    user: User
    second_factor: bool
    #: A role that waits for the second administrator's signature.
    grant: RoleGrant | None = None


def guarded(**of: int) -> set[int]:
    """Accounts that an authenticator or a passkey guards."""
    return set(Authenticator.objects.filter(type__in=SECOND_FACTORS, **of).values_list("user_id", flat=True))


def people(actor: Actor) -> list[Person]:
    """Every account, active ones first, by name: three queries in all.

    Raises:
        NotAllowed: the policy refuses the actor.
    """
    demand(actor, Permission.MANAGE_USERS)
    factors = guarded()
    rows = User.objects.order_by("-is_active", "last_name", "first_name", "email")
    grants = {grant.person_id: grant for grant in _open_grants()}
    return [Person(user, user.pk in factors, grants.get(user.pk)) for user in rows]


def person_get(actor: Actor, pk: int) -> Person:
    """One account.

    Raises:
        NotAllowed: the policy refuses the actor.
        User.DoesNotExist: no such account.
    """
    demand(actor, Permission.MANAGE_USERS)
    user = User.objects.get(pk=pk)
    return Person(user, bool(guarded(user_id=user.pk)), _open_grants().filter(person=user).first())


def _open_grants() -> QuerySet[RoleGrant]:
    return RoleGrant.objects.filter(approved_at=None, returned_at=None).select_related("proposed_by")


@dataclass(frozen=True)
class Own:
    """Everything that the house keeps about one member of staff."""

    user: User
    authenticator: bool
    keys: int
    codes: int
    sessions: list[UserSession]
    grants: list[RoleGrant]
    entries: int

    def as_data(self) -> dict[str, Any]:
        """For a file: times in ISO 8601, UTC."""
        user = self.user
        return {
            "account": user.pk,
            "first_name": user.first_name,
            "last_name": user.last_name,
            "email": user.email,
            "role": user.role,
            "made": user.date_joined,
            "last_sign_in": user.last_login,
            "authenticator": self.authenticator,
            "passkeys": self.keys,
            "recovery_codes_left": self.codes,
            "sessions": [{"since": s.created_at, "address": s.ip, "browser": s.user_agent} for s in self.sessions],
            "roles": [{"role": g.role, "proposed": g.proposed_at, "signed": g.approved_at} for g in self.grants],
            "ledger_entries": self.entries,
        }


def own(user: User) -> Own:
    """What is kept about the reader; nobody else asks for it by this way."""
    kinds = {row.type: row for row in Authenticator.objects.filter(user=user)}
    codes = kinds.get(Authenticator.Type.RECOVERY_CODES)
    return Own(
        user=user,
        authenticator=Authenticator.Type.TOTP in kinds,
        keys=Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN).count(),
        codes=len(codes.wrap().get_unused_codes()) if codes else 0,
        sessions=UserSession.objects.purge_and_list(user),
        grants=list(RoleGrant.objects.filter(person=user).select_related("proposed_by", "approved_by")),
        entries=LedgerOpening.objects.filter(actor=user).count(),
    )
