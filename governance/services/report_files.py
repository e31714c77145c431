"""Files of reports and papers for staff. What was written about a private person is read by those alone who may know
who it is; who took a file about a private person stands in the ledger."""

from __future__ import annotations

from django.db import transaction

from governance import dispatch
from governance.errors import NotAllowed
from governance.evidence import ledger, wording
from governance.kinds import rule
from governance.models import Disposition, Paper, Report
from governance.policies import Actor, Permission, demand, may_read


def _numbered(of: Report | Paper) -> bool:
    """Whether the file names facts by their numbers and grounds by their codes alone. A certificate says more, as do
    reports from before."""
    case = dispatch.read_json(of.evidence).get("case", {})
    items = case.get("items", [])
    named = not items or len(items) < case["items_count"] or not all(wording.fact_of(one["title"]) for one in items)
    decided = case.get("disposition") in (Disposition.REFUSED, Disposition.EXCLUDED) and case["reason"]
    worded = decided and not decided.startswith("Ground: ")
    return not (named or worded or any(clock["extended_why"] for clock in case.get("clocks", ())))


def demand_readable(of: Report | Paper, actor: Actor) -> None:
    """Refuse the file to those who may not read what it says of a private person.

    Raises:
        NotAllowed: it names the facts, and the actor may not know who asked.
    """
    if of.case and not may_read(of.case, actor) and not _numbered(of):
        raise NotAllowed("This file names facts about a private person; legal officers and approvers read it.")


@transaction.atomic
def file_take(*, of: Report | Paper, file: str, actor: Actor) -> None:
    """Somebody of the staff takes a file of a report or paper: `pdf`, `json` or `zip`.

    Raises:
        NotAllowed: the policy refuses the actor, or they may not read what the file says.
    """
    demand(actor, Permission.SEE_REPORTS)
    demand_readable(of, actor)
    if of.case and rule(of.case.kind).personal:
        ledger.append(action="report.taken", actor=actor, case=of.case, body={"of": of.number, "file": file})
