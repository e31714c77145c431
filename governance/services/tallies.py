"""Keeps the dashboard's sums current, counts everything anew on demand, and tells what that found.

Triggers note which case changed (`models.triggers`). Here the old facts of such a case are taken off the sums and the
new ones are put on, in one transaction under the lock of one row, so that the sums are at every moment exactly those
of the facts, and the facts those of the cases but for what is noted. A note is deleted only by whoever has read the
case after it: a change between reading and deleting leaves a note of its own.

A count of everything takes minutes in a large house. It goes by pieces, each a transaction, and takes the notes between
two of them, so that the figures stay current meanwhile. While it goes on nobody else counts: it alone knows which
cases its new sums hold already.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from governance.models import Case, CaseFact, TallyState, TallyTouch
from governance.policies import Actor, Permission, demand
from governance.services import facts
from governance.services.tally_sums import Sums, add, replace, settle

#: Cases that are counted in one transaction, and how often such a task does that at most.
BATCH, ROUNDS = 2000, 20
#: A count of everything that has not told of itself for so long has died.
RECOUNT_SILENCE = timedelta(minutes=2)


def tallies_run() -> int:
    """What the scheduler does every few seconds: count what is noted; count everything where that was asked for, or
    never done. Returns how many notes were counted."""
    state = TallyState.objects.filter(pk=1).first()
    if state is None or state.recounted_at is None or state.asked_at is not None:
        tallies_recount()
    done = 0
    for _round in range(ROUNDS):
        counted = tallies_update()
        done += counted
        if counted < BATCH:
            break
    return done


@transaction.atomic
def tallies_update() -> int:
    """Count the cases that changed; returns how many notes that were. Nothing where another process is at it."""
    state = _lock()
    if state is None or _taken(state):
        return 0
    if state.recounting_until:  # one that was held up for so long must not go on: its sums lack what is counted now
        TallyState.objects.filter(pk=state.pk).update(recounting_until=None)
    return len(_notes_take())


def recount_ask(*, actor: Actor) -> None:
    """Somebody wants everything counted anew; the scheduler begins within seconds.

    Raises:
        NotAllowed: the actor may not see the dashboard.
    """
    demand(actor, Permission.SEE_DASHBOARD)
    TallyState.objects.get_or_create(pk=1)
    TallyState.objects.filter(pk=1, asked_at=None).update(asked_at=timezone.now())


def tallies_recount() -> int:
    """Count every case anew and put right what differs; returns how many cases and sums stood otherwise here.

    A case that changed meanwhile is no difference: it is noted, and counted next. Nothing where another process is
    at it.
    """
    with transaction.atomic():
        state = _lock()
        if state is None or _taken(state):
            return 0
        mine = _take(state)
        count = Recount(first=state.recounted_at is None)
    while True:
        with transaction.atomic():
            state = TallyState.objects.select_for_update().get(pk=1)
            if state.recounting_until != mine:  # silent for too long: another process has counted since
                return 0
            mine = _take(state)
            count.notes()
            if not count.piece():
                return count.end(state)


class Recount:
    """A count of everything under way: its sums hold the cases up to and with number `last`.

    The `first` one moves no sums as it goes, since all of them would move; nothing is shown before it ends.
    """

    def __init__(self, *, first: bool) -> None:
        self.first = first
        self.sums: Sums = {}
        self.last = 0
        self.wrong: set[int] = set()

    def notes(self) -> None:
        """Take the notes; the new sums follow for the cases that they hold."""
        for old, new in _notes_take(move=not self.first):
            fact = new or old
            if fact and fact.case_id <= self.last:
                add(self.sums, old, -1)
                add(self.sums, new, 1)

    def piece(self) -> bool:
        """Count the next cases; whether there were any."""
        ids = list(Case.objects.filter(pk__gt=self.last).order_by("pk").values_list("pk", flat=True)[:BATCH])
        upto = {"pk__lte": ids[-1]} if ids else {}
        fresh = {f.case_id: f for f in facts.derive(Case.objects.filter(pk__gt=self.last, **upto))} if ids else {}
        old = {fact.case_id: fact for fact in CaseFact.objects.filter(pk__gt=self.last, **upto)}
        for fact in fresh.values():
            add(self.sums, fact, 1)
        self.wrong |= settle(old, fresh, move=not self.first)
        # Read after the cases: whatever was changed before they were read is noted by now.
        self.wrong -= set(TallyTouch.objects.filter(case_id__gt=self.last).values_list("case_id", flat=True))
        self.last = ids[-1] if ids else self.last
        return bool(ids)

    def end(self, state: TallyState) -> int:
        """Put the sums right and tell what differed; sums that differ because facts did are not told again."""
        sums = replace(self.sums)
        differences = 0 if self.first else len(self.wrong) or sums
        now = timezone.now()
        TallyState.objects.filter(pk=state.pk).update(
            recounted_at=now, counted_at=now, differences=differences, asked_at=None, recounting_until=None,
            version=F("version") + 1,
        )  # fmt: skip
        return differences


def _lock() -> TallyState | None:
    TallyState.objects.get_or_create(pk=1)
    return TallyState.objects.select_for_update(skip_locked=True).filter(pk=1).first()


def _taken(state: TallyState) -> bool:
    return state.recounting_until is not None and state.recounting_until > timezone.now()


def _take(state: TallyState) -> datetime:
    until = timezone.now() + RECOUNT_SILENCE
    TallyState.objects.filter(pk=state.pk).update(recounting_until=until)
    return until


def _notes_take(*, move: bool = True) -> list[tuple[CaseFact | None, CaseFact | None]]:
    """Count what is noted, under the lock; returns the facts of each noted case before and now."""
    notes = dict(TallyTouch.objects.order_by("id").values_list("id", "case_id")[:BATCH])
    fresh, old = {}, {}
    if ids := set(notes.values()):
        fresh = {fact.case_id: fact for fact in facts.derive(Case.objects.filter(pk__in=ids))}
        old = CaseFact.objects.in_bulk(ids)
        settle(old, fresh, move=move)
        TallyTouch.objects.filter(pk__in=notes).delete()
    TallyState.objects.filter(pk=1).update(counted_at=timezone.now(), version=F("version") + int(bool(notes)))
    return [(old.get(pk), fresh.get(pk)) for pk in ids]
