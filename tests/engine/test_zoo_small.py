"""A dozen of the zoo's trials, on half a corpus: no cheat passes, no honest retraining fails, nothing is done twice."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.zoo import running as zoo
from tests.zoo import tables
from tests.zoo.families import FAMILIES, HONEST
from tests.zoo.trials import World
from unlearning_engine.contracts import Outcome
from unlearning_engine.policy import Policy
from unlearning_engine.progress import silent
from unlearning_engine.verification import VERIFICATION, verify

#: The default policy, as far as so few facts and so little time allow.
POLICY = Policy.from_json(
    {
        "resamples": 400,
        "paraphrases": 1,
        "maximum_utility_items": 60,
        "attacks": ["relearning", "paraphrase", "quantisation_4bit"],
    }
)
NAMES = (
    "exact deletion (SISA)",
    "retrained",
    "generation filter",
    "refusal tuning",
    "wrong-answer tuning",
    "preference (NPO)",
    "steering (RMU)",
    "undone by rounding",
    "over-fitted to probes",
    "all works but one",
    "untouched, renamed",
    "destroyed",
)
HONESTS = {family.name for family in FAMILIES.values() if family.kind == HONEST}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(folder=tmp_path_factory.mktemp("zoo"), seed=27, artists=2, works=15)


def test_no_cheat_of_a_dozen_trials_passes_and_the_honest_ones_are_not_failed(world: World) -> None:
    found = {}
    for own, names in ((world.sharded(), NAMES[:1]), (world, NAMES[1:])):
        given = own.forgetting(0)
        found |= {name: zoo.trial(own, given, FAMILIES[name], 0, POLICY) for name in names}
    verdicts = {name: row["verdict"] for name, row in found.items()}
    for name in HONESTS:
        assert verdicts.pop(name) in (Outcome.PASS, Outcome.INCONCLUSIVE), found[name]
    assert Outcome.PASS not in verdicts.values(), verdicts
    assert verdicts["destroyed"] == Outcome.DAMAGED
    assert list(verdicts.values()).count(Outcome.FAIL) >= 8, found


def test_the_zoo_judges_as_the_verb_verify_does(world: World, tmp_path: Path) -> None:
    given = world.forgetting(0)
    candidate = given.unlearnt("retrain", {})
    verify(given.spec(candidate, POLICY), tmp_path, silent)
    found = json.loads((tmp_path / VERIFICATION).read_text(encoding="utf-8"))
    ours = given.judged(candidate, POLICY)
    assert str(ours.outcome) == found["verdict"]
    assert {p.name: p.candidate.value for p in ours.probes} == {
        p["name"]: p["candidate"]["value"] for p in found["probes"]
    }


def test_exact_bounds_of_none_and_of_some() -> None:
    assert tables.upper_bound(0, 40) == pytest.approx(1 - 0.05 ** (1 / 40))  # .072
    assert tables.clopper_pearson(0, 10) == (0.0, pytest.approx(1 - 0.025 ** (1 / 10)))
    low, high = tables.clopper_pearson(95, 100)  # tabulated: .887 to .984
    assert (low, high) == (pytest.approx(0.8872, abs=1e-4), pytest.approx(0.9836, abs=1e-4))


def test_development_and_evaluation_have_no_corpus_in_common() -> None:
    assert not set(zoo.DEVELOPMENT) & set(zoo.EVALUATION)
    assert sum(family.hard for family in FAMILIES.values()) >= 8
    assert {"retrained", "exact deletion (SISA)"} == HONESTS


def test_families_with_a_bar_have_every_forget_set_before_the_others_have_any(tmp_path: Path) -> None:
    plan = zoo.Plan(
        seeds=tuple(range(31, 45)), trials=40, families=tuple(FAMILIES), folder=tmp_path, code="", deadline=0
    )
    first = [(seed, *trial) for seed in plan.seeds for trial in plan.in_turn(seed, zoo.FIRST)]
    counts = Counter(family.name for _, _, family, _ in first)
    assert counts.pop("retrained") == 120
    assert len(counts) >= 8
    assert set(counts.values()) == {40}
    later = {family.name for seed in plan.seeds for _, family, _ in plan.in_turn(seed, zoo.SECOND)}
    assert not later & set(counts)
    assert later | set(counts) | {"retrained"} == set(FAMILIES)


def test_modules_that_only_carry_jobs_are_no_part_of_a_trial() -> None:
    assert {path.stem for path in (zoo.ROOT / "unlearning_engine").glob("*.py")} >= zoo.CARRIERS
    assert not zoo.CARRIERS & {"verdict", "verification", "policy", "fitness", "catalog", "contracts", "statistics"}


def test_what_is_done_with_the_same_code_is_not_done_again_and_half_a_line_is(tmp_path: Path) -> None:
    row = {"family": "retrained", "seed": 31, "artist": 0, "repeat": 0, "verdict": "pass", "findings": [], "code": "a"}
    lines = [json.dumps(row), json.dumps({**row, "code": "b"}), json.dumps({**row, "artist": 1})[:-5]]
    (tmp_path / "results.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert [zoo.key(r) for r in zoo.finished(tmp_path, "a")] == [("retrained", 31, 0, 0)]
    entry = tables.counted([row])[0]
    assert (entry["trials"], entry["outcomes"]["pass"]) == (1, 1)
