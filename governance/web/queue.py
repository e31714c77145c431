"""The queue as a page: lists at the side, filters, rows in groups by due date on one shared calendar."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from governance.models import Case
from governance.policies import Actor, Permission, may
from governance.selectors import queue as select
from governance.selectors.paging import COUNTED
from governance.services.filters import plain_query
from governance.web import bulk, case_words
from governance.web.queue_filters import SORT_WORDS, narrowed

#: Lists at the side: heading, then (name, label).
SIDE = (
    (
        gettext_lazy("My work"),
        (
            ("waiting", gettext_lazy("Waiting for me")),
            ("mine", gettext_lazy("Assigned to me")),
            ("second", gettext_lazy("Second signature")),
            ("proposed", gettext_lazy("Proposed by me")),
        ),
    ),
    (
        gettext_lazy("All cases"),
        (
            ("open", gettext_lazy("Open, by due date")),
            ("late", gettext_lazy("Past their date")),
            ("week", gettext_lazy("Due this week")),
            ("news", gettext_lazy("Word from the claimant")),
            ("unassigned", gettext_lazy("Unassigned")),
            ("paused", gettext_lazy("Paused")),
            ("extended", gettext_lazy("Extended")),
            ("held", gettext_lazy("Legal hold")),
            ("failed", gettext_lazy("Failed, needs a plan")),
            ("stopped", gettext_lazy("Stopped, needs a restart")),
            ("closed", gettext_lazy("Closed")),
        ),
    ),
)
MONTH = timedelta(days=28)
#: Seconds after which an open queue renews itself: others work on it too.
REFRESH = 60
#: What of the address survives a change of the filters.
KEPT = ("view", "q", "person")


def context(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    """Everything that the queue shows."""
    query, today = request.GET, timezone.localdate()
    filters, view, sort = narrowed(query, actor)
    page = select.queue_page(actor, filters.narrowed(), after=query.get("after", ""), sort=sort)
    case_words.attach(page.rows)
    counts = select.view_counts(actor)
    words = query.get("q", "").strip()
    return {
        "conclusion": headline(counts) if view else _found(words, len(page.rows), page.more),
        "search_query": words,
        "side": [_block(title, items, counts, view) for title, items in SIDE],
        **saved(query, actor),
        "filters": filters.as_filters(),
        "ranges": filters.as_ranges(),
        "ranges_open": any(item["value"] for item in filters.as_ranges()),
        "left_out": filters.left_out(),
        "clear_url": f"?view={view}" if view else "?",
        "chosen": filters.chosen(),
        "hidden": [(name, query[name]) for name in KEPT if query.get(name)],
        "calendar": case_words.calendar(page.rows, today),
        "today": today,
        "groups": groups(page.rows, today, sort),
        "sort": sort,
        "foot": _("In this order: %(order)s.") % {"order": SORT_WORDS[sort]},
        "next_page_url": _next(query, page.last) if page.last else "",
        "next_url": _take(actor, counts),
        "enter_url": reverse("case_new") if may(actor, Permission.ENTER_CASE) else "",
        "workload_url": reverse("cases_workload"),
        "bulk": bulk.offered(actor),
        "query": plain_query(query.urlencode()),
        "refresh_seconds": REFRESH,
    }


def _take(actor: Actor, counts: dict[str, int]) -> str:
    """The first case that waits for this person."""
    found = select.next_waiting(actor) if counts["waiting"] else None
    return reverse("case", args=[found.public_id]) if found else ""


def _found(words: str, shown: int, more: bool) -> str:
    number = f"{shown}+" if more else str(shown)
    if not words:
        return ngettext("%(n)s case of this address", "%(n)s cases of this address", shown) % {"n": number}
    return ngettext("%(n)s case for “%(words)s”", "%(n)s cases for “%(words)s”", shown) % {
        "n": number,
        "words": words[:40],
    }


def counted(number: int) -> str:
    """A count as it is told: exact up to a bound."""
    return f"{number:,}" if number <= COUNTED else f"{COUNTED:,}+"


def headline(counts: dict[str, int]) -> str:
    """`214 open cases, 7 due this week`."""
    opened = counts["open"]
    parts = [ngettext("%(n)s open case", "%(n)s open cases", opened) % {"n": counted(opened)}]
    if counts["late"]:
        parts.append(_("%(n)s late") % {"n": counted(counts["late"])})
    week = counts["week"]
    parts.append(_("%(n)s due this week") % {"n": counted(week)} if week else _("none due this week"))
    return ", ".join(parts)


def _block(title: Any, items: Any, counts: dict[str, int], view: str) -> dict[str, Any]:
    lines = [
        {
            "url": f"{reverse('cases')}?view={name}",
            "label": label,
            "count": counted(counts[name]),
            "current": name == view,
        }
        for name, label in items
    ]
    return {"title": title, "items_": lines}


def saved(query: QueryDict, actor: Actor) -> dict[str, Any]:
    """Saved filters for the side: one's own can be removed, those of others say whose they are."""
    now = plain_query(query.urlencode())
    rows = select.saved_filters(actor)
    lines = [
        {
            "pk": row.pk,
            "url": f"{reverse('cases')}?{row.query}",
            "label": row.name,
            "note": "" if row.owner == actor.user else str(row.owner),
            "shared": row.shared,
            "mine": row.owner == actor.user,
            "current": bool(now) and row.query == now,
        }
        for row in rows
    ]
    return {"saved": lines, "can_save": bool(now) and not any(line["current"] and line["mine"] for line in lines)}


def _next(query: QueryDict, last: Case) -> str:
    onward = query.copy()
    onward["after"] = str(last.public_id)
    return f"?{onward.urlencode()}"


def groups(rows: list[Case], today: date, sort: str) -> list[dict[str, Any]]:
    """Rows by what their clocks say: late, this week, this month, later, paused. In another order all stay together."""
    month = today + MONTH
    titles = {
        "late": _("Past their date"),
        "week": _("Due this week"),
        "month": _("Due by %(day)s") % {"day": date_format(month, "j F")},
        "later": _("Due later"),
        "paused": _("Paused"),
        "closed": _("Closed"),
        "all": _("In this order: %(order)s") % {"order": SORT_WORDS[sort]},
    }
    found: dict[str, list[Case]] = {name: [] for name in titles}
    for case in rows:
        found[_group(case, today, month) if sort == "due" else "all"].append(case)
    if found["all"] and not any(case.is_open for case in found["all"]):
        found["closed"], found["all"] = found["all"], []
    return [
        {
            "title": titles[name],
            "note": ngettext("%(n)d case", "%(n)d cases", len(cases)) % {"n": len(cases)},
            "cases": [
                {
                    **case_words.row(case, today, url=reverse("case", args=[case.public_id])),
                    "public_id": case.public_id,
                    "held": case.held_at is not None,
                }
                for case in cases
            ],
        }
        for name, cases in found.items()
        if cases
    ]


def _group(case: Case, today: date, month: date) -> str:
    if not case.is_open:
        return "closed"
    if case.paused_on:
        return "paused"
    if case.due_on < today:
        return "late"
    if case.due_on <= today + select.WEEK:
        return "week"
    return "month" if case.due_on <= month else "later"
