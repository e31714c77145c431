"""Received: a request is filed, by the public form, the interface, or staff for somebody who wrote or called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction
from django.utils import timezone

from governance.clocks import LAWS, laws_for, local_day, rows
from governance.errors import Unfit
from governance.evidence import ledger
from governance.lifecycle import advance
from governance.models import (
    Capacity,
    Case,
    CaseClock,
    Channel,
    Claimant,
    ClaimedItem,
    Disposition,
    Kind,
    Status,
)
from governance.models.vault import keys_held, subject_create
from governance.notifications.languages import nearest
from governance.policies import CLAIMANT, Actor, Permission, demand, demand_impartial, demand_mandate
from governance.services import containment, deadlines, matching, sharing
from governance.services.notification import letter_send
from governance.services.proof import proof_beside
from governance.tokens import link_token, token_hash

MAX_ITEMS = 200
#: Why a case leaves its first stage.
CONFIRMED = "E-mail address confirmed by link"
MAX_TEXT = 2_000_000
#: Characters of all works of one request.
MAX_TOTAL = 20_000_000


@dataclass(frozen=True, kw_only=True)
class Item:
    """One claimed work, passage or fact: `form` is one of `ClaimedItem.Form`; `replacement` what is right instead."""

    form: str
    title: str
    text: str
    replacement: str = ""


@dataclass(frozen=True, kw_only=True)
class Acts:
    """In which capacity somebody asks, and for whom."""

    capacity: Capacity = Capacity.SELF
    principal: str = ""

    def problems(self) -> list[str]:
        """Whoever acts for somebody names them; nobody acts for somebody and for themselves."""
        if (self.capacity == Capacity.SELF) == bool(self.principal.strip()):
            return ["Name the person for whom you ask; leave it empty if you ask for yourself."]
        return []


FOR_ONESELF = Acts()


def problems_of(kind: Kind, law: str, items: Sequence[Item], received_on: date) -> list[str]:
    """What speaks against filing this; empty where nothing does."""
    problems = []
    if law not in LAWS or kind not in LAWS[law].kinds:
        fitting = ", ".join(law.code for law in laws_for(kind))
        problems.append(f"Law {law!r} does not fit this kind of request ({kind.label.lower()}); choose {fitting}.")
    if not items:
        problems.append("Name at least one work or fact.")
    if len(items) > MAX_ITEMS:
        problems.append(f"{len(items)} works in one request; file at most {MAX_ITEMS} at a time.")
    problems += [
        f"“{item.title[:60]}” is longer than {MAX_TEXT:,} characters." for item in items if len(item.text) > MAX_TEXT
    ]
    if kind != Kind.CORRECTION and any(item.replacement for item in items):
        problems.append("Only a correction names what is right instead.")
    problems += [
        f"Work {n} has neither text nor an address." for n, item in enumerate(items, 1) if not item.text.strip()
    ]
    if received_on > timezone.localdate():
        problems.append("The date of receipt lies in the future.")
    return problems


def case_file(
    *,
    kind: Kind,
    law: str,
    name: str,
    email: str,
    items: Sequence[Item],
    actor: Actor = CLAIMANT,
    channel: Channel = Channel.FORM,
    received_on: date | None = None,
    language: str = "",
    place: str = "",
    external: str = "",
    tell: bool = True,
    acts: Acts = FOR_ONESELF,
    share: bool = False,
) -> Case:
    """File a request; the clock runs from now, or from the day `received_on` that staff enter.

    `place` is the country whose calendar counts (`IE`, `DE-BY`), where it is not the house's. A request whose date has
    passed already is taken all the same; it is recorded as missed at once. A case taken over from another system keeps
    its number there as `external`, and writes no receipt unless `tell`. `acts`: for whom they ask. `share`: they
    agree to `sharing`.

    Raises:
        Unfit: every problem of the input at once.
        NotAllowed: staff without the permission to enter a request for somebody.
    """
    if actor is not CLAIMANT:
        demand(actor, Permission.ENTER_CASE)
    received = received_on or timezone.localdate()
    if problems := problems_of(kind, law, items, received) + acts.problems():
        raise Unfit(problems)
    # The key is made first, in its own database: a key without data harms nobody.
    subject = subject_create()
    with transaction.atomic():
        claimant = Claimant.objects.create(subject=subject, name=name, email=email, principal=acts.principal)
        case = Case(kind=kind, law=law, channel=channel, claimant=claimant, capacity=acts.capacity)
        case.language = nearest(language) if language else case.language
        because = f"{'Entered by staff' if actor.user else 'Named by the claimant'}: {LAWS[law].title}."
        clock = rows.begin(case, received=received_on or timezone.now(), because=because, place=place, by=actor.user)
        case.received_on, case.due_on = local_day(clock.received_at, rows.place_in(clock)), clock.due
        case.entered_by, case.external = actor.user, external
        _keep(case, clock)
        items_keep(case, items)
        _record(case, clock, len(items), actor, share)
        if tell:
            letter_send(case=case, template="received")
        deadlines.date_watch(clock)
    return case


def _keep(case: Case, clock: CaseClock) -> None:
    """The case with its private links, then the clock that runs on it."""
    links_set(case)
    case.save()
    clock.case = case
    clock.save()


def links_set(case: Case) -> None:
    """What is kept of the private links of a new case."""
    case.status_token = token_hash(link_token(case.public_id, "status"))
    case.confirm_token = token_hash(link_token(case.public_id, "confirm"))


def items_keep(case: Case, items: Sequence[Item], first: int = 1, **columns: Any) -> list[ClaimedItem]:
    """All in one statement, from the position `first` on, each with `columns`; their key is fetched once."""
    with keys_held():
        rows = [
            ClaimedItem(
                case=case,
                subject=case.claimant.subject,
                position=position,
                form=item.form,
                title=item.title,
                text=item.text,
                replacement=item.replacement,
                **columns,
            )
            for position, item in enumerate(items, first)
        ]
    return ClaimedItem.objects.bulk_create(rows, batch_size=500)


def _record(case: Case, clock: CaseClock, items: int, actor: Actor, share: bool) -> None:
    ledger.append(action="case.received", actor=actor, case=case, body=facts_of(case, clock, items))
    if share:
        sharing.consent_give(case=case, actor=actor)


def facts_of(case: Case, clock: CaseClock, items: int) -> dict[str, Any]:
    """What the ledger commits to about a new case."""
    dates = {"received_on": case.received_on.isoformat(), "due_on": case.due_on.isoformat()}
    who = {"channel": str(case.channel), "capacity": str(case.capacity)}
    rule = f"{clock.law} {clock.version}"
    return {"kind": str(case.kind), "law": case.law, **who, **dates, "rule": rule, "items": items}


@transaction.atomic
def email_confirm(*, token: str) -> Case:
    """The claimant followed the link in the e-mail: proof level P1. Following it twice changes nothing.

    Raises:
        Unfit: when no case knows the token.
    """
    case = Case.objects.select_related("claimant").filter(confirm_token=token_hash(token)).first()
    if case is None:
        raise Unfit("This link is not known here. Copy it whole from the e-mail.")
    if case.claimant.email_confirmed_at is None:
        Claimant.objects.filter(pk=case.claimant_id).update(email_confirmed_at=timezone.now())
        shown = case.proofs.create(subject=case.claimant.subject, level=1, note="")
        ledger.append(action="proof.recorded", actor=CLAIMANT, case=case, body={"level": 1})
        proof_beside(shown, CLAIMANT)
        if case.status == Status.RECEIVED:
            advance(case=case, to=Status.PROOF, actor=CLAIMANT, reason=CONFIRMED)
    return case


@transaction.atomic
def confirmation_resend(*, case: Case) -> None:
    """The letter with the confirmation link once more.

    Raises:
        Unfit: the address is confirmed already.
    """
    if case.claimant.email_confirmed_at is not None or case.status != Status.RECEIVED:
        raise Unfit("The address of this case is confirmed already.")
    letter_send(case=case, template="received")


@transaction.atomic
def case_withdraw(*, case: Case, actor: Actor, reason: str = "Withdrawn") -> Case:
    """The claimant takes the request back: nothing of it is searched, planned or held any more.

    Raises:
        NotAllowed: the policy refuses the actor, they are party to the case, or their mandate was revoked.
        Conflict: it went too far for that, or it is closed.
    """
    demand_impartial(case, actor)
    demand_mandate(case, actor)
    advance(case=case, to=Status.NOTIFICATION, actor=actor, reason=reason, disposition=Disposition.WITHDRAWN)
    matching.search_stop(case)
    containment.let_go(case)
    return case
