"""Who signs second signs what they were shown: the page carries a mark of it, which must still stand at the answer."""

from __future__ import annotations

import hashlib
import hmac
import uuid

from governance.errors import Conflict
from governance.evidence.leaf import canonical
from governance.models.vault import commitment_key

CHANGED = (
    "This is not what was shown to you: it was changed or taken back, or proposed or asked anew in the meantime. Read "
    "what stands now, then answer."
)


def mark(*facts: object) -> str:
    """What stands for these facts (values of JSON), in their order."""
    return hashlib.sha256(_bytes(facts)).hexdigest()


def sealed_mark(subject: uuid.UUID, *facts: object) -> str:
    """The same under the person's key: it may stand in the ledger, where nobody can guess what it was made of.

    Raises:
        KeyDestroyed: the subject was erased.
    """
    return hmac.new(commitment_key(subject), b"lethe/shown/1\x00" + _bytes(facts), hashlib.sha256).hexdigest()


def demand_shown(standing: object, shown: str) -> None:
    """Refuse an answer to anything but what stands. What is read for `standing` is to be locked.

    Raises:
        Conflict: something else stands than what was shown.
    """
    if str(standing) != shown:
        raise Conflict(CHANGED)


def _bytes(facts: tuple[object, ...]) -> bytes:
    return canonical(list(facts))
