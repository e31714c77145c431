"""The standard set: a policy names attacks, each leads to probes that must pass, and what was not tried is said."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engine.score_tables import PREPARED, World
from unlearning_engine.attacks.standard import ATTACKS, measures
from unlearning_engine.catalog import ATTACKS as ENTRIES
from unlearning_engine.catalog import DEFAULT_POLICY, MARGINS, gating
from unlearning_engine.contracts import Outcome
from unlearning_engine.errors import ConfigError
from unlearning_engine.policy import Policy
from unlearning_engine.probes.table import ScoreTable, write_scores
from unlearning_engine.verdict import Verdict, judge
from unlearning_engine.verification import recompute

POLICY = Policy(resamples=200)
ALL = range(180)
WEIGHTS = [name for name in PREPARED if ATTACKS[name].changes_weights]


def codes(verdict: Verdict) -> set[str]:
    return {finding.code for finding in verdict.findings}


def outcomes(verdict: Verdict) -> dict[str, str]:
    return {probe.name: str(probe.outcome) for probe in verdict.probes}


def test_the_catalogue_tells_of_the_attacks_that_there_are() -> None:
    assert list(ATTACKS) == list(ENTRIES)
    for name, attack in ATTACKS.items():
        assert ENTRIES[name].probes == tuple(measure.name for measure in attack.measures)
        assert set(ENTRIES[name].probes) <= set(MARGINS)
    probes = [measure.name for measure in measures(ATTACKS)]
    assert len(set(probes)) == len(probes)


def test_the_attacks_are_known_without_torch() -> None:
    code = "import sys, unlearning_engine.attacks.standard, unlearning_engine.verdict; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", PREPARED)
def test_what_comes_back_under_one_attack_fails_the_model(name: str) -> None:
    verdict = judge(World(seed=1, returns={name: {"candidate": ALL}}).table(), POLICY)
    assert verdict.outcome == Outcome.FAIL
    failed = {probe for probe, outcome in outcomes(verdict).items() if outcome == Outcome.FAIL}
    assert failed == {*ENTRIES[name].probes, f"{name}_works"}


@pytest.mark.parametrize("name", PREPARED)
def test_one_work_of_thirty_that_comes_back_whole_fails_the_model(name: str) -> None:
    verdict = judge(World(seed=1, returns={name: {"candidate": range(60, 66)}}).table(), POLICY)
    assert verdict.outcome == Outcome.FAIL
    assert Outcome.FAIL not in {outcomes(verdict)[probe] for probe in ENTRIES[name].probes}
    assert {f.data["probe"] for f in verdict.findings if f.code == "survivors"} == {f"{name}_works"}


@pytest.mark.parametrize("name", PREPARED)
def test_a_reference_that_gives_way_to_an_attack_is_no_bar(name: str) -> None:
    verdict = judge(World(seed=1, returns={name: {"candidate": ALL, "reference": ALL}}).table(), POLICY)
    assert verdict.outcome == Outcome.BAD_INPUT
    assert "reference_knows" in codes(verdict)


def test_the_attack_shows_on_the_original_what_it_leaves_of_knowledge() -> None:
    verdict = judge(World(seed=1).table(), POLICY)
    assert verdict.outcome == Outcome.PASS, verdict.findings
    probe = next(p for p in verdict.probes if p.name == "quantisation_4bit_value")
    assert probe.original is not None
    assert probe.original.value == 1.0


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_candidate_that_only_the_attack_wrecks_is_not_passed(name: str) -> None:
    verdict = judge(World(seed=1, wrecked={name: ("candidate",)}).table(), POLICY)
    assert verdict.outcome == Outcome.INCONCLUSIVE
    assert codes(verdict) == {"attack_without_effect"}


@pytest.mark.parametrize("reference", [True, False], ids=["with a reference", "with controls"])
def test_an_attack_that_wrecks_the_model_beside_it_too_shows_nothing(reference: bool) -> None:
    both = ("candidate", "reference" if reference else "original")
    verdict = judge(World(seed=1, reference=reference, wrecked={"pruning": both}).table(), POLICY)
    assert verdict.outcome == Outcome.INCONCLUSIVE
    found = [f.data for f in verdict.findings if f.code == "attack_without_effect"]
    assert [data["attack"] for data in found] == ["pruning"]
    assert found[0]["beside"] < 0.5 * found[0]["before"]


def test_what_an_attack_left_cannot_be_seen_where_nothing_was_known_before() -> None:
    table = World(seed=1).table()
    rows = [dataclasses.replace(row, exact=0.0) if row.set == "retain" else row for row in table.rows]
    verdict = judge(ScoreTable(header=table.header, rows=tuple(rows)), POLICY)
    missing = {f.data["probe"] for f in verdict.findings if f.code == "not_measured"}
    assert missing == {f"{name} effect on retain" for name in ("relearning", *WEIGHTS)}
    assert verdict.outcome != Outcome.PASS


@pytest.mark.parametrize("name", PREPARED)
def test_an_attack_that_the_policy_names_and_nobody_ran_is_no_pass(name: str) -> None:
    table = World(seed=1).table()
    left = ScoreTable(header=table.header, rows=tuple(row for row in table.rows if row.attack != name))
    verdict = judge(left, POLICY)
    assert verdict.outcome == Outcome.INCONCLUSIVE
    missing = {finding.data["probe"] for finding in verdict.findings if finding.code == "not_measured"}
    assert missing >= {*ENTRIES[name].probes, f"{name}_works"}


def test_without_a_reference_the_controls_go_through_every_attack() -> None:
    verdict = judge(World(seed=2, reference=False, returns={"pruning": {"candidate": ALL}}).table(), POLICY)
    assert verdict.outcome == Outcome.FAIL
    assert outcomes(verdict)["pruning_value"] == Outcome.FAIL


def test_a_policy_without_an_attack_asks_for_none_of_its_probes() -> None:
    policy = Policy.from_json({"resamples": 200, "attacks": []})
    assert set(policy.margins) == set(gating(()))
    table = World(seed=1, hidden={"candidate": ALL}, returns={"pruning": {"candidate": ALL}}).table()
    plain = ScoreTable(header=table.header, rows=tuple(row for row in table.rows if not row.attack))
    verdict = judge(plain, policy)
    assert verdict.outcome == Outcome.PASS, verdict.findings
    assert not {probe.name for probe in verdict.probes} & {p for entry in ENTRIES.values() for p in entry.probes}


def test_a_policy_fills_in_the_margins_of_the_attacks_it_names() -> None:
    policy = Policy.from_json({"attacks": ["sampling", "steering"], "margins": {"sampling_value": 0.2}})
    assert policy.margins["sampling_value"] == 0.2
    assert policy.margins["steering_choice"] == MARGINS["steering_choice"]
    assert "relearning_value" not in policy.margins
    assert Policy.from_json(policy.to_json()) == policy
    assert policy.digest != Policy().digest


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"attacks": ["hypnosis"]}, "'hypnosis' unknown"),
        ({"attacks": "pruning"}, "must be a list of names"),
        ({"attacks": ["pruning", "pruning"]}, "twice"),
        ({"attacks": ["paraphrase"], "paraphrases": 0}, "nothing to ask"),
        ({"attacks": ["pruning"], "margins": {"sampling_value": 0.1}}, "sampling_value: unknown"),
        ({"attacks": ["pruning"], "margins": {"pruning_value": 0.9}}, "pruning_value: 0.9"),
    ],
)
def test_what_a_policy_may_not_say_of_attacks(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Policy.from_json(wrong)


def test_what_was_not_tried_is_said(tmp_path: Path) -> None:
    table = World(seed=1, facts=84).table()
    write_scores(tmp_path / "scores.jsonl", table.header, table.rows)
    found = recompute(tmp_path / "scores.jsonl", POLICY)
    assert found["attacks_not_named"] == ["sampling", "finetuning"]


def test_the_default_policy_names_its_attacks_and_only_their_margins() -> None:
    assert set(DEFAULT_POLICY["margins"]) == set(gating(DEFAULT_POLICY["attacks"]))
    assert Policy.from_json(dict(DEFAULT_POLICY)) == Policy()
