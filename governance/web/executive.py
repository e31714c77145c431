"""The executive page: one computed sentence, figures, deadlines, charts with their tables and CSV."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from governance.evidence.wording import outcome_word
from governance.models import AiModel
from governance.policies import Actor, Permission, may
from governance.selectors import figures as select
from governance.selectors import ledger as select_ledger
from governance.web import case_words, figures
from governance.web.guards import staff
from governance.web.probes import share
from governance.web.sheets import csv_response

P = Permission


@require_safe
@staff(P.SEE_DASHBOARD)
def dashboard(request: HttpRequest) -> HttpResponseBase:
    """The compliance page."""
    actor, today = Actor.of(request.user), timezone.localdate()
    select.demand_dashboard(actor)
    opened = select.open_cases(today)
    closed = select.closed_since(timezone.now() - select.WINDOW)
    rows = select.next_deadlines()
    see_cases = may(actor, P.SEE_CASES)
    deadlines = [case_words.row(c, today, url=reverse("case", args=[c.public_id]) if see_cases else "") for c in rows]
    more = max(0, opened.total - opened.paused - len(rows))
    words = ngettext("%(n)d more case on the clock", "%(n)d more cases on the clock", more) % {"n": more}
    size = number_format(select_ledger.size(), force_grouping=True)
    context = {
        "conclusion": conclusion(opened),
        "counted": _("%(day)s. Counted from the cases themselves; the ledger holds %(n)s entries.")
        % {"day": date_format(timezone.localtime(), "j F Y, H:i"), "n": size},
        "csv_url": reverse("figures_csv", args=["cases"]),
        "figures": [
            figures.open_figure(opened),
            *figures.closed_figures(closed),
            figures.verified_figure(_quarter(today)),
        ],
        "calendar": case_words.calendar(rows, today),
        "today": today,
        "deadlines": deadlines,
        "more_deadlines": {"label": words, "url": reverse("cases")} if more and see_cases else None,
        "sections": figures.sections(closed, today),
        **figures.laws(closed),
        "models": [_model(model, *found) for model, found in _in_service()],
        "kept_axis": {"low": 80, "high": 110, "step": 10, "unit": "%"},
        "evidence": _evidence(actor, size),
    }
    return render(request, "executive/dashboard.html", context)


def conclusion(opened: select.Open) -> str:
    """The page's headline, from the clocks alone."""
    if not opened.total:
        return _("No case is open.")
    inside = opened.total - opened.late - opened.at_risk
    if not opened.late and not opened.at_risk:
        return ngettext(
            "The one open case is inside its clock.", "Every one of %(n)d open cases is inside its clock.", opened.total
        ) % {"n": opened.total}  # noqa: E501
    parts = []
    if opened.late:
        parts.append(
            ngettext("One deadline was missed.", "%(n)d deadlines were missed.", opened.late) % {"n": opened.late}
        )
    if opened.at_risk:
        parts.append(
            ngettext("One deadline is at risk.", "%(n)d deadlines are at risk.", opened.at_risk) % {"n": opened.at_risk}
        )
    if inside:
        parts.append(
            ngettext("The other open case is inside its clock.", "Every other open case is inside its clock.", inside)
        )
    return " ".join(parts)


def _quarter(today: Any) -> datetime:
    first = today.replace(month=3 * ((today.month - 1) // 3) + 1, day=1)
    return timezone.make_aware(datetime.combine(first, datetime.min.time()))


def _in_service() -> list[tuple[AiModel, tuple[Any, ...]]]:
    released, applied = select.released_versions(), select.released_cases()
    last, waiting = select.last_verifications(), figures.waiting()
    return [
        (m, (released.get(m.pk), applied.get(m.pk, 0), waiting.get(m.pk, 0), last.get(m.pk)))
        for m in select.in_service()
    ]


def _model(model: AiModel, version: Any, applied: int, waiting: int, last: Any) -> dict[str, Any]:
    row, kept, verification = None, "", None
    if last is not None:
        worst = min(
            (p for p in last.document["probes"] if p["family"] == "utility"),
            key=lambda p: p["candidate"]["value"],
            default=None,
        )
        if worst:
            c = worst["candidate"]
            kept = share(c["value"])
            row = {"title": model.name, "limit": worst["limit"] * 100 if worst.get("limit") is not None else None,
                   "estimates": [{"name": "", "value": c["value"] * 100, "low": c["low"] * 100, "high": c["high"] * 100,
                                  "n": c["n"]}]}  # fmt: skip
        verification = {
            "state": last.verdict,
            "text": outcome_word(last.verdict),
            "note": f"{figures.method_words(last.plan)}, {date_format(timezone.localtime(last.created_at), 'j M')}",
        }
    return {
        "name": model.name,
        "url": reverse("model", args=[model.public_id]),
        "serving": _("rev. %(n)d of %(day)s")
        % {
            "n": version.revision,
            "day": date_format(timezone.localtime(version.released_at or version.created_at), "j M"),
        }
        if version
        else _("none"),
        "applied": applied,
        "waiting": waiting,
        "verification": verification,
        "row": row,
        "kept": kept,
    }


def _evidence(actor: Actor, size: str) -> list[dict[str, str]]:
    reports = select_ledger.reports_page(actor)
    shown = f"{len(reports.rows)}+" if reports.more else str(len(reports.rows))
    found = [
        {"title": ngettext("%(n)s report is signed", "%(n)s reports are signed", len(reports.rows)) % {"n": shown},
         "text": _("Each carries its evidence and verifies without this house."),
         "url": reverse("reports"), "link": _("To the reports")},
        {"title": _("%(n)s ledger entries") % {"n": size},
         "text": _("One hash tree; an entry that was changed would change its root."),
         "url": reverse("ledger") if may(actor, P.SEE_LEDGER) else "", "link": _("To the ledger")},
        {"title": _("Check it yourself"), "text": _("Anybody can have a report verified, without an account."),
         "url": reverse("verify"), "link": _("Verify a report")},
    ]  # fmt: skip
    return found


@require_safe
@staff(P.SEE_DASHBOARD)
def figures_csv(request: HttpRequest, name: str) -> HttpResponseBase:
    """The figures of one chart."""
    select.demand_dashboard(Actor.of(request.user))
    rows = figures.csv_rows(name, timezone.localdate())
    if rows is None:
        raise Http404
    return csv_response(name, rows)
