"""What an auditor reads of the house itself: who is here by which grants, what it said of itself, who is let in by
machines. No address, no sign-in, no secret, and of a mandate neither for whom it is nor what shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Count, QuerySet

from governance.models import Agent, ApiKey, HouseProfile, LedgerOpening, Mandate, RoleGrant, Subscription, User
from governance.policies import Actor, Permission, demand
from governance.selectors.people import guarded


@dataclass(frozen=True)
class Account:
    """One account; `made_by` is whoever made it, as the ledger has it: nobody where the installation did."""

    user: User
    second_factor: bool
    made_by: User | None
    #: The grant by which the role came that the account has now.
    grant: RoleGrant | None


def accounts(actor: Actor) -> list[Account]:
    """Every account by its number, closed ones too: four queries in all.

    Raises:
        NotAllowed: the policy refuses the actor.
    """
    demand(actor, Permission.AUDIT)
    factors, made = guarded(), _makers()
    held = {grant.person_id: grant for grant in grants(actor).exclude(applied_at=None).order_by("applied_at", "pk")}
    return [
        Account(user, user.pk in factors, made.get(user.pk), _of_now(user, held.get(user.pk)))
        for user in User.objects.order_by("pk")
    ]


def _of_now(user: User, grant: RoleGrant | None) -> RoleGrant | None:
    return grant if grant is not None and grant.role == user.role else None


def _makers() -> Mapping[int, User]:
    rows = LedgerOpening.objects.filter(entry__action="people.created", actor__isnull=False).select_related("actor")
    return {row.body["person"]: row.actor for row in rows if row.actor}


def grants(actor: Actor) -> QuerySet[RoleGrant]:
    """Every role that was proposed, with who answered, the newest first."""
    demand(actor, Permission.AUDIT)
    return RoleGrant.objects.select_related("person", "proposed_by", "approved_by", "returned_by").order_by("-pk")


def profiles(actor: Actor) -> QuerySet[HouseProfile]:
    """Every version of what the house says of itself, refused ones too, the newest first."""
    demand(actor, Permission.AUDIT)
    return HouseProfile.objects.select_related("proposed_by", "approved_by", "returned_by").order_by("-pk")


def agents(actor: Actor) -> QuerySet[Agent]:
    """Who files for others, with the number of cases."""
    demand(actor, Permission.AUDIT)
    return Agent.objects.annotate(cases=Count("filed")).select_related("created_by")


def mandates(actor: Actor) -> QuerySet[Mandate]:
    """The newest first."""
    demand(actor, Permission.AUDIT)
    return Mandate.objects.select_related("agent", "recorded_by", "revoked_by").order_by("-pk")


def keys(actor: Actor) -> QuerySet[ApiKey]:
    """Keys of the interface, of which a hash is kept, the newest first."""
    demand(actor, Permission.AUDIT)
    return ApiKey.objects.select_related("agent", "created_by", "revoked_by")


def subscriptions(actor: Actor) -> QuerySet[Subscription]:
    """Addresses that are told what happens, removed ones too."""
    demand(actor, Permission.AUDIT)
    return Subscription.objects.select_related("created_by")
