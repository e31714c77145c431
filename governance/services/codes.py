"""Codes of a decision as a case's kind and law offer them: on which ground, and what stands against it."""

from __future__ import annotations

from collections import Counter

from governance.clocks import LAWS
from governance.kinds import Code, codes, rule
from governance.models import Case, Decision

#: As many characters as the column `Decision.ground` holds.
GROUND_LENGTH = 80


def exceptions(case: Case) -> tuple[Code, ...]:
    """What can stand against erasure in this case."""
    return codes(rule(case.kind).exceptions, case.law)


def grounds(case: Case) -> list[tuple[str, str]]:
    """Grounds as (what is kept, what is read); the law's own words come first.

    What is kept is the citation; where two grounds are written in one place, with the words.
    """
    offered = codes(rule(case.kind).grounds, case.law)
    often = Counter(one.citation for one in offered)
    general = LAWS[case.law].ground(case.kind)
    found = {general: general}
    for one in offered:
        kept = one.citation if often[one.citation] == 1 else f"{one.citation}: {one.words}"
        found[kept[:GROUND_LENGTH]] = f"{one.citation}: {one.words}"
    return list(found.items())


def exception_words(case: Case, code: str) -> str:
    """A code as it is read; one that the law no longer lists stands as it was written."""
    return next((f"{one.citation}: {one.words}" for one in exceptions(case) if one.code == code), code)


def exception_place(case: Case, code: str) -> str:
    """Where a code is written; one that the law no longer lists stands as it was written."""
    return next((one.citation for one in exceptions(case) if one.code == code), code)


def exception_problem(case: Case, choice: str, code: str) -> str:
    """Why a code is missing, or does not fit the choice or the law; empty where all is well."""
    if not code:
        return "name the exception on which it is refused." if choice == Decision.Choice.REFUSE else ""
    if choice == Decision.Choice.ERASE:
        return "what is erased has no exception; leave the code out."
    if code not in {one.code for one in exceptions(case)}:
        return f"“{code[:24]}” is no exception of {LAWS[case.law].title} for this kind of request."
    return ""
