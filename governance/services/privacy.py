"""Who asked: shown on demand only, and every look is in the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from governance.evidence import ledger
from governance.models import Case
from governance.policies import Actor, Permission, demand


@dataclass(frozen=True)
class Person:
    """A claimant's name and address, and for whom they ask, in the clear; never stored, never logged."""

    name: str
    email: str
    #: For whom they ask; empty where it is for themselves.
    principal: str = ""


@transaction.atomic
def person_reveal(*, case: Case, actor: Actor) -> Person:
    """Name and address of the claimant. The entry `person.revealed` says who looked, not what they saw.

    Raises:
        NotAllowed: the policy refuses the actor.
        KeyDestroyed: the claimant's data was erased.
    """
    demand(actor, Permission.REVEAL_PERSON)
    person = Person(name=case.claimant.name, email=case.claimant.email, principal=case.claimant.principal)
    ledger.append(action="person.revealed", actor=actor, case=case, body={})
    return person
