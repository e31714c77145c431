"""Files that are works: scanned as every file from outside, then read; what is kept is the work, not the file.

A file that waits for the scanner is a work already, named by its fingerprint, so that a request is filed in time
whatever the scanner does. Once it is scanned, its text takes the fingerprint's place, and its bytes go.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from governance import clamd, dispatch, screening
from governance.errors import Conflict, KeyDestroyed, Unfit
from governance.file_words import words
from governance.models import Case, ClaimedItem, Draft, DraftWork, Upload
from governance.policies import CLAIMANT, Actor
from governance.services import additions, uploads
from governance.services.additions import OWN, Added, Source
from governance.services.intake import MAX_TOTAL, Item
from governance.services.work_reading import WorkFile, item_of, mark_of
from governance.validators import TITLE_LENGTH, tidy

log = logging.getLogger(__name__)
SYSTEM = Actor.system("uploads")
State = Upload.State
Form = ClaimedItem.Form


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A file, the work that it is so far, and what the scanner said."""

    file: WorkFile
    item: Item
    state: State = State.CLEAN
    why: str = ""


def look(file: WorkFile) -> Seen:
    """Ask the scanner, where one is configured. Runs outside of a transaction: an answer can take its time.

    Raises:
        ValidationError: the file is no work that can be read.
    """
    item = item_of(file)
    try:
        found = uploads.scan(file.data)
    except clamd.Unreachable:
        mark = mark_of(file.data, screening.kind_of(file.data) or "file")
        waiting = Item(form=Form.DIGEST, title=item.title, text=mark)
        return Seen(file=file, item=waiting, state=State.HELD, why=uploads.UNREACHABLE)
    return Seen(
        file=file, item=item, state=State.INFECTED if found else State.CLEAN, why=f"found:{found}" * bool(found)
    )


def look_at(files: Sequence[WorkFile], mine: QuerySet[Upload]) -> list[Seen]:
    """Each file as the scanner sees it; one of `mine` that waits already is not taken a second time."""
    waiting = set(mine.filter(state=State.HELD).values_list("digest", flat=True))
    return [look(file) for file in files if dispatch.bytes_digest(file.data) not in waiting]


def refusals(seen: Iterable[Seen]) -> list[str]:
    """One sentence for each file that is not taken."""
    told = ({"name": tidy(one.file.name), "why": words(one.why)} for one in seen if one.state == State.INFECTED)
    return [_("“%(name)s”: %(why)s") % one for one in told]


def keep(
    one: Seen,
    *,
    case: Case | None = None,
    item: ClaimedItem | None = None,
    work: DraftWork | None = None,
    actor: Actor = CLAIMANT,
) -> None:
    """The file's row; its bytes are kept, sealed, only while it waits."""
    data = one.file.data
    row = Upload(case=case, item=item, draft_work=work, state=one.state, why=one.why, size=len(data))
    if owner := case.claimant if case else work:
        row.subject = owner.subject
    row.name = _short(tidy(one.file.name))
    # That a work is taken stands in the letter about the works.
    row.told_at = timezone.now() if one.state == State.CLEAN else None
    row.kind, row.digest = screening.kind_of(data), dispatch.bytes_digest(data)
    if one.state == State.HELD:
        row.artifact = uploads.upload_seal(row, data)
        row.tries, row.next_try_at = 1, timezone.now() + uploads.FIRST_PAUSE
    else:
        row.settled_at, row.scanner = timezone.now(), uploads.scanner_name()
    row.save()
    if case is not None:
        uploads.received_note(row, actor)


def _short(name: str) -> str:
    """A name that is kept: cut, but never in its ending, which says how the file is read once it is scanned."""
    ending = PurePath(name).suffix[:TITLE_LENGTH]
    return name if len(name) <= TITLE_LENGTH else name[: TITLE_LENGTH - len(ending)] + ending


def works_add(
    *, case: Case, items: Sequence[Item], files: Sequence[WorkFile] = (), source: Source = OWN
) -> tuple[Added | None, list[str]]:
    """Add works and files of works to a case, as `additions.works_add` does.

    Returns what was added, None where a file was all and is refused, and a sentence for each file in which the scanner
    found something: the other works are added all the same.
    """
    seen = look_at(files, Upload.objects.filter(case=case))
    taken = [one for one in seen if one.state != State.INFECTED]
    added = None
    with transaction.atomic():
        if items or taken or not seen:
            added = additions.works_add(case=case, items=[*items, *(one.item for one in taken)], source=source)
        target = added.case if added else case
        rows = {(row.form, row.title, row.text): row for row in added.items} if added else {}
        for one in seen:
            row = rows.pop((one.item.form, one.item.title, one.item.text), None)
            if row is not None or one.state == State.INFECTED:
                keep(one, case=target, item=row, actor=source.actor)
    return added, refusals(seen)


def hand_over(works: Sequence[DraftWork], case: Case) -> None:
    """The files of a draft's works become the case's, sealed anew under its person's key; works stand first in it."""
    rows = {row.draft_work_id: row for row in Upload.objects.filter(draft_work__in=works)}
    gone = []
    for work, item in zip(works, case.items.order_by("position")[: len(works)], strict=True):
        row = rows.get(work.pk)
        if row is None:
            continue
        name, data = row.name, uploads.upload_unseal(row) if row.artifact else b""
        row.subject, row.case, row.item, row.draft_work = case.claimant.subject, case, item, None
        row.name = name
        if data:
            gone.append(row.artifact)
            row.artifact = uploads.upload_seal(row, data)
        row.save()
        uploads.received_note(row, CLAIMANT)
    transaction.on_commit(lambda: _discard(gone))


def forget(*, works: Any) -> None:
    """The bytes of works of a draft, by their keys, that are taken out unsent; the rows go with the works."""
    held = Upload.objects.filter(draft_work__in=works).exclude(artifact="")
    refs = list(held.values_list("artifact", flat=True))
    transaction.on_commit(lambda: _discard(refs))


def _discard(refs: Sequence[str]) -> None:
    for ref in refs:
        dispatch.discard(ref)


def works_of(draft: Draft) -> list[DraftWork]:
    """The works that would be filed with a draft: all but the files in which the scanner found something."""
    return list(draft.works.exclude(upload__state=State.INFECTED))


def works_to_file(draft: Draft) -> list[DraftWork]:
    """The same, of which no file is settled before the end of the transaction."""
    list(Upload.objects.select_for_update(of=("self",)).filter(draft_work__draft=draft).values_list("pk"))
    return works_of(draft)


def sweep() -> int:
    """Works whose files still wait are scanned again; returns how many were settled."""
    return sum(_scan_again(row) for row in uploads.held_due(~Q(item=None, draft_work=None)))


def _scan_again(row: Upload) -> bool:
    try:
        data = uploads.upload_unseal(row)
        found = uploads.scan(data)
    except clamd.Unreachable:
        uploads.put_off(row)
        return False
    except KeyDestroyed:
        return False
    with transaction.atomic():
        fresh = Upload.objects.select_for_update(of=("self",)).filter(pk=row.pk, state=State.HELD).first()
        if fresh is None:
            return False
        fresh.state, fresh.why = (State.INFECTED, f"found:{found}") if found else (State.CLEAN, "")
        try:
            uploads.settle(fresh, SYSTEM)
        except Conflict:
            return False
        if not found:
            _read_or_leave(fresh, WorkFile(name=fresh.name, data=data))
    return True


def _read_or_leave(row: Upload, file: WorkFile) -> None:
    """Where the text cannot take its place, the work stays as its fingerprint; no other file waits for that."""
    try:
        with transaction.atomic():
            _read(row, file)
    except (Unfit, ValidationError) as error:
        log.warning("The text of upload %s was not taken (%s).", row.public_id, type(error).__name__)


def _read(row: Upload, file: WorkFile) -> None:
    """A text takes the place of the fingerprint; a picture's fingerprint is all that there is."""
    item = item_of(file)
    if item.form != Form.FILE:
        return
    if row.draft_work is not None:
        work = row.draft_work
        others = sum(work.draft.works.exclude(pk=work.pk).values_list("characters", flat=True))
        if others + len(item.text) > MAX_TOTAL:
            raise Unfit("The works of one request may not be longer.")
        work.form, work.text, work.characters = item.form, item.text, len(item.text)
        work.save(update_fields=["form", "text", "characters"])
    elif row.item is not None and row.case is not None:
        additions.text_came(case=row.case, item=row.item, text=item.text, actor=SYSTEM)
