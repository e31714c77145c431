"""Drafts: a request that is being written page by page, and is filed once.

A draft has a key of its own. Filing seals its content anew under the claimant's key and destroys the draft's, so that
nothing lies twice; a draft whose time is over ends the same way.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Q, Sum
from django.utils import timezone

from governance.errors import Conflict, Unfit
from governance.models import Case, Draft, DraftWork, Kind, Upload
from governance.models.vault import subject_create, subject_destroy
from governance.notifications import mail
from governance.services import intake, work_files
from governance.services.intake import MAX_ITEMS, MAX_TOTAL, Item
from governance.services.work_files import Seen
from governance.services.work_reading import WorkFile
from governance.tokens import link_token, token_hash

#: A draft that nobody has touched for so long is destroyed.
KEPT = timedelta(days=30)
MAIL_PAUSE = timedelta(minutes=15)

Answers = dict[str, dict[str, str]]


def draft_begin(*, kind: Kind, step: str, answers: dict[str, str]) -> Draft:
    """A new draft with the answers of its first page."""
    subject, public_id = subject_create(), uuid.uuid4()
    token = token_hash(link_token(public_id, "draft"))
    draft = Draft(public_id=public_id, subject=subject, kind=kind, token=token, expires_at=timezone.now() + KEPT)
    draft.answers = json.dumps({step: answers})
    draft.save()
    return draft


def draft_token(draft: Draft) -> str:
    """The secret part of the draft's link."""
    return link_token(draft.public_id, "draft")


def draft_find(token: str) -> Draft | None:
    """The draft of a link, while its time is not over."""
    return Draft.objects.select_related("case").filter(token=token_hash(token), expires_at__gt=timezone.now()).first()


def answers_of(draft: Draft) -> Answers:
    """What was answered so far."""
    return dict(json.loads(draft.answers or "{}"))


@transaction.atomic
def draft_answer(*, draft: Draft, step: str, answers: dict[str, str]) -> None:
    """Keep the answers of one page; its time begins anew.

    Raises:
        Conflict: it was sent already.
    """
    fresh = _open(draft)
    fresh.answers = json.dumps({**answers_of(fresh), step: answers})
    fresh.expires_at = timezone.now() + KEPT
    fresh.save(update_fields=["answers", "expires_at"])
    draft.refresh_from_db()


def works_add(*, draft: Draft, items: Sequence[Item], files: Sequence[WorkFile] = ()) -> int:
    """Add works and files of works; what is there already is not added twice. Returns how many were new.

    Raises:
        Unfit: more works, or more text, than one request takes; or the scanner found something in a file, and the
            other works are added all the same. Conflict: it was sent already.
    """
    seen = work_files.look_at(files, Upload.objects.filter(draft_work__draft=draft))
    taken = {_key(one.item): one for one in seen if one.state != Upload.State.INFECTED}
    count = _works_add(draft, [*items, *(one.item for one in taken.values())], taken)
    if refused := work_files.refusals(seen):
        raise Unfit(refused)
    return count


def _key(item: Item | DraftWork) -> tuple[str, str, str]:
    return item.form, item.title, item.text


@transaction.atomic
def _works_add(draft: Draft, items: Sequence[Item], files: Mapping[tuple[str, str, str], Seen]) -> int:
    fresh = _open(draft)
    known = {_key(work) for work in fresh.works.all()}
    new = [item for item in dict.fromkeys(items) if _key(item) not in known]
    total = (fresh.works.aggregate(n=Sum("characters"))["n"] or 0) + sum(len(item.text) for item in new)
    if len(known) + len(new) > MAX_ITEMS:
        raise Unfit(f"{len(known) + len(new)} works in one request; file at most {MAX_ITEMS} at a time.")
    if total > MAX_TOTAL:
        raise Unfit(f"The works of one request may have {MAX_TOTAL:,} characters; send the rest with another.")
    for item in new:
        work = DraftWork(draft=fresh, subject=fresh.subject, form=item.form, characters=len(item.text))
        work.title, work.text = item.title, item.text
        work.save()
        if one := files.get(_key(item)):
            work_files.keep(one, work=work)
    Draft.objects.filter(pk=fresh.pk).update(expires_at=timezone.now() + KEPT)
    return len(new)


@transaction.atomic
def work_remove(*, draft: Draft, pk: int) -> None:
    """Take a work out again; one that is gone already changes nothing.

    Raises:
        Conflict: it was sent already.
    """
    work = _open(draft).works.filter(pk=pk).first()
    if work is not None:
        work_files.forget(works=[work.pk])
        work.delete()


@transaction.atomic
def draft_file(*, draft: Draft, filing: Mapping[str, Any]) -> Case:
    """File it, as `intake.case_file` takes it, its works before the other items.

    Whoever sends a second time gets the case of the first.

    Raises:
        Unfit: what the intake refuses; the draft stays as it is.
    """
    if not Draft.objects.filter(pk=draft.pk, sent_at=None).update(sent_at=timezone.now()):
        draft.refresh_from_db()
        if draft.case is None:
            raise Conflict("This request is being sent; load the page again.")
        return draft.case
    works = work_files.works_to_file(draft)
    items = [Item(form=work.form, title=work.title, text=work.text) for work in works]
    case = intake.case_file(**{**filing, "items": [*items, *filing["items"]]})
    work_files.hand_over(works, case)
    DraftWork.objects.filter(draft=draft).delete()
    Draft.objects.filter(pk=draft.pk).update(case=case, answers=b"")
    transaction.on_commit(partial(subject_destroy, draft.subject))
    return case


def draft_mail(*, draft: Draft, to: str, title: str, body: str, language: str) -> None:
    """Send the draft's link to its writer, at most once in a quarter of an hour.

    Raises:
        Conflict: one was sent just now.
        SendFailed: the letter could not be handed over; the link still stands on the page.
    """
    now = timezone.now()
    rested = Q(mailed_at=None) | Q(mailed_at__lt=now - MAIL_PAUSE)
    if not Draft.objects.filter(rested, pk=draft.pk, sent_at=None).update(mailed_at=now):
        raise Conflict("The link was sent a moment ago; look into your mail, also among the unwanted.")
    mail.send(mail.Mail(key=str(uuid.uuid4()), to=to, title=title, body=body, language=language))


@transaction.atomic
def draft_discard(*, draft: Draft) -> None:
    """Its writer wants none of it kept."""
    fresh = _open(draft)
    work_files.forget(works=fresh.works.values("pk"))
    fresh.delete()
    transaction.on_commit(partial(subject_destroy, draft.subject))


def drafts_expire() -> int:
    """Destroy every draft whose time is over; returns how many."""
    over = list(Draft.objects.filter(expires_at__lte=timezone.now()).values_list("pk", "subject")[:500])
    for pk, subject in over:
        subject_destroy(subject)
        work_files.forget(works=DraftWork.objects.filter(draft=pk).values("pk"))
        Draft.objects.filter(pk=pk).delete()
    return len(over)


def _open(draft: Draft) -> Draft:
    fresh = Draft.objects.select_for_update().filter(pk=draft.pk).first()
    if fresh is None or fresh.sent_at is not None:
        raise Conflict("This request was sent already; nothing can be changed in its draft any more.")
    return fresh


def as_texts(data: Any, names: Sequence[str]) -> dict[str, str]:
    """The fields of a form as they were typed."""
    return {name: str(data.get(name, "")) for name in names}
