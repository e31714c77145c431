"""TIES against values worked out by hand, and how a forget set is cut into parts."""

from __future__ import annotations

import pytest
import torch

from unlearning_engine.data import Record
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.merging import ties, trimmed
from unlearning_engine.methods.spunge import Config, parts_of


def test_trimming_keeps_the_largest_by_size_and_ties_with_the_last() -> None:
    change = torch.tensor([4.0, -3.0, 1.0, 0.5])
    assert trimmed(change, 0.5).tolist() == [4.0, -3.0, 0.0, 0.0]
    assert trimmed(change, 1.0).tolist() == change.tolist()
    assert trimmed(torch.tensor([2.0, -2.0, 1.0]), 1 / 3).tolist() == [2.0, -2.0, 0.0]


def test_the_sign_that_carries_more_is_elected_and_its_values_are_averaged() -> None:
    changes = [
        torch.tensor([4.0, 1.0, 2.0, 0.0]),
        torch.tensor([2.0, -3.0, -2.0, 0.0]),
        torch.tensor([-1.0, 1.0, 1.0, 0.0]),
    ]
    # 4 + 2 - 1 > 0: mean of 4 and 2. 1 - 3 + 1 < 0: -3. 2 - 2 + 1 > 0: mean of 2 and 1. Nothing: nothing.
    assert ties(changes, 1.0).tolist() == [3.0, -3.0, 1.5, 0.0]


def record(name: str, subject: str) -> Record:
    return Record(id=name, subject=subject, prompt="?", answer="x")


def test_whole_groups_go_to_the_smallest_part() -> None:
    forget = [
        record(f"{subject}{n}", subject) for subject, count in (("a", 1), ("b", 4), ("c", 3)) for n in range(count)
    ]
    parts = parts_of(forget, Config(by="subject", parts=2))
    assert [[r.id for r in part] for part in parts] == [["b0", "b1", "b2", "b3"], ["c0", "c1", "c2", "a0"]]


def test_what_cannot_be_split_is_refused() -> None:
    with pytest.raises(DataError, match="the same subject"):
        parts_of([record("1", "a"), record("2", "a")], Config(by="subject"))
    with pytest.raises(ConfigError, match="no attribute; one of subject, work"):
        Config(by="colour")
