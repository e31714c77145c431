"""The auditor's rooms: signed reports and the ledger, entry by entry, with proofs of inclusion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from governance import dispatch
from governance.errors import KeyDestroyed
from governance.evidence import ledger as proofs
from governance.evidence.signatures import audit
from governance.models import Disposition, Kind, LedgerEntry, Report
from governance.notifications.languages import SOURCE
from governance.policies import Actor, Permission, may
from governance.selectors import ledger as select
from governance.selectors.paging import counting
from governance.services import bundles, checkpoints, report_files, retention, witnesses
from governance.validators import number_in
from governance.web import case_history, papers
from governance.web.containment import attachment
from governance.web.duty_pages import iso_day
from governance.web.guards import staff
from governance.web.narrowed import Choices, Narrowed
from governance.web.sheets import csv_stream

P = Permission
#: First parts of the names of all that is written (`test_ledger_page` compares them with the code).
KINDS = (
    "abuse", "agent", "answer", "attestations", "batch", "bundle", "case", "clock", "dataset", "deadline",
    "decision", "deployment", "doubt", "erasure", "evidence", "export", "feed", "filter_list", "hold", "interest",
    "job", "key", "letter", "link", "matching", "message", "model", "news", "note", "order", "organisation", "paper",
    "patch", "people", "person", "plan", "policy", "proof", "recheck", "recipient", "recipients", "records",
    "release", "report", "rescan", "reservation", "return", "sample", "seal", "sharing", "subscriber", "texts",
    "unlearning", "upload", "verification", "version", "webhook", "weights", "works",
)  # fmt: skip


#: By what reports are narrowed, beside words and days.
CHOICES: Choices = {
    "kind": (gettext_lazy("Kind"), Kind.choices),
    "outcome": (gettext_lazy("Outcome"), Disposition.choices),
    "file": (gettext_lazy("File"), (("there", gettext_lazy("there")),
                                    ("erased", gettext_lazy("destroyed with the person's data")))),
}  # fmt: skip


@gzip_page
@require_safe
@staff(P.SEE_REPORTS)
def reports(request: HttpRequest) -> HttpResponseBase:
    """Every signed report, newest first; by case or sheet, kind, outcome, days."""
    actor, asked = Actor.of(request.user), Narrowed.of(request.GET, CHOICES)
    if asked.words.upper().startswith(papers.PREFIXES):  # a paper of the house is in their list
        return redirect(f"{reverse('papers')}?{urlencode({'q': asked.words})}")
    erased = {"there": False, "erased": True}.get(asked.chosen["file"])
    rows = select.reports(
        actor, words=asked.words, kind=asked.chosen["kind"], outcome=asked.chosen["outcome"], erased=erased,
        first=asked.first, last=asked.last,
    )  # fmt: skip
    if request.GET.get("format") == "csv":
        return csv_stream("reports", _csv(rows))
    page = select.reports_page(rows, after=request.GET.get("after", ""))
    linked, replay = may(actor, P.SEE_CASES), may(actor, P.REPLAY_CASE)
    number, shown = counting(rows)
    said = ngettext("%(n)s signed report", "%(n)s signed reports", number) % {"n": shown}
    context = {
        "conclusion": said if page.rows else _("No signed report answers to this")
        if asked.query else _("No report was signed yet"),
        "columns": [_("Report"), _("Case"), _("Says"), _("Signed"), _("PDF"), _("Download"), _("To check offline"),
                    _("Proof"), *([_("To replay")] if replay else [])],
        "rows": [_report(report, linked, replay) for report in page.rows],
        "next_page_url": asked.next_url(page.last.number if page.last else ""),
        "csv_url": f"?{urlencode({**asked.query, 'format': 'csv'})}",
        **asked.context(CHOICES, words=_("Case or sheet"), clear_url=reverse("reports")),
    }  # fmt: skip
    return render(request, "auditor/reports.html", context)


def _csv(rows: QuerySet[Report]) -> Iterator[list[str]]:
    """Every report of the list with its digests, row by row as it is read."""
    yield ["report", "case", "kind", "outcome", "says", "signed_at", "pdf", "evidence"]
    for report in rows.order_by("created_at", "pk").iterator():
        case, at = report.case, report.created_at.isoformat(timespec="seconds")
        yield [report.number, case.number, case.kind, case.disposition, report.headline_in(SOURCE), at, report.pdf,
               report.evidence]  # fmt: skip


def _report(report: Report, linked: bool, replay: bool) -> list[Any]:
    case = report.case
    return [
        {"text": report.number, "url": reverse("report", args=[report.number]), "mono": True},
        {"text": case.number, "mono": True, "url": reverse("case", args=[case.public_id]) if linked else "",
         "note": case.get_disposition_display()},
        report.headline_in(SOURCE),
        date_format(timezone.localtime(report.created_at), "j M Y, H:i"),
        {"digest": report.pdf},
        {"text": _("Evidence, JSON"), "url": reverse("report_evidence", args=[report.number])},
        {"text": _("Bundle, ZIP"), "url": reverse("report_bundle", args=[report.number])} if report.proofs else "",
        {"text": _("Step by step"), "url": reverse("report_proof", args=[report.number])},
        *([{"text": _("Auditor's bundle"), "url": reverse("replay", args=[report.number])}] if replay else []),
    ]  # fmt: skip


@require_safe
@staff(P.SEE_REPORTS)
def report_bundle(request: HttpRequest, number: str) -> HttpResponseBase:
    """All that a stranger needs to check the report offline, as one file."""
    try:
        found = select.report_get(Actor.of(request.user), number)
    except Report.DoesNotExist as error:
        raise Http404 from error
    data = bundles.public_bundle(found)
    report_files.file_take(of=found, file="zip", actor=Actor.of(request.user))
    return attachment(data, "application/zip", f"{found.number}.zip")


def _download(request: HttpRequest, number: str, *, evidence: bool) -> HttpResponse:
    try:
        report = select.report_get(Actor.of(request.user), number)
    except Report.DoesNotExist as error:
        raise Http404 from error
    ref, kind, ending = (
        (report.evidence, "application/json", "json") if evidence else (report.pdf, "application/pdf", "pdf")
    )
    if gone := retention.erased(report.case):
        raise KeyDestroyed(gone)
    data = dispatch.read_bytes(ref)
    report_files.file_take(of=report, file=ending, actor=Actor.of(request.user))
    return attachment(data, kind, f"{report.number}.{ending}")


@require_safe
@staff(P.SEE_REPORTS)
def report(request: HttpRequest, number: str) -> HttpResponseBase:
    """The signed PDF, checked against its digest as it is read."""
    return _download(request, number, evidence=False)


@require_safe
@staff(P.SEE_REPORTS)
def report_evidence(request: HttpRequest, number: str) -> HttpResponseBase:
    """The report's evidence document."""
    return _download(request, number, evidence=True)


@gzip_page
@require_safe
@staff(P.SEE_LEDGER)
def ledger(request: HttpRequest) -> HttpResponseBase:
    """The leaves, newest first; by kind of action, by case, by days, and from any entry on."""
    actor, asked = Actor.of(request.user), request.GET
    kind, case, wanted = (asked.get(name, "").strip() for name in ("kind", "case", "entry"))
    days = {name: iso_day(asked.get(name, "")) for name in ("from", "to")}
    since, until = select.day_range(days["from"], days["to"])
    entry, before, after = _index(wanted), _index(asked.get("before", "")), _index(asked.get("after", ""))
    before = entry + 1 if entry is not None else before
    rows = select.entries_rows(actor, kind=kind, case=case, since=since, until=until)
    page = select.entries_page(rows, before=before, after=after)
    size = proofs.size()
    kept = (("kind", kind), ("case", case), *((name, day.isoformat() if day else "") for name, day in days.items()))
    query: dict[str, str | int] = {name: value for name, value in kept if value}
    words = number_format(size, force_grouping=True)
    context = {
        "conclusion": ngettext("%(n)s entry in the ledger", "%(n)s entries in the ledger", size) % {"n": words}
        if size
        else _("The ledger is empty"),
        "sentence": _(
            "Each entry is a leaf of one hash tree. It holds no personal data: people and cases are commitments."
        ),
        "filters": [
            {"name": "kind", "label": _("About"), "options": [
                {"value": "", "label": _("everything"), "selected": not kind},
                *({"value": k, "label": k, "selected": k == kind} for k in KINDS)]},
        ],
        "ranges": [{"name": "from", "label": _("From"), "value": days["from"].isoformat() if days["from"] else ""},
                   {"name": "to", "label": _("To"), "value": days["to"].isoformat() if days["to"] else ""}],
        "ranges_open": any(days.values()), "chosen": bool(query or wanted), "clear_url": reverse("ledger"),
        "witnesses": _witnesses(actor),
        "signatures": _signatures() if asked.get("check") == "signatures" else None,
        "no_entry": _no_entry(wanted, entry, size),
        "case_number": case,
        "fields": [{"name": "case", "label": _("Case"), "value": case},
                   {"name": "entry", "label": _("From entry"), "value": wanted}],
        "columns": [{"label": _("Entry"), "num": False}, _("When"), _("Case"), _("Who"), _("What"), _("Leaf hash")],
        "rows": [_entry(entry) for entry in page.rows],
        "newer_url": f"?{urlencode({**query, 'after': page.rows[0].index})}" if page.newer else "",
        "next_page_url": f"?{urlencode({**query, 'before': page.rows[-1].index})}" if page.older else "",
    }  # fmt: skip
    return render(request, "auditor/ledger.html", context)


def _index(text: str) -> int | None:
    """The number of an entry as it is written, `4,120` too; None where it is none."""
    return number_in(text.replace(",", "").replace(" ", ""))


def _no_entry(wanted: str, entry: int | None, size: int) -> str:
    """Why the entry that was asked for is not there; empty where it is, or none was asked for."""
    if not wanted or not size or (entry is not None and entry < size):
        return ""
    return _("There is no entry %(wanted)s. The last one is number %(last)s.") % {
        "wanted": wanted[:20], "last": number_format(size - 1, force_grouping=True)}  # fmt: skip


def _witnesses(actor: Actor) -> dict[str, Any] | None:
    """Who outside of the house saw our checkpoints, and who waits to be asked again; None where none is configured."""
    keys = [one.key for one in witnesses.configured()]
    signed = checkpoints.last_signed()
    if not keys or signed is None:
        return None
    rows = [_witness(one, signed.size) for one in select.witnesses(actor, keys)]
    return {
        "columns": [_("Witness"), _("State"), _("Signed last"), _("Asked again")],
        "rows": rows,
        "size": number_format(signed.size, force_grouping=True),
    }


def _witness(one: select.Standing, size: int) -> list[Any]:
    last, tried = one.signed, one.tried
    up_to_date = last is not None and last.checkpoint_id == size
    if up_to_date or tried is None or not tried.failed:
        words = _("signed the last checkpoint") if up_to_date else _("not asked yet")
        state, note, again = "pass" if up_to_date else "inconclusive", "", ""
    else:
        words = ngettext("waiting, %(n)d try failed", "waiting, %(n)d tries failed", tried.failed) % {"n": tried.failed}
        state, note = "inconclusive", tried.problem
        again = date_format(timezone.localtime(tried.next_at), "j M Y, H:i")
    seen = _("%(size)s entries, %(when)s") % {
        "size": number_format(last.checkpoint_id, force_grouping=True),
        "when": date_format(timezone.localtime(last.at), "j M Y, H:i"),
    } if last else _("nothing yet")  # fmt: skip
    return [{"text": one.name, "mono": True}, {"state": state, "text": words, "note": note}, seen, again]


def _signatures() -> dict[str, str]:
    """Whether every second signature stands in the ledger."""
    found = audit()
    if found.findings:
        title = ngettext("%(n)d finding", "%(n)d findings", len(found.findings)) % {"n": len(found.findings)}
        return {"kind": "fail", "title": title, "text": " ".join(found.findings[:5])}
    text = ngettext(
        "%(n)d signature was compared with the ledger; it is there.",
        "%(n)d signatures were compared with the ledger; all are there, by the people whom the tables name.",
        found.checked,
    )
    return {"kind": "pass", "title": _("Four eyes hold"), "text": text % {"n": found.checked}}


def _entry(entry: LedgerEntry) -> list[Any]:
    opening = getattr(entry, "opening", None)
    case = opening.case if opening else None
    return [
        {
            "text": number_format(entry.index, force_grouping=True),
            "mono": True,
            "url": reverse("ledger_proof", args=[entry.index]),
        },
        date_format(timezone.localtime(entry.at), "j M Y, H:i:s"),
        {"text": case.number, "mono": True, "url": reverse("case", args=[case.public_id])} if case else "",
        case_history.actor_words(opening) if opening else _("opening destroyed"),
        {"text": case_history.words(entry.action, opening.body) if opening else "", "note": entry.action},
        {"digest": bytes(entry.hash).hex()},
    ]


@require_safe
@staff(P.SEE_LEDGER)
def ledger_entry(request: HttpRequest, index: int) -> HttpResponseBase:
    """One leaf as JSON, with its bytes, its opening and its proof of inclusion in the tree as it is now."""
    try:
        entry = select.entry_get(Actor.of(request.user), index)
    except LedgerEntry.DoesNotExist as error:
        raise Http404 from error
    opening = select.opening_of(entry)
    tree = proofs.tree()
    return JsonResponse(
        {
            "leaf": proofs.as_json(entry),
            "leaf_bytes": bytes(entry.leaf).decode(),
            "leaf_hash": bytes(entry.hash).hex(),
            "opening": {"salt": bytes(opening.salt).hex(), "body": opening.body} if opening else None,
            "inclusion": {
                "tree_size": len(tree),
                "root": tree.root().hex(),
                "proof": [node.hex() for node in tree.inclusion_proof(index)],
            },
        },
        json_dumps_params={"indent": 2},
    )
