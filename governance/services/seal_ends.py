"""Which seals there were, since when, and why one is used no more: rotation, revocation, and what strangers are told.

A retired key was given up in order and is destroyed; a compromised one may be in other hands. What a time stamp shows
to be older than that stays genuine (`lethe_verify`, `evidence.check`).
"""

from __future__ import annotations

import base64
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from governance.errors import Unfit
from governance.evidence import bundle, identity, ledger
from governance.evidence.errors import SealError
from governance.models import Seal, SigningKey
from governance.policies import Actor
from governance.services import known_keys, seals

SYSTEM = Actor.system("seals")
NEXT = "next"
FILES = (identity.KEY_FILE, identity.PASSPHRASE_FILE, seals.NAME_FILE, identity.CHAIN_FILE, identity.CERTIFICATE_FILE)
#: Of the seal's files, those of a key in a token or service (False) and in a file (True).
_NEEDED = {False: {seals.NAME_FILE}, True: {identity.KEY_FILE, identity.PASSPHRASE_FILE}}
_OWN_HOSTS = ("//127.0.0.1", "//localhost", "//[::1]")


def current() -> x509.Certificate:
    """The certificate that everybody is told.

    Raises:
        SealError: there is none to be read.
    """
    try:
        return x509.load_pem_x509_certificate(settings.SEAL_CERTIFICATE.read_bytes())
    except (OSError, ValueError) as error:
        raise SealError(f"The seal's certificate {settings.SEAL_CERTIFICATE} cannot be read ({error})") from error


@transaction.atomic
def seal_register(certificate: x509.Certificate) -> Seal:
    """The seal's row, made where there is none yet, with an entry in the ledger."""
    mark = identity.fingerprint(certificate)
    row, made = Seal.objects.get_or_create(
        fingerprint=mark,
        defaults={
            "certificate": certificate.public_bytes(Encoding.PEM).decode(),
            "kind": settings.SEAL_KIND,
            "began_at": certificate.not_valid_before_utc,
        },
    )
    if made:
        ledger.append(action="seal.made", actor=SYSTEM, body={"seal": mark, "kind": row.kind})
    return row


def seal_rotate() -> Seal:
    """A new key of the configured kind takes the place of the present one, which is retired. A second run goes on.

    Raises:
        Unfit, SealError, SealUnavailable: no folder, or the new key could not be made; the present one then stays.
    """
    place = seals.folder()
    coming = place / NEXT
    if not (coming / identity.CERTIFICATE_FILE).exists():
        shutil.rmtree(coming, ignore_errors=True)
        seals.seal_make(coming)
    certificate = x509.load_pem_x509_certificate((coming / identity.CERTIFICATE_FILE).read_bytes())
    new = seal_replace(certificate)
    _put_in_place(place, coming)
    return new


@transaction.atomic
def seal_replace(certificate: x509.Certificate) -> Seal:
    """Another certificate takes the place of the present one, which is retired; the files are the caller's to put."""
    old, new = seal_register(current()), seal_register(certificate)
    if old != new and old.ended_at is None:
        _end(old, timezone.now(), Seal.Reason.RETIRED)
        body = {"old": old.fingerprint, "new": new.fingerprint}
        ledger.append(action="seal.rotated", actor=SYSTEM, body=body)
    return new


def _put_in_place(place: Path, coming: Path) -> None:
    """The new files over the old ones, the certificate last: until then another run finishes what this one began.

    The old private key is gone by that: what is gone cannot be stolen.
    """
    for name in FILES[:-1]:
        if (coming / name).exists():
            (coming / name).replace(place / name)
        elif name not in _NEEDED[settings.SEAL_KIND == seals.FILE]:
            (place / name).unlink(missing_ok=True)
    public = settings.SEAL_CERTIFICATE.with_suffix(".new")
    public.write_bytes((coming / identity.CERTIFICATE_FILE).read_bytes())
    public.replace(settings.SEAL_CERTIFICATE)
    (coming / identity.CERTIFICATE_FILE).replace(place / identity.CERTIFICATE_FILE)
    shutil.rmtree(coming)


@transaction.atomic
def seal_revoke(*, fingerprint: str, at: datetime, reason: str = "compromised") -> Seal:
    """The seal is not to be believed for anything sealed since `at`; nothing more is sealed with it.

    Raises:
        Unfit: no such seal, an unknown reason, or a time to come.
    """
    seal_register(current())
    row = Seal.objects.select_for_update().filter(fingerprint=fingerprint.removeprefix("sha256:").lower()).first()
    if row is None:
        raise Unfit(f"There is no seal {fingerprint}. `python manage.py keys list` shows them.")
    if reason not in Seal.Reason.values or at > timezone.now():
        raise Unfit("A seal ends now or in the past, because it was retired or compromised.")
    _end(row, at if row.ended_at is None else min(at, row.ended_at), Seal.Reason(reason))
    ledger.append(
        action="seal.ended", actor=SYSTEM, body={"seal": row.fingerprint, "reason": reason, "at": at.isoformat()}
    )
    return row


def _end(row: Seal, at: datetime, reason: Seal.Reason) -> None:
    row.ended_at, row.reason = at, reason
    row.save(update_fields=["ended_at", "reason"])


def check_current() -> None:
    """Refuses to seal with a seal that has ended.

    Raises:
        SealError: says since when, and what to do.
    """
    row = Seal.objects.filter(fingerprint=identity.fingerprint(current())).exclude(ended_at=None).first()
    if row is not None and row.ended_at:
        raise SealError(
            f"The seal ended on {row.ended_at:%Y-%m-%d} ({row.reason}). Run `python manage.py keys rotate`."
        )


def known() -> list[Seal]:
    """Every seal, the present one last even where nobody has registered it yet."""
    rows = list(Seal.objects.order_by("began_at", "pk"))
    certificate = current()
    if identity.fingerprint(certificate) not in {row.fingerprint for row in rows}:
        rows.append(Seal(fingerprint=identity.fingerprint(certificate), began_at=certificate.not_valid_before_utc))
    return rows


def trusted() -> dict[str, Any]:
    """What strangers are told, as `lethe_verify --trust` reads it.

    Raises:
        SealError, OSError: the certificate or the ledger's key cannot be read.
    """
    rows = known()
    return {
        "format": bundle.TRUST,
        "seals": [row.fingerprint for row in rows],
        "ledgers": known_keys.known(SigningKey.Purpose.LEDGER),
        "time_authorities": [
            {"certificate": base64.b64encode(root.public_bytes(Encoding.DER)).decode(), "own": _is_own(root)}
            for root in seals.time_roots()
        ],
        "ended": [
            {"seal": row.fingerprint, "at": row.ended_at.isoformat(), "reason": row.reason}
            for row in rows
            if row.ended_at
        ],
        **known_keys.lost_told(),
    }


def _is_own(root: x509.Certificate) -> bool:
    """Whether a time stamp under it proves nothing to others: this machine's authority, or one of our own name."""
    names = root.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
    ours = any(str(one.value).casefold() == settings.ORGANISATION.casefold() for one in names)
    return ours or any(host in settings.TSA_URL for host in _OWN_HOSTS)
