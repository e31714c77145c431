"""What crosses the border of the engine: numbers that no digest can be made of are refused."""

from __future__ import annotations

import json

import pytest

from unlearning_engine.contracts import parse
from unlearning_engine.errors import ConfigError


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_json_does_not_know_are_refused_where_they_stand(text: str) -> None:
    data = json.loads(
        '{"verb": "verify", "candidate": "c", "original": "o", "controls": "k", "forget": "f", "retain": "r",'
        f' "policy": {{"margins": {{"exact_value": {text}}}}}}}'
    )
    with pytest.raises(ConfigError, match=r"spec.policy.margins.exact_value: -?(nan|inf) is no number"):
        parse(data)
