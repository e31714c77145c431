"""Recipients: whoever got a dataset or a version that held erased records is told, case by case (GDPR Art. 19)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from governance import dispatch
from governance.errors import Conflict, Unfit
from governance.evidence import ledger
from governance.models import Case, Dataset, Message, ModelVersion, Recipient, RecipientNotice
from governance.models.vault import subject_readable
from governance.notifications import mail
from governance.notifications.errors import SendFailed
from governance.policies import Actor, Permission, demand, demand_impartial
from governance.selectors import organisation
from governance.services import learned
from governance.services.planning import records_to_forget

SYSTEM = Actor.system("recipients")
EVENT = "recipient.notice"
#: How many record ids a notice names; beyond, it names the digest of their list.
NAMED = 50
TRIES = 12
C = RecipientNotice.Channel
BY_HAND = (C.POST, C.PHONE, C.OTHER)


def concerned(case: Case) -> list[Recipient]:
    """Who received a dataset that holds the erased records, or a version that learned them."""
    records = records_to_forget(case)
    if not records:
        return []
    datasets = {record.dataset_id for record in records}
    rows = Recipient.objects.filter(Q(version__in=learned.versions(case)) | Q(dataset__in=datasets))
    return list(rows.select_related("version__model", "dataset", "subscription").order_by("id"))


def open_recipients(case: Case) -> list[Recipient]:
    """Those who were neither told nor excused yet."""
    settled = {notice.recipient_id for notice in case.recipient_notices.all() if notice.settled}
    return [recipient for recipient in concerned(case) if recipient.pk not in settled]


def what_of(recipient: Recipient) -> str:
    """What they received, by name and digest."""
    thing: Dataset | ModelVersion | None = recipient.version or recipient.dataset
    return f"{thing} ({thing.artifact})" if thing else "data"


def draft(case: Case, recipient: Recipient) -> str:
    """The notice as the house would write it; staff may change it. It names records by id and nobody by name."""
    records = [r for r in records_to_forget(case) if recipient.dataset_id in (None, r.dataset_id)]
    names = sorted(record.record_id for record in records)
    listed = ", ".join(names) if len(names) <= NAMED else f"list {dispatch.put_lines(names)}"
    released = getattr(case, "release", None)
    by = f" It was replaced by {released.version} ({released.version.artifact})." if released else ""
    return (
        f"Reference {case.number}.\n\nYou received {what_of(recipient)} from {organisation.current().name} on "
        f"{recipient.received_on:%d %B %Y}. We have erased {len(records)} records at a person's or an author's request."
        f"{by}\n\nRecords: {listed}.\n\nPlease erase them, and every copy and every model that learned from them, and "
        "confirm it to us (where the GDPR applies: Articles 17(2) and 19)."
    )


def _owed(case: Case, recipient: Recipient, actor: Actor) -> None:
    demand(actor, Permission.TELL_RECIPIENTS)
    demand_impartial(case, actor)
    if not hasattr(case, "release") or case.release.released_at is None or case.release.legal_at is None:
        raise Unfit("Tell recipients after the release: until then nothing was erased.")
    if recipient.pk not in {one.pk for one in concerned(case)}:
        raise Unfit(f"{recipient.name} received nothing that this case concerns.")
    there = case.recipient_notices.filter(recipient=recipient).first()
    if there is not None and (there.settled or not there.last_error):
        raise Conflict(f"{recipient.name} has a notice for this case already.")


def _keep(case: Case, recipient: Recipient, actor: Actor, text: str, **columns: object) -> RecipientNotice:
    # One that could not be delivered is replaced by the next try, whatever its channel.
    case.recipient_notices.filter(recipient=recipient, told_at=None).delete()
    notice = RecipientNotice(case=case, recipient=recipient, subject=case.claimant.subject, written_by=actor.user)
    notice.text = text
    for name, value in columns.items():
        setattr(notice, name, value)
    notice.save()
    body = {"notice": str(notice.public_id), "channel": str(notice.channel), "told": notice.told_at is not None}
    ledger.append(action="recipient.noticed", actor=actor, case=case, body={**body, "why": notice.reasons})
    return notice


@transaction.atomic
def notice_send(*, case: Case, recipient: Recipient, text: str, actor: Actor) -> RecipientNotice:
    """Send a notice to the recipient's webhook, else to their e-mail address.

    Raises:
        Unfit: nothing was released, no text, or no address. Conflict: they have one already.
    """
    _owed(case, recipient, actor)
    if not text.strip():
        raise Unfit("Write what the recipient is to know.")
    if recipient.subscription is not None and recipient.subscription.removed_at is None:
        notice = _keep(case, recipient, actor, text, channel=C.WEBHOOK)
        data = {"notice": str(notice.public_id), "case": case.number, "what": what_of(recipient), "text": text}
        payload = {"type": EVENT, "timestamp": timezone.now().isoformat(timespec="seconds"), "data": data}
        notice.message = Message.objects.create(
            channel=Message.Channel.WEBHOOK, subscription=recipient.subscription, event=EVENT, payload=payload
        )
        notice.save(update_fields=["message"])
        return notice
    if not recipient.email:
        raise Unfit(f"{recipient.name} has no address on record; tell them another way and record it.")
    notice = _keep(case, recipient, actor, text, channel=C.EMAIL)
    transaction.on_commit(partial(deliver, notice.pk))
    return notice


@transaction.atomic
def notice_record(
    *, case: Case, recipient: Recipient, channel: str, day: date, text: str, actor: Actor
) -> RecipientNotice:
    """A person told them by post, telephone or otherwise.

    Raises:
        Unfit: see `notice_send`; another channel, or a day that cannot be.
    """
    _owed(case, recipient, actor)
    problems = [] if channel in BY_HAND else ["Choose post, telephone or another way."]
    if not text.strip():
        problems.append("Write what the recipient was told.")
    released = timezone.localdate(case.release.released_at)
    if not released <= day <= timezone.localdate():
        problems.append(f"They were told between {released:%d %B %Y}, when the version was released, and today.")
    if problems:
        raise Unfit(problems)
    told = timezone.now() if day == timezone.localdate() else timezone.make_aware(datetime.combine(day, time(12)))
    return _keep(case, recipient, actor, text, channel=channel, told_at=told)


@transaction.atomic
def notice_excuse(*, case: Case, recipient: Recipient, reasons: str, actor: Actor) -> RecipientNotice:
    """Telling them proves impossible or a disproportionate effort: the reasons stand in the report.

    Raises:
        Unfit: without reasons.
    """
    demand(actor, Permission.RELEASE_LEGAL)
    _owed(case, recipient, actor)
    if len(reasons.strip()) < 20:
        raise Unfit("Write in at least one full sentence why they cannot be told; name no person.")
    return _keep(case, recipient, actor, "", channel=C.EXCUSED, reasons=reasons.strip()[:400])


@transaction.atomic
def notice_acknowledge(*, notice: RecipientNotice, note: str, actor: Actor) -> None:
    """They answered.

    Raises:
        Conflict: they were never told, or answered already.
    """
    demand(actor, Permission.TELL_RECIPIENTS)
    mine = RecipientNotice.objects.filter(pk=notice.pk, told_at__isnull=False, acknowledged_at=None)
    if not mine.update(acknowledged_at=timezone.now()):
        raise Conflict("They were not told yet, or their answer is recorded already.")
    notice.refresh_from_db()
    notice.acknowledged_note = note
    notice.save(update_fields=["acknowledged_note"])
    ledger.append(
        action="recipient.acknowledged", actor=actor, case=notice.case, body={"notice": str(notice.public_id)}
    )


@transaction.atomic
def recipients_tell(*, case: Case, actor: Actor) -> int:
    """Record that everybody who is still owed a notice was told today in another way; returns how many."""
    left = open_recipients(case)
    for recipient in left:
        text, today = draft(case, recipient), timezone.localdate()
        notice_record(case=case, recipient=recipient, channel=C.OTHER, day=today, text=text, actor=actor)
    return len(left)


def deliver(pk: int) -> bool:
    """Try to send one notice by e-mail; False where it has to be tried again, or was refused for good."""
    notice = RecipientNotice.objects.select_related("recipient", "case__claimant").get(pk=pk)
    if notice.told_at or notice.channel != C.EMAIL or not subject_readable(notice.case.claimant):
        return False
    title = f"{organisation.current().name}: records that you received were erased ({notice.case.number})"
    letter = mail.Mail(key=str(notice.public_id), to=notice.recipient.email, title=title, body=str(notice.text))
    try:
        mail.send(letter)
    except SendFailed as error:
        tries = notice.attempts + 1
        wait = timedelta(minutes=min(2**tries, 720))
        RecipientNotice.objects.filter(pk=pk).update(
            attempts=TRIES if error.permanent else tries, next_try_at=timezone.now() + wait, last_error=error.why[:300]
        )
        return False
    _told(notice)
    return True


@transaction.atomic
def _told(notice: RecipientNotice) -> None:
    mine = RecipientNotice.objects.filter(pk=notice.pk, told_at=None)
    if mine.update(told_at=timezone.now(), last_error=""):
        known = notice.case if subject_readable(notice.case.claimant) else None
        body = {"notice": str(notice.public_id), "channel": str(notice.channel)}
        ledger.append(action="recipient.told", actor=SYSTEM, case=known, body=body)


def notices_sweep() -> int:
    """Notices that wait: e-mails are tried again, webhooks that arrived are entered. Returns how many were told."""
    now, told = timezone.now(), 0
    waiting = RecipientNotice.objects.filter(told_at=None, channel=C.EMAIL, attempts__lt=TRIES, next_try_at__lte=now)
    for pk in waiting.filter(written_at__lt=now - timedelta(minutes=1)).values_list("pk", flat=True)[:100]:
        told += deliver(pk)
    hooks = RecipientNotice.objects.filter(told_at=None, channel=C.WEBHOOK).select_related("message", "case__claimant")
    for notice in hooks[:100]:
        state = notice.message.state if notice.message else Message.State.FAILED
        if state in (Message.State.SENT, Message.State.DELIVERED):
            _told(notice)
            told += 1
        elif state == Message.State.FAILED and not notice.last_error:
            why = notice.message.last_error if notice.message else "no message"
            RecipientNotice.objects.filter(pk=notice.pk).update(last_error=why[:300] or "failed")
    return told
