"""Files that a claimant adds to a case: judged by their bytes, held until a scanner has seen them, never shown as sent.

Nothing is dropped silently: a file that is not taken stays in the list with the reason, and one that waits says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from governance import clamd, dispatch, screening
from governance.errors import Conflict, KeyDestroyed, Unfit
from governance.evidence import ledger
from governance.file_words import words
from governance.models import Case, Upload
from governance.models.vault import bytes_seal, bytes_unseal, subject_readable
from governance.policies import CLAIMANT, Actor, Permission, demand
from governance.validators import TITLE_LENGTH, tidy

SYSTEM = Actor.system("uploads")
State = Upload.State
MAX_FILES = 50
BATCH = 20
#: A scanner that does not answer is asked again after 1, 2, 4 ... minutes, and hourly in the end.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
UNREACHABLE = "unreachable"


def upload_take(*, case: Case, name: str, data: bytes, actor: Actor = CLAIMANT) -> Upload:
    """Keep a file, or the fact that it was not taken. The same bytes again are the same upload.

    Raises:
        Unfit: the case has as many files as it may have.
        Conflict: the case is closed.
    """
    if actor is not CLAIMANT:
        demand(actor, Permission.ENTER_CASE)
    if not case.is_open:
        raise Conflict(words(f"closed:{case.number}"))
    digest = dispatch.bytes_digest(data)
    shown = case.uploads.filter(item=None, draft_work=None)  # what is a work has no bytes any more
    kept = shown.filter(digest=digest, state__in=(State.HELD, State.CLEAN)).first()
    if kept:
        return kept
    if shown.exclude(state=State.DELETED).count() >= MAX_FILES:
        raise Unfit(words(f"files:{MAX_FILES}"))
    judged = screening.judge(data)
    row = Upload(case=case, subject=case.claimant.subject, kind=judged.kind, size=len(data), digest=digest)
    row.name = tidy(name)[:TITLE_LENGTH] or "file"
    if judged.why:
        row.state, row.why, row.settled_at = State.REFUSED, judged.why, timezone.now()
    else:
        row.artifact = upload_seal(row, data)
    with transaction.atomic():
        row.save()
        received_note(row, actor)
    if row.state == State.HELD:
        upload_scan(upload=row, data=data)
    return row


def received_note(row: Upload, actor: Actor) -> None:
    """In the ledger of its case: that a file came, its kind and size; neither name nor bytes."""
    body = {"upload": str(row.public_id), "kind": row.kind, "bytes": row.size, "state": row.state}
    ledger.append(action="upload.received", actor=actor, case=row.case, body=body)


def _context(row: Upload) -> str:
    return f"upload:{row.public_id}"


def upload_seal(row: Upload, data: bytes) -> str:
    """Bytes in the store, sealed under the key of the row's subject; returns their reference."""
    return dispatch.put_bytes(bytes_seal(row.subject, data, _context(row)))


def upload_unseal(row: Upload) -> bytes:
    """The bytes of a file that is held or was taken."""
    return _bytes(row, row.artifact)


def _bytes(row: Upload, ref: str) -> bytes:
    return bytes_unseal(row.subject, dispatch.read_bytes(ref), _context(row))


def upload_bytes(upload: Upload) -> bytes:
    """The bytes of a file that was taken, for a check by the machine.

    Raises:
        Conflict: held, not taken or deleted.
    """
    if upload.state != State.CLEAN or not upload.artifact:
        raise Conflict("The file is not there to be read.")
    return _bytes(upload, upload.artifact)


def upload_scan(*, upload: Upload, data: bytes | None = None) -> Upload:
    """Ask the scanner, where one is configured, and settle the file; without an answer it stays held."""
    data = upload_unseal(upload) if data is None else data
    try:
        found = scan(data)
    except clamd.Unreachable:
        put_off(upload)
        return upload
    picture = screening.shown(data) if upload.kind in screening.PICTURES and not found else b""
    with transaction.atomic():
        if found:
            upload.state, upload.why = State.INFECTED, f"found:{found}"
        else:
            upload.state, upload.why = State.CLEAN, ""
            if picture:
                upload.shown = upload_seal(upload, picture)
        settle(upload, SYSTEM)
    return upload


def scan(data: bytes) -> str:
    """The name of what the scanner found in the bytes; empty for nothing, and where no scanner is configured.

    Raises:
        Unreachable: a scanner is configured and does not answer.
    """
    return clamd.scan(data, settings.CLAMD) if settings.CLAMD else ""


def scanner_name() -> str:
    """Who looked into a file that was settled; empty where no scanner is configured."""
    return "ClamAV" if settings.CLAMD else ""


def put_off(upload: Upload) -> None:
    """The scanner does not answer: the file stays held and is asked about later."""
    pause = min(FIRST_PAUSE * 2 ** min(upload.tries, 10), LONGEST_PAUSE)
    upload.tries, upload.why, upload.next_try_at = upload.tries + 1, UNREACHABLE, timezone.now() + pause
    Upload.objects.filter(pk=upload.pk, state=State.HELD).update(
        tries=upload.tries, why=upload.why, next_try_at=upload.next_try_at
    )


def settle(upload: Upload, actor: Actor) -> None:
    """Write the state that a file ends in, once; the bytes of what is not kept are deleted after the commit.

    Raises:
        Conflict: somebody else settled it first.
    """
    kept = upload.state == State.CLEAN and not upload.is_work
    gone = [] if kept else [ref for ref in (upload.artifact, upload.shown) if ref]
    if gone:
        upload.artifact = upload.shown = ""
    before = (State.HELD, State.CLEAN) if upload.state == State.DELETED else (State.HELD,)
    if upload.state != State.DELETED:
        upload.scanner = scanner_name()
    upload.settled_at = timezone.now()
    names = ("state", "why", "scanner", "artifact", "shown", "settled_at", "deleted_by_id")
    if not Upload.objects.filter(pk=upload.pk, state__in=before).update(**{n: getattr(upload, n) for n in names}):
        raise Conflict(words("settled"))
    if upload.case is not None:
        body = {"upload": str(upload.public_id), "state": upload.state, "scanner": upload.scanner}
        ledger.append(action="upload.settled", actor=actor, case=upload.case, body=body)
    transaction.on_commit(lambda: [dispatch.discard(ref) for ref in gone])


@transaction.atomic
def upload_delete(*, upload: Upload, actor: Actor) -> Upload:
    """Delete the bytes: the claimant at any time, the desk when it has seen what it needed to see.

    Raises:
        Conflict: there are no bytes any more, it is a work, or the case is under a legal hold.
    """
    if actor is not CLAIMANT:
        demand(actor, Permission.RECORD_PROOF)
    if upload.is_work or upload.case is None:
        raise Conflict(words("work"))
    if upload.case.held_at is not None:
        raise Conflict(words("hold"))
    upload.state, upload.why, upload.deleted_by = State.DELETED, "", actor.user
    settle(upload, actor)
    return upload


def upload_read(*, upload: Upload, actor: Actor, shown: bool = False) -> bytes:
    """The bytes as they were sent, or the picture that may be shown in their place.

    Raises:
        NotAllowed: the policy refuses the actor. Conflict: held, not taken or deleted.
    """
    demand(actor, Permission.REVEAL_PERSON)
    ref = upload.shown if shown else upload.artifact
    if upload.state != State.CLEAN or not ref:
        raise Conflict(words(upload.why or "nothing"))
    return _bytes(upload, ref)


def held_due(which: Q) -> Iterator[Upload]:
    """Files whose turn it is. A person who was erased meanwhile has no key: their file goes, unread."""
    due = Upload.objects.filter(which, state=State.HELD, next_try_at__lte=timezone.now())
    for row in due.select_related("case__claimant").order_by("next_try_at")[:BATCH]:
        if subject_readable(row):
            yield row
        else:
            Upload.objects.filter(pk=row.pk).update(state=State.DELETED, artifact="", shown="", why="")


def uploads_sweep() -> int:
    """Scan again what still waits, works aside (`services.work_files`)."""
    done = 0
    for row in held_due(Q(item=None, draft_work=None)):
        try:
            upload_scan(upload=row)
        except (Conflict, KeyDestroyed):
            continue
        done += 1
    return done
