"""The public keys that strangers are told beside the seal's: of the ledger, of statements about models, of the feeds.

A key that was replaced stays among them: what it signed is still in people's hands. The key in use is told by a file
outside of the database; one before it is believed where the next signed that it took its place (`handovers`).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime

from django.conf import settings

from governance.evidence import dsse
from governance.evidence.checkpoint import verify_checkpoint
from governance.evidence.errors import ProofError, SealUnavailable
from governance.models import LedgerOpening, SigningKey
from governance.services import handovers

P = SigningKey.Purpose
LOST = "key.lost"


def current(purpose: str) -> str:
    """The key in use: a verifier key (ledger), a fingerprint (models), 32 bytes in base64 (feed).

    Raises:
        OSError: its public half was not made yet.
    """
    if purpose == P.MODELS:
        return dsse.pem_fingerprint(settings.MODEL_VERIFIER.read_bytes())
    return str((settings.FEED_VERIFIER if purpose == P.FEED else settings.LEDGER_VERIFIER).read_text().strip())


def present() -> list[str]:
    """The purposes whose key this process can be told."""
    found: list[str] = []
    for purpose in P.values:
        with suppress(OSError):
            current(purpose)
            found.append(purpose)
    return found


def known(purpose: str) -> list[str]:
    """Every key of a purpose, in the order of their use, the present one last."""
    return _chain(current(purpose), SigningKey.objects.filter(purpose=purpose))


def lost_said() -> dict[str, datetime]:
    """Since when each key may be in other hands by the ledger; of two moments the earlier counts."""
    said: dict[str, datetime] = {}
    for body in LedgerOpening.objects.filter(entry__action=LOST).values_list("body", flat=True):
        at = datetime.fromisoformat(body["at"])
        said[body["key"]] = min(at, said.get(body["key"], at))
    return said


def lost() -> list[dict[str, str]]:
    """Which of them may be in other hands, and since when, as the trust file tells it.

    A mark in the tables that the ledger does not bear out is not told: whoever writes there needs no key, and strangers
    would refuse every report of a key that is in nobody's hands. `ledger check` names it.
    """
    rows = list(SigningKey.objects.exclude(lost_at=None).order_by("pk").values_list("purpose", "public"))
    believed = {purpose: known(purpose) for purpose in ({purpose for purpose, _key in rows} & set(present()))}
    said = lost_said() if rows else {}
    return [
        {"purpose": purpose, "key": key, "at": said[key].astimezone(UTC).isoformat()}
        for purpose, key in rows
        if key in said and key in believed.get(purpose, ())
    ]


def is_lost(key: str) -> bool:
    """Whether a key may be in other hands, as strangers are told."""
    return any(row["key"] == key for row in lost())


def lost_told() -> dict[str, list[dict[str, str]]]:
    """That as a member of what is published, only where there is one: a verifier of before refuses it, and has to."""
    found = lost()
    return {"lost_keys": found} if found else {}


def usable(purpose: str) -> list[str]:
    """Every key of a purpose that is not in other hands, in the order of their use."""
    gone = {row["key"] for row in lost()}
    return [one for one in known(purpose) if one not in gone]


def check_current(purpose: str) -> None:
    """Refuses to sign with a key that may be in other hands; what was to be signed waits for the next one.

    Raises:
        SealUnavailable: says since when, and what to do.
    """
    at = next((row["at"] for row in lost() if row["key"] == current(purpose)), "")
    if at:
        raise SealUnavailable(
            f"The key of {P(purpose).label} may be in other hands since {at[:10]}. "
            f"Run `python manage.py keys rotate --key {purpose}`."
        )


def strangers(purpose: str) -> list[str]:
    """Keys that stand in the database and that nothing outside of it vouches for: none of them is believed."""
    now, rows = current(purpose), list(SigningKey.objects.filter(purpose=purpose).order_by("pk"))
    coming = [handovers.successor(row) for row in rows if row.public == now]
    return [row.public for row in rows if row.public not in {*_chain(now, rows), *coming}]


def _chain(now: str, rows: Iterable[SigningKey]) -> list[str]:
    """Backwards from the key in use, by what each key signed about the one before."""
    before: dict[str, list[str]] = {}
    for row in rows:
        if new := handovers.successor(row):
            before.setdefault(new, []).append(row.public)
    found, open_ones = [now], [now]
    while open_ones:
        more = [one for one in before.get(open_ones.pop(), ()) if one not in found]
        found[:0] = more
        open_ones += more
    return found


def signer_of(note: str) -> str:
    """Which of the ledger's keys signed a checkpoint.

    Raises:
        ProofError: none of them.
    """
    for one in reversed(known(P.LEDGER)):
        try:
            verify_checkpoint(note, one)
        except ProofError:
            continue
        return one
    raise ProofError("checkpoint: signed by none of the ledger's keys")
