"""Reads on papers of the house, and of a case: its certificate and copies. The closing letter names the claimant: here
it is told that it exists; it is opened by `services.privacy.letter_open`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from django.db.models import QuerySet

from governance.models import Case, Job, LedgerOpening, Paper, Report, Status, User
from governance.policies import Actor, Permission, demand
from governance.selectors.paging import Page, named, newest, of_days

SIZE, SHOWN = 50, 100


def house_papers(
    actor: Actor, *, words: str = "", kind: str = "", first: date | None = None, last: date | None = None
) -> QuerySet[Paper]:
    """Statements and registers, by how their number begins, kind and days of signing."""
    demand(actor, Permission.SEE_REPORTS)
    rows = of_days(Paper.objects.filter(case=None).select_related("job"), "created_at", first, last)
    if "\0" in words:
        return rows.none()
    rows = rows.filter(number__startswith=words.upper()) if words else rows
    return rows.filter(kind=kind) if kind else rows


def house_papers_page(rows: QuerySet[Paper], *, after: str = "") -> Page[Paper]:
    """Of these papers those after the one with the number `after`, newest first."""
    return newest(rows, named(Paper.objects.all(), number=after), SIZE)


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
    rows = Paper.objects.filter(case=report.case_id, kind=Paper.Kind.COPY).select_related("job")
    return list(rows.order_by("number"))


def copy_get(actor: Actor, number: str) -> Paper:
    """A copy, or a certificate.

    Raises:
        Paper.DoesNotExist: no such number, or a claimant's letter.
    """
    demand(actor, Permission.SEE_REPORTS)
    kinds = (Paper.Kind.COPY, Paper.Kind.CERTIFICATE)
    return Paper.objects.select_related("case__claimant").get(number=number, kind__in=kinds)


def orders(actor: Actor, case: Case) -> list[Job]:
    """The jobs that make the report and the papers of a case, in the order in which they were ordered; of the report
    the newest."""
    demand(actor, Permission.SEE_CASES)
    rows = Job.objects.filter(case=case, kind__in=("report", "paper")).select_related("paper")
    found = list(rows.order_by("created_at", "key"))
    reports = [job for job in found if job.kind == "report"]
    return [job for job in found if job.kind != "report" or job is reports[-1]]


def order_entry(case: Case, job: Job) -> LedgerOpening | None:
    """The entry of the ledger by which somebody had a paper of a case made; none of what follows its closing."""
    entries = LedgerOpening.objects.filter(case=case).select_related("actor", "entry").order_by("-entry_id")
    if job.kind == "report":
        return entries.filter(entry__action="case.advanced", body__to=Status.REPORTING.value).first()
    kind, number = job.key.split(":")[1:3]
    if kind != Paper.Kind.COPY:
        return None
    of, _dash, language = number.rpartition("-")
    return entries.filter(entry__action="report.copy_ordered", body__of=of, body__language=language.lower()).first()


def ordered_by(keys: Iterable[str]) -> dict[str, User]:
    """Who ordered papers of the house, by the keys of their jobs, which name the account."""
    accounts = {key: int(part) for key in keys if (part := key.split(":")[2]).isdecimal()}
    people = User.objects.in_bulk(set(accounts.values()))
    return {key: people[pk] for key, pk in accounts.items() if pk in people}


def papers_ordered(actor: Actor) -> list[Job]:
    """Orders of papers of the house that are not sealed, newest first: they wait, run or came to nothing."""
    demand(actor, Permission.SEE_REPORTS)
    rows = Job.objects.filter(kind="paper", case=None).exclude(state=Job.State.SUCCEEDED)
    return list(rows.order_by("-created_at", "-id")[:SHOWN])
