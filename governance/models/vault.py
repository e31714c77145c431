"""Personal data at rest: sealed under one key per subject, so that destroying the key destroys the data.

A subject's key is random, wrapped by the key of keys (`keyring.kek`, a file) and stored in the `keyring`
database, apart from the data. AES-256-GCM (NIST SP 800-38D); the associated data binds a value to its
model, field and subject, so that ciphertexts cannot be swapped.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.apps import apps
from django.db import models
from django.utils import timezone

from governance.errors import KeyDestroyed
from governance.secrets import read_secret

NONCE = 12
_held: ContextVar[dict[uuid.UUID, bytes] | None] = ContextVar("keys_held", default=None)


if TYPE_CHECKING:
    # Generic only to type checkers: at run time Django's fields take no parameters.
    _Binary = models.BinaryField[Any, Any]
else:
    _Binary = models.BinaryField


class SubjectKey(models.Model):
    """The wrapped key of one subject. Destroyed means: nulled, for good."""

    subject = models.UUIDField(primary_key=True)
    wrapped = models.BinaryField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    destroyed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.subject)


def _encrypt(key: bytes, data: bytes, context: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE)
    return nonce + AESGCM(key).encrypt(nonce, data, context)


def _decrypt(key: bytes, data: bytes, context: bytes) -> bytes:
    return AESGCM(key).decrypt(data[:NONCE], data[NONCE:], context)


def subject_create() -> uuid.UUID:
    """A new subject with a key of its own."""
    return subjects_create(1)[0]


def subjects_create(number: int) -> list[uuid.UUID]:
    """New subjects, each with a key of its own, in one statement; a key that is held need not be fetched again."""
    held, kek = _held.get(), read_secret("keyring.kek")
    keys = {uuid.uuid4(): AESGCM.generate_key(256) for _one in range(number)}
    SubjectKey.objects.bulk_create(
        SubjectKey(subject=subject, wrapped=_encrypt(kek, key, subject.bytes)) for subject, key in keys.items()
    )
    if held is not None:
        held.update(keys)
    return list(keys)


def subject_destroy(subject: uuid.UUID) -> None:
    """Destroy the subject's key: every sealed value and every commitment of theirs goes with it."""
    SubjectKey.objects.filter(subject=subject).update(wrapped=None, destroyed_at=timezone.now())
    (_held.get() or {}).pop(subject, None)
    # The mark of the address is no ciphertext: it goes by hand.
    apps.get_model("governance", "Claimant").objects.filter(subject=subject).update(email_mark="")


def subject_key(subject: uuid.UUID) -> bytes:
    """The subject's key in the clear.

    Raises:
        KeyDestroyed: when it was destroyed or never existed.
    """
    held = _held.get()
    if held is not None and subject in held:
        return held[subject]
    row = SubjectKey.objects.filter(subject=subject).first()
    if row is None or row.wrapped is None:
        raise KeyDestroyed("This person's data was erased; its key no longer exists.")
    key = _decrypt(read_secret("keyring.kek"), bytes(row.wrapped), subject.bytes)
    if held is not None:
        held[subject] = key
    return key


@contextmanager
def keys_held() -> Iterator[None]:
    """Within it each subject's key is fetched once; a request holds them until its answer (`web/keys.py`)."""
    if _held.get() is not None:
        yield
        return
    token = _held.set({})
    try:
        yield
    finally:
        _held.reset(token)


def subject_readable(owner: Any) -> bool:
    """Whether the key of a row's subject still exists, so that its sealed data can be read and committed to."""
    return SubjectKey.objects.filter(subject=owner.subject, wrapped__isnull=False).exists()


def commitment_key(subject: uuid.UUID) -> bytes:
    """The key under which the ledger commits to this subject's cases; destroyed with the subject's key."""
    return hmac.new(subject_key(subject), b"lethe ledger commitments", hashlib.sha256).digest()


def bytes_seal(subject: uuid.UUID, data: bytes, context: str) -> bytes:
    """Bytes that lie outside of the database, sealed under the subject's key and bound to what they are."""
    return _encrypt(subject_key(subject), data, f"{context}:{subject}".encode())


def bytes_unseal(subject: uuid.UUID, data: bytes, context: str) -> bytes:
    """What `bytes_seal` sealed.

    Raises:
        KeyDestroyed: the subject was erased.
    """
    return _decrypt(subject_key(subject), data, f"{context}:{subject}".encode())


def _house_key() -> bytes:
    return hmac.new(read_secret("tokens.key"), b"lethe house seal", hashlib.sha256).digest()


def house_seal(data: bytes, context: str) -> bytes:
    """Bytes that belong to nobody in particular and are kept for a short time."""
    return _encrypt(_house_key(), data, context.encode())


def house_unseal(data: bytes, context: str) -> bytes:
    """What `house_seal` sealed."""
    return _decrypt(_house_key(), data, context.encode())


class SealedText(_Binary):
    """A text column that is stored encrypted under the key of the row's `subject`.

    Reading and writing the attribute works with plain text; the column holds nonce and ciphertext.
    The row must have its `subject` before the text is set.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, self.attname, _SealedAttribute(self))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """What goes to the database: the ciphertext, never what the attribute shows."""
        return model_instance.__dict__.get(self.attname) or b""

    def seal(self, instance: Any, text: str) -> bytes:
        """Ciphertext of `text` for this row and column."""
        return self.seal_for(instance.subject, text)

    def seal_for(self, subject: uuid.UUID, text: str) -> bytes:
        """Ciphertext of `text` in this column, of a row that will be this subject's."""
        return _encrypt(subject_key(subject), text.encode(), self._context(subject))

    def unseal(self, instance: Any, data: bytes) -> str:
        """Plain text of what the column holds."""
        return _decrypt(subject_key(instance.subject), data, self._context(instance.subject)).decode()

    def _context(self, subject: uuid.UUID) -> bytes:
        return f"{self.model._meta.label_lower}.{self.name}:{subject}".encode()


class _SealedAttribute:
    """Unseals on access; keeps ciphertext in the instance, so that `save` writes ciphertext."""

    def __init__(self, field: SealedText) -> None:
        self.field = field

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        if self.field.attname not in instance.__dict__:
            instance.refresh_from_db(fields=[self.field.attname])
        stored = instance.__dict__[self.field.attname]
        return "" if not stored else self.field.unseal(instance, bytes(stored))

    def __set__(self, instance: Any, value: Any) -> None:
        # Django hands bytes from the database; people hand text.
        instance.__dict__[self.field.attname] = (
            self.field.seal(instance, value) if isinstance(value, str) and value else value
        )
