"""Acknowledgements of published patches: statements that whoever runs a model signs, taken only where all of it holds.

A statement names patch, base, result, publisher, state and moment, so that it counts for nothing else; it is kept as it
was signed. It is the subscriber's word that a patch was applied, and does not show that old weights were deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from governance import dispatch
from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import ledger
from governance.evidence.acknowledged import KIND, MEMBERS, signed
from governance.models import PatchAcknowledgement, PatchPublication, PatchSubscriber, SigningKey
from governance.policies import Actor
from governance.services import known_keys

SYSTEM = Actor.system("patch-subscribers")
#: How far a subscriber's clock may be ahead, and how old a statement may be: an older one may have been kept by others.
AHEAD, OLD = timedelta(minutes=10), timedelta(days=1)


def acknowledge(*, statement: Mapping[str, str], signature: str) -> tuple[PatchAcknowledgement, bool]:
    """Take a signed statement; the second value is false where that was stated before (nothing is changed then).

    Raises:
        Unfit: it is about no patch of ours, about another one's weights, for another publisher, or not of now.
        NotAllowed: nobody whom we know signed it. Conflict: the same statement was taken before.
    """
    # What cannot be printed is in no digest, key or moment; half a character or a NUL could not even be looked up.
    texts = all(isinstance(value, str) and value.isprintable() for value in statement.values())
    if set(statement) != set(MEMBERS) or not texts or statement["kind"] != KIND:
        raise Unfit(f"A statement has exactly {', '.join(MEMBERS)}, all of them texts of one line; its kind is {KIND}.")
    publication = _publication(statement)
    subscriber = _signer(statement, signature, publication)
    at = _moment(statement["at"], max(filter(None, [publication.approved_at, subscriber.registered_at])))
    text = dispatch.canonical_text(dict(statement))
    digest = dispatch.text_digest(text)
    if PatchAcknowledgement.objects.filter(digest=digest).exists():
        raise Conflict("This very statement was taken before; nothing was changed. To state it anew, sign it anew.")
    known = PatchAcknowledgement.objects.filter(
        subscriber=subscriber, publication=publication, state=statement["state"]
    ).first()
    if known is not None:
        return known, False
    try:
        with transaction.atomic():
            made = PatchAcknowledgement.objects.create(
                subscriber=subscriber, publication=publication, state=statement["state"], statement=text,
                digest=digest, signature=signature, stated_at=at,
            )  # fmt: skip
            body = {"subscriber": str(subscriber.public_id), "publication": str(publication.public_id),
                    "patch": statement["patch"], "state": statement["state"], "statement": digest}  # fmt: skip
            ledger.append(action="patch.acknowledged", actor=SYSTEM, body=body)
    except IntegrityError as error:
        raise Conflict("The same was stated at the same time; nothing was changed.") from error
    return made, True


def _publication(statement: Mapping[str, str]) -> PatchPublication:
    """The published patch that it is about; one that was withdrawn may still be acknowledged: it may have been used."""
    rows = PatchPublication.objects.filter(approved_at__isnull=False, patch__digest=statement["patch"])
    found = rows.select_related("patch__release__version").first()
    if found is None:
        raise Unfit("No patch of this digest was published here.")
    if (found.base, found.result) != (statement["base"], statement["result"]):
        raise Unfit("Base and result are not those of this patch: the statement is about another one.")
    if statement["feed"] not in known_keys.known(SigningKey.Purpose.FEED):
        raise Unfit("The statement is for another publisher: its feed's key is not ours.")
    if statement["state"] not in PatchAcknowledgement.State.values:
        raise Unfit(f"What can be stated: {', '.join(PatchAcknowledgement.State.values)}.")
    return found


def _signer(statement: Mapping[str, str], signature: str, publication: PatchPublication) -> PatchSubscriber:
    model = publication.patch.release.version.model_id
    rows = PatchSubscriber.objects.filter(model=model, public_key=statement["public_key"], removed_at=None)
    found = rows.first()
    # A key that nobody registered is answered like a wrong signature: who subscribes is not told.
    if found is None or not signed(dispatch.canonical_text(dict(statement)), signature, found.public_key):
        raise NotAllowed(
            "Not signed by a key that is registered for this model. Ask the publisher to register yours, or look "
            "whether the statement was changed after it was signed."
        )
    return found


def _moment(text: str, since: datetime) -> datetime:
    """When it was stated: now, as far as clocks agree, and after both the patch and the key were known here."""
    at: datetime | None = None
    with suppress(ValueError):
        at = datetime.fromisoformat(text)
    if at is None or at.tzinfo is None:
        raise Unfit("`at` is no moment with its time zone, as 2026-11-29T10:00:00+00:00.")
    now = timezone.now()
    if not now - OLD <= at <= now + AHEAD:
        raise Unfit("The statement is not of now: sign it when you send it, and set the clock of that machine.")
    if at < since - AHEAD:
        raise Unfit("The statement is older than the publication, or than the registration of its key.")
    return at
