"""Agents and collecting societies: entered by the desk with their mandates; keys of the interface, shown once."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import ledger
from governance.models import Agent, ApiKey, Capacity, Kind, Mandate, User
from governance.models.vault import subject_create
from governance.policies import Actor, Permission, demand
from governance.services import links

PREFIX = "lk_"
KEY_DAYS = 400
MANDATE_YEARS = 5
#: In which capacity an agent of each sort asks.
CAPACITIES: Mapping[str, Capacity] = {Agent.What.AGENT: Capacity.AGENT, Agent.What.SOCIETY: Capacity.SOCIETY}


@dataclass(frozen=True)
class Made:
    """A key with its text, which is shown this once."""

    key: ApiKey
    text: str = field(repr=False)


def _record(action: str, agent: Agent, actor: Actor, **more: object) -> None:
    ledger.append(action=action, actor=actor, body={"agent": str(agent.public_id), **more})


def _person(actor: Actor) -> User:
    demand(actor, Permission.MANAGE_AGENTS)
    if actor.user is None:
        raise NotAllowed("Agents are entered by people.")
    return actor.user


def agent_enter(*, what: str, name: str, email: str, actor: Actor) -> Agent:
    """Enter an agent whom the desk knows.

    Raises:
        NotAllowed: the policy refuses the actor. Unfit: every problem at once.
    """
    person = _person(actor)
    problems = [] if name.strip() else ["Write the name."]
    if what not in Agent.What.values:
        problems.append("Choose agent or collecting society.")
    try:
        validate_email(email)
    except ValidationError:
        problems.append("Write a whole e-mail address.")
    if problems:
        raise Unfit(problems)
    subject = subject_create()
    with transaction.atomic():
        row = Agent(subject=subject, what=what, name=name.strip(), created_by=person)
        row.email = email
        row.save()
        _record("agent.entered", row, actor, what=what)
    return row


@transaction.atomic
def mandate_record(
    *, agent: Agent, principal: str, evidence: str, kinds: Sequence[str], until: date, actor: Actor
) -> Mandate:
    """Record for whom an agent may ask, what, and until when.

    Raises:
        NotAllowed: the policy refuses the actor. Unfit: every problem at once.
    """
    person = _person(actor)
    today = timezone.localdate()
    problems = []
    if not principal.strip():
        problems.append("Name for whom the agent asks.")
    if len(evidence.strip()) < 10:
        problems.append("Write what shows the mandate.")
    if not kinds or set(kinds) - set(Kind.values):
        problems.append("Choose at least one kind of request.")
    if not today <= until <= today + timedelta(days=366 * MANDATE_YEARS):
        problems.append(f"A mandate ends after today and within {MANDATE_YEARS} years.")
    if problems:
        raise Unfit(problems)
    row = Mandate(agent=agent, subject=agent.subject, kinds=sorted(set(kinds)), valid_from=today, valid_until=until)
    row.recorded_by, row.principal, row.evidence = person, principal.strip(), evidence.strip()
    row.save()
    body = {"mandate": str(row.public_id), "kinds": row.kinds, "until": until.isoformat()}
    _record("agent.mandate_recorded", agent, actor, **body)
    return row


@transaction.atomic
def mandate_revoke(*, mandate: Mandate, actor: Actor) -> None:
    """From now on nothing is filed by it. What was filed stays, under other links than the agent has."""
    demand(actor, Permission.MANAGE_AGENTS)
    open_rows = Mandate.objects.filter(pk=mandate.pk, revoked_at=None)
    if not open_rows.update(revoked_at=timezone.now(), revoked_by=actor.user):
        raise Conflict("This mandate was revoked already.")
    ended = links.links_end(mandate)
    _record("agent.mandate_revoked", mandate.agent, actor, mandate=str(mandate.public_id), links=ended)


def mandate_problem(mandate: Mandate, kind: str) -> str:
    """Why nothing of a kind can be filed by a mandate today; empty where it can."""
    today = timezone.localdate()
    if mandate.revoked_at is not None:
        return "This mandate was revoked."
    if not mandate.valid_from <= today <= mandate.valid_until:
        return f"This mandate ended on {mandate.valid_until.isoformat()}."
    return "" if kind in mandate.kinds else f"This mandate does not cover a request of the kind {kind}."


@transaction.atomic
def key_issue(*, agent: Agent, label: str, scopes: Sequence[str], days: int, actor: Actor) -> Made:
    """A new key. Its text is shown this once; only a hash is kept.

    Raises:
        NotAllowed: the policy refuses the actor. Unfit: every problem at once.
    """
    person = _person(actor)
    problems = [] if label.strip() else ["Give the key a name, for example the program that uses it."]
    if not scopes or set(scopes) - set(ApiKey.Scope.values):
        problems.append(f"Choose at least one of: {', '.join(ApiKey.Scope.values)}.")
    if not 1 <= days <= KEY_DAYS:
        problems.append(f"A key lives between 1 and {KEY_DAYS} days.")
    if problems:
        raise Unfit(problems)
    text = PREFIX + secrets.token_urlsafe(32)
    row = ApiKey.objects.create(
        agent=agent,
        label=label.strip()[:80],
        prefix=text[:10],
        hash=key_hash(text),
        scopes=sorted(set(scopes)),
        expires_on=timezone.localdate() + timedelta(days=days),
        created_by=person,
    )
    _record("agent.key_issued", agent, actor, key=str(row.public_id), scopes=row.scopes)
    return Made(row, text)


def key_hash(text: str) -> str:
    """256 random bits need no slow hash."""
    return hashlib.sha256(text.encode()).hexdigest()


@transaction.atomic
def key_revoke(*, key: ApiKey, actor: Actor) -> None:
    """The key opens nothing from the next call on."""
    demand(actor, Permission.MANAGE_AGENTS)
    if not ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now(), revoked_by=actor.user):
        raise Conflict("This key was revoked already.")
    _record("agent.key_revoked", key.agent, actor, key=str(key.public_id))


def key_find(text: str) -> ApiKey:
    """The key that a caller shows.

    Raises:
        NotAllowed: unknown, revoked or expired, all in the same words.
    """
    row = ApiKey.objects.select_related("agent").filter(hash=key_hash(text)).first()
    if row is None or row.revoked_at is not None or row.expires_on < timezone.localdate():
        raise NotAllowed("This key opens nothing: it is unknown, revoked or expired.")
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    if row.used_at is None or row.used_at < hour:
        ApiKey.objects.filter(pk=row.pk).update(used_at=hour)
    return row


def mandate_of(agent: Agent, public_id: str, kind: str) -> Mandate:
    """The agent's own mandate, if something of this kind can be filed by it now.

    Raises:
        Unfit: unknown, ended, or of another scope.
    """
    row = agent.mandates.filter(public_id=public_id).first()
    if row is None:
        raise Unfit("You have no such mandate.")
    if problem := mandate_problem(row, kind):
        raise Unfit(problem)
    return row
