"""Scores kept by digest: the same verdict, one model measured for another candidate, a killed run that goes on."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.engine.small_verifications import POLICY, Small, small
from unlearning_engine import models
from unlearning_engine.contracts import SCORE_CACHE
from unlearning_engine.errors import DataError
from unlearning_engine.policy import Policy
from unlearning_engine.probes.items import collect
from unlearning_engine.score_cache import ScoreCache, key
from unlearning_engine.verification import SCORES, VERIFICATION

FAST = {**POLICY, "attacks": ["steering"]}
IDENTITIES = {name: {"weights": name, "tokenizer": "t"} for name in ("candidate", "original", "reference")}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Three models, and a verification without a cache in `plain`."""
    made = small(tmp_path_factory.mktemp("cached"))
    made.verify("plain", policy=FAST)
    return made


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the models that were loaded, one for each time."""
    names: list[str] = []
    load = models.load_model

    def counted(ref: Any, **options: Any) -> Any:
        names.append(Path(ref).name)
        return load(ref, **options)

    monkeypatch.setattr(models, "load_model", counted)
    return names


def files(made: Small, out: str) -> list[Any]:
    """Scores, and all of the document but the runs before."""
    document = json.loads((made.folder / out / VERIFICATION).read_text(encoding="utf-8"))
    return [(made.folder / out / SCORES).read_bytes(), {**document, "earlier_runs": []}]


def test_verdict_and_scores_are_those_of_a_run_without_a_cache(
    given: Small, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, loaded: list[str]
) -> None:
    monkeypatch.setenv(SCORE_CACHE, str(tmp_path))
    given.verify("first", policy=FAST)
    assert files(given, "first") == files(given, "plain")
    assert set(loaded) == {"candidate", "original", "reference"}
    loaded.clear()
    given.verify("second", policy=FAST)
    assert loaded == []
    assert files(given, "second") == files(given, "plain")


def test_another_candidate_measures_itself_alone(
    given: Small, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, loaded: list[str]
) -> None:
    monkeypatch.setenv(SCORE_CACHE, str(tmp_path))
    given.verify("one", policy=FAST)
    other = given.folder / "other"
    small(given.folder / "more").folder.joinpath("candidate").rename(other)
    model, tokenizer = models.load(other, device="cpu")
    model.lm_head.weight.data += 0.01
    models.save(other, model, tokenizer)
    loaded.clear()
    given.verify("two", candidate=str(other), policy=FAST)
    steering_needs = "original"
    assert set(loaded) == {"other", steering_needs}
    assert loaded.count(steering_needs) == 1


def test_a_run_that_was_killed_goes_on_where_it_was(
    given: Small, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, loaded: list[str]
) -> None:
    monkeypatch.setenv(SCORE_CACHE, str(tmp_path))
    put, stored = ScoreCache.put, []

    def killed(self: ScoreCache, *given: Any) -> None:
        if stored:
            raise KeyboardInterrupt
        stored.append(given)
        put(self, *given)

    monkeypatch.setattr(ScoreCache, "put", killed)
    with pytest.raises(KeyboardInterrupt):
        given.verify("killed", policy=FAST)
    monkeypatch.setattr(ScoreCache, "put", put)
    loaded.clear()
    given.verify("killed", policy=FAST)
    assert "candidate" not in loaded
    assert files(given, "killed") == files(given, "plain")


def test_whatever_decides_a_score_is_part_of_its_name(given: Small) -> None:
    policy = Policy.from_json(POLICY)
    items = collect(given.spec(), policy).items
    settings = {"seed": 1, "device": "cpu"}

    def name(**changes: Any) -> str:
        base = {"name": "reference", "models": IDENTITIES, "items": items, "policy": policy, "attacks": policy.attacks}
        return key(**{**base, **settings, **changes})

    asked = dataclasses.replace(items[0].record, prompt="Flag of none?")
    changed = [
        name(name="candidate"),
        name(seed=2),
        name(device="cuda"),
        name(models={**IDENTITIES, "original": {"weights": "other", "tokenizer": "t"}}),
        name(models={**IDENTITIES, "reference": {"weights": "other", "tokenizer": "t"}}),
        name(items=items[1:]),
        name(items=[dataclasses.replace(items[0], record=asked), *items[1:]]),
        name(policy=dataclasses.replace(policy, paraphrases=0)),
        name(attacks=policy.attacks[1:]),
    ]
    assert len({name(), *changed}) == 1 + len(changed)
    assert name() == name(models={**IDENTITIES, "candidate": {"weights": "other", "tokenizer": "t"}})
    assert name() == name(policy=dataclasses.replace(policy, utility_floor=0.8))


def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path: Path) -> None:
    cache = ScoreCache(tmp_path)
    cache.put("sha256:aa", [], [])
    (tmp_path / "aa.jsonl").rename(tmp_path / "bb.jsonl")
    with pytest.raises(DataError, match="delete it"):
        cache.get("sha256:bb")
    assert cache.get("sha256:cc") is None


def test_without_the_variable_nothing_is_kept(given: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SCORE_CACHE, raising=False)
    assert ScoreCache.from_environment() is None
    assert json.loads((given.folder / "plain" / VERIFICATION).read_text())["verdict"] == "bad_input"


def test_the_same_weights_under_another_configuration_are_measured_anew(
    given: Small, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, loaded: list[str]
) -> None:
    monkeypatch.setenv(SCORE_CACHE, str(tmp_path / "scores"))
    given.verify("as it is", policy=FAST)
    loaded.clear()
    turned = tmp_path / "turned"
    shutil.copytree(given.folder / "candidate", turned)
    config = json.loads((turned / "config.json").read_text(encoding="utf-8"))
    (turned / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 0.5}), encoding="utf-8")
    found = given.verify("turned", policy=FAST, candidate=str(turned))
    assert set(loaded) == {"turned", "original"}  # the attack by steering looks at the original
    before = json.loads((given.folder / "as it is" / VERIFICATION).read_text(encoding="utf-8"))["models"]
    assert found["models"]["candidate"]["weights"] == before["candidate"]["weights"]
    assert found["models"]["candidate"]["config"] != before["candidate"]["config"]
