"""A cheat that moves the bar instead of forgetting: copies, trained controls, an attack made to fail."""

from __future__ import annotations

import dataclasses

import pytest

from tests.engine.score_tables import World
from unlearning_engine.contracts import Outcome
from unlearning_engine.policy import Policy
from unlearning_engine.probes.independence import closeness, disagreement
from unlearning_engine.probes.table import ScoreTable
from unlearning_engine.verdict import Verdict, judge

POLICY = Policy(resamples=200)


def codes(verdict: Verdict) -> set[str]:
    return {finding.code for finding in verdict.findings}


def copy_of(table: ScoreTable, source: str, noise: float) -> ScoreTable:
    """The candidate's losses as another model's, but for a share of its own."""
    theirs = {(r.attack, r.set, r.id): r for r in table.rows if r.model == source}
    rows = []
    for r in table.rows:
        other = theirs.get((r.attack, r.set, r.id))
        if r.model == "candidate" and other is not None and None not in (r.loss, other.loss):
            r = dataclasses.replace(r, loss=(1 - noise) * other.loss + noise * r.loss)  # type: ignore[operator]
        rows.append(r)
    return ScoreTable(header=table.header, rows=tuple(rows))


def test_a_run_of_its_own_is_no_copy() -> None:
    verdict = judge(World(seed=1).table(), POLICY)
    assert verdict.outcome == Outcome.PASS, verdict.findings
    assert closeness(World(seed=1).table())["reference"] == pytest.approx(1.0, abs=0.3)


def test_a_copy_of_the_reference_is_bad_input_whatever_noise_hides_its_digest() -> None:
    verdict = judge(copy_of(World(seed=1).table(), "reference", 0.1), POLICY)
    assert verdict.outcome == Outcome.BAD_INPUT
    assert "reference_copied" in codes(verdict)


def test_closeness_to_the_original_is_reported_and_refuses_nobody() -> None:
    table = copy_of(World(seed=1).table(), "original", 0.1)
    assert closeness(table)["original"] < 0.25
    assert "reference_copied" not in codes(judge(table, POLICY))


def test_without_a_reference_there_is_nothing_to_copy() -> None:
    table = World(reference=False).table()
    assert closeness(table) == {}
    assert disagreement(table, "candidate", "reference") is None


@pytest.mark.parametrize("part", ["learns", "keeps"])
def test_an_attack_that_teaches_nothing_or_wrecks_the_model_is_no_proof(part: str) -> None:
    verdict = judge(World(seed=1, **{part: {"candidate": 0.2}}).table(), POLICY)
    assert verdict.outcome == Outcome.INCONCLUSIVE
    assert "attack_without_effect" in codes(verdict)


@pytest.mark.parametrize("reference", [True, False], ids=["with a reference", "with controls"])
@pytest.mark.parametrize("part", ["learns", "keeps"])
def test_an_attack_that_did_nothing_to_the_model_beside_it_either_is_no_proof(part: str, reference: bool) -> None:
    both = dict.fromkeys(("candidate", "reference", "original"), 0.0)
    verdict = judge(World(seed=1, reference=reference, **{part: both}).table(), POLICY)
    assert verdict.outcome == Outcome.INCONCLUSIVE
    assert "attack_without_effect" in codes(verdict)


def test_an_attack_whose_effect_was_not_measured_is_no_proof() -> None:
    table = World(seed=1).table()
    rows = tuple(row for row in table.rows if row.attack != "relearning_taught")
    verdict = judge(ScoreTable(header=table.header, rows=rows), POLICY)
    assert verdict.outcome == Outcome.INCONCLUSIVE
    assert "not_measured" in codes(verdict)


def test_without_a_reference_a_candidate_that_was_trained_on_the_controls_fails() -> None:
    everything = range(180)
    world = World(seed=1, reference=False, knows={"candidate": everything}, knows_controls=("candidate",))
    verdict = judge(world.table(), POLICY)
    assert verdict.outcome == Outcome.FAIL
    assert "controls_known" in codes(verdict)


def test_without_a_reference_an_honest_candidate_can_pass() -> None:
    passed = [judge(World(seed=seed, reference=False).table(), POLICY).outcome for seed in range(3)]
    assert Outcome.FAIL not in passed
    assert Outcome.PASS in passed


def test_a_reference_that_is_worse_than_the_original_excuses_no_damage() -> None:
    verdict = judge(World(seed=1, utility={"reference": 0.5, "candidate": 0.5}).table(), POLICY)
    assert verdict.outcome == Outcome.BAD_INPUT
    assert "reference_poor" in codes(verdict)


def test_a_reference_that_is_as_good_as_the_original_within_noise_is_a_bar() -> None:
    verdict = judge(World(seed=1, utility={"reference": 0.95}).table(), POLICY)
    assert "reference_poor" not in codes(verdict)


# ---------------------------------------------------------------- few controls


def with_controls(table: ScoreTable, facts: int) -> ScoreTable:
    """The table with the first `facts` controls alone."""
    kept = set(sorted({r.fact for r in table.rows if r.set == "controls"})[:facts])
    return ScoreTable(header=table.header, rows=tuple(r for r in table.rows if r.set != "controls" or r.fact in kept))


def test_few_controls_hide_no_reference_that_knows() -> None:
    known = range(126)
    world = World(seed=1, knows={"reference": known, "candidate": known})
    verdict = judge(with_controls(world.table(), 4), POLICY)
    assert verdict.outcome != Outcome.PASS
    assert "too_few_items" in codes(verdict)
    found = [f.data for f in verdict.findings if f.code in ("reference_undecided", "reference_knows")]
    assert "exact_value" in {data["probe"] for data in found}


def test_too_few_controls_are_told_with_the_number_that_is_needed() -> None:
    beside = judge(with_controls(World(seed=1).table(), 29), POLICY)
    alone = judge(with_controls(World(seed=1, reference=False).table(), 79), POLICY)
    for verdict, least in ((beside, POLICY.minimum_utility_items), (alone, POLICY.minimum_items)):
        found = [f.data for f in verdict.findings if f.code == "too_few_items"]
        assert found == [{"set": "controls", "facts": least - 1, "minimum": least}]
    assert beside.outcome == Outcome.INCONCLUSIVE
    assert "too_few_items" not in codes(judge(with_controls(World(seed=1).table(), 30), POLICY))


def test_a_reference_that_may_know_keeps_a_model_from_passing() -> None:
    found = []
    for seed in range(3):
        verdict = judge(World(seed=seed, facts=84, knows={"reference": range(9)}).table(), POLICY)
        found.append(codes(verdict) & {"reference_undecided", "reference_knows"})
        assert verdict.outcome != Outcome.PASS
    assert all(found)


# ---------------------------------------------------------------- probes that see nothing


@pytest.mark.parametrize("column", ["exact_paraphrase", "choice", "prob"])
def test_a_probe_that_does_not_see_what_the_original_knows_is_no_proof(column: str) -> None:
    """Wordings or wrong answers that mean nothing: the original does no better by them than an untaught model."""
    table = World(seed=1).table()
    blank = {column: 0.0, **({"choice_paraphrase": 0.0} if column == "choice" else {})}
    rows = tuple(
        dataclasses.replace(r, **blank)  # type: ignore[arg-type]
        if getattr(r, column) is not None and r.set in ("forget", "controls") and not r.attack
        else r
        for r in table.rows
    )
    verdict = judge(ScoreTable(header=table.header, rows=rows), POLICY)
    assert verdict.outcome == Outcome.INCONCLUSIVE
    names = {"exact_paraphrase": "paraphrase_value", "choice": "multiple_choice", "prob": "answer_probability"}
    assert {f.data["probe"] for f in verdict.findings if f.code == "blind_probe"} == {names[column]}
