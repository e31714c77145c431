"""What a check of a report says: one outcome, and all that led to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from governance.evidence.findings import Finding


class Outcome(StrEnum):
    """What the file is. Only GENUINE may be believed."""

    GENUINE = "genuine"
    ALTERED = "altered"
    UNSIGNED = "unsigned"
    UNKNOWN_SIGNER = "unknown_signer"
    NOT_A_REPORT = "not_a_report"
    TOO_LARGE = "too_large"
    ENDED = "ended"
    TIME_ENDED = "time_ended"
    LEDGER_LOST = "ledger_lost"
    LEDGER_LATE = "ledger_late"


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """`outcome` with all that led to it. `evidence` is the attached document where the file is genuine or intact.

    `outside`: the first time that an authority outside of the issuer says; None without one that is believed.
    """

    outcome: Outcome
    findings: tuple[Finding, ...]
    sha256: str
    fingerprint: str = ""
    level: str = ""
    sealed_at: str = ""
    evidence: dict[str, Any] | None = None
    outside: datetime | None = None

    @property
    def genuine(self) -> bool:
        """Whether every check held and the signer is one of the trusted."""
        return self.outcome is Outcome.GENUINE
