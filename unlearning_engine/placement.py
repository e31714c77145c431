"""Where a record's influence may lie: its shard and slice, and what forgetting it costs. Standard library only.

The place of a record depends on the seed, its own group (itself, or its subject) and its own likelihood of
being asked for, on nothing else: removing a record moves no other. Cost is counted in sample passes, one
record seen once in training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from unlearning_engine.errors import ConfigError

STRATEGIES = ("hash", "request_aware")
GROUPS = ("record", "subject")


@dataclass(frozen=True, order=True)
class Place:
    """A stage: slice `slice` (from 0) of shard `shard` (from 0)."""

    shard: int
    slice: int


@dataclass(frozen=True, kw_only=True)
class Placement:
    """The pure function from a record to its place.

    `group` "subject" keeps all records of one subject in one place (records without a subject stand for
    themselves). Strategy "hash" spreads groups evenly. Strategy "request_aware" sends groups whose likelihood
    reaches `threshold` into the last `likely_shards` shards, and there into the last slice, where forgetting is
    cheapest; all others never share a shard with them.
    """

    shards: int
    slices: int
    seed: int
    strategy: str = "hash"
    group: str = "record"
    likely_shards: int = 1
    threshold: float = 0.5

    def __post_init__(self) -> None:
        problems = []
        if self.shards < 1 or self.slices < 1:
            problems.append("shards and slices: at least 1 each")
        if self.strategy not in STRATEGIES:
            problems.append(f"placement: {self.strategy!r} is unknown; one of {', '.join(STRATEGIES)}")
        if self.group not in GROUPS:
            problems.append(f"group: {self.group!r} is unknown; one of {', '.join(GROUPS)}")
        if self.strategy == "request_aware" and not 1 <= self.likely_shards < self.shards:
            problems.append(f"likely_shards: {self.likely_shards} is not between 1 and shards - 1")
        if problems:
            raise ConfigError(problems)

    def place(self, record_id: str, subject: str = "", likelihood: float = 0.0) -> Place:
        """The record's stage."""
        name = f"subject:{subject}" if self.group == "subject" and subject else f"record:{record_id}"
        key = hashlib.blake2b(name.encode(), key=str(self.seed).encode(), digest_size=16, person=b"placement").digest()
        shard, slice_ = int.from_bytes(key[:8], "big"), int.from_bytes(key[8:], "big")
        if self.strategy == "hash":
            return Place(shard % self.shards, slice_ % self.slices)
        ordinary = self.shards - self.likely_shards
        if likelihood >= self.threshold:
            return Place(ordinary + shard % self.likely_shards, self.slices - 1)
        return Place(shard % ordinary, slice_ % self.slices)


def places_of(lists: Mapping[str, Sequence[Sequence[str]]]) -> dict[str, Place]:
    """Place of each id from the ids by shard and slice, as a lineage keeps them."""
    found: dict[str, Place] = {}
    for shard, slices in lists.items():
        for number, ids in enumerate(slices):
            found.update(dict.fromkeys(ids, Place(int(shard), number)))
    return found


def lists_of(places: Mapping[str, Place]) -> dict[str, list[list[str]]]:
    """Ids by shard and slice from the place of each: quick to read and write for many."""
    lists: dict[str, list[list[str]]] = {}
    for name in sorted(places):
        slices = lists.setdefault(str(places[name].shard), [])
        while len(slices) <= places[name].slice:
            slices.append([])
        slices[places[name].slice].append(name)
    return lists


def epochs_per_slice(epochs: float, slices: int) -> float:
    """Passes over the cumulative data in each stage: 2e/(R+1) makes the work of e passes (Bourtoule et al. 2021)."""
    return 2 * epochs / (slices + 1)


def stage_passes(counts: Sequence[int], epochs: float) -> list[float]:
    """Analytic sample passes of each stage of one shard; `counts` are the records of each slice."""
    each, seen, out = epochs_per_slice(epochs, len(counts)), 0, []
    for count in counts:
        seen += count
        out.append(each * seen)
    return out


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a deletion costs in sample passes, beside training it all again with and without shards."""

    passes: float
    lineage: float
    retraining: float
    #: Shard to the first slice that is trained again.
    first_slices: Mapping[int, int]
    #: Passes of the same requests one after the other, each with a retraining of its own.
    one_by_one: float

    @property
    def speed_up(self) -> float:
        """How many times cheaper than retraining from scratch."""
        return self.retraining / self.passes if self.passes else float("inf")


def deletion_cost(counts: Sequence[Sequence[int]], epochs: float, requests: Iterable[Iterable[Place]]) -> Cost:
    """Cost of deleting records, request by request, in one pass.

    Args:
        counts: records by shard and slice.
        epochs: passes of a training without slices.
        requests: the places of each request's records.
    """
    remaining = [list(row) for row in counts]
    wanted = [sorted(request) for request in requests]
    alone, first = 0.0, dict[int, int]()
    for request in wanted:
        for place in request:
            remaining[place.shard][place.slice] -= 1
            first[place.shard] = min(place.slice, first.get(place.shard, place.slice))
        earliest: dict[int, int] = {}
        for place in request:
            earliest[place.shard] = min(place.slice, earliest.get(place.shard, place.slice))
        alone += _passes(remaining, epochs, earliest)
    return Cost(
        passes=_passes(remaining, epochs, first),
        lineage=sum(sum(stage_passes(row, epochs)) for row in counts),
        retraining=epochs * sum(map(sum, remaining)),
        first_slices=dict(sorted(first.items())),
        one_by_one=alone,
    )


def _passes(counts: Sequence[Sequence[int]], epochs: float, first: Mapping[int, int]) -> float:
    return sum(sum(stage_passes(counts[shard], epochs)[at:]) for shard, at in first.items())


def expected_share(deletions: int, counts: Sequence[Sequence[int]], epochs: float) -> float:
    """Expected share of the lineage's passes that `deletions` records, drawn at random with replacement, cost.

    A stage is trained again unless every deletion missed the slices up to its own.
    """
    total = sum(map(sum, counts))
    every = sum(sum(stage_passes(row, epochs)) for row in counts)
    cost = 0.0
    for row in counts:
        seen = 0
        for count, passes in zip(row, stage_passes(row, epochs), strict=True):
            seen += count
            cost += passes * (1 - (1 - seen / total) ** deletions)
    return cost / every if every else 0.0
