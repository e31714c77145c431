"""What the queue is narrowed by, as a form in the page's address. A value that means nothing filters nothing."""

from __future__ import annotations

from datetime import date
from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.forms import DateInput
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance.clocks import LAWS
from governance.models import Case, Kind, Status, User
from governance.policies import Actor, Permission, may
from governance.selectors import queue as select
from governance.selectors.queue import AT_RISK, OPEN, SORTS
from governance.selectors.today import whose

STATES = (
    ("late", gettext_lazy("past its date")),
    ("at_risk", gettext_lazy("at risk")),
    ("running", gettext_lazy("its clock runs")),
    ("paused", gettext_lazy("paused")),
    ("extended", gettext_lazy("extended")),
    ("held", gettext_lazy("legal hold")),
)
SORT_WORDS = {
    "due": gettext_lazy("due first"),
    "due_last": gettext_lazy("due last"),
    "oldest": gettext_lazy("received first"),
    "newest": gettext_lazy("received last"),
    "moved": gettext_lazy("moved last"),
    "still": gettext_lazy("longest at their stage"),
}
SELECTS = ("kind", "law", "stage", "officer", "state")
RANGES = ("received_from", "received_to", "due_from", "due_to")


def _state(rows: QuerySet[Case], _name: str, value: str) -> QuerySet[Case]:
    today = timezone.localdate()
    running = OPEN & Q(paused_on=None)
    return rows.filter(
        {
            "late": running & Q(due_on__lt=today),
            "at_risk": running & Q(due_on__gte=today, due_on__lte=today + AT_RISK),
            "running": running,
            "paused": OPEN & Q(paused_on__isnull=False),
            "extended": Q(extended_on__isnull=False),
            "held": Q(held_at__isnull=False),
        }[value]
    )


def _day(label: Any, column: str, side: str) -> django_filters.DateFilter:
    return django_filters.DateFilter(
        label=label, field_name=column, lookup_expr=side, widget=DateInput(attrs={"type": "date"})
    )


class CaseFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Kind, law, stage, officer, state of the clock, and ranges of dates."""

    kind = django_filters.ChoiceFilter(label=gettext_lazy("Kind"), choices=Kind.choices)
    law = django_filters.ChoiceFilter(
        label=gettext_lazy("Law"), choices=[(law.code, law.title.split(",")[0]) for law in LAWS.values()]
    )
    stage = django_filters.ChoiceFilter(label=gettext_lazy("Stage"), field_name="status", choices=Status.choices)
    officer = django_filters.ChoiceFilter(label=gettext_lazy("Officer"), method="by_officer", choices=())
    state = django_filters.ChoiceFilter(label=gettext_lazy("State"), method=_state, choices=STATES)
    received_from = _day(gettext_lazy("Received from"), "received_on", "gte")
    received_to = _day(gettext_lazy("Received to"), "received_on", "lte")
    due_from = _day(gettext_lazy("Due from"), "due_on", "gte")
    due_to = _day(gettext_lazy("Due to"), "due_on", "lte")

    class Meta:
        model = Case
        fields = (*SELECTS, *RANGES)

    def __init__(self, *args: Any, actor: Actor, officers: list[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.actor = actor
        sets = [("none", _("nobody")), ("own", _("mine and nobody's")), ("others", _("all in which I am not party"))]
        self.filters["officer"].extra["choices"] = [*sets, *((str(user.pk), str(user)) for user in officers)]

    def by_officer(self, rows: QuerySet[Case], _name: str, value: str) -> QuerySet[Case]:
        """Whose cases; `own` and `others` are those of the page of today."""
        if value in ("own", "others"):
            return rows.filter(whose(self.actor, desk=value == "others"))
        return rows.filter(officer=None if value == "none" else int(value))

    def narrowed(self) -> QuerySet[Case]:
        """The rows, by every value that was understood."""
        self.is_valid()
        data = getattr(self.form, "cleaned_data", {})
        rows: QuerySet[Case] = self.queryset
        for name, item in self.filters.items():
            if data.get(name):
                rows = item.filter(rows, data[name])
        return rows

    def left_out(self) -> list[str]:
        """Labels of the values that were not understood."""
        return [str(self.filters[name].label) for name in self.form.errors if name in self.filters]

    def chosen(self) -> int:
        """How many values narrow the list."""
        self.is_valid()
        data = getattr(self.form, "cleaned_data", {})
        return sum(1 for name in self.filters if data.get(name))

    def as_filters(self) -> list[dict[str, Any]]:
        """The choices as `components/filters.html` wants them, with the order at the end."""
        found = []
        for name in SELECTS:
            item, now = self.filters[name], self.data.get(name, "")
            choices = [("", _("all")), *item.extra["choices"]]
            options = [{"value": value, "label": label, "selected": value == now} for value, label in choices]
            found.append({"name": name, "label": item.label, "options": options})
        sort = self.data.get("sort", "")
        orders = [
            {"value": "" if name == "due" else name, "label": words, "selected": name == (sort or "due")}
            for name, words in SORT_WORDS.items()
        ]
        return [*found, {"name": "sort", "label": _("Order"), "options": orders}]

    def as_ranges(self) -> list[dict[str, str]]:
        """The dates as the filters' form shows them."""
        return [
            {"name": name, "label": str(self.filters[name].label), "value": _iso(self.data.get(name, ""))}
            for name in RANGES
        ]


def _iso(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return ""


def sort_of(query: QueryDict, view: str) -> str:
    """The order that was asked for, else the list's own: what closed last stands first.

    Among closed cases a range of dates is read in the order of that date: any other would walk years of cases to find
    the few of the range.
    """
    wanted = query.get("sort", "")
    wanted = wanted if wanted in SORTS else "due_last" if view == "closed" else "due"
    if view == "closed" and (query.get("received_from") or query.get("received_to")):
        return wanted if wanted in ("oldest", "newest") else "newest"
    if view == "closed" and (query.get("due_from") or query.get("due_to")):
        return wanted if wanted in ("due", "due_last") else "due_last"
    return wanted


def narrowed(query: QueryDict, actor: Actor) -> tuple[CaseFilter, str, str]:
    """The filters over the list, the search or the person that an address names; with the list's name and the order."""
    view, words = query.get("view", ""), query.get("q", "").strip()
    view = view if view in select.VIEWS else "open"
    if query.get("stage") == Status.CLOSED:  # no other list holds any
        view = "closed"
    if query.get("person") and may(actor, Permission.REVEAL_PERSON):
        rows, view = select.of_person(actor, query.get("person", "")), ""
    elif words:
        rows, view = select.search(actor, words), ""
    else:
        rows = select.cases(actor, view)
    filters = CaseFilter(query, queryset=rows, actor=actor, officers=select.officers())
    return filters, view, sort_of(query, view)
