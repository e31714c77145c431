"""Deadlines as iCalendar (RFC 5545), for the calendar that a person uses anyway. No event says who asked for what."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from icalendar import Calendar, Event

from governance.clocks import LAWS
from governance.selectors import deadlines as select
from governance.selectors.deadlines import Deadline
from governance.services import calendar_feeds as service
from governance.web.limits import limited

#: How far back and ahead a calendar looks, and how many days it holds at most.
BACK, AHEAD, MOST = timedelta(days=30), timedelta(days=400), 2000


@require_safe
@never_cache
@limited("feed", methods=("GET", "HEAD"))
def feed(request: HttpRequest, token: str) -> HttpResponseBase:
    """The calendar of whoever made this address; nothing tells a wrong address from a revoked one."""
    found = service.feed_open(token)
    if found is None:
        raise Http404
    today = timezone.localdate()
    rows = select.listed(found.person, today - BACK, today + AHEAD, desk=found.desk, limit=MOST)
    response = HttpResponse(calendar(rows), content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = 'inline; filename="deadlines.ics"'
    response["X-Robots-Tag"] = "noindex"
    return response


def calendar(rows: list[Deadline]) -> bytes:
    """One event of a whole day for each deadline: number and kind of the case, the law, what must be done by then."""
    made = Calendar()
    made.add("prodid", "-//Lethe//Deadlines//EN")
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    made.add("x-wr-calname", _("Lethe: statutory deadlines"))
    for one in rows:
        made.add_component(_event(one))
    return bytes(made.to_ical())


def _event(one: Deadline) -> Event:
    law, case = LAWS[one.law], one.case
    what = _("confirm receipt") if one.confirm else _("last lawful day")
    event = Event()
    host = urlsplit(settings.BASE_URL).hostname or "localhost"
    event.add("uid", f"{case.number}-{one.law}-{'confirm' if one.confirm else 'answer'}@{host}".lower())
    event.add("dtstamp", case.changed_at)
    event.add("dtstart", one.day)
    event.add("dtend", one.day + timedelta(days=1))
    event.add("summary", f"{case.number}: {what} ({law.title.split(',')[0]})")
    event.add("description", f"{case.get_kind_display()}. {law.title}, {law.article}.")
    event.add("transp", "TRANSPARENT")
    return event
