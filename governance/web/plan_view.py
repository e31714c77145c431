"""The ways that were weighed for a plan, in words: cost, guarantee, risk, deadline, and why each stands where it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance import dispatch
from governance.models import Forecast, LedgerOpening, Plan
from governance.policies import Actor, Permission, may
from governance.selectors import forecasts as select
from governance.web.case_history import method_inside, method_title

Context = dict[str, Any]
GUARANTEES = {"exact": "exact", "certified": "certified", "approximate": "approximate"}


def reason_words(reason: Mapping[str, Any]) -> str:
    """One reason of the planner as a sentence; a code that this version does not know is shown as it is."""
    sentence = dispatch.SENTENCES.get(str(reason["code"]))
    return _(sentence) % reason["values"] if sentence else str(reason["code"])


def _sentences(reasons: Sequence[Mapping[str, Any]]) -> str:
    return " ".join(reason_words(reason) for reason in reasons)


def ranked(plan: Plan) -> Context:
    """Values of the plan tab's section on the ways that were weighed; empty for a plan that was made without."""
    found = plan.ranking
    if not found.get("candidates"):
        return {}
    ways = [_way(at, one, plan) for at, one in enumerate(found["candidates"], start=1)]
    return {
        "ways": [way for way in ways if way["shown"]],
        "more_ways": [way for way in ways if not way["shown"]],
        "refused": [(one["title"], reason_words(one["why"])) for one in found.get("refused", [])],
        "ways_sentence": _ways_sentence(plan),
        "budget": _budget(found.get("house", {})),
        "reckoned_for": found.get("device", ""),
    }


def _ways_sentence(plan: Plan) -> str:
    count = len(plan.ranking["candidates"])
    text = ngettext("%(n)d way can be gone.", "%(n)d ways can be gone, in this order.", count) % {"n": count}
    if plan.ranking.get("chosen"):
        text += " " + _("%(method)s was chosen instead of %(other)s: %(why)s") % {
            "method": method_title(plan.ranking["chosen"]),
            "other": method_inside(plan.ranking["instead_of"]),
            "why": plan.ranking["reason"],
        }
    return text


def _way(at: int, one: Mapping[str, Any], plan: Plan) -> Context:
    taken = one["method"] == plan.method
    return {
        "n": at,
        "title": one["title"],
        "taken": taken,
        # What only a person may choose is folded away until one has.
        "shown": one["unasked"] or taken,
        "word": _("taken") if plan.confirmed_at else _("proposed"),
        "facts": [
            (_("Guarantee"), _(GUARANTEES.get(one["guarantee"], one["guarantee"]))),
            (_("Takes"), _takes(one)),
            (_("Energy, price"), _price(one["cost"])),
            (_("Deadline"), _deadline(one["in_time"])),
        ],
        "why": _sentences(one["why"]),
        "risk": _sentences(one["risk"]),
    }


def _takes(one: Mapping[str, Any]) -> str:
    cost = one["cost"]
    if cost["seconds"] is None:
        return _("not known")
    return _("%(run)s, with verification %(total)s") % {
        "run": dispatch.duration(cost["seconds"]), "total": dispatch.duration(one["total"])}  # fmt: skip


def _price(cost: Mapping[str, Any]) -> str:
    parts = []
    if cost["watt_hours"] is not None:
        parts.append(_small(cost["watt_hours"], "Wh"))
    if cost["money"] is not None:
        parts.append(_small(cost["money"], dispatch.currency()))
    if parts:
        return ", ".join(parts)
    return _("not known") if cost["seconds"] is None else _("not configured")


def _small(value: float, unit: str) -> str:
    """What is not nothing is never written as nothing."""
    if value < 0.005:
        return f"{_('under')} {_number(0.01)} {unit}".strip()
    return f"{_number(value)} {unit}".strip()


def _number(value: float) -> str:
    decimals = 0 if value >= 100 else 2
    return number_format(round(value, decimals), decimal_pos=decimals, force_grouping=True)


def _deadline(in_time: bool | None) -> str:
    return {True: _("kept"), False: _("missed"), None: _("not known, since its time is not")}[in_time]


def _budget(house: Mapping[str, Any]) -> str:
    """What the house allows all attempts of the case together, as it was fixed before the first."""
    if not house:
        return ""
    parts = [ngettext("%(n)d attempt", "%(n)d attempts", house["attempts"]) % {"n": house["attempts"]}]
    if house["seconds"]:
        parts.append(dispatch.duration(house["seconds"]))
    if house["money"]:
        parts.append(f"{_number(house['money'])} {dispatch.currency()}".strip())
    orders = {
        "cheapest": _("the cheaper way goes first"),
        "quickest": _("what holds soonest goes first"),
        "surest": _("the strongest guarantee goes first"),
    }
    return _("Fixed before the first run: %(limits)s; %(order)s.") % {
        "limits": ", ".join(parts), "order": orders.get(house["order"], house["order"])}  # fmt: skip


# ---------------------------------------------------------------- how good the forecasts were


def score(actor: Actor) -> Context:
    """Forecast and what it took, run by run; nothing before the first run has ended."""
    if not may(actor, Permission.SEE_JOBS):
        return {}
    rows, found = select.rows(), select.score()
    if found is None:
        return {}
    return {
        "score_sentence": _score_sentence(found),
        "score_columns": [
            _("What ran"),
            _("Device"),
            {"label": _("Forecast"), "num": True},
            {"label": _("Took"), "num": True},
            {"label": _("Ratio"), "num": True},
        ],
        "score_rows": [_row(one) for one in rows],
    }


def _score_sentence(found: select.Score) -> str:
    runs = ngettext("%(n)d run", "%(n)d runs", found.runs) % {"n": found.runs}
    return _(
        "Over %(runs)s the forecasts were typically off by a factor of %(told)s; the arithmetic alone by %(reckoned)s. "
        "The next one is corrected by the median of the past runs of its method on its device."
    ) % {"runs": runs, "told": _factor(found.told), "reckoned": _factor(found.reckoned)}


def _factor(value: float) -> str:
    return number_format(round(value, 2), decimal_pos=2)


def _row(one: Forecast) -> list[Any]:
    title = _("Verification") if one.method == Forecast.VERIFY else method_title(one.method)
    took = one.actual or 0.0
    return [
        {"text": title, "url": reverse("job", args=[one.job_id]) if one.job_id else ""},
        one.device,
        dispatch.duration(one.seconds),
        dispatch.duration(took),
        _factor(took / one.seconds),
    ]


# ---------------------------------------------------------------- where nothing is left


def withdrawal(case_id: int) -> Context | None:
    """The last proposal of a case in which nothing is left to try: to take the version out of service."""
    opening = LedgerOpening.objects.filter(case=case_id, entry__action="model.withdrawal_proposed").last()
    if opening is None:
        return None
    body = opening.body
    places = ngettext("%(n)d place", "%(n)d places", body["places"]) % {"n": body["places"]}
    return {
        "kind": "at_risk",
        "title": _("Proposed to people: withdraw %(model)s") % {"model": body["model"]},
        "text": _(
            "%(why)s It still answers in %(places)s. Withdrawing it is a decision for the release manager and for "
            "legal; until it is taken, nothing is claimed."
        )
        % {"why": body["why"], "places": places},
    }
