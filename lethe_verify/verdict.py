"""What came out: one outcome, and each thing that was or was not proved, in plain words."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """Only GENUINE may be believed."""

    GENUINE = "genuine"
    UNKNOWN_SIGNER = "unknown_signer"
    UNDECIDED = "cannot_be_judged"
    REFUSED = "refused"


#: Exit codes of the command; 2 is wrong use.
EXIT = {Outcome.GENUINE: 0, Outcome.REFUSED: 1, Outcome.UNKNOWN_SIGNER: 3, Outcome.UNDECIDED: 4}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `state`: proved, not_proved, undecided (give more from outside) or refused."""

    code: str
    state: str
    text: str


@dataclass
class Verdict:
    """The outcome with everything that led to it."""

    outcome: Outcome = Outcome.REFUSED
    kind: str = ""
    sha256: str = ""
    fingerprint: str = ""
    ledger_key: str = ""
    level: str = ""
    sealed_at: str = ""
    #: By the oldest time stamp, where its authority is believed.
    stamped_at: str = ""
    report: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def proved(self, code: str, text: str) -> None:
        """This holds."""
        self.findings.append(Finding(code, "proved", text))

    def open(self, code: str, text: str) -> None:
        """This was not proved; that is no fault of the file."""
        self.findings.append(Finding(code, "not_proved", text))

    def undecided(self, code: str, text: str) -> None:
        """This must hold, and with what was given from outside nobody can say whether it does."""
        self.findings.append(Finding(code, "undecided", text))

    def to_json(self) -> dict[str, Any]:
        """Plain values, for programs."""
        plain = {name: value for name, value in vars(self).items() if name not in ("outcome", "findings")}
        return {"outcome": self.outcome.value, **plain, "findings": [vars(one) for one in self.findings]}
