"""Subscribers of patches: registered by staff, who got their key by a way that they trust."""

from __future__ import annotations

import base64
import binascii
from functools import partial

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from django.db import IntegrityError, transaction
from django.utils import timezone

from governance.errors import Conflict, Unfit
from governance.evidence import ledger
from governance.models import AiModel, PatchSubscriber, Subscription
from governance.models.vault import subject_create, subject_destroy
from governance.policies import Actor, Permission, demand

RAW = 32


def read_key(text: str) -> str:
    """An Ed25519 public key in base64, from that or from its PEM form.

    Raises:
        Unfit: neither.
    """
    try:
        if "-----BEGIN" in text:
            key = load_pem_public_key(text.strip().encode())
            raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw) if isinstance(key, Ed25519PublicKey) else b""
        else:
            raw = base64.b64decode("".join(text.split()), validate=True)
    except (ValueError, UnsupportedAlgorithm, binascii.Error):
        raw = b""
    if len(raw) != RAW:
        raise Unfit(
            "The key is no Ed25519 public key. Give it as PEM (openssl pkey -in KEY -pubout) or as 32 bytes in base64."
        )
    return base64.b64encode(raw).decode()


def subscriber_register(
    *, model: AiModel, name: str, contact: str, public_key: str, subscription: Subscription | None, actor: Actor
) -> PatchSubscriber:
    """Register who runs a model elsewhere, by the key with which they will acknowledge patches.

    Raises:
        NotAllowed: the policy refuses the actor. Unfit: every problem at once. Conflict: that key is registered.
    """
    demand(actor, Permission.TELL_RECIPIENTS)
    problems, key = [], ""
    if not name.strip() or not contact.strip():
        problems.append("Give the organisation's name, and whom to write to there.")
    if subscription and "patch.published" not in subscription.events:
        problems.append(f"The webhook {subscription.name} is not told of patch.published; choose that event for it.")
    try:
        key = read_key(public_key)
    except Unfit as error:
        problems += error.messages
    if problems:
        raise Unfit(problems)
    subject = subject_create()
    try:
        with transaction.atomic():
            row = PatchSubscriber(subject=subject, model=model, name=name.strip(), public_key=key)
            row.contact, row.subscription, row.registered_by = contact.strip(), subscription, actor.user
            row.save()
            _record(row, "subscriber.registered", actor)
    except IntegrityError as error:
        subject_destroy(subject)
        raise Conflict("This key is registered for this model already.") from error
    return row


@transaction.atomic
def subscriber_remove(*, subscriber: PatchSubscriber, actor: Actor) -> None:
    """End a registration: its key acknowledges nothing any more; what it stated stays, whom to write to goes.

    Raises:
        NotAllowed: the policy refuses the actor. Conflict: it was removed already.
    """
    demand(actor, Permission.TELL_RECIPIENTS)
    if not PatchSubscriber.objects.filter(pk=subscriber.pk, removed_at=None).update(removed_at=timezone.now()):
        raise Conflict("This registration was ended already.")
    _record(subscriber, "subscriber.removed", actor)
    transaction.on_commit(partial(subject_destroy, subscriber.subject))


def _record(row: PatchSubscriber, action: str, actor: Actor) -> None:
    ledger.append(action=action, actor=actor, body={"subscriber": str(row.public_id), "key": row.public_key})
