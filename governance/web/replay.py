"""The auditor's bundle of a report: made on a page, its passphrase shown once, taken until its days are over."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from governance.models import AuditorBundle, Report
from governance.policies import Actor, Permission
from governance.selectors import ledger as select
from governance.services import auditor_bundles
from governance.web.containment import attachment
from governance.web.duty_pages import Nothing
from governance.web.guards import staff

P = Permission


@require_safe
@staff(P.REPLAY_CASE)
def page(request: HttpRequest, number: str) -> HttpResponseBase:
    """What it holds, those that were made, and the button."""
    return _page(request, _report(request, number))


@require_POST
@staff(P.REPLAY_CASE, decide=True)
def make(request: HttpRequest, number: str) -> HttpResponseBase:
    """Make one; the answer is the only place where its passphrase is ever shown."""
    report = _report(request, number)
    made, passphrase = auditor_bundles.bundle_make(report=report, actor=Actor.of(request.user))
    return _page(request, report, made, passphrase)


@require_safe
@staff(P.REPLAY_CASE)
def fetch(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """The closed file."""
    found = AuditorBundle.objects.select_related("report__case__claimant").filter(public_id=public_id).first()
    if found is None:
        raise Http404
    data = auditor_bundles.bundle_fetch(bundle=found, actor=Actor.of(request.user))
    return attachment(data, "application/octet-stream", f"{found.report.number}.zip.age")


def _report(request: HttpRequest, number: str) -> Report:
    try:
        return select.report_get(Actor.of(request.user), number)
    except Report.DoesNotExist as error:
        raise Http404 from error


def _page(request: HttpRequest, report: Report, made: AuditorBundle | None = None, words: str = "") -> HttpResponse:
    kept = [_row(one) for one in report.auditor_bundles.select_related("made_by")]
    days = auditor_bundles.DAYS
    context: dict[str, Any] = {
        "crumbs": [{"label": _("Reports"), "url": reverse("reports")}, {"label": report.number}],
        "conclusion": _("What a replay of %(number)s needs") % {"number": report.number},
        "sentence": _("Specs, results, policies, digests and the case's ledger entries; no weights and no data."),
        "parts": [
            *([_shown(made, words)] if made else []),
            {
                "id": "kept",
                "title": _("Bundles made"),
                "note": _("Each is closed by a passphrase of its own. Who made and who took it stands in the ledger."),
                "columns": [_("Made"), _("By"), _("Until"), _("SHA-256"), _("Download")],
                "rows": kept,
                "empty": _("None was made yet."),
                "forms": [
                    {
                        "plain": True,
                        "form": Nothing(),
                        "action": reverse("replay_make", args=[report.number]),
                        "submit": _("Make a bundle"),
                        "note": ngettext("It can be taken for %(n)d day.", "It can be taken for %(n)d days.", days)
                        % {"n": days},
                    }
                ],
            },
        ],
    }
    return render(request, "duties/sheet.html", context)


def _shown(made: AuditorBundle, words: str) -> dict[str, Any]:
    """The passphrase, once."""
    file = f"{made.report.number}.zip.age"
    return {
        "id": "made",
        "title": _("The new bundle"),
        "notice": {
            "kind": "pass",
            "title": _("Made. Write the passphrase down now: it is shown once and kept nowhere."),
            "text": _("The file opens with the program age."),
        },
        "facts": [
            {"label": _("Passphrase"), "value": words, "mono": True},
            {"label": _("File"), "value": file, "url": reverse("replay_fetch", args=[made.public_id])},
            {"label": _("To open it"), "value": f"age -d -o replay.zip {file}", "mono": True},
        ],
    }


def _row(one: AuditorBundle) -> list[Any]:
    def day(moment: Any) -> str:
        return date_format(timezone.localtime(moment), "j M Y, H:i")

    over = one.discarded_at is not None or one.expires_at <= timezone.now()
    link = {"text": _("Closed ZIP"), "url": reverse("replay_fetch", args=[one.public_id])}
    return [
        day(one.made_at),
        str(one.made_by),
        day(one.expires_at),
        {"digest": one.archive},
        _("over") if over else link,
    ]
