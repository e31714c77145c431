"""What a trust file says that the house's own check does not know is refused, never passed over."""

from __future__ import annotations

from typing import Any

import pytest

from governance.evidence.errors import DocumentError
from governance.evidence.trust_file import believed

AT = "2026-11-29T12:00:00+00:00"
TOLD: dict[str, Any] = {
    "format": "lethe-trust/2", "seals": ["0" * 64], "ledgers": ["key"], "time_authorities": [], "models": [],
    "ended": [{"seal": "0" * 64, "at": AT, "reason": "compromised"}], "feeds": [], "witnesses": ["w"], "quorum": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"format": "lethe-trust/9"}, "format is none of"),
        ({"more": 1}, "more than this program knows"),
        ({"quorum": 1}, "witnesses, which are not checked here"),
        ({"ended": [{"seal": "0" * 64, "at": AT[:19], "reason": "retired"}]}, "no trust file"),
        ({"ended": [{"seal": "0" * 64, "at": AT, "reason": "tired"}]}, "no trust file"),
    ],
)
def test_what_it_does_not_know_it_refuses(wrong: dict[str, Any], why: str) -> None:
    assert believed(TOLD).ended["0" * 64][1] == "compromised"
    with pytest.raises(DocumentError, match=why):
        believed({**TOLD, **wrong})
