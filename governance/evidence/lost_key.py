"""Checkpoints by a key of the ledger that may be in other hands: only what others saw before that stays believed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from governance.evidence.errors import ProofError
from governance.evidence.findings import Finding, Words, _, told

#: The sentence of the refusal, with its values: the page says it in the reader's language.
_LATE = _(
    "The ledger’s key may be in other hands since %(since)s, and nobody outside of the house saw its checkpoint "
    "before %(seen)s."
)


class LostKeyError(ProofError):
    """Whoever else saw the checkpoint saw it after the key was lost."""

    def __init__(self, since: datetime, seen: datetime) -> None:
        self.words = Words(_LATE, {"since": since.isoformat(), "seen": seen.isoformat()})
        super().__init__(str(self.words))


def judged(lost: datetime | None, times: Iterable[datetime | None]) -> Finding | None:
    """What is found of a checkpoint: None where its key is in the house's hands; open where nobody can say.

    No clock of the house is asked: whoever took the key writes any time. The first of all times counts, since anybody
    can have an old checkpoint stamped or witnessed again.

    Args:
        lost: since when the key may be in other hands. times: when others, who are believed, saw the checkpoint.

    Raises:
        LostKeyError: all of them saw it after that.
    """
    if lost is None:
        return None
    seen = min(filter(None, times), default=None)
    if seen is None:
        sentence = _(
            "The ledger’s key may be in other hands since %(since)s, and no time from outside shows that its "
            "checkpoint is older."
        )
        values = {"since": lost.isoformat()}
        return Finding(code="lost_key", good=False, open=True, sentence=sentence, values=values)
    if seen >= lost:
        raise LostKeyError(lost, seen)
    words = _(
        "The ledger’s key may be in other hands since %(since)s; its checkpoint was there before, says somebody "
        "outside of the house (%(seen)s)."
    )
    return told("lost_key", words, good=True, values={"since": lost.isoformat(), "seen": seen.isoformat()})
