"""Forecasts: written down before a run, settled by what it took. They decide nothing; they make the next one better."""

from __future__ import annotations

from typing import Any

from governance import dispatch
from governance.models import Forecast, Job, Plan
from governance.selectors import forecasts as select


def expect(plan: Plan, method: str) -> None:
    """Write down what the plan's run by `method`, or its verification, is expected to take, where that is known."""
    cost = _cost(plan, method)
    if cost.get("reckoned") and cost.get("seconds"):
        Forecast.objects.get_or_create(
            plan=plan,
            method=method,
            defaults={"device": device(), "reckoned": cost["reckoned"], "seconds": cost["seconds"]},
        )


def device() -> str:
    """Where the next run is reckoned: where the last one ran, else the configured kind of device."""
    return select.newest_device() or dispatch.device_kind()


def _cost(plan: Plan, method: str) -> dict[str, Any]:
    if method == Forecast.VERIFY:
        return dict(plan.ranking.get("verification") or {})
    candidates = plan.ranking.get("candidates", [])
    return dict(next((one["cost"] for one in candidates if one["method"] == method), {}))


def settle(plan: Plan, method: str, job: Job) -> None:
    """A run ended well: what it took, on which device."""
    row = Forecast.objects.filter(plan=plan, method=method, actual=None).first()
    if row is None:
        return
    runs = list(Job.objects.filter(plan=plan, kind=job.kind, state=Job.State.SUCCEEDED))
    results = [dispatch.read_json(one.result) for one in runs if one.result]
    taken = [_seconds(result, one) for result, one in zip(results, runs, strict=False)]
    ran_on = next((str(r["environment"]["device"]) for r in results if r.get("environment", {}).get("device")), "")
    Forecast.objects.filter(pk=row.pk).update(actual=sum(taken) or None, device=(ran_on or row.device)[:80], job=job)


def _seconds(result: dict[str, Any], job: Job) -> float:
    """As the engine measured it, else from claim to end."""
    if result.get("seconds"):
        return float(result["seconds"])
    if job.started_at is None or job.finished_at is None:
        return 0.0
    return float((job.finished_at - job.started_at).total_seconds())
