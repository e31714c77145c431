"""The executive page: one computed sentence; do we comply, where is the risk, does it get better, what does it cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from django.contrib import messages
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.http import urlencode
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_POST, require_safe

from governance.evidence import figure_words as words
from governance.evidence.wording import outcome_word
from governance.models import AiModel, StatementMail
from governance.policies import Actor, Permission, may
from governance.selectors import drill, running
from governance.selectors import figures as select
from governance.selectors import ledger as select_ledger
from governance.selectors import statement as statements
from governance.selectors.paging import counting
from governance.selectors.statement import Statement
from governance.services import figure_mails, tallies
from governance.statement_figures import Period
from governance.web import case_words, figures
from governance.web import figure_urls as urls
from governance.web.duty_pages import iso_day
from governance.web.guards import staff
from governance.web.probes import share
from governance.web.sheets import csv_response

P = Permission
#: The page is drawn anew after so many seconds, as often as the sums are counted; none as old as STALE is shown.
FRESH, STALE = 15, 25
#: Seconds for which those who ask first wait for the one who draws.
PATIENCE = 3
#: Seconds after which an open page asks for what has changed.
REFRESH = 30
#: So many places and files with old weights are listed.
OLD = 100
WRONG = gettext_lazy(
    "These days make no period, so %(instead)s are shown. Give both: the first not after the last, "
    "none after today, ten years at most."
)
CHOICES = ("30d", "90d", "365d", "quarter", "last_quarter", "year", "last_year")


@gzip_page
@require_safe
@staff(P.SEE_DASHBOARD)
def dashboard(request: HttpRequest) -> HttpResponseBase:
    """The compliance page."""
    actor, today = Actor.of(request.user), timezone.localdate()
    select.demand_dashboard(actor)
    period = asked_period(request, today)
    sees = f"{may(actor, P.SEE_CASES):d}{may(actor, P.SEE_LEDGER):d}"
    key = f"dashboard:{today}:{period.code}:{period.start}:{period.end}:{get_language()}:{sees}"
    drawn = _fresh(key, lambda: _drawn(actor, period, today))
    context = {**drawn, **_periods(period, request.GET), **_mail(actor, period), "refresh_seconds": REFRESH}
    return render(request, "executive/dashboard.html", context)


def _mail(actor: Actor, period: Period) -> dict[str, Any]:
    """What of the page is the reader's own: how often the figures come by e-mail, and the way to signed statements."""
    days = urlencode({"first": period.start.isoformat(), "last": period.end.isoformat()})
    wish = StatementMail.objects.filter(person=actor.user).values_list("every", flat=True).first() or ""
    choices = [("", _("never")), *StatementMail.Every.choices]
    return {
        "mail": [{"value": value, "label": label, "selected": value == wish} for value, label in choices],
        "papers_url": reverse("papers"), "statement_url": f"{reverse('papers')}?{days}#order",
    }  # fmt: skip


def _fresh(key: str, draw: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was drawn lately; else drawn anew by one of those who ask.

    The others get the drawing before it meanwhile, where that is no older than `STALE` seconds, or wait for the new.
    """
    held, now = cache.get(key), time.time()  # several machines may share the cache, so no clock of one of them
    if held and now - held[0] < FRESH:
        return dict(held[1])
    mine = cache.add(f"{key}:drawing", 1, STALE)
    if not mine:
        held = held if held and now - held[0] < STALE else _awaited(key, since=now)
        if held:
            return dict(held[1])
    try:
        drawn = draw()
        cache.set(key, (now, drawn), 2 * STALE)
    finally:
        if mine:
            cache.delete(f"{key}:drawing")
    return drawn


def _awaited(key: str, *, since: float) -> Any:
    """What another who asks is drawing; nothing where that one does not end, or the cache does not answer."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and cache.get(f"{key}:drawing"):
        time.sleep(0.05)
    held = cache.get(key)
    return held if held and held[0] > since - STALE else None


def _drawn(actor: Actor, period: Period, today: date) -> dict[str, Any]:
    """The parts of the page that are the same for all who may see the same."""
    st = statements.statement(actor, period, today)
    rows, see_cases = select.next_deadlines(), may(actor, P.SEE_CASES)
    deadlines = [case_words.row(c, today, url=reverse("case", args=[c.public_id]) if see_cases else "") for c in rows]
    size = number_format(select_ledger.size(), force_grouping=True)
    quality = figures.quality_chart(st, see_cases)
    context = {
        "period_days": words.period_days(period),
        "strip": figures.strip(st), "risks": figures.risks(st), "costs": figures.costs(st),
        "calendar": case_words.calendar(rows, today), "today": today, "deadlines": deadlines,
        "late_url": urls.cases_url("late", period), "open_url": urls.cases_url("open", period),
        "tables": [figures.table(st, code) for code in ("kinds", "regions", "stages")],
        **_old(today),
        "flow": figures.flow_chart(st), "kept": figures.deadlines_chart(st),
        "forecast": figures.forecast_words(st.forecast), "forecast_url": reverse("forecast"),
        "endings": figures.endings(st), "laws": figures.laws(st), "quality": quality,
        "models": [_model(*found, see_cases) for found in _models(st)], "models_csv": urls.csv_url("models", period),
        "kept_axis": {"low": 80, "high": 110, "step": 10, "unit": "%"},
        "everything": figures.everything(st), "evidence": _evidence(actor, size),
    }  # fmt: skip
    return {
        "conclusion": conclusion(st), "trend": figures.trend(st.figures), "counted": _counted(st, size),
        "late": int(st.figures["late"].value or 0), "late_url": context["late_url"],
        "csv_url": urls.csv_url("figures", period), "asked": st.asked,
        "body": render_to_string("executive/_body.html", context),
    }  # fmt: skip


def asked_period(request: HttpRequest, today: date) -> Period:
    """The period that the address names."""
    days = [iso_day(request.GET.get(name, "")) for name in ("from", "to")]
    return statements.period_of(request.GET.get("period", statements.DEFAULT), today, start=days[0], end=days[1])


def _periods(period: Period, asked: Mapping[str, str]) -> dict[str, Any]:
    """The choice of the period. Days that make none stay in their fields, with the reason."""
    options = [{"value": c, "label": words.period_name(c), "selected": c == period.code} for c in CHOICES]
    chosen = period.code == "dates"
    if chosen:
        options.insert(0, {"value": "dates", "label": words.period_days(period), "selected": True})
    typed = {name: asked.get(name, "") for name in ("from", "to")}
    wrong = any(typed.values()) and not chosen
    return {
        "filters": [{"name": "period", "label": _("Period"), "options": options, "instead": True}],
        "ranges": [{"name": "from", "label": _("From"), "value": typed["from"]},
                   {"name": "to", "label": _("To"), "value": typed["to"]}],
        "ranges_open": chosen or wrong, "chosen": chosen or wrong, "clear_url": reverse("dashboard"),
        "ranges_wrong": WRONG % {"instead": words.period_days(period)} if wrong else "",
    }  # fmt: skip


def conclusion(st: Statement) -> str:
    """The page's headline, from the clocks alone."""
    total, late, risk = (int(st.figures[code].value or 0) for code in ("open", "late", "at_risk"))
    if not total:
        return _("No case is open.")
    inside = total - late - risk
    if not late and not risk:
        return ngettext(
            "The one open case is inside its clock.", "Every one of %(n)s open cases is inside its clock.", total
        ) % {"n": words.number(total)}
    parts = []
    if late:
        said = ngettext("One deadline was missed.", "%(n)s deadlines were missed.", late)
        parts.append(said % {"n": words.number(late)})
    if risk:
        said = ngettext("One deadline is at risk.", "%(n)s deadlines are at risk.", risk)
        parts.append(said % {"n": words.number(risk)})
    if inside:
        parts.append(
            ngettext("The other open case is inside its clock.", "Every other open case is inside its clock.", inside)
        )
    return " ".join(parts)


def _counted(st: Statement, size: str) -> str:
    """Until when all is counted, what waits, and what the last count of everything found."""
    if st.counted_at is None:
        return _("Nothing was counted yet. The scheduler does that within a minute.")
    at = date_format(timezone.localtime(st.counted_at), "j F Y, H:i:s")
    said = [_("Counted until %(at)s; the ledger holds %(n)s entries.") % {"at": at, "n": size}]
    if st.noted:
        said.append(ngettext("%(n)s change waits.", "%(n)s changes wait.", st.noted) % {"n": words.number(st.noted)})
    if st.recounted_at:
        at = date_format(timezone.localtime(st.recounted_at), "j F, H:i")
        if st.differences:
            what = _("A count of everything at %(at)s found %(n)s differences and put them right.")
        else:
            what = _("A count of everything at %(at)s found no difference.")
        said.append(what % {"at": at, "n": words.number(st.differences or 0)})
    if st.asked:
        said.append(_("A new one is under way."))
    return " ".join(said)


def _old(today: date) -> dict[str, Any]:
    """Places and files behind the two figures of old weights; a longer list says how long it is."""
    context: dict[str, Any] = {}
    lists = (("old_places", running.old_places(), _place), ("old_files", running.old_files(today), _file))
    for name, rows, told in lists:
        first = list(rows[: OLD + 1])
        count = rows.count() if len(first) > OLD else 0
        cut = _("The first %(shown)d of %(count)d.") % {"shown": OLD, "count": count} if count else ""
        context |= {name: [told(one) for one in first[:OLD]], f"{name}_cut": cut}
    return context


def _file(one: Any) -> dict[str, Any]:
    return {
        "version": str(one.version), "what": one.get_what_display(), "case": one.case.number if one.case else "",
        "due": date_format(one.due_on, "j M Y"), "url": reverse("model", args=[one.version.model.public_id]),
    }  # fmt: skip


def _place(place: Any) -> dict[str, Any]:
    return {
        "place": place.place, "version": str(place.version), "state": place.get_state_display(),
        "since": date_format(timezone.localtime(place.changed_at), "j M Y"),
        "url": reverse("model", args=[place.version.model.public_id]),
    }  # fmt: skip


def _models(st: Statement) -> list[tuple[AiModel, dict[str, int], Any, Any]]:
    """Each model of the statement: its numbers, the version that is released, the last verification of that one."""
    found = st.tables["models"]
    named = select.named(row.key for row in found.rows)
    released, last = select.released_versions(), select.last_verifications()
    rows = []
    for row in found.rows:
        if model := named.get(row.key):
            counts = {column: int(value or 0) for column, value in zip(found.columns, row.values, strict=True)}
            rows.append((model, counts, released.get(model.pk), last.get(model.pk)))
    return rows


def _model(model: AiModel, counts: dict[str, int], version: Any, last: Any, see_cases: bool) -> dict[str, Any]:
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
            "url": figures.found_url(last, see_cases),
        }
    day = date_format(timezone.localtime(version.released_at or version.created_at), "j M") if version else ""
    return {
        "name": model.name,
        "url": reverse("model", args=[model.public_id]),
        "serving": _("rev. %(n)d of %(day)s") % {"n": version.revision, "day": day} if version else _("none"),
        "serving_url": reverse("version", args=[model.public_id, version.revision]) if version else "",
        "counts": {code: _count(code, value, model.name) for code, value in counts.items()},
        "files": ngettext("%(n)s file past its day", "%(n)s files past their day", counts["old_weights"])
        % {"n": words.number(counts["old_weights"])}
        if counts["old_weights"]
        else "",
        "verification": verification,
        "row": row,
        "kept": kept,
    }


def _count(code: str, value: int, model: str) -> dict[str, str]:
    """A number of a model, with the list behind it."""
    if code in drill.OF_MODELS:
        url = f"{reverse('figure_cases', args=[code])}?{urlencode({'model': model})}"
    else:
        url = urls.places_url(code, model=model)
    return {"text": words.number(value), "url": url if value else ""}


def _evidence(actor: Actor, size: str) -> list[dict[str, str]]:
    number, shown = counting(select_ledger.reports(actor))
    return [
        {"title": ngettext("%(n)s report is signed", "%(n)s reports are signed", number) % {"n": shown},
         "text": _("Each carries its evidence and verifies without this house."),
         "url": reverse("reports"), "link": _("To the reports")},
        {"title": _("%(n)s ledger entries") % {"n": size},
         "text": _("One hash tree; an entry that was changed would change its root."),
         "url": reverse("ledger") if may(actor, P.SEE_LEDGER) else "", "link": _("To the ledger")},
        {"title": _("Check it yourself"), "text": _("Anybody can have a report verified, without an account."),
         "url": reverse("verify"), "link": _("Verify a report")},
    ]  # fmt: skip


@require_POST
@staff(P.SEE_DASHBOARD)
def mail_wish(request: HttpRequest) -> HttpResponseBase:
    """Whether the reader is mailed the figures, and how often."""
    wish = figure_mails.wish_set(every=request.POST.get("every", ""), actor=Actor.of(request.user))
    told = _("The figures come by e-mail %(when)s.") % {"when": wish.get_every_display()} if wish else ""
    messages.success(request, told or _("The figures no longer come by e-mail."))
    return redirect("dashboard")


@require_safe
@staff(P.SEE_DASHBOARD)
def figures_csv(request: HttpRequest, name: str) -> HttpResponseBase:
    """The rows behind a part of the page."""
    if name not in figures.NAMES:
        raise Http404
    today = timezone.localdate()
    st = statements.statement(Actor.of(request.user), asked_period(request, today), today)
    return csv_response(name, figures.csv_rows(name, st))


@require_POST
@staff(P.SEE_DASHBOARD)
def recount(request: HttpRequest) -> HttpResponseBase:
    """Everything is to be counted anew."""
    tallies.recount_ask(actor=Actor.of(request.user))
    messages.success(request, _("Everything is counted anew; this page tells what that finds within a minute or two."))
    return redirect("dashboard")
