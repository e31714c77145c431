"""One report, proven step by step: from the case to its file, the seal, the time, the ledger, a check without us."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from governance import dispatch
from governance.evidence import merkle
from governance.evidence.errors import SealError
from governance.evidence.identity import certificate_fingerprint
from governance.evidence.leaf import canonical
from governance.evidence.schema import EVIDENCE_ACTION
from governance.models import Report
from governance.notifications.languages import SOURCE
from governance.policies import Actor, Permission, may
from governance.web import report_copies, trust_pages
from governance.web.duty_pages import Context, when
from governance.web.guards import staff
from governance.web.verify import judged

P = Permission


@require_safe
@staff(P.SEE_REPORTS)
def proof(request: HttpRequest, number: str) -> HttpResponseBase:
    """The page; with `?check=now` the file is judged as anybody's upload would be."""
    actor = Actor.of(request.user)
    report = report_copies.report_of(actor, number)
    ledger = _ledger(report)
    parts = [_case(report, actor), _file(report), _seal(report), _entry(report, ledger, actor), _offline(report),
             report_copies.part(report, actor)]  # fmt: skip
    context = {
        "crumbs": [{"label": _("Reports"), "url": reverse("reports")}, {"label": number}],
        "conclusion": _("How %(number)s is proven") % {"number": number},
        "sentence": _("Five steps, each of which you can take without believing this page."),
        "parts": [checked_here(lambda: dispatch.read_bytes(report.pdf), request.GET.get("check") == "now"), *parts],
    }
    return render(request, "duties/sheet.html", context)


def _ledger(report: Report) -> dict[str, Any]:
    """`ledger.json` of the report's bundle; empty where it has none yet."""
    if not report.proofs:
        return {}
    try:
        return dict(json.loads(dispatch.read_bytes(report.proofs)))
    except ValueError:
        return {}


def checked_here(read: Callable[[], bytes], now: bool) -> Context:
    """What this house finds of a file of its own, when it is asked for."""
    note = _("This house judges its own file: good to see at once, no proof to anybody else.")
    part: Context = {"id": "check", "title": _("Checked here"), "note": note}
    if not now:
        return {**part, "links": [{"label": _("Check the file now"), "url": "?check=now"}]}
    result = judged(read())
    words = {"pass": _("holds"), "fail": _("does not hold"), "inconclusive": _("cannot be shown now")}
    return {
        **part,
        "notice": {"kind": result["kind"], "title": result["conclusion"], "text": result["sentence"]},
        "facts": result["facts"],
        "columns": [_("What was looked at"), _("Outcome")],
        "rows": [[one["title"], {"state": one["state"], "text": words[one["state"]]}] for one in result["checks"]],
    }


def _case(report: Report, actor: Actor) -> Context:
    case = report.case
    link = {"url": reverse("case", args=[case.public_id])} if may(actor, P.SEE_CASES) else {}
    return {
        "id": "case", "title": _("1. The case"), "note": _("What was decided, and by whom."),
        "facts": [
            {"label": _("Case"), "value": case.number, **link},
            (_("How it ended"), case.get_disposition_display() or case.get_status_display()),
            (_("The report says"), report.headline_in(SOURCE)),
        ],
    }  # fmt: skip


def _file(report: Report) -> Context:
    links = [{"label": _("The report, PDF"), "url": reverse("report", args=[report.number])},
             {"label": _("Its evidence, JSON"), "url": reverse("report_evidence", args=[report.number])}]  # fmt: skip
    if report.proofs:
        links.append({"label": _("Both with the proofs, ZIP"), "url": reverse("report_bundle", args=[report.number])})
    earlier = [{"label": _("Before a time stamp was renewed"), "value": one.pdf, "digest": True}
               for one in report.earlier.order_by("id")]  # fmt: skip
    line = f'echo "{report.pdf.removeprefix("sha256:")}  {report.number}.pdf" | sha256sum -c'
    return {
        "id": "file", "title": _("2. The file"),
        "note": _("Compute the SHA-256 of what you downloaded: it must be this one. The command says OK."),
        "facts": [{"label": _("PDF"), "value": report.pdf, "digest": True},
                  {"label": _("Evidence"), "value": report.evidence, "digest": True}, *earlier,
                  {"label": _("Command"), "value": line, "mono": True}],
        "links": links,
    }  # fmt: skip


def _seal(report: Report) -> Context:
    try:
        seal = certificate_fingerprint(settings.SEAL_CERTIFICATE)
    except (SealError, OSError):
        seal = ""
    stamped = (
        _("Time stamps by an authority (RFC 3161); the last one is to be renewed by %(day)s.")
        % {"day": when(report.renew_at)}
        if report.renew_at
        else _("The house's own clock alone: no time stamp stands over this file.")
    )
    return {
        "id": "seal", "title": _("3. Seal and time"),
        "note": _("Compare the fingerprint in the file with one that you have by another way: on paper, or from the "
                  "trust file."),
        "facts": [
            {"label": _("Seal of this house now"), "value": f"sha256:{seal}", "digest": True} if seal
            else (_("Seal of this house now"), _("no certificate is to be read")),
            (_("Written"), when(report.created_at)),
            (_("Time"), stamped),
        ],
        "links": [{"label": _("The trust file, with seals that ended"), "url": reverse("trust")}],
    }  # fmt: skip


def _entry(report: Report, ledger: dict[str, Any], actor: Actor) -> Context:
    part: Context = {
        "id": "ledger",
        "title": _("4. The ledger"),
        "note": _("A report has two entries. That of the evidence is written first, and its proof lies inside of the "
                  "PDF: it is the one that the check by upload draws. That of the file holds the digests above, and "
                  "its proof lies in the bundle: it is the one told here."),
    }  # fmt: skip
    if not ledger:
        return {**part, "empty": _("The bundle is not written yet: the signing worker does it after the report.")}
    entry = ledger["entries"][0]
    size, root = ledger["checkpoint"].split("\n")[1:3]
    index, steps, seen = entry["leaf"]["index"], len(entry["proof"]), ledger.get("witnesses", [])
    link = {"url": reverse("ledger_proof", args=[index])} if may(actor, P.SEE_LEDGER) else {}
    told = ngettext("%(n)d witness outside of the house", "%(n)d witnesses outside of the house", len(seen))
    way = ngettext("%(n)d hash from the leaf to the root", "%(n)d hashes from the leaf to the root", steps)
    hashed = merkle.leaf_hash(canonical(entry["leaf"]))
    return {
        **part,
        "facts": [
            {"label": _("Entry of the file"), "value": str(index), **link},
            *_evidence_entry(report, actor),
            {"label": _("Leaf"), "value": hashed.hex(), "digest": True},
            (_("Proof"), way % {"n": steps}),
            (_("Checkpoint"), _("of %(n)s entries") % {"n": size}),
            {"label": _("Root, base64"), "value": root, "mono": True},
            (_("Signed by"), ledger["verifier_key"].split("+")[0]),
            (_("Seen by"), told % {"n": len(seen)} if seen else _("no witness: keep this checkpoint for later")),
        ],
        "links": [{"label": _("The newest checkpoint, as everybody gets it"), "url": reverse("ledger_checkpoint")}],
    }  # fmt: skip


def _evidence_entry(report: Report, actor: Actor) -> list[dict[str, Any]]:
    """The entry that the check by upload draws: it was written before the report was set from the evidence."""
    told = json.loads(dispatch.read_bytes(report.evidence)).get("ledger") or {}
    found = [one["leaf"]["index"] for one in told.get("entries", ()) if one["leaf"]["action"] == EVIDENCE_ACTION]
    link = {"url": reverse("ledger_proof", args=[found[-1]])} if found and may(actor, P.SEE_LEDGER) else {}
    return [{"label": _("Entry of the evidence"), "value": str(found[-1]), **link}] if found else []


def _offline(report: Report) -> Context:
    link = {"label": _("The verifier, one file"), "url": reverse("verifier")}
    packed = [link] if trust_pages.verifier_told() else []
    file = f"{report.number}.zip" if report.proofs else f"{report.number}.pdf"
    return {
        "id": "offline", "title": _("5. Without us"),
        "note": _("Python 3.11 and one file; no network. Code 0 only where everything holds."),
        "facts": [
            {"label": _("Take"), "value": f"{file}, lethe-verify.pyz, lethe-trust.json", "mono": True},
            {"label": _("Command"), "command": True,
             "value": f"python3 lethe-verify.pyz {file} --trust lethe-trust.json"},
        ],
        "links": [*packed, {"label": _("The trust file"), "url": reverse("trust")},
                  {"label": _("The same check by upload"), "url": reverse("verify")}],
    }  # fmt: skip
