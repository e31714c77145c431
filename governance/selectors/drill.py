"""The cases behind a figure: the same facts that were summed, so that a list is as long as its number says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from types import MappingProxyType

from django.db.models import Q, QuerySet

from governance.models import Case, CaseFact, Plan
from governance.policies import Actor, Permission, demand
from governance.selectors import backlog, running
from governance.selectors.paging import Page, onward
from governance.selectors.sums import AT_RISK, WEEK
from governance.statement_figures import Period
from governance.validators import number_in

SIZE = 50
OPEN, CLOSED = Q(closed_on=None), Q(closed_on__isnull=False)
RUNNING = OPEN & Q(paused=False)
#: Figure -> the column by which its list is ordered and bounded by the period; the others are those of now.
IN_PERIOD: Mapping[str, str] = MappingProxyType(
    {
        "received": "received_on", "closed": "closed_on", "kept": "closed_on", "missed": "closed_on",
        "answer_median": "closed_on", "answer_p90": "closed_on", "proof_median": "proved_on", "proof_p90": "proved_on",
        "runs": "closed_on",
    }
)  # fmt: skip
NOW = ("open", "late", "at_risk", "week", "paused")
#: Numbers of a model: the plans whose cases are counted.
OF_MODELS: Mapping[str, Callable[[], QuerySet[Plan]]] = MappingProxyType(
    {"applied": running.applied_plans, "waiting": running.waiting_plans}
)
CODES = (*NOW, *IN_PERIOD, *OF_MODELS)
#: Parameter of the address -> column of a fact.
NARROWED: Mapping[str, str] = MappingProxyType(
    {"kind": "kind", "region": "region", "law": "law", "stage": "status", "ending": "ending"}
)


def cases(
    actor: Actor, code: str, period: Period, today: date, narrowed: Mapping[str, str], *, then: date | None = None
) -> QuerySet[CaseFact]:
    """The facts behind a figure, unordered; `narrowed`: keys of `NARROWED` and `model`, others are passed over. `then`:
    of the figures of now, how they stood at the end of that day.

    Raises:
        NotAllowed: the actor may not see the dashboard. KeyError: no such figure, or one without cases of its own.
    """
    demand(actor, Permission.SEE_DASHBOARD)
    if code in OF_MODELS:
        plans, model = OF_MODELS[code](), narrowed.get("model")
        plans = plans.filter(base__model__name=model) if model else plans
        found = CaseFact.objects.filter(case_id__in=plans.order_by().values("case")).order_by()
    elif then and code in NOW:
        found = backlog.standing(code, then)
    else:
        found = CaseFact.objects.filter(_which(code, period, today)).order_by()
    return found.filter(**{column: narrowed[name] for name, column in NARROWED.items() if narrowed.get(name)})


def _which(code: str, period: Period, today: date) -> Q:
    now = {
        "open": OPEN,
        "late": RUNNING & Q(due_on__lt=today),
        "at_risk": RUNNING & Q(due_on__gte=today, due_on__lte=today + AT_RISK),
        "week": RUNNING & Q(due_on__gte=today, due_on__lte=today + WEEK),
        "paused": OPEN & Q(paused=True),
    }
    if code in now:
        return now[code]
    column = IN_PERIOD[code]
    inside = Q(**{f"{column}__gte": period.start, f"{column}__lte": period.end})
    more = {"kept": Q(kept=True), "missed": Q(kept=False), "runs": Q(runs__gt=0)}
    return inside & more.get(code, Q())


def order(code: str) -> str:
    """The column by which a list runs: what is open by its last lawful day, what is done the newest first."""
    return IN_PERIOD.get(code, "due_on")


def listed(rows: QuerySet[CaseFact], code: str, after: str = "") -> Page[CaseFact]:
    """One page of a list, after the case with this id; an unknown one begins anew."""
    number = number_in(after)
    mark = None if number is None else CaseFact.objects.filter(pk=number).first()
    column = order(code)
    mark = mark if mark and getattr(mark, column) else None
    return onward(rows, column, mark, SIZE, down=code in IN_PERIOD)


def named(facts: list[CaseFact]) -> dict[int, Case]:
    """The cases of a page, for their numbers and addresses; nothing that says who asked."""
    rows = Case.objects.filter(pk__in=[fact.case_id for fact in facts])
    return {case.pk: case for case in rows.only("pk", "public_id", "number")}


def days_over(fact: CaseFact, today: date) -> int:
    """How many days past its last lawful day a case was closed, or is now; negative: before it."""
    return ((fact.closed_on or today) - fact.due_on) // timedelta(days=1)
