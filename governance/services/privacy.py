"""Who asked: shown on demand only, as is the letter that names them, and every look is in the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from governance import dispatch
from governance.errors import Conflict, KeyDestroyed
from governance.evidence import ledger
from governance.models import Case, Paper
from governance.policies import Actor, Permission, demand
from governance.services import retention


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


@transaction.atomic
def letter_open(*, case: Case, actor: Actor) -> tuple[Paper, bytes]:
    """The sealed letter that closed the case, which names the claimant; `person.revealed` says who opened it.

    Raises:
        NotAllowed: the policy refuses the actor. Conflict: none was sealed.
        KeyDestroyed: the claimant's data was erased.
    """
    demand(actor, Permission.REVEAL_PERSON)
    if gone := retention.erased(case):
        raise KeyDestroyed(gone)
    paper = case.papers.filter(kind=Paper.Kind.LETTER).order_by("-id").first()
    if paper is None:
        raise Conflict(f"No letter of case {case.number} was sealed yet.")
    data = dispatch.read_bytes(paper.pdf)
    ledger.append(action="person.revealed", actor=actor, case=case, body={"paper": paper.number})
    return paper, data
