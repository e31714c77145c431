"""Where cases wait and for how long: how many stand at each stage now, and how long those stayed that went on.

Both are single passes over an index that holds all that is asked (`Case.changed_at` with the stage; `StageStay`): what
they cost grows with the open cases and with the stays of the period, not with the width of the tables.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min, QuerySet
from django.utils import timezone

from governance.models import Case, StageStay, Status
from governance.policies import Actor, Permission, demand
from governance.selectors.statement import quantile

#: Days back that a reader may look, and how many without a choice.
DAYS, DEFAULT_DAYS = (30, 90, 365), 90
#: Stays of one stage that are listed.
LISTED = 50
#: The stages in which a case can stand, in the order of its way.
STAGES = tuple(stage for stage in Status if stage != Status.CLOSED)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage: what stands there now and since when the oldest; and of those that left it in the period how many,
    the median and the ninetieth percentile of their stay in hours (None without any)."""

    stage: Status
    waiting: int
    oldest: datetime | None
    left: int
    median: float | None
    p90: float | None


def stages(actor: Actor, days: int = DEFAULT_DAYS) -> list[Stage]:
    """Every stage in the order of the way; two queries.

    Raises:
        NotAllowed: the actor may not see cases.
    """
    demand(actor, Permission.SEE_CASES)
    rows = Case.objects.exclude(status=Status.CLOSED).order_by().values("status")
    now = {row["status"]: row for row in rows.annotate(n=Count("id"), since=Min("changed_at"))}
    hours: dict[str, Counter[int]] = {}
    for stage, number, count in _stays(days).order_by().values_list("stage", "hours").annotate(n=Count("id")):
        hours.setdefault(stage, Counter())[number] += count
    return [
        Stage(
            stage=stage,
            waiting=now[stage]["n"] if stage in now else 0,
            oldest=now[stage]["since"] if stage in now else None,
            left=sum(hours.get(stage, {}).values()),
            median=quantile(hours.get(stage, {}), 0.5),
            p90=quantile(hours.get(stage, {}), 0.9),
        )
        for stage in STAGES
    ]


def _stays(days: int) -> QuerySet[StageStay]:
    return StageStay.objects.filter(left_on__gt=timezone.localdate() - timedelta(days=days))


def longest(actor: Actor, stage: Status, days: int = DEFAULT_DAYS) -> list[StageStay]:
    """The stays at one stage that ended in the period and took longest, with their cases.

    Raises:
        NotAllowed: the actor may not see cases.
    """
    demand(actor, Permission.SEE_CASES)
    rows = _stays(days).filter(stage=stage).select_related("case__officer")
    return list(rows.order_by("-hours", "-id")[:LISTED])


def bottleneck(found: list[Stage]) -> Stage | None:
    """The stage in which most time is spent: the number that waits there times its median stay, at least an hour; of a
    stage that nothing has left in the period the number alone counts."""
    at = [one for one in found if one.waiting]
    return max(at, key=lambda one: one.waiting * max(one.median or 0.0, 1.0), default=None)
