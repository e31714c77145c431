"""Private links of cases and batches: until when they open, another in their place, sending them again to the address
on file.

The database holds no link. One that ran out never opens again: the next letter brings another, and of a batch the next
look with the agent's key.
"""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from governance.errors import Conflict, KeyDestroyed, LetterIncomplete
from governance.evidence import ledger
from governance.models import AgentCase, Batch, Case, Letter, LinkAsked, Mandate
from governance.policies import Actor, Permission, demand, demand_mandate
from governance.tokens import email_mark, link_token, token_hash

SYSTEM = Actor.system("links")
#: How long a link opens its page after the last letter with it.
KEPT = timedelta(days=180)
#: To one case the link is sent once in this time, and for one address to this many of its newest cases.
PAUSE, CASES, BATCH = timedelta(minutes=15), 5, 50


def open_until(case: Case) -> datetime:
    """Until when the present link opens the page."""
    return case.link_until or case.created_at + KEPT


def case_of(token: str) -> Case | None:
    """The case of a link that opens its page now."""
    case = Case.objects.select_related("claimant", "report").filter(status_token=token_hash(token)).first()
    return case if case and open_until(case) > timezone.now() else None


def case_to_confirm(token: str) -> Case | None:
    """The case of a confirmation's link; one that ran out confirms nothing."""
    case = Case.objects.select_related("claimant").filter(confirm_token=token_hash(token)).first()
    return case if case and open_until(case) > timezone.now() else None


def link_renew(case: Case) -> None:
    """A letter goes out: its link lives from now on; where the old one ran out, it is another."""
    case.refresh_from_db(fields=["link_round", "link_until"])
    turn = case.link_round + (1 if open_until(case) <= timezone.now() else 0)
    _keep(case, turn)


@transaction.atomic
def link_rotate(*, case: Case, actor: Actor) -> None:
    """Another link; the present one opens nothing any more.

    Raises:
        NotAllowed: only the claimant may, no agent whose mandate was revoked. Conflict: it was changed just now.
    """
    demand(actor, Permission.FOLLOW_UP)
    demand_mandate(case, actor)
    _keep(case, case.link_round + 1)
    ledger.append(action="link.replaced", actor=actor, case=case, body={"turn": case.link_round})


@transaction.atomic
def links_end(mandate: Mandate) -> int:
    """The private links of what was filed by a mandate open nothing any more, nor do those of cases beside and after.
    Returns how many."""
    people = AgentCase.objects.filter(mandate=mandate).values("case__claimant")
    rows = list(Case.objects.select_for_update(of=("self",), no_key=True).filter(claimant__in=people).order_by("pk"))
    for case in rows:
        case.link_round += 1
        case.status_token = token_hash(link_token(case.public_id, "status", case.link_round))
    Case.objects.bulk_update(rows, ["link_round", "status_token"], batch_size=500)
    return len(rows)


def _keep(case: Case, turn: int) -> None:
    until, known = timezone.now() + KEPT, case.link_round
    hashed = token_hash(link_token(case.public_id, "status", turn))
    if not Case.objects.filter(pk=case.pk, link_round=known).update(
        link_round=turn, link_until=until, status_token=hashed
    ):
        raise Conflict("The link was changed a moment ago; open the page by the new one.")
    case.link_round, case.link_until, case.status_token = turn, until, hashed


def batch_open_until(batch: Batch) -> datetime:
    """Until when the present link of a batch opens its page."""
    return batch.link_until or batch.created_at + KEPT


def batch_of(public_id: uuid.UUID, token: str) -> Batch | None:
    """The batch of a link that opens its page now."""
    batch = Batch.objects.select_related("agent").filter(public_id=public_id).first()
    if batch is None or not hmac.compare_digest(token, batch.private_token):
        return None
    return batch if batch_open_until(batch) > timezone.now() else None


def batch_token(batch: Batch) -> str:
    """The link's secret for whoever shows the agent's key: where the old one ran out, another."""
    if batch_open_until(batch) <= timezone.now():
        _keep_batch(batch)
    return batch.private_token


@transaction.atomic
def batch_link_rotate(*, batch: Batch) -> None:
    """Another link; the present one opens nothing any more.

    Raises:
        Conflict: it was changed a moment ago.
    """
    if not _keep_batch(batch):
        raise Conflict("The link was changed a moment ago; read the batch for the new one.")
    body = {"batch": str(batch.public_id), "turn": batch.link_round}
    ledger.append(action="link.replaced", actor=SYSTEM, body=body)


def _keep_batch(batch: Batch) -> bool:
    """The next link; False where somebody else was quicker, whose link it then has."""
    known = Batch.objects.filter(pk=batch.pk, link_round=batch.link_round)
    done = bool(known.update(link_round=batch.link_round + 1, link_until=timezone.now() + KEPT))
    batch.refresh_from_db(fields=["link_round", "link_until"])
    return done


def link_ask(*, email: str) -> None:
    """Somebody wants the link sent again. Nothing is looked up here: every answer takes the same time."""
    LinkAsked.objects.create(mark=email_mark(email))


def asked_sweep(send: Callable[..., Any]) -> int:
    """Send links that were asked for to the addresses on file (`letters.letter_send`); how many were written."""
    sent = 0
    for asked in LinkAsked.objects.all()[:BATCH]:
        if not LinkAsked.objects.filter(pk=asked.pk).delete()[0]:
            continue
        cases = Case.objects.filter(claimant__email_mark=asked.mark).select_related("claimant", "parent")
        for case in cases.order_by("-created_at", "-id")[:CASES]:
            if Letter.objects.filter(case=case, template="link", created_at__gt=timezone.now() - PAUSE).exists():
                continue
            try:
                send(case=case, template="link")
            except (KeyDestroyed, LetterIncomplete, Conflict):
                continue
            sent += 1
    return sent
