"""Which way stands first, and why: cheap before sure, sure on the last attempt, nothing after an exact verdict."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from unlearning_engine.catalog import METHODS, MethodEntry
from unlearning_engine.contracts import Guarantee
from unlearning_engine.errors import ConfigError
from unlearning_engine.planner import Attempt, Hardware, House, Situation, Sizes, available, rank, serves
from unlearning_engine.planner.words import MEASURED, SENTENCES, chance, duration, reason

SIZES = Sizes(
    parameters=657_024, layers=2, forget_records=245, forget_tokens=3185, retain_records=629, retain_tokens=8177,
    epochs=12,
)  # fmt: skip
DEMO = Situation(sizes=SIZES)
DAY = 86400.0


def after(*tried: Attempt, **changes) -> Situation:
    return dataclasses.replace(DEMO, tried=tried, **changes)


def names(ranking) -> list[str]:
    return [one.method for one in ranking.candidates]


def codes(one) -> list[str]:
    return [why.code for why in one.why]


def refused(ranking) -> dict[str, str]:
    return {one.method: one.why.code for one in ranking.refused}


def test_a_cheap_method_stands_first_and_retraining_behind_what_a_machine_may_propose():
    ranking = rank(DEMO)
    assert names(ranking)[0] == "graddiff"
    retrain = next(one for one in ranking.candidates if one.method == "retrain")
    assert codes(ranking.candidates[0])[0] == "why_cheaper_first" and codes(retrain)[0] == "why_fallback"
    assert refused(ranking) == {"sisa": "no_need", "newton": "no_need", "correct": "no_need"}


def test_every_method_of_the_catalogue_is_a_candidate_or_says_why_not():
    for situation in (DEMO, Situation(), after(Attempt(method="graddiff", verdict="fail"))):
        ranking = rank(situation)
        assert sorted([*names(ranking), *refused(ranking)]) == sorted(METHODS)
        assert all(one.why and one.risk for one in ranking.candidates)


def test_the_order_does_not_need_sizes():
    ranking = rank(Situation())
    assert names(ranking)[0] == "graddiff"
    assert ranking.candidates[0].cost.seconds is None and ranking.candidates[0].in_time is None


def test_the_last_attempt_goes_to_what_needs_no_luck():
    ranking = rank(after(Attempt(method="graddiff", verdict="fail", seconds=50)))
    assert names(ranking)[0] == "retrain" and codes(ranking.candidates[0]) == ["why_last_attempt"]
    assert codes(ranking.candidates[1]) == ["why_behind_last"] and ranking.candidates[1].expected is None


def test_with_more_attempts_something_stronger_is_tried_before_retraining():
    house = House(attempts=3)
    ranking = rank(after(Attempt(method="graddiff", verdict="fail"), house=house))
    assert ranking.candidates[0].guarantee == "approximate" and ranking.candidates[0].method != "graddiff"
    tried = (Attempt(method="graddiff", verdict="fail"), Attempt(method=names(ranking)[0], verdict="inconclusive"))
    assert names(rank(after(*tried, house=house)))[0] == "retrain"


def test_nothing_is_tried_after_a_verdict_on_an_exact_method():
    ranking = rank(after(Attempt(method="retrain", verdict="fail"), house=House(attempts=9)))
    assert ranking.candidates == () and ranking.ended.code == "end_judged"


def test_the_same_method_is_never_looked_at_twice_even_where_its_run_broke():
    ranking = rank(after(Attempt(method="retrain"), house=House(attempts=9)))
    assert refused(ranking)["retrain"] == "no_second_look" and ranking.ended is None


def test_after_a_certified_failure_nothing_weaker_is_tried():
    has = available("training set", also=["linear head"])
    ranking = rank(after(Attempt(method="newton", verdict="fail"), has=has, house=House(attempts=3)))
    assert names(ranking) == ["retrain"] and refused(ranking)["npo"] == "no_weaker"


@pytest.mark.parametrize(
    ("house", "hardware", "code"),
    [
        (House(attempts=1), Hardware(), "end_attempts"),
        (House(seconds=40), Hardware(), "end_seconds"),
        (House(money=0.01), Hardware(rate=1.0), "end_money"),
    ],
)
def test_a_budget_that_was_fixed_before_ends_the_ladder(house, hardware, code):
    ranking = rank(after(Attempt(method="graddiff", verdict="fail", seconds=50), house=house, hardware=hardware))
    assert ranking.candidates == () and ranking.ended.code == code


def test_what_would_overrun_the_budget_cannot_run():
    assert refused(rank(after(house=House(seconds=60))))["graddiff"] == "no_seconds"
    money = rank(after(house=House(money=0.001, methods=("graddiff", "retrain")), hardware=Hardware(rate=1.0)))
    assert refused(money)["graddiff"] == "no_money" and money.ended.code == "end_nothing"


def test_the_policy_of_the_house_allows_methods_and_asks_for_a_guarantee():
    assert names(rank(after(house=House(methods=("npo",))))) == ["npo"]
    exact = rank(after(house=House(minimum="exact")))
    assert names(exact) == ["retrain"] and refused(exact)["graddiff"] == "no_guarantee"


def test_a_lineage_is_deleted_from_and_never_ended_by_an_edit():
    sizes = dataclasses.replace(SIZES, passes=900, retraining_passes=7000)
    ranking = rank(dataclasses.replace(DEMO, has=available("training set", lineage=True), sizes=sizes))
    assert names(ranking) == ["sisa", "retrain"]
    assert [codes(one)[0] for one in ranking.candidates] == ["why_lineage", "why_same_bits"]
    assert refused(ranking)["graddiff"] == "no_lineage_left"


def test_where_nothing_can_be_read_the_retain_set_is_sampled_and_said_to_be():
    ranking = rank(dataclasses.replace(DEMO, has=available("none", recipe=False)))
    told = {one.method: codes(one) for one in ranking.candidates}
    assert "why_sampled" in told["graddiff"] and "why_sampled" not in told["ascent"]
    assert refused(ranking)["retrain"] == "no_need"


def test_a_need_that_is_not_met_is_named():
    ranking = rank(dataclasses.replace(DEMO, has=frozenset({"forget set", "weights"})))
    assert "graddiff" in refused(ranking) and "ascent" in names(ranking)
    assert "retain set" in {one.method: one.why.text for one in ranking.refused}["graddiff"]


def test_where_retraining_costs_no_more_it_stands_first():
    few = dataclasses.replace(SIZES, retain_records=60, retain_tokens=780)
    ranking = rank(dataclasses.replace(DEMO, sizes=few))
    assert names(ranking)[0] == "retrain"
    assert "why_no_cheaper" in codes(next(one for one in ranking.candidates if one.method == "graddiff"))


def test_where_time_is_left_for_one_attempt_it_is_the_sure_one():
    ranking = rank(dataclasses.replace(DEMO, deadline=DAY + 100))
    assert names(ranking)[0] == "retrain" and ranking.candidates[0].in_time
    assert codes(ranking.candidates[1])[0] == "why_one_run_only"


def test_what_ends_after_the_deadline_is_listed_and_says_so():
    ranking = rank(dataclasses.replace(DEMO, deadline=DAY))
    assert ranking.candidates and all(one.in_time is False for one in ranking.candidates if one.total is not None)
    assert codes(ranking.candidates[-1])[0] == "why_late" or ranking.candidates[-1].total is None


@pytest.mark.parametrize(("order", "first"), [("cheapest", "graddiff"), ("surest", "retrain"), ("quickest", "retrain")])
def test_the_house_chooses_what_goes_first(order, first):
    assert names(rank(after(house=House(order=order))))[0] == first


def test_what_was_hardly_measured_is_proposed_by_no_machine_but_can_be_chosen():
    ranking = rank(DEMO)
    by_name = {one.method: one for one in ranking.candidates}
    assert not by_name["simnpo"].unasked and codes(by_name["simnpo"])[0] == "why_unmeasured"
    assert by_name["simnpo"].expected is None and by_name["simnpo"].risk[0].code == "risk_none"
    unasked = [one.unasked for one in ranking.candidates]
    assert unasked == sorted(unasked, reverse=True)


def test_a_method_of_tomorrow_breaks_nothing_and_is_given_no_number(monkeypatch):
    entry = MethodEntry(
        name="tomorrow", title="Tomorrow", guarantee=Guarantee.APPROXIMATE, needs=("forget set",), paper="", summary=""
    )
    monkeypatch.setattr("unlearning_engine.planner.METHODS", {**METHODS, "tomorrow": entry})
    one = next(one for one in rank(DEMO).candidates if one.method == "tomorrow")
    assert one.cost.unknown == "no_cost" and one.cost.flops is None and one.risk[0].code == "risk_none"
    assert "No measurement of its cost." in [why.text for why in one.why]


def test_one_run_serves_the_requests_whose_deadlines_it_meets():
    assert serves(100, [50, 100, None, 900]) == 3
    assert serves(None, [1, 2]) == 2


def test_measurements_are_those_of_the_published_zoo():
    families = {f["family"]: f for f in json.loads(Path("docs/zoo.json").read_text())["families"]}
    for one in (m for m in MEASURED if m.family):
        found = families[one.family]
        assert one.of == found["trials"]
        if one.what == "verdict":
            bad = sum(found["outcomes"][name] for name in ("fail", "damaged", "bad_input"))
            assert (one.bad, one.open_) == (bad, found["outcomes"]["inconclusive"])
        else:
            assert one.bad == sum(n for why, n in found["evidence"].items() if "relearning" in why)
    assert all((Path(one.source)).is_file() for one in MEASURED)


def test_a_chance_is_laplace_s_and_nothing_where_nothing_was_measured():
    assert chance("graddiff") == pytest.approx(1 / 10) and chance("altpo") is None


def test_every_reason_has_its_sentence_and_its_values():
    spoken = [why for s in (DEMO, after(Attempt(method="graddiff", verdict="fail"))) for one in rank(s).candidates
              for why in (*one.why, *one.risk)]  # fmt: skip
    assert all("%(" not in why.text for why in spoken)
    assert reason("why_serves", n=3).text == SENTENCES["why_serves"] % {"n": "3"}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.3, "0.3 s"), (45, "45 s"), (132, "2.2 min"), (3000, "50 min"), (5 * 3600, "5.0 h"), (260_000, "3.0 d")],
)
def test_times_are_said_in_the_unit_that_fits(seconds, words):
    assert duration(seconds) == words


def test_a_policy_of_the_house_that_makes_no_sense_is_refused_with_every_problem():
    with pytest.raises(ConfigError) as caught:
        House(minimum="total", methods=("prayer",), attempts=0, order="alphabet", seconds=-1)
    assert len(caught.value.messages) == 5
    with pytest.raises(ConfigError, match="access"):
        available("hearsay")


def test_the_planner_imports_no_machine_learning():
    code = "import sys, unlearning_engine.planner; print(any(m in sys.modules for m in ('torch', 'numpy', 'rich')))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
