"""The words of the field that a report uses, explained at its end as the pages explain them (`governance.glossary`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from governance.glossary import TERMS


def words_used(document: Mapping[str, Any], *, plain: bool = False) -> list[tuple[str, str]]:
    """Word and meaning, in the glossary's order. `plain`: of a certificate, which speaks of tests and of no method."""
    attempts = [] if plain else document["attempts"]
    used = {"model", "training", "fingerprint"} | ({"report"} if plain else set())
    used |= {"unlearning"} if attempts else set()
    used |= {one["guarantee"] for one in attempts}
    used |= {"probe"} if any(one["verification"] for one in attempts) else set()
    return [(str(term.word), str(term.meaning)) for term in TERMS if term.name in used]
