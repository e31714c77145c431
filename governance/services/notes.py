"""Internal notes: sealed like everything about a person, never deleted, struck where they were wrong."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import ledger
from governance.models import Case, Note
from governance.policies import Actor, Permission, demand

MAX_TEXT = 4000


@transaction.atomic
def note_write(*, case: Case, text: str, actor: Actor) -> Note:
    """A remark for colleagues; the ledger holds that it was written, not what it says.

    Raises:
        NotAllowed: the policy refuses the actor.
        Unfit: empty or too long.
    """
    demand(actor, Permission.NOTES)
    if actor.user is None:
        raise NotAllowed("A note has an author.")
    if not text.strip():
        raise Unfit("Write the note.")
    if len(text) > MAX_TEXT:
        raise Unfit(f"A note holds at most {MAX_TEXT:,} characters.")
    note = Note.objects.create(case=case, subject=case.claimant.subject, text=text.strip(), author=actor.user)
    ledger.append(action="note.written", actor=actor, case=case, body={"note": note.pk})
    return note


@transaction.atomic
def note_strike(*, case: Case, note: int, actor: Actor) -> None:
    """Strike a note: it stays readable, with who struck it and when.

    Raises:
        NotAllowed: the policy refuses the actor.
        Unfit: the case has no such note.
        Conflict: it is struck already.
    """
    demand(actor, Permission.NOTES)
    if not case.notes.filter(pk=note).exists():
        raise Unfit("This case has no such note.")
    if not case.notes.filter(pk=note, struck_at=None).update(struck_by=actor.user, struck_at=timezone.now()):
        raise Conflict("The note is struck already.")
    ledger.append(action="note.struck", actor=actor, case=case, body={"note": note})
