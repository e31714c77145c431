"""The calendar of statutory deadlines, by month or by week, and the address by which it is taken along."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_POST, require_safe

from governance.clocks import LAWS
from governance.policies import Actor, Permission
from governance.selectors import deadlines as select
from governance.selectors.deadlines import Day, Deadline
from governance.services import calendar_feeds as feeds
from governance.web.duty_pages import iso_day, when
from governance.web.guards import staff
from governance.web.queue import counted

P = Permission
WEEK = timedelta(days=7)
#: View -> how many cases of a day stand on the page.
VIEWS = {"month": 3, "week": 12}


@gzip_page
@require_safe
@staff(P.SEE_CASES)
def calendar(request: HttpRequest) -> HttpResponseBase:
    """A month, or a week (`?view=week`), around a day (`?day=2026-11-30`), of oneself or of the whole desk."""
    return _page(request)


def _page(request: HttpRequest, address: str = "") -> HttpResponse:
    actor, today = Actor.of(request.user), timezone.localdate()
    view = "week" if request.GET.get("view") == "week" else "month"
    desk = request.GET.get("of") == "desk"
    day = _day(request.GET.get("day", ""), today)
    first, last = _span(day, view)
    days = select.between(actor, first, last, shown=VIEWS[view], desk=desk)
    inside = {one: days[one] for one in days if view == "week" or one.month == day.month}
    total, waiting = sum(one.total for one in inside.values()), select.paused(actor, desk=desk)
    found = feeds.feed_of(actor)
    context = {
        "crumbs": [{"label": _("Cases"), "url": reverse("cases")}, {"label": _("Calendar")}],
        "conclusion": ngettext("%(n)s deadline in %(span)s", "%(n)s deadlines in %(span)s", total)
        % {"n": f"{total:,}", "span": _title(first, day, view)},
        "sentence": ngettext("%(n)s clock stands still and has no day.", "%(n)s clocks stand still and have no day.",
                             waiting) % {"n": counted(waiting)} if waiting else "",
        "weekdays": [date_format(first + timedelta(days=n), "D") for n in range(7)],
        "weeks": [[_cell(first + timedelta(days=n), days, day, today, view, desk) for n in range(at, at + 7)]
                  for at in range(0, (last - first).days + 1, 7)],
        "view": view,
        "filters": _filters(view, desk),
        "filters_url": reverse("calendar"),
        "hidden": [("day", day.isoformat())] if request.GET.get("day") else [],
        "ways": _ways(first, last, day, view, desk),
        "feed": {"made": when(found.made_at), "asked": when(found.asked_at) if found.asked_at else "",
                 "desk": found.desk} if found else None,
        "address": address,
    }  # fmt: skip
    return render(request, "casework/calendar.html", context)


def _day(text: str, today: date) -> date:
    day = iso_day(text)
    return day if day and 1990 <= day.year <= 2200 else today  # noqa: PLR2004 - beyond that nobody has a deadline


def _span(day: date, view: str) -> tuple[date, date]:
    """From a Monday to a Sunday: the week of the day, or all weeks that touch its month."""
    if view == "week":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=6)
    start = day.replace(day=1)
    end = (start + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    return start - timedelta(days=start.weekday()), end + timedelta(days=6 - end.weekday())


def _title(first: date, day: date, view: str) -> str:
    if view == "week":
        return _("the week of %(day)s") % {"day": date_format(first, "j F Y")}
    return date_format(day, "F Y")


def _more(one: date, view: str, desk: bool) -> str:
    """From a month to the day's week; from there to the queue, which lists the answers of the day."""
    if view == "month":
        query = urlencode({"view": "week", "of": "desk" if desk else "mine", "day": one.isoformat()})
        return f"{reverse('calendar')}?{query}"
    return f"{reverse('cases')}?{urlencode({'due_from': one.isoformat(), 'due_to': one.isoformat()})}"


def _cell(one: date, days: dict[date, Day], day: date, today: date, view: str, desk: bool) -> dict[str, Any]:
    found = days.get(one, Day())
    more = found.total - len(found.shown)
    return {
        "day": one,
        "label": date_format(one, "j" if one.month == day.month or view == "week" else "j M"),
        "long": date_format(one, "l, j F"),
        "outside": view == "month" and one.month != day.month,
        "today": one == today,
        "late": one < today and bool(found.shown),
        "entries": [_entry(deadline) for deadline in found.shown],
        "more": _("and %(n)s more") % {"n": f"{more:,}"} if more > 0 else "",
        "more_url": _more(one, view, desk),
    }


def _entry(one: Deadline) -> dict[str, str]:
    law = LAWS[one.law].title.split(",")[0]
    what = _("confirm receipt") if one.confirm else _("answer")
    return {
        "url": reverse("case", args=[one.case.public_id]),
        "number": one.case.number,
        "words": _("%(what)s, %(kind)s, %(law)s")
        % {"what": what, "kind": str(one.case.get_kind_display()).lower(), "law": law},
    }


def _filters(view: str, desk: bool) -> list[dict[str, Any]]:
    def options(chosen: str, **words: str) -> list[dict[str, Any]]:
        return [{"value": value, "label": label, "selected": value == chosen} for value, label in words.items()]

    return [
        {"name": "view", "label": _("Show"), "options": options(view, month=_("a month"), week=_("a week"))},
        {"name": "of", "label": _("Cases"), "options": options(
            "desk" if desk else "mine", mine=_("mine and nobody's"), desk=_("the whole desk's"))},
    ]  # fmt: skip


def _ways(first: date, last: date, day: date, view: str, desk: bool) -> list[dict[str, str]]:
    """Before, now, after."""
    before = first - WEEK if view == "week" else day.replace(day=1) - timedelta(days=1)
    after = last + timedelta(days=1) if view == "week" else (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    kept = {"view": view, "of": "desk" if desk else "mine"}
    # Whole addresses: the answer to a form stands at the form's own, which nobody can ask for.
    page, week = reverse("calendar"), view == "week"
    return [
        {"key": "h", "url": f"{page}?{urlencode({**kept, 'day': before.isoformat()})}",
         "label": _("Week before") if week else _("Month before")},
        {"key": "", "url": f"{page}?{urlencode(kept)}", "label": _("This week") if week else _("This month")},
        {"key": "l", "url": f"{page}?{urlencode({**kept, 'day': after.isoformat()})}",
         "label": _("Week after") if week else _("Month after")},
    ]  # fmt: skip


@require_POST
@staff(P.SEE_CASES, decide=True)
def address_make(request: HttpRequest) -> HttpResponseBase:
    """A new address in the place of the one before. It stands on this answer and nowhere else."""
    token = feeds.feed_make(actor=Actor.of(request.user), desk=request.POST.get("of") == "desk")
    return _page(request, settings.BASE_URL + reverse("deadline_feed", args=[token]))


@require_POST
@staff(P.SEE_CASES)
def address_revoke(request: HttpRequest) -> HttpResponseBase:
    """The address ends at once."""
    if feeds.feed_revoke(actor=Actor.of(request.user)):
        messages.success(request, _("The address is revoked; calendars that use it get nothing any more."))
    else:
        messages.warning(request, _("There was no address to revoke."))
    return redirect("calendar")
