"""Which changes of a policy make a pass easier, and which harder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from unlearning_engine.leniency import changes
from unlearning_engine.policy import Policy

DEFAULT = Policy().to_json()


def effects(**edit: Any) -> dict[str, str]:
    after = {**DEFAULT, **edit}
    return {change.name: change.effect for change in changes(DEFAULT, after)}


def moved(name: str, by: float) -> dict[str, str]:
    return effects(**{name: DEFAULT[name] + by})


@pytest.mark.parametrize("name", ["confidence", "utility_floor", "damaged_below", "minimum_items", "survivor_alpha"])
def test_a_lower_demand_is_easier_and_a_higher_one_harder(name: str) -> None:
    by = 1 if isinstance(DEFAULT[name], int) else 0.001
    assert moved(name, by) == {name: "harder"}
    assert moved(name, -by) == {name: "easier"}


def test_a_wider_margin_is_easier() -> None:
    margins = {**DEFAULT["margins"], "exact_value": 0.2}
    assert effects(margins=margins) == {"margins.exact_value": "easier"}
    assert effects(margins={**margins, "exact_value": 0.05}) == {"margins.exact_value": "harder"}


def test_an_attack_that_is_left_out_is_easier_and_so_is_the_margin_that_goes_with_it() -> None:
    without = Policy.from_json({"attacks": [a for a in DEFAULT["attacks"] if a != "pruning"]}).to_json()
    found = changes(DEFAULT, without)
    assert {change.effect for change in found} == {"easier"}
    assert ("attacks", "pruning", None) in [(c.name, c.before, c.after) for c in found]
    assert {change.effect for change in changes(without, DEFAULT)} == {"harder"}


def test_a_component_of_utility_that_is_no_longer_required_is_easier() -> None:
    assert effects(required_utility=["retain"]) == {"required_utility": "easier"}


@pytest.mark.parametrize(("name", "less"), [("learning_rate", 1e-8), ("share", 0.1), ("rounds", 1), ("epochs", 1)])
def test_relearning_that_teaches_less_is_easier(name: str, less: float) -> None:
    assert effects(relearning={**DEFAULT["relearning"], name: less}) == {f"relearning.{name}": "easier"}


def test_what_works_both_ways_or_is_not_known_is_for_people_to_judge() -> None:
    relearning = {**DEFAULT["relearning"], "batch_size": 16}
    assert effects(relearning=relearning) == {"relearning.batch_size": "either"}
    assert effects(maximum_items=900) == {"maximum_items": "either"}
    assert effects(a_new_threshold=1) == {"a_new_threshold": "either"}


def test_name_and_version_are_no_thresholds() -> None:
    assert not effects(name="house", version=9)


def test_every_threshold_of_the_default_policy_is_told_when_it_changes() -> None:
    for name, value in DEFAULT.items():
        if name in ("name", "version"):
            continue
        other: Any = {} if isinstance(value, Mapping) else [] if isinstance(value, list) else value + 1
        assert changes(DEFAULT, {**json.loads(json.dumps(DEFAULT)), name: other}), name
