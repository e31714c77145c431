"""Checks a Lethe report or bundle without Lethe: no Django, no database, no network, nothing but Python's own library.

It is a second opinion. It shares no line with the software that makes the reports, so that one mistake does not
vouch for itself. Start with `python -m lethe_verify --help`; docs/verifying.md has the commands that a stranger copies.
"""

from lethe_verify.judge import judge
from lethe_verify.verdict import Finding, Outcome, Verdict

__all__ = ["Finding", "Outcome", "Verdict", "judge"]
__version__ = "1.1.0"
