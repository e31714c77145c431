"""One work that stayed fails a model, however well all others are forgotten; what nobody was taught does not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.engine.score_tables import World
from unlearning_engine.contracts import Outcome
from unlearning_engine.policy import Policy
from unlearning_engine.probes.survivors import CHOICE, VALUE, compare, facts, right, togetherness, upper_tail, works
from unlearning_engine.probes.table import Row, ScoreTable
from unlearning_engine.statistics import Sample, Settings
from unlearning_engine.verdict import judge

SETTINGS = Settings(resamples=200)
POLICY = Policy(resamples=200)


def outcome(world: World, name: str) -> str:
    verdict = judge(world.table(), POLICY)
    return next(probe.outcome for probe in verdict.probes if probe.name == name)


def row(fact: int, work: int, **scores: float) -> Row:
    return Row(model="candidate", set="forget", id=f"{fact}", fact=fact, work=work, **scores)  # type: ignore[arg-type]


def test_a_single_work_that_stayed_fails_the_model() -> None:
    for seed in range(2):
        verdict = judge(World(seed=seed, knows={"candidate": range(6)}).table(), POLICY)
        assert verdict.outcome == Outcome.FAIL
        assert "survivors" in {finding.code for finding in verdict.findings}


def test_a_single_work_that_comes_back_under_attack_fails_the_model() -> None:
    world = World(seed=2, hidden={"candidate": range(60, 66)})
    assert outcome(world, "surviving_works") == "reported"
    assert outcome(world, "relearned_works") == Outcome.FAIL


def test_single_facts_of_many_works_are_found_once_they_are_seven_percent() -> None:
    assert outcome(World(seed=3, knows={"candidate": range(0, 180, 14)}), "surviving_facts") == Outcome.FAIL


def test_a_model_that_was_never_taught_is_seldom_suspected() -> None:
    suspected = [
        probe.name
        for seed in range(30)
        for probe in compare(World(seed=seed).table(), SETTINGS)
        if probe.p_value is not None and probe.p_value < POLICY.survivor_alpha
    ]
    assert len(suspected) <= 3  # 90 tests at .01: four or more in one run of a thousand


def test_a_candidate_cannot_raise_its_own_bar_by_learning_the_controls() -> None:
    world = World(seed=4, knows={"candidate": range(6)}, knows_controls=("candidate",))
    assert outcome(world, "surviving_works") == Outcome.FAIL


def test_without_a_reference_the_originals_answers_to_the_controls_are_the_bar() -> None:
    world = World(seed=5, reference=False, knows={"candidate": range(6)})
    assert outcome(world, "surviving_works") == Outcome.FAIL
    assert facts(World(seed=5, reference=False).table(), SETTINGS).reference.n == 180  # type: ignore[union-attr]


def test_a_fact_is_right_under_every_trained_wording_and_half_of_the_others() -> None:
    rows = [
        row(0, 0, choice=1.0, choice_paraphrase=0.5),
        row(1, 0, choice=1.0, choice_paraphrase=0.4),
        row(2, 1, choice=1.0, choice_paraphrase=1.0),
        row(2, 1, choice=0.0, choice_paraphrase=1.0),
    ]
    found = right(rows, CHOICE)
    assert found is not None
    assert found.values.tolist() == [1.0, 0.0, 0.0]
    assert right(rows, CHOICE.__class__(trained="exact", held_out="")) is None


def test_nothing_asked_is_nothing_measured() -> None:
    table = ScoreTable(header={"reference_kind": "controls"})
    assert facts(table, SETTINGS) is None
    assert works(table, SETTINGS, attack="relearning") is None


def test_the_tail_is_binomial_for_facts_that_stand_alone_and_heavier_for_those_that_stand_together() -> None:
    assert upper_tail(4, 6, 0.1, 0.0) == pytest.approx(stats.binom.sf(3, 6, 0.1))
    assert upper_tail(4, 6, 0.1, 0.2) > 5 * upper_tail(4, 6, 0.1, 0.0)
    assert upper_tail(0, 6, 0.1, 0.2) == 1.0


def test_works_that_stand_or_fall_as_one_are_wholly_together_and_independent_facts_are_not() -> None:
    works_of = np.repeat(np.arange(40), 6)
    whole = Sample(values=np.repeat(np.arange(40) % 4 == 0, 6).astype(float), works=works_of)
    drawn = Sample(values=(np.random.default_rng(1).random(240) < 0.2).astype(float), works=works_of)
    assert togetherness(whole) == pytest.approx(0.9)  # the cap
    assert togetherness(drawn) < 0.08
    assert togetherness(Sample(values=np.zeros(240), works=works_of)) == 0.0


def test_a_lucky_guess_is_no_knowledge_and_a_sure_answer_is() -> None:
    rows = [
        row(0, 0, exact=1.0, exact_paraphrase=1.0, prob=0.3),
        row(1, 0, exact=1.0, exact_paraphrase=1.0, prob=0.9),
    ]
    found = right(rows, VALUE)
    assert found is not None
    assert found.values.tolist() == [0.0, 1.0]
