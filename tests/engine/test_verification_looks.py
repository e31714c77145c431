"""A second run of `verify` on a candidate is recorded as such: which came before, under what, and what it came to."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.engine.small_verifications import Small, small
from unlearning_engine import looks
from unlearning_engine.errors import DataError
from unlearning_engine.replaying import replay, rescore

FAST = {"resamples": 200, "paraphrases": 1, "attacks": []}
RUN = {"candidate": "c", "items": "i", "seed": 1, "policy_digest": "p"}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return small(tmp_path_factory.mktemp("looks"))


def told(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(run["out"], run["seed"], run["verdict"]) for run in found["earlier_runs"]]


def test_a_second_run_names_the_first_and_its_verdict_and_an_audit_is_none(given: Small, tmp_path: Path) -> None:
    first = given.verify("first", policy=FAST)
    assert told(first) == []
    rescore(given.folder / "first", asdict(given.spec()), given.folder / "audit", lambda event: None)
    second = given.verify("second", policy=FAST, seed=2)
    assert told(second) == [("first", 1, first["verdict"])]
    assert second["earlier_runs"][0]["policy_digest"] == first["policy_digest"]
    assert not replay(given.folder / "second").differences
    assert told(given.verify("other", policy=FAST, candidate=given.spec().reference, reference="")) == []


def test_a_run_that_was_given_up_counts_and_one_that_goes_on_is_the_same(tmp_path: Path) -> None:
    assert looks.begin(tmp_path / "one", RUN) == []
    assert looks.begin(tmp_path / "one", RUN) == []
    assert [run["verdict"] for run in looks.begin(tmp_path / "two", RUN)] == [None]
    looks.end(tmp_path / "one", RUN, "fail")
    found = looks.begin(tmp_path / "two", {**RUN, "seed": 2})
    assert [(run["out"], run["verdict"]) for run in found] == [("one", "fail"), ("two", None)]


def test_a_line_cut_short_is_passed_over_and_a_damaged_one_refused(tmp_path: Path) -> None:
    looks.begin(tmp_path / "one", RUN)
    register = tmp_path / looks.REGISTER
    whole = register.read_text(encoding="utf-8")
    register.write_text(whole + whole[:20], encoding="utf-8")
    assert len(looks.begin(tmp_path / "two", RUN)) == 1
    with pytest.raises(DataError, match=r"verifications\.jsonl:2: is no record"):
        looks.begin(tmp_path / "three", RUN)
