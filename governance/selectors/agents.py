"""Reads on agents, as the desk sees them."""

from __future__ import annotations

from django.db.models import Count, QuerySet

from governance.models import Agent
from governance.policies import Actor, Permission, demand


def agents(actor: Actor) -> QuerySet[Agent]:
    """Every agent with the number of its cases.

    Raises:
        NotAllowed: the policy refuses the actor.
    """
    demand(actor, Permission.MANAGE_AGENTS)
    return Agent.objects.annotate(cases=Count("filed")).select_related("created_by")
