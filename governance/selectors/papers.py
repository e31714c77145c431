"""Reads on papers of the house, and of a case: its certificate and copies. The closing letter names the claimant, and
is shown on the claimant's page alone."""

from __future__ import annotations

from datetime import date

from django.db.models import QuerySet

from governance.models import Case, Job, Paper, Report
from governance.policies import Actor, Permission, demand
from governance.selectors.paging import Page, newest, of_days

SIZE, SHOWN = 50, 100


def house_papers(
    actor: Actor, *, words: str = "", kind: str = "", first: date | None = None, last: date | None = None
) -> QuerySet[Paper]:
    """Statements and registers, by how their number begins, kind and days of signing."""
    demand(actor, Permission.SEE_REPORTS)
    rows = of_days(Paper.objects.filter(case=None), "created_at", first, last)
    if "\0" in words:
        return rows.none()
    rows = rows.filter(number__startswith=words.upper()) if words else rows
    return rows.filter(kind=kind) if kind else rows


def house_papers_page(rows: QuerySet[Paper], *, after: str = "") -> Page[Paper]:
    """Of these papers those after the one with the number `after`, newest first."""
    return newest(rows, Paper.objects.filter(number=after).first() if after else None, SIZE)


def house_paper(actor: Actor, number: str) -> Paper:
    """One of them.

    Raises:
        Paper.DoesNotExist: no such number, or a claimant's paper.
    """
    demand(actor, Permission.SEE_REPORTS)
    return Paper.objects.get(number=number, case=None)


def certificates(actor: Actor, case: Case) -> list[Paper]:
    """The claimant's certificate, which like the report says nothing of who asks."""
    demand(actor, Permission.SEE_REPORTS)
    return list(Paper.objects.filter(case=case, kind=Paper.Kind.CERTIFICATE).order_by("id"))


def copies_ordered(actor: Actor, report: Report) -> list[Job]:
    """Orders of copies that are not sealed: they wait, run or came to nothing."""
    demand(actor, Permission.SEE_REPORTS)
    rows = Job.objects.filter(kind="paper", case=report.case_id, key__startswith=f"paper:{Paper.Kind.COPY.value}:")
    return list(rows.exclude(state=Job.State.SUCCEEDED).order_by("key"))


def copies(actor: Actor, report: Report) -> list[Paper]:
    """Copies of a report and of its certificate in other languages."""
    demand(actor, Permission.SEE_REPORTS)
    return list(Paper.objects.filter(case=report.case_id, kind=Paper.Kind.COPY).order_by("number"))


def copy_get(actor: Actor, number: str) -> Paper:
    """A copy, or a certificate.

    Raises:
        Paper.DoesNotExist: no such number, or a claimant's letter.
    """
    demand(actor, Permission.SEE_REPORTS)
    kinds = (Paper.Kind.COPY, Paper.Kind.CERTIFICATE)
    return Paper.objects.select_related("case__claimant").get(number=number, kind__in=kinds)


def papers_ordered(actor: Actor) -> list[Job]:
    """Orders of papers of the house that are not sealed, newest first: they wait, run or came to nothing."""
    demand(actor, Permission.SEE_REPORTS)
    rows = Job.objects.filter(kind="paper", case=None).exclude(state=Job.State.SUCCEEDED)
    return list(rows.order_by("-created_at", "-id")[:SHOWN])
