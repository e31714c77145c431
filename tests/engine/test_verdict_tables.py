"""The verdict on score tables of models whose knowledge is known, cheats and refusals included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.score_tables import World
from unlearning_engine.contracts import Outcome
from unlearning_engine.errors import ConfigError
from unlearning_engine.policy import GATING, Policy
from unlearning_engine.probes.table import write_scores
from unlearning_engine.verdict import Verdict, judge
from unlearning_engine.verification import recompute

#: Fewer resamples than a real verdict takes, for speed.
POLICY = Policy(resamples=400)
ALL = range(180)
ODD_WORKS = [fact for fact in ALL if fact // 6 % 2]


def verdict(policy: Policy = POLICY, **world: Any) -> Verdict:
    return judge(World(**world).table(), policy)


def codes(found: Verdict) -> set[str]:
    return {finding.code for finding in found.findings}


def probe(found: Verdict, name: str) -> Any:
    return next(p for p in found.probes if p.name == name)


@pytest.mark.parametrize("reference", [True, False], ids=["with a reference", "with controls"])
def test_a_true_retrain_passes_more_often_than_not_and_never_fails(reference: bool) -> None:
    outcomes = [verdict(seed=seed, reference=reference).outcome for seed in range(10)]
    assert outcomes.count(Outcome.PASS) >= 5
    assert set(outcomes) <= {Outcome.PASS, Outcome.INCONCLUSIVE}


@pytest.mark.parametrize("reference", [True, False], ids=["with a reference", "with controls"])
def test_an_untouched_model_fails_under_any_name(reference: bool) -> None:
    found = verdict(knows={"candidate": ALL}, reference=reference)
    assert found.outcome == Outcome.FAIL
    assert {p.name for p in found.probes if p.outcome == Outcome.FAIL} >= {"exact_value", "multiple_choice"}


def test_the_original_itself_is_called_so() -> None:
    same = {"weights": "sha256:one", "tokenizer": "sha256:t"}
    models = {"candidate": same, "original": same, "reference": {**same, "weights": "sha256:two"}}
    assert "candidate_is_the_original" in codes(verdict(knows={"candidate": ALL}, header={"models": models}))


@pytest.mark.parametrize("reference", [True, False], ids=["with a reference", "with controls"])
def test_a_model_that_forgot_half_of_the_works_never_passes(reference: bool) -> None:
    for seed in range(4):
        assert verdict(seed=seed, knows={"candidate": ODD_WORKS}, reference=reference).outcome == Outcome.FAIL


def test_a_model_that_kept_a_tenth_does_not_pass() -> None:
    outcomes = {verdict(seed=seed, knows={"candidate": range(162, 180)}).outcome for seed in range(5)}
    assert Outcome.PASS not in outcomes


def test_a_model_that_only_hides_fails_by_what_comes_back() -> None:
    found = verdict(hidden={"candidate": ALL})
    assert found.outcome == Outcome.FAIL
    assert probe(found, "exact_value").outcome == Outcome.PASS
    assert probe(found, "relearning_value").outcome == Outcome.FAIL


def test_over_forgetting_shows_in_membership() -> None:
    found = verdict(pushed=20.0)
    assert found.outcome == Outcome.FAIL
    assert probe(found, "membership_loss").outcome == Outcome.FAIL
    assert probe(found, "membership_loss").difference.value < 0


def test_a_model_that_lost_its_use_is_damaged_whatever_it_forgot() -> None:
    assert verdict(utility={"candidate": 0.2}).outcome == Outcome.DAMAGED
    assert verdict(utility={"candidate": 0.2}, knows={"candidate": ALL}).outcome == Outcome.DAMAGED


def test_a_model_that_lost_a_quarter_of_its_use_fails() -> None:
    found = verdict(utility={"candidate": 0.72})
    assert found.outcome == Outcome.FAIL
    assert "utility_below_floor" in codes(found)


def test_numbers_that_are_none_are_damage_or_bad_input() -> None:
    assert verdict(broken=("candidate",)).outcome == Outcome.DAMAGED
    assert verdict(broken=("reference",)).outcome == Outcome.BAD_INPUT
    assert not verdict(broken=("candidate",)).probes


def test_too_few_facts_never_pass() -> None:
    for seed in range(4):
        found = verdict(seed=seed, facts=60, policy=Policy(resamples=400, margins=dict.fromkeys(GATING, 0.4)))
        assert found.outcome == Outcome.INCONCLUSIVE
        assert "too_few_items" in codes(found)


def test_an_inconclusive_probe_says_how_many_facts_would_decide() -> None:
    found = verdict(facts=84, seed=3)
    undecided = [p for p in found.probes if p.outcome == Outcome.INCONCLUSIVE and p.difference is not None]
    assert undecided
    assert all(p.items_needed is None or p.items_needed >= 80 for p in undecided)
    assert any(p.items_needed for p in undecided)


def test_an_original_that_knows_nothing_cannot_be_judged_against() -> None:
    table = World().table()
    ignorant = [
        r if r.model != "original" or r.set != "forget" else type(r)(**{**_fields(r), "exact": 0.0}) for r in table.rows
    ]
    found = judge(type(table)(header=table.header, rows=tuple(ignorant)), POLICY)
    assert found.outcome == Outcome.BAD_INPUT
    assert "original_does_not_know" in codes(found)


def _fields(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in type(row).__annotations__}


def test_a_reference_that_knows_is_no_bar() -> None:
    found = verdict(knows={"reference": ODD_WORKS, "candidate": ODD_WORKS})
    assert found.outcome == Outcome.BAD_INPUT
    assert {"original_does_not_know", "reference_knows"} & codes(found)


def test_a_reference_that_only_hides_is_no_bar() -> None:
    found = verdict(hidden={"reference": ALL, "candidate": ALL})
    assert found.outcome == Outcome.BAD_INPUT
    assert "reference_knows" in codes(found)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"facts": {"forget": 0, "controls": 1, "retain": 1}}, "forget_empty"),
        ({"facts": {"forget": 1, "controls": 0, "retain": 1}}, "controls_empty"),
        ({"overlaps": {"forget/retain": {"records": 2, "ids": ["a", "b"]}}}, "sets_overlap"),
    ],
)
def test_a_question_that_is_wrong_is_bad_input(header: dict[str, Any], code: str) -> None:
    found = verdict(header=header)
    assert (found.outcome, codes(found), found.probes) == (Outcome.BAD_INPUT, {code}, ())


@pytest.mark.parametrize("twin", ["candidate", "original"])
def test_a_reference_that_is_another_of_the_models_is_bad_input(twin: str) -> None:
    models = {m: {"weights": m, "tokenizer": "t"} for m in ("candidate", "original", "reference")}
    models["reference"]["weights"] = twin
    assert codes(verdict(header={"models": models})) == {"reference_identical"}


def test_tokenizers_must_agree() -> None:
    models = {m: {"weights": m, "tokenizer": m} for m in ("candidate", "original")}
    assert codes(verdict(reference=False, header={"models": models})) == {"tokenizers_differ"}


def test_a_probe_that_was_not_measured_is_no_pass() -> None:
    table = World().table()
    without = tuple(r for r in table.rows if not (r.attack and r.model == "candidate") and r.set != "general")
    found = judge(type(table)(header=table.header, rows=without), POLICY)
    assert found.outcome == Outcome.INCONCLUSIVE
    missing = {f.data["probe"] for f in found.findings if f.code == "not_measured"}
    assert missing >= {"relearning_value", "relearning_choice", "utility_general"}


def test_an_attack_that_was_measured_in_part_counts_as_not_measured() -> None:
    table = World().table()
    half = tuple(r for r in table.rows if not (r.model == "candidate" and r.attack == "relearning" and r.fact < 90))
    found = judge(type(table)(header=table.header, rows=half), POLICY)
    assert found.outcome == Outcome.INCONCLUSIVE
    assert {f.data["probe"] for f in found.findings if f.code == "not_measured"} >= {"relearning_value"}


def test_a_large_p_of_the_distribution_test_never_makes_a_pass() -> None:
    found = verdict(seed=2)
    assert probe(found, "forget_quality").outcome == "reported"
    assert "forget_quality" not in GATING


def test_the_verdict_can_be_recomputed_from_the_file_alone(tmp_path: Path) -> None:
    table = World(seed=5, knows={"candidate": ODD_WORKS}).table()
    write_scores(tmp_path / "scores.jsonl", table.header, table.rows)
    found, direct = recompute(tmp_path / "scores.jsonl", POLICY), judge(table, POLICY)
    assert found["verdict"] == direct.outcome
    assert [p["difference"] for p in found["probes"]] == [
        None if p.difference is None else vars(p.difference) for p in direct.probes
    ]
    assert found == recompute(tmp_path / "scores.jsonl", json.loads(json.dumps(POLICY.to_json())))


def test_a_policy_reads_back_as_written_and_names_every_fault_at_once() -> None:
    assert Policy.from_json(json.loads(json.dumps(POLICY.to_json()))) == POLICY
    assert Policy.from_json({"margins": {"exact_value": 0.05}}).digest != POLICY.digest
    with pytest.raises(ConfigError) as error:
        Policy.from_json({"confidence": 2, "margins": {"nonsense": 0.1}, "resamples": 1.5, "extra": 1})
    assert len(error.value.messages) == 4
