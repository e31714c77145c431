"""What the planner is told about a case, and what it answers: candidates in order, with cost, guarantee and risk.

Everything is read from what is there: the model's size from its weights' headers, the length of records from their
text, the deadline from the case's clock, corrections from past runs. What cannot be read is told as unknown.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
from collections.abc import Iterable, Sequence
from datetime import datetime, time
from typing import Any

from django.conf import settings
from django.utils import timezone

from governance import dispatch
from governance.models import Case, ModelVersion, Plan
from governance.selectors import forecasts as select
from governance.services import exact, forecasts

#: Rows of a dataset whose length is looked at.
SAMPLED = 2000


def house(tried: Sequence[Plan]) -> dispatch.House:
    """The policy of the house under which this case's first plan was made; before that, the one of now.

    What the first plan fixed does not change while the case is tried, whatever is configured meanwhile.
    """
    fixed = next((plan.ranking["house"] for plan in tried if plan.ranking.get("house")), None)
    if fixed is None:
        return dispatch.house()
    return dispatch.House(**{**fixed, "methods": tuple(fixed["methods"])})


def attempts(tried: Sequence[Plan]) -> tuple[dispatch.Attempt, ...]:
    """What was tried. A plan that only rode along with another case's broken run tried nothing of its own."""
    return tuple(
        dispatch.Attempt(method=plan.method, verdict=verdict(plan), seconds=select.spent(plan))
        for plan in tried
        if plan.leader_id is None or plan.candidate_id is not None
    )


def verdict(plan: Plan) -> str:
    """The verdict on a plan's candidate; empty where its run broke or was not judged."""
    verification = getattr(plan, "verification", None)
    return str(verification.verdict) if verification else ""


def ended(tried: Sequence[Plan]) -> str:
    """Why nothing more may be tried, by verdicts and budget alone; empty where something may be."""
    over = dispatch.ended(dispatch.Situation(house=house(tried), tried=attempts(tried)))
    return over.text if over else ""


def rank(plan: Plan, tried: Sequence[Plan], passes: dict[str, float] | None = None) -> dispatch.Ranking:
    """Every method for a plan whose base, dataset and records are set; `passes` are those of a lineage's methods."""
    return dispatch.rank(_situation(plan, tried, passes or {}))


def keep(ranking: dispatch.Ranking, tried: Sequence[Plan]) -> dict[str, Any]:
    """A ranking as a plan keeps it."""
    kept: dict[str, Any] = json.loads(json.dumps(ranking.to_json()))
    return {**kept, "house": json.loads(json.dumps(dataclasses.asdict(house(tried)))), "device": forecasts.device()}


def _situation(plan: Plan, tried: Sequence[Plan], passes: dict[str, float]) -> dispatch.Situation:
    sizes, recipe = _model(plan.base.artifact)
    aside = len(dispatch.read_lines(plan.exclude_ids))
    each = _record_tokens(plan.dataset.artifact)
    retained = max(0, plan.dataset.records_count - plan.forget_count - aside)
    found = dispatch.Sizes(
        parameters=int(sizes.get("parameters", 0)),
        layers=int(sizes.get("layers", 0)),
        epochs=sizes.get("epochs", 0.0),
        forget_records=plan.forget_count,
        forget_tokens=round(plan.forget_count * each),
        retain_records=retained,
        retain_tokens=round(retained * each),
        passes=passes.get("sisa", 0.0),
        retraining_passes=passes.get("retrain", 0.0),
        shards=int(sizes.get("shards", 1)),
    )
    hardware = _hardware()
    return dispatch.Situation(
        sizes=found,
        hardware=hardware,
        house=house(tried),
        has=dispatch.available("training set", recipe=recipe, lineage=bool(plan.base.lineage)),
        deadline=deadline(plan.case),
        tried=attempts(tried),
        serves=_serves(plan, found, hardware, house(tried)),
    )


def deadline(case: Case) -> float:
    """Seconds until the case's last lawful day ends; 0 where it has passed."""
    end = timezone.make_aware(datetime.combine(case.due_on, time.max))
    return max(0.0, (end - timezone.now()).total_seconds())


def _hardware() -> dispatch.Hardware:
    device = forecasts.device()
    kind = "cpu" if device == "cpu" else "gpu"
    known = select.ratios(device)
    return dispatch.Hardware(
        **{**settings.PLAN_HARDWARE, "kind": kind}, name=device, correction=known.median, runs=known.runs
    )


def _serves(plan: Plan, sizes: dispatch.Sizes, hardware: dispatch.Hardware, policy: dispatch.House) -> int:
    """How many requests one retraining would serve: this one, and those that wait and whose deadlines it meets."""
    run, judged = dispatch.cost_of("retrain", sizes, hardware), dispatch.verification_cost(sizes, hardware)
    length = None if run.seconds is None else run.seconds + (judged.seconds or 0.0) + policy.reserve
    waiting = waiting_on(plan.base, plan.case).select_related("case")
    return 1 + dispatch.serves(length, [deadline(other.case) for other in waiting])


def waiting_on(base: ModelVersion, case: Case) -> Any:
    """Plans of other cases that wait for confirmation on the same version."""
    return exact.waiting(base).exclude(case=case)


# ---------------------------------------------------------------- what files tell


@functools.lru_cache(maxsize=64)
def _model(artifact: str) -> tuple[dict[str, float], bool]:
    """Sizes of a version, and whether its recipe lies with it: of weights that are no folder the engine will tell."""
    store = dispatch.store()
    files = store.list_tree(artifact) if store.exists(artifact) else None
    if files is None:
        return {}, True
    try:
        return dispatch.model_sizes(files, lambda name: store.open(files[name])), "recipe.json" in files
    except dispatch.DataError:
        # What is damaged is the run's to refuse, with its own sentence.
        return {}, "recipe.json" in files


@functools.lru_cache(maxsize=64)
def _record_tokens(artifact: str) -> float:
    """Tokens of one record on average, from the first rows; 0 where the dataset is no JSON lines."""
    store = dispatch.store()
    if not store.exists(artifact) or store.list_tree(artifact) is not None:
        return 0.0
    try:
        with store.open(artifact) as file:
            return dispatch.tokens_of(_rows(itertools.islice(file, SAMPLED)))[1]
    except ValueError:
        return 0.0


def _rows(lines: Iterable[bytes]) -> Iterable[dict[str, Any]]:
    for line in lines:
        row = json.loads(line) if line.strip() else None
        if isinstance(row, dict):
            yield row
