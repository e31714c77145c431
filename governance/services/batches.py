"""Batches: up to a million works in parts that can be sent again, filed piece by piece, with a result for every line.

A piece is one transaction: its cases, the results of its lines and the mark of how far the batch is are written
together or not at all. So a worker may die at any point and another goes on at the next line: none lost, none doubled.
"""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from django.db import DataError, IntegrityError, transaction
from django.utils import timezone

from governance import dispatch
from governance.clocks import LAWS, default_for
from governance.errors import Conflict, Unfit
from governance.evidence import ledger
from governance.models import Agent, AgentCase, Batch, BatchItem, BatchPart, Case, Channel, Kind, Mandate
from governance.models.vault import bytes_seal, bytes_unseal, keys_held
from governance.policies import Actor
from governance.services import batch_lines, bulk_filing, intake
from governance.services.agents import CAPACITIES, mandate_problem
from governance.services.batch_lines import FORMATS, Line, lines
from governance.services.intake import Acts, Item
from governance.tokens import link_token

log = logging.getLogger(__name__)
SYSTEM = Actor.system("batches")
State = Batch.State
MAX_LINES = 1_000_000
MAX_PART_BYTES = 8 * 2**20
MAX_PARTS = 10_000
#: Lines of one transaction; several cases.
PIECE = 1000
#: Pieces of one task: other work of the queue comes in between.
AT_ONCE = 20
LEASE = timedelta(seconds=60)
#: While people file by themselves, a batch rests so many times as long as its last piece took.
YIELD, LONGEST_PAUSE, RECENT = 4, 5.0, timedelta(seconds=10)
TASK = "governance.run_batch"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def batch_open(*, agent: Agent, mandate: Mandate, kind: Kind, format: str, label: str = "", law: str = "") -> Batch:
    """Begin a batch.

    Raises:
        Unfit: every problem at once.
    """
    law = law or default_for(kind)
    problems = [problem for problem in [mandate_problem(mandate, kind)] if problem]
    if format not in FORMATS:
        problems.append(f"Choose one of these formats: {', '.join(FORMATS)}.")
    if kind in (Kind.PRIVACY, Kind.OBJECTION, Kind.CORRECTION):
        problems.append("A request about a person is filed one by one, not in a batch.")
    if law not in LAWS or kind not in LAWS[law].kinds:
        problems.append(f"Law {law!r} does not fit this kind of request.")
    if problems:
        raise Unfit(problems)
    row = Batch(agent=agent, mandate=mandate, kind=kind, law=law, format=format, label=label[:80])
    with transaction.atomic():
        row.save()
        ledger.append(action="batch.opened", actor=SYSTEM, body=_facts(row))
    return row


def _facts(batch: Batch, **more: object) -> dict[str, object]:
    return {"batch": str(batch.public_id), "agent": str(batch.agent.public_id), "kind": batch.kind, **more}


def part_take(*, batch: Batch, number: int, data: bytes, digest: str) -> tuple[BatchPart, bool]:
    """Keep a part; True where it is new. The digest is the sender's: what the line garbled is refused.

    Raises:
        Unfit: a digest that is not that of the bytes, too much, or nothing. Conflict: closed, or another part has the
        number.
    """
    found = dispatch.bytes_digest(data)
    if not _DIGEST.fullmatch(digest) or digest != found:
        raise Unfit(f"The digest does not fit: these bytes have {found}.")
    if not 1 <= number <= MAX_PARTS:
        raise Unfit(f"Parts are numbered from 1 to {MAX_PARTS}.")
    if not data or len(data) > MAX_PART_BYTES:
        raise Unfit(f"A part has between one byte and {MAX_PART_BYTES // 2**20} MB.")
    kept = batch.parts.filter(number=number).first()
    if kept is not None:
        if kept.digest != digest:
            raise Conflict(f"Part {number} is here already, with other bytes; open a new batch to change it.")
        return kept, False
    if batch.state != State.OPEN:
        raise Conflict("This batch is closed; no part can be added.")
    count = batch_lines.count(data, batch.format)
    artifact = dispatch.put_bytes(bytes_seal(batch.agent.subject, data, f"batch:{batch.public_id}:{number}"))
    try:
        with transaction.atomic():
            fresh = Batch.objects.select_for_update().get(pk=batch.pk)
            if fresh.state != State.OPEN:
                raise Conflict("This batch is closed; no part can be added.")
            if fresh.lines + count > MAX_LINES:
                raise Unfit(f"A batch holds at most {MAX_LINES:,} works. Close this one and open another.")
            row = BatchPart.objects.create(
                batch=fresh, number=number, digest=digest, artifact=artifact, size=len(data), lines=count
            )
            Batch.objects.filter(pk=batch.pk).update(lines=fresh.lines + count)
    except IntegrityError:
        return part_take(batch=batch, number=number, data=data, digest=digest)
    return row, True


@transaction.atomic
def batch_close(*, batch: Batch) -> Batch:
    """No more parts: it is filed from now on. Closing it twice changes nothing.

    Raises:
        Unfit: without a part, or with one missing in the row.
    """
    fresh = Batch.objects.select_for_update().select_related("agent", "mandate").get(pk=batch.pk)
    if fresh.state != State.OPEN:
        return fresh
    numbers = list(fresh.parts.values_list("number", flat=True))
    if numbers != list(range(1, len(numbers) + 1)) or not numbers:
        missing = sorted(set(range(1, max(numbers, default=1) + 1)) - set(numbers))
        raise Unfit(f"Parts are missing: {', '.join(map(str, missing[:20]))}.")
    fresh.state, fresh.closed_at = State.QUEUED, timezone.now()
    fresh.save(update_fields=["state", "closed_at"])
    ledger.append(action="batch.closed", actor=SYSTEM, body=_facts(fresh, lines=fresh.lines, parts=len(numbers)))
    transaction.on_commit(partial(_publish, fresh.pk))
    return fresh


def _publish(pk: int) -> None:
    dispatch.tell(TASK, [pk])


def batches_sweep() -> int:
    """Batches that nobody has in hand: new ones whose message was lost, and those of workers that died."""
    now = timezone.now()
    waiting = Batch.objects.filter(state__in=(State.QUEUED, State.RUNNING)).exclude(leased_until__gt=now)
    pks = list(waiting.values_list("pk", flat=True)[:20])
    for pk in pks:
        _publish(pk)
    return len(pks)


def batch_run(pk: int, *, pieces: int = 0) -> Batch:
    """File what is left of a batch, piece by piece; `pieces` bounds how many (0: all), the rest is another task's.

    Two workers on one batch harm nothing: the mark of how far it is moves once for each piece.
    """
    now = timezone.now()
    free = Batch.objects.filter(pk=pk, state__in=(State.QUEUED, State.RUNNING)).exclude(leased_until__gt=now)
    if not free.update(state=State.RUNNING, leased_until=now + LEASE):
        return Batch.objects.get(pk=pk)
    batch = Batch.objects.select_related("agent", "mandate").get(pk=pk)
    for number, (start, piece) in enumerate(_pieces(batch), 1):
        began = time.monotonic()
        if not _file_piece(pk, start, piece):
            break
        if _people_wait():
            time.sleep(min((time.monotonic() - began) * YIELD, LONGEST_PAUSE))
        if number == pieces:
            Batch.objects.filter(pk=pk).update(leased_until=None)
            _publish(pk)
            break
    return _finish(pk)


def _people_wait() -> bool:
    """Whether somebody filed by themselves a moment ago: then the machine is theirs first."""
    return Case.objects.filter(created_at__gt=timezone.now() - RECENT, filed_by=None).exists()


def _pieces(batch: Batch) -> Iterator[tuple[int, list[Line]]]:
    """What is left, from the mark on; only the parts that are needed are read."""
    position, piece = 0, []
    for part in batch.parts.order_by("number"):
        if position + part.lines <= batch.done:
            position += part.lines
            continue
        sealed = dispatch.read_bytes(part.artifact)
        data = bytes_unseal(batch.agent.subject, sealed, f"batch:{batch.public_id}:{part.number}")
        done = max(batch.done - position, 0)
        position += done
        for line in lines(data, batch.format, skip=done):
            position += 1
            piece.append(line)
            if len(piece) == PIECE:
                yield position - PIECE, piece
                piece = []
    if piece:
        yield position - len(piece), piece


def _file_piece(pk: int, start: int, piece: list[Line]) -> bool:
    """File a piece; where it is refused as a whole, by halves, so that one line fails alone and is told so. False where
    somebody else filed it, or the mandate ended."""
    try:
        return _file_at_once(pk, start, piece)
    except (DataError, IntegrityError, UnicodeError, Unfit) as error:
        half, line = len(piece) // 2, piece[0]
        if half:
            return _file_piece(pk, start, piece[:half]) and _file_piece(pk, start + half, piece[half:])
        if line.item is None:
            raise
        log.warning("batch %s, line %s: refused by %s", pk, start + 1, type(error).__name__)
        return _file_piece(
            pk, start, [Line(line.ref, None, error.messages[0] if isinstance(error, Unfit) else batch_lines.UNTAKEN)]
        )


def _file_at_once(pk: int, start: int, piece: list[Line]) -> bool:
    """One transaction: cases, results, mark."""
    with keys_held(), transaction.atomic():
        batch = Batch.objects.select_for_update().select_related("agent", "mandate").get(pk=pk)
        if batch.done != start or batch.state != State.RUNNING:
            return False
        if mandate_problem(batch.mandate, batch.kind):
            Batch.objects.filter(pk=pk).update(state=State.STOPPED, leased_until=None, finished_at=timezone.now())
            ledger.append(action="batch.stopped", actor=SYSTEM, body=_facts(batch, done=batch.done))
            return False
        judged = bulk_filing.judge(batch, piece)
        counts = Counter(one.state for one in judged)
        Batch.objects.filter(pk=pk).update(
            done=start + len(piece),
            accepted=batch.accepted + counts[BatchItem.State.ACCEPTED],
            refused=batch.refused + counts[BatchItem.State.REFUSED],
            doubled=batch.doubled + counts[BatchItem.State.DOUBLED],
            leased_until=timezone.now() + LEASE,
        )
        bulk_filing.piece_file(batch, start, judged)
    return True


def file_for(
    *,
    agent: Agent,
    mandate: Mandate,
    kind: Kind,
    law: str,
    items: list[Item],
    share: bool = False,
) -> Case:
    """File a request by a mandate: the agent asks for the principal and is written to; its address is known here.
    `share`: the principal agrees that fingerprints of the works are given to others; works of a batch never are.

    Raises:
        Unfit: every problem of the input at once.
    """
    with transaction.atomic():
        case = intake.case_file(
            kind=kind,
            law=law,
            name=agent.name,
            email=agent.email,
            items=items,
            channel=Channel.API,
            share=share,
            acts=Acts(capacity=CAPACITIES[agent.what], principal=mandate.principal),
        )
        AgentCase.objects.create(agent=agent, case=case, mandate=mandate)
        intake.email_confirm(token=link_token(case.public_id, "confirm"))
        case.refresh_from_db()
    return case


def _finish(pk: int) -> Batch:
    with transaction.atomic():
        batch = Batch.objects.select_for_update().select_related("agent").get(pk=pk)
        if batch.state == State.RUNNING and batch.done >= batch.lines:
            batch.state, batch.finished_at, batch.leased_until = State.DONE, timezone.now(), None
            batch.save(update_fields=["state", "finished_at", "leased_until"])
            counts = {"accepted": batch.accepted, "refused": batch.refused, "doubled": batch.doubled}
            ledger.append(action="batch.done", actor=SYSTEM, body=_facts(batch, **counts))
    return batch
