"""Reads on papers of the house. Those of a case are its claimant's and are shown on the claimant's page alone."""

from __future__ import annotations

from governance.models import Job, Paper, Report
from governance.policies import Actor, Permission, demand

SHOWN = 100


def house_papers(actor: Actor) -> list[Paper]:
    """Statements and registers, newest first."""
    demand(actor, Permission.SEE_REPORTS)
    return list(Paper.objects.filter(case=None)[:SHOWN])


def house_paper(actor: Actor, number: str) -> Paper:
    """One of them.

    Raises:
        Paper.DoesNotExist: no such number, or a claimant's paper.
    """
    demand(actor, Permission.SEE_REPORTS)
    return Paper.objects.get(number=number, case=None)


def copies(actor: Actor, report: Report) -> list[Paper]:
    """Copies of a report and of its certificate in other languages."""
    demand(actor, Permission.SEE_REPORTS)
    return list(Paper.objects.filter(case=report.case_id, kind=Paper.Kind.COPY).order_by("number"))


def copy_get(actor: Actor, number: str) -> Paper:
    """One of them.

    Raises:
        Paper.DoesNotExist: no such number, or a claimant's paper.
    """
    demand(actor, Permission.COPY_REPORT)
    return Paper.objects.select_related("case__claimant").get(number=number, kind=Paper.Kind.COPY)


def papers_waiting(actor: Actor) -> int:
    """Orders that the signing worker has not finished."""
    demand(actor, Permission.SEE_REPORTS)
    return Job.objects.filter(kind="paper", case=None, state__in=[Job.State.QUEUED, Job.State.RUNNING]).count()
