"""From the lines of a batch to its cases: what `intake` does for one request, for all cases of a piece in as many
statements as for one. What is written is the same, entry by entry of the ledger; nobody is told, since an agent asks.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

from django.utils import timezone

from governance.clocks import LAWS, local_day, rows
from governance.errors import Unfit
from governance.evidence import ledger
from governance.lifecycle import advance_all
from governance.models import (
    AgentCase,
    Batch,
    BatchItem,
    Case,
    CaseClock,
    Channel,
    Claimant,
    ClaimedItem,
    Kind,
    Proof,
    Status,
)
from governance.models.rows import rows_write
from governance.models.vault import SealedText, subjects_create
from governance.policies import CLAIMANT
from governance.secrets import read_secret
from governance.services import deadlines, intake
from governance.services.agents import CAPACITIES
from governance.services.batch_lines import Line
from governance.services.intake import Acts, Item
from governance.tokens import email_mark

State = BatchItem.State


class Judged(NamedTuple):
    """A line with its result and the mark by which its work is known again."""

    line: Line
    state: str
    mark: str


def judge(batch: Batch, piece: Sequence[Line]) -> list[Judged]:
    """The result of every line; a work that the agent named before is not filed again."""
    key, agent = read_secret("tokens.key"), batch.agent_id
    marks = [_mark(key, agent, line.item) if line.item else "" for line in piece]
    known = BatchItem.objects.filter(mark__in=[mark for mark in marks if mark], state=State.ACCEPTED)
    seen = set(known.values_list("mark", flat=True))
    found = []
    for line, mark in zip(piece, marks, strict=True):
        state = State.REFUSED if not line.item else State.DOUBLED if mark in seen else State.ACCEPTED
        found.append(Judged(line, state.value, mark))
        seen.add(mark)
    return found


def _mark(key: bytes, agent: int, item: Item) -> str:
    text = f"work:{agent}:{item.form}:{item.title}:{item.text}"
    return hmac.digest(key, text.encode(), hashlib.sha256).hex()[:32]


def piece_file(batch: Batch, start: int, judged: Sequence[Judged]) -> None:
    """Write the results of a piece whose lines follow the line `start`, and its works in cases of at most 200: at the
    stage of proof, since the agent's address is known here. Within `keys_held` and a transaction.

    Raises:
        Unfit: every problem of the input at once.
    """
    items = [one.line.item for one in judged if one.line.item and one.state == State.ACCEPTED]
    groups = [items[at : at + intake.MAX_ITEMS] for at in range(0, len(items), intake.MAX_ITEMS)]
    kind, today = Kind(batch.kind), timezone.localdate()
    if problems := [one for group in groups for one in intake.problems_of(kind, batch.law, group, today)]:
        raise Unfit(problems)
    made = _begin(batch, _claimants(batch, len(groups)))
    cases = [case for case, _clock in made]
    works_write(zip(cases, groups, strict=True))
    pks = iter(case.pk for case, group in zip(cases, groups, strict=True) for _item in group)
    results = (
        (batch.pk, at, line.ref, state, line.why[:200], mark, next(pks) if state == State.ACCEPTED else None)
        for at, (line, state, mark) in enumerate(judged, start + 1)
    )
    rows_write(BatchItem, ("batch_id", "position", "ref", "state", "why", "mark", "case_id"), results)
    if cases:
        _record(made, groups)


def _claimants(batch: Batch, number: int) -> list[Claimant]:
    agent, principal = batch.agent, batch.mandate.principal
    problems = Acts(capacity=CAPACITIES[agent.what], principal=principal).problems()
    if problems:
        raise Unfit(problems)
    who = {"name": agent.name, "email": agent.email, "principal": principal}
    mark, now = email_mark(agent.email), timezone.now()
    # The keys are made first, in their own database: a key without data harms nobody.
    return Claimant.objects.bulk_create(
        Claimant(subject=subject, email_mark=mark, email_confirmed_at=now, **who) for subject in subjects_create(number)
    )


def _begin(batch: Batch, claimants: Iterable[Claimant]) -> list[tuple[Case, CaseClock]]:
    """Cases with their first proof, each with the clock that runs on it."""
    because, now, made = f"Named by the claimant: {LAWS[batch.law].title}.", timezone.now(), []
    capacity = CAPACITIES[batch.agent.what]
    for claimant in claimants:
        case = Case(kind=batch.kind, law=batch.law, channel=Channel.API, claimant=claimant, capacity=capacity)
        clock = rows.begin(case, received=now, because=because)
        case.received_on, case.due_on = local_day(clock.received_at, rows.place_in(clock)), clock.due
        intake.links_set(case)
        made.append((case, clock))
    Case.objects.bulk_create(case for case, _clock in made)
    for case, clock in made:
        clock.case = case
    CaseClock.objects.bulk_create(clock for _case, clock in made)
    cases = [case for case, _clock in made]
    AgentCase.objects.bulk_create(AgentCase(agent=batch.agent, case=case, mandate=batch.mandate) for case in cases)
    Proof.objects.bulk_create(Proof(case=case, subject=case.claimant.subject, level=1, note="") for case in cases)
    return made


def works_write(filed: Iterable[tuple[Case, Sequence[Item]]]) -> None:
    """The works of new cases, sealed."""
    title, text = _sealed("title"), _sealed("text")
    found = (
        (case.pk, who, at, item.form, title.seal_for(who, item.title), text.seal_for(who, item.text), b"")
        for case, items in filed
        for who in [case.claimant.subject]
        for at, item in enumerate(items, 1)
    )
    rows_write(ClaimedItem, ("case_id", "subject", "position", "form", "title", "text", "replacement"), found)


def _sealed(name: str) -> SealedText:
    return cast(SealedText, ClaimedItem._meta.get_field(name))


def _record(made: Sequence[tuple[Case, CaseClock]], groups: Sequence[Sequence[Item]]) -> None:
    """The entries of the ledger, last: whoever else writes one waits from the first on."""
    received = [
        ledger.Entry(action="case.received", actor=CLAIMANT, case=case, body=intake.facts_of(case, clock, len(group)))
        for (case, clock), group in zip(made, groups, strict=True)
    ]
    proofs = [
        ledger.Entry(action="proof.recorded", actor=CLAIMANT, case=case, body={"level": 1}) for case, _clock in made
    ]
    ledger.append_all(received + proofs)
    advance_all(cases=[case for case, _clock in made], to=Status.PROOF, actor=CLAIMANT, reason=intake.CONFIRMED)
    for _case, clock in made:
        deadlines.date_watch(clock)
