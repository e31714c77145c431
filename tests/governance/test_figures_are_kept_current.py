"""The dashboard's sums: after any history they are those of a count by hand, a difference is found and put right."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from django.utils import timezone

from governance.errors import NotAllowed
from governance.models import (
    Case,
    CaseClock,
    CaseFact,
    Claimant,
    Job,
    Kind,
    Report,
    Role,
    Status,
    Tally,
    TallyState,
    TallyTouch,
)
from governance.policies import Actor
from governance.services import tallies
from tests.governance.staff import member

pytestmark = pytest.mark.database

START = date(2026, 3, 1)
OPEN = [status for status in Status if status != Status.CLOSED]


def by_hand() -> Counter[tuple[Any, ...]]:
    """What the sums should be, told from the cases without any of the code that keeps them."""
    found: Counter[tuple[Any, ...]] = Counter()
    for case in Case.objects.all():
        clock = case.clocks.filter(ended_at=None).order_by("id").first()
        homes = {"gdpr": "EU", "uk_gdpr": "GB", "ccpa": "US", "lgpd": "BR", "house": "EU"}
        who = (case.kind, clock.country if clock else homes[case.law], case.law)
        found["received", case.received_on, *who, "", 0] += 1
        report = Report.objects.filter(case=case).first()
        if report:
            day = timezone.localdate(report.created_at)
            found["proved", day, *who, "", (day - case.received_on).days] += 1
        if case.status != "closed":
            found["open", case.due_on, *who, case.status, 1 if case.paused_on else 0] += 1
            continue
        assert case.closed_at
        day = timezone.localdate(case.closed_at)
        inside = 2 if case.disposition == "withdrawn" else 1 if day <= case.due_on else 0
        found["closed", day, *who, case.disposition, inside] += 1
        found["took", day, *who, "", (day - case.received_on).days] += 1
        runs = [job.summary for job in case.jobs.filter(state="succeeded", kind__startswith="engine.")]
        for word, amount in {
            "runs": len(runs),
            "milliseconds": sum(round(run["seconds"] * 1000) for run in runs),
            "milliwatthours": sum(round(run["energy"]["wh"] * 1000) for run in runs if "energy" in run),
            "estimated": sum(bool(run.get("energy", {}).get("estimated")) for run in runs),
            "unmetered": sum("energy" not in run for run in runs),
        }.items():
            found["runs", day, *who, word, 0] += amount
    return +found


def kept() -> Counter[tuple[Any, ...]]:
    return Counter(
        {(t.topic, t.day, t.kind, t.region, t.law, t.word, t.number): t.amount if t.topic == "runs" else t.count
         for t in Tally.objects.all()}
    )  # fmt: skip


class History:
    """Cases to which things happen by chance; a seed makes it the same each time."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.claimant = Claimant.objects.create(subject=uuid.uuid4())

    def step(self) -> None:
        steps = [self.file, self.file, self.move, self.pause, self.close, self.close, self.clock, self.report, self.run]
        self.chance.choice(steps)()

    def any(self, **fields: Any) -> Case | None:
        rows = list(Case.objects.filter(**fields).order_by("pk"))
        return self.chance.choice(rows) if rows else None

    def file(self) -> None:
        received = START + timedelta(days=self.chance.randrange(9))
        Case.objects.create(
            claimant=self.claimant, kind=self.chance.choice(list(Kind)), channel="form",
            law=self.chance.choice(["gdpr", "uk_gdpr", "ccpa", "house"]), received_on=received,
            due_on=received + timedelta(days=self.chance.randrange(5, 40)), status_token=uuid.uuid4().hex,
            confirm_token=uuid.uuid4().hex,
        )  # fmt: skip

    def move(self) -> None:
        if case := self.any(status__in=OPEN):
            Case.objects.filter(pk=case.pk).update(status=self.chance.choice(OPEN), due_on=case.due_on + timedelta(2))

    def pause(self) -> None:
        if case := self.any(status__in=OPEN):
            Case.objects.filter(pk=case.pk).update(paused_on=None if case.paused_on else case.received_on)

    def close(self) -> None:
        if case := self.any(status__in=OPEN):
            at = timezone.make_aware(datetime.combine(case.received_on, time()))
            ending = self.chance.choice(["refused", "excluded", "not_fulfilled", "partly_fulfilled", "withdrawn"])
            closed = at + timedelta(days=self.chance.randrange(45), hours=12)
            Case.objects.filter(pk=case.pk).update(status="closed", disposition=ending, closed_at=closed)

    def clock(self) -> None:
        if case := self.any():
            self.clock_of(case)

    def clock_of(self, case: Case) -> None:
        """A clock in place of those that it has."""
        CaseClock.objects.filter(case=case).update(ended_at=timezone.now())
        CaseClock.objects.create(
            case=case, law=case.law, version=1, country=self.chance.choice(["DE", "FR", "US"]), zone="UTC",
            received_at=timezone.now(), due=case.due_on,
        )  # fmt: skip

    def report(self) -> None:
        if case := self.any(report=None):
            Report.objects.create(case=case, number=uuid.uuid4().hex[:20], pdf="sha256:0", evidence="sha256:0")

    def run(self) -> None:
        case = self.any()
        job = Job.objects.create(key=uuid.uuid4().hex, kind="engine.unlearn", queue="gpu", case=case)
        meters = ({"wh": 1.5, "estimated": False}, {"wh": 0.25, "estimated": True})
        energy = self.chance.choice([{}, *({"energy": meter} for meter in meters)])
        Job.objects.filter(pk=job.pk).update(state="succeeded", summary={"seconds": self.chance.random(), **energy})


@pytest.mark.parametrize("seed", range(6))
def test_after_any_history_the_sums_are_those_of_a_count_by_hand(seed: int) -> None:
    history = History(seed)
    tallies.tallies_run()
    for _step in range(60):
        history.step()
        if history.chance.random() < 0.2:
            tallies.tallies_update()
            assert kept() == by_hand()
    tallies.tallies_run()
    assert kept() == by_hand() and not TallyTouch.objects.exists()
    assert tallies.tallies_recount() == 0, "a count of everything finds the same"
    assert kept() == by_hand()


def test_a_case_that_is_gone_is_taken_off_the_sums() -> None:
    history = History(1)
    for _case in range(5):
        history.file()
    tallies.tallies_run()
    gone = history.any()
    assert gone
    gone.delete()
    tallies.tallies_run()
    assert kept() == by_hand() and CaseFact.objects.count() == 4


def test_a_difference_is_told_and_put_right() -> None:
    history = History(2)
    for _step in range(30):
        history.step()
    tallies.tallies_run()
    CaseFact.objects.filter(pk=Case.objects.earliest("pk").pk).update(kind="wrong")
    assert tallies.tallies_recount() == 1
    Tally.objects.filter(pk=Tally.objects.earliest("pk").pk).update(count=99)
    assert tallies.tallies_recount() == 1 and TallyState.objects.get().differences == 1
    assert kept() == by_hand()
    assert tallies.tallies_recount() == 0


def by_pieces(monkeypatch: pytest.MonkeyPatch, between: Callable[[], object]) -> int:
    """A count of everything, three cases at a time, with something between two pieces; what it found."""
    piece = tallies.Recount.piece

    def with_more(count: tallies.Recount) -> bool:
        more = piece(count)
        between()
        return more

    monkeypatch.setattr(tallies, "BATCH", 3)
    monkeypatch.setattr(tallies.Recount, "piece", with_more)
    return tallies.tallies_recount()


@pytest.mark.parametrize("seed", range(4))
def test_cases_change_while_everything_is_counted_anew(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(seed)
    for _step in range(30):
        history.step()
    if seed % 2:
        tallies.tallies_run()

    def between() -> None:
        if Case.objects.count() < 25:
            history.step(), history.step(), history.step()
        assert tallies.tallies_update() == 0, "only the one that counts everything takes notes meanwhile"

    assert by_pieces(monkeypatch, between) == 0
    monkeypatch.undo()
    tallies.tallies_run()
    assert kept() == by_hand() and tallies.tallies_recount() == 0


def test_figures_stay_current_while_everything_is_counted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(4)
    for _case in range(9):
        history.file()
    tallies.tallies_run()
    states = []

    def between() -> None:
        history.close()
        states.append((TallyState.objects.get().counted_at, TallyTouch.objects.count()))

    by_pieces(monkeypatch, between)
    assert len(states) == 4 and len({at for at, _notes in states}) == 4, "each piece takes what was noted before it"


def test_a_count_that_died_is_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(5)
    for _case in range(7):
        history.file()
    tallies.tallies_run()

    class Killed(Exception):
        pass

    def die() -> None:
        raise Killed

    with pytest.raises(Killed):
        by_pieces(monkeypatch, die)
    monkeypatch.undo()
    history.file()
    assert tallies.tallies_update() == 0 and tallies.tallies_recount() == 0, "it might be alive"
    assert TallyTouch.objects.exists()
    TallyState.objects.update(recounting_until=timezone.now())
    tallies.tallies_run()
    assert kept() == by_hand() and tallies.tallies_recount() == 0


def test_a_count_that_was_held_up_does_not_go_on_with_old_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(6)
    for _case in range(9):
        history.file()
    tallies.tallies_run()

    def held_up() -> None:
        history.close()
        assert tallies.tallies_update() == 1

    monkeypatch.setattr(tallies, "RECOUNT_SILENCE", timedelta(0))
    assert by_pieces(monkeypatch, held_up) == 0
    monkeypatch.undo()
    assert not TallyTouch.objects.exists() and kept() == by_hand()


def test_a_change_that_waits_is_no_difference() -> None:
    history = History(3)
    for _case in range(3):
        history.file()
    tallies.tallies_run()
    history.file()
    assert tallies.tallies_recount() == 0


def test_whoever_sees_the_page_may_ask_for_a_count_of_everything_and_nobody_else() -> None:
    tallies.recount_ask(actor=Actor.of(member("board@house.example", role=Role.EXECUTIVE)))
    assert TallyState.objects.get().asked_at
    tallies.tallies_run()
    state = TallyState.objects.get()
    assert state.asked_at is None and state.recounted_at and state.counted_at
    with pytest.raises(NotAllowed):
        tallies.recount_ask(actor=Actor.of(member("legal@house.example", role=Role.LEGAL)))
