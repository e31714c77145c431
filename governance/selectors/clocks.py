"""What was raised about the clocks of cases, for lists."""

from __future__ import annotations

from collections.abc import Iterable

from governance.models import Case, ClockAlarm


def alarms_of(cases: Iterable[Case]) -> dict[int, str]:
    """The newest alarm of each open case, by the case's id; one query."""
    wanted = [case.pk for case in cases if case.is_open]
    rows = ClockAlarm.objects.filter(clock__case__in=wanted, clock__ended_at=None).order_by("id")
    return dict(rows.values_list("clock__case", "step"))
