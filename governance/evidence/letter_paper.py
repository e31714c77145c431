"""A letter as a sealed paper: the words as they were sent, with reasons and remedies, and how to check them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from governance.evidence.printing import common, day


def context(document: Mapping[str, Any], evidence_digest: str) -> dict[str, Any]:
    """What `report/letter.html` prints."""
    content = document["content"]
    return {
        **common(document, evidence_digest),
        "letter": content,
        "written": day(content["written_at"]),
        "paragraphs": [part.strip() for part in content["body"].split("\n\n") if part.strip()],
    }
