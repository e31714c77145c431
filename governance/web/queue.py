"""The queue as a page: lists at the side, filters, rows in groups by due date on one shared calendar."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import django_filters
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from governance.clocks import LAWS
from governance.models import Case, Kind, Status
from governance.policies import Actor, Permission, may
from governance.selectors import cases as select
from governance.web import case_words

#: Lists at the side: heading, then (name, label).
SIDE = (
    (
        gettext_lazy("My work"),
        (
            ("waiting", gettext_lazy("Waiting for me")),
            ("second", gettext_lazy("Second signature")),
            ("proposed", gettext_lazy("Proposed by me")),
        ),
    ),
    (
        gettext_lazy("All cases"),
        (
            ("open", gettext_lazy("Open, by due date")),
            ("week", gettext_lazy("Due this week")),
            ("unassigned", gettext_lazy("Unassigned")),
            ("paused", gettext_lazy("Paused")),
            ("extended", gettext_lazy("Extended")),
            ("failed", gettext_lazy("Failed, needs a plan")),
            ("closed", gettext_lazy("Closed")),
        ),
    ),
)
MONTH = timedelta(days=28)


class CaseFilter(django_filters.FilterSet):  # type: ignore[misc]
    """By kind, law and stage. A value that does not exist filters nothing."""

    kind = django_filters.ChoiceFilter(label=gettext_lazy("Kind"), choices=Kind.choices)
    law = django_filters.ChoiceFilter(
        label=gettext_lazy("Law"), choices=[(law.code, law.title.split(",")[0]) for law in LAWS.values()]
    )
    stage = django_filters.ChoiceFilter(label=gettext_lazy("Stage"), field_name="status", choices=Status.choices)

    class Meta:
        model = Case
        fields = ("kind", "law", "stage")

    def as_filters(self) -> list[dict[str, Any]]:
        """Filters as `components/filters.html` wants them."""
        found = []
        for name, item in self.filters.items():
            now = self.data.get(name, "")
            choices = [("", _("all")), *item.extra["choices"]]
            options = [{"value": value, "label": label, "selected": value == now} for value, label in choices]
            found.append({"name": name, "label": item.label, "options": options})
        return found


def context(request: HttpRequest, actor: Actor, words: str) -> dict[str, Any]:
    """Everything that the queue shows."""
    today, view = timezone.localdate(), request.GET.get("view", "")
    view = view if view in select.VIEWS else "open"
    rows = select.search(actor, words) if words else select.cases(actor, view)
    filters = CaseFilter(request.GET, queryset=rows)
    rows = filters.qs if filters.is_valid() else rows
    page = select.queue_page(actor, rows, after=request.GET.get("after", ""), newest_first=view == "closed")
    case_words.attach(page.rows)
    counts = select.view_counts(actor)
    first = page.rows[0] if page.rows and not words else None
    return {
        "conclusion": _found(words, len(page.rows), page.more) if words else headline(actor),
        "search_query": words,
        "side": [_block(title, items, counts, "" if words else view) for title, items in SIDE],
        "filters": filters.as_filters(),
        "hidden": [(name, request.GET[name]) for name in ("view", "q") if request.GET.get(name)],
        "calendar": case_words.calendar(page.rows, today),
        "today": today,
        "groups": [group for group in groups(page.rows, today, view) if group["cases"]],
        "foot": _("Sorted by due date."),
        "next_page_url": _next(request.GET, page.last) if page.last else "",
        "next_url": reverse("case", args=[first.public_id]) if first and view == "waiting" else _take(actor, counts),
        "enter_url": reverse("case_new") if may(actor, Permission.ENTER_CASE) else "",
    }


def _take(actor: Actor, counts: dict[str, str]) -> str:
    """The first case that waits for this person."""
    if counts["waiting"] == "0":
        return ""
    rows = select.queue_page(actor, select.cases(actor, "waiting")).rows
    return reverse("case", args=[rows[0].public_id]) if rows else ""


def _found(words: str, shown: int, more: bool) -> str:
    number = f"{shown}+" if more else str(shown)
    return ngettext("%(n)s case for “%(words)s”", "%(n)s cases for “%(words)s”", shown) % {
        "n": number,
        "words": words[:40],
    }


def headline(actor: Actor) -> str:
    """`214 open cases, 7 due this week`."""
    opened, week, late = select.headline_counts(actor)
    parts = [ngettext("%(n)d open case", "%(n)d open cases", opened) % {"n": opened}]
    if late:
        parts.append(_("%(n)d late") % {"n": late})
    parts.append(_("%(n)d due this week") % {"n": week} if week else _("none due this week"))
    return ", ".join(parts)


def _block(title: Any, items: Any, counts: dict[str, str], view: str) -> dict[str, Any]:
    lines = [
        {"url": f"{reverse('cases')}?view={name}", "label": label, "count": counts[name], "current": name == view}
        for name, label in items
    ]
    return {"title": title, "items_": lines}


def _next(query: QueryDict, last: Case) -> str:
    onward = query.copy()
    onward["after"] = str(last.public_id)
    return f"?{onward.urlencode()}"


def groups(rows: list[Case], today: date, view: str) -> list[dict[str, Any]]:
    """Rows by what their clocks say: late, this week, this month, later, paused."""
    month = today + MONTH
    titles = {
        "late": _("Past their date"),
        "week": _("Due this week"),
        "month": _("Due by %(day)s") % {"day": date_format(month, "j F")},
        "later": _("Due later"),
        "paused": _("Paused"),
        "closed": _("Closed"),
    }
    found: dict[str, list[Case]] = {name: [] for name in titles}
    for case in rows:
        found[_group(case, today, month)].append(case)
    return [
        {
            "title": titles[name],
            "note": ngettext("%(n)d case", "%(n)d cases", len(cases)) % {"n": len(cases)},
            "cases": [case_words.row(case, today, url=reverse("case", args=[case.public_id])) for case in cases],
        }
        for name, cases in found.items()
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
