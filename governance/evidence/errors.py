"""Errors of this room. Each message says what was wrong, where, and what to do."""

from __future__ import annotations

from governance.errors import GovernanceError


class EvidenceError(GovernanceError):
    """Something that must not become evidence. `problems` lists every fault found, not the first alone."""

    status = 422

    @property
    def problems(self) -> tuple[str, ...]:
        """The messages, one per fault."""
        return self.messages


class ProofError(EvidenceError):
    """A Merkle proof, checkpoint or leaf opening does not hold."""


class DocumentError(EvidenceError):
    """An evidence document does not follow its schema or contradicts itself."""


class ContradictionError(DocumentError):
    """Verdict, guarantee, disposition and deployments cannot all be true: no sentence exists for them."""


class RenderError(EvidenceError):
    """The report could not be rendered, or not reproducibly."""


class SealError(EvidenceError):
    """The seal's identity is missing, unreadable or unfit, or sealing failed."""


class SealUnavailable(SealError):
    """What sealing needs cannot be had now: token, key service or time stamp authority.

    Nothing is wrong with the report. It waits, says why, and is tried again: none is ever sealed with less than the
    policy demands.
    """

    waits = True
