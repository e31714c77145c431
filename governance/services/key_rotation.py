"""A new key takes the place of the ledger's, of the one of statements about models, or of the feeds'.

The key before is retired: its private half is destroyed, its public half stays among those that strangers are told.
"""

from __future__ import annotations

import base64
from datetime import datetime
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from governance.evidence import dsse, ledger
from governance.evidence.checkpoint import verifier_key
from governance.models import SigningKey
from governance.policies import Actor
from governance.services import feed_pages, handovers, known_keys, own_keys, seals

SYSTEM = Actor.system("seals")
P = SigningKey.Purpose
#: Where the next key waits, in the signing worker's folder.
NEXT: Final = {P.LEDGER: "next-ledger", P.MODELS: "next-models", P.FEED: own_keys.NEXT_FEED}
#: A key lies in a file, or its name in a token or key service does.
FILES: Final = {P.LEDGER: (own_keys.LEDGER_KEY, own_keys.LEDGER_NAME), P.MODELS: (dsse.KEY_FILE, own_keys.MODELS_NAME),
                P.FEED: (own_keys.FEED_KEY, own_keys.FEED_NAME)}  # fmt: skip
_MAKE: Final = {P.LEDGER: own_keys.ledger_make, P.MODELS: own_keys.models_make, P.FEED: own_keys.feed_make}


def key_prepare(purpose: str) -> str:
    """Make the next key, so that its public half can be told before it is used; returns that.

    Raises:
        Unfit: this process has no folder of the seal. SealError, SealUnavailable: token or service refuse.
    """
    coming = seals.folder() / NEXT[P(purpose)]
    if not coming.exists() or _is_empty(coming):
        # Only whole: an empty folder of this name is what is left of a rotation that came to its end.
        making = coming.with_name(f"{coming.name}.part")
        making.mkdir(mode=0o700, exist_ok=True)
        _MAKE[P(purpose)](making)
        making.rename(coming)
    if purpose == P.FEED:
        return own_keys.feed_public(own_keys.feed_open(coming))
    if purpose == P.LEDGER:
        return verifier_key(settings.LEDGER_ORIGIN, own_keys.ledger_open(coming).public_key())
    return dsse.pem_fingerprint(dsse.public_pem(own_keys.models_open(coming).public_key))


def key_rotate(purpose: str) -> str:
    """Put the next key in the place of the present one; returns its public half. A second run goes on.

    Raises:
        See `key_prepare`; the present key then stays. OSError: its public half was not made yet.
    """
    if _is_empty(coming := seals.folder() / NEXT[P(purpose)]):
        coming.rmdir()
        return known_keys.current(purpose)
    old, new = known_keys.current(purpose), key_prepare(purpose)
    if old != new:
        _replace(purpose, old, new)
    _put_in_place(P(purpose), new)
    if purpose == P.FEED:
        feed_pages.sign_soon()
    return new


@transaction.atomic
def _replace(purpose: str, old: str, new: str) -> None:
    """The old key's row ends, signed by the new one, whose row begins; the ledger tells both."""
    now = timezone.now()
    row, _made = SigningKey.objects.get_or_create(purpose=purpose, public=old)
    SigningKey.objects.get_or_create(purpose=purpose, public=new, defaults={"began_at": now})
    if handovers.successor(row) != new:
        key, signature = _handover(purpose, old, new, now)
        SigningKey.objects.filter(pk=row.pk).update(ended_at=now, successor=key, handover=signature)
        ledger.append(action="key.rotated", actor=SYSTEM, body={"purpose": purpose, "old": old, "new": new})


def _handover(purpose: str, old: str, new: str, at: datetime) -> tuple[str, str]:
    """The next key, whole, and its signature that it takes the old one's place."""
    said, key = handovers.statement(purpose=purpose, old=old, new=new, at=at), new
    if purpose == P.FEED:
        signature = own_keys.feed_open(seals.folder() / NEXT[P.FEED]).sign(said)
    elif purpose == P.LEDGER:
        signature = own_keys.ledger_open(seals.folder() / NEXT[P.LEDGER]).sign(said)
    else:
        signer = own_keys.models_open(seals.folder() / NEXT[P.MODELS])
        key, signature = dsse.public_pem(signer.public_key).decode(), signer.sign(said)
    return key, base64.b64encode(signature).decode()


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _put_in_place(purpose: SigningKey.Purpose, new: str) -> None:
    """The public half first, the private one last: until then another run finishes what this one began."""
    place, coming = seals.folder(), seals.folder() / NEXT[purpose]
    if purpose == P.MODELS:
        _write(settings.MODEL_VERIFIER, dsse.public_pem(own_keys.models_open(coming).public_key))
    else:
        _write(settings.FEED_VERIFIER if purpose == P.FEED else settings.LEDGER_VERIFIER, f"{new}\n".encode())
    # What moves last empties the folder: by that the next run sees that all is done.
    for name in sorted(FILES[purpose], key=lambda name: (coming / name).exists()):
        if (coming / name).exists():
            (coming / name).replace(place / name)
        else:
            (place / name).unlink(missing_ok=True)
    coming.rmdir()


def _write(path: Path, data: bytes) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(data)
    fresh.replace(path)
