"""The configuration of a lineage: what every kind of training has, and what only one kind has."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unlearning_engine.configs import build, number
from unlearning_engine.errors import ConfigError
from unlearning_engine.placement import GROUPS, STRATEGIES, Placement
from unlearning_engine.sisa.workload import Inputs, Workload
from unlearning_engine.training import LoopConfig

KINDS = ("language", "adapters", "classifier")


@dataclass(frozen=True, kw_only=True)
class SisaConfig(LoopConfig):
    """`epochs` are those of a training without slices: each of R stages makes 2 epochs / (R + 1) passes.

    `placement`, `group`, `likely_shards` and `threshold`: see `unlearning_engine.placement`. `aggregation` empty
    takes the kind's own. `keep_data` false leaves the records out of the lineage's folder: deleting and replaying
    then need them given again.
    """

    kind: str = "language"
    shards: int = number(4, 1, 10**4)
    slices: int = number(2, 1, 10**4)
    epochs: int = number(12, 1, 10**6)
    batch_size: int = number(16, 1, 10**6)
    checkpoint_seconds: float = number(10.0, 0.0, 1e9)
    placement: str = "hash"
    group: str = "record"
    likely_shards: int = number(1, 1, 10**4)
    threshold: float = number(0.5, 0.0, 1.0)
    aggregation: str = ""
    keep_data: bool = True

    def conflicts(self) -> list[str]:
        """Unknown names, and more shards for likely subjects than there are."""
        found = super().conflicts()
        for name, value, known in (
            ("kind", self.kind, KINDS),
            ("placement", self.placement, STRATEGIES),
            ("group", self.group, GROUPS),
        ):
            if value not in known:
                found.append(f"{name}: {value!r} is unknown; one of {', '.join(known)}")
        if self.placement == "request_aware" and self.likely_shards >= self.shards:
            found.append(f"likely_shards: {self.likely_shards} leaves no shard of {self.shards} for all others")
        return found

    def placed(self, seed: int) -> Placement:
        """The function that gives each record its place."""
        return Placement(
            shards=self.shards,
            slices=self.slices,
            seed=seed,
            strategy=self.placement,
            group=self.group,
            likely_shards=self.likely_shards,
            threshold=self.threshold,
        )

    def loop(self) -> LoopConfig:
        """The part that the loop takes."""
        return LoopConfig(**{f.name: getattr(self, f.name) for f in dataclasses.fields(LoopConfig)})


def read_config(data: Mapping[str, Any], inputs: Inputs, where: str = "spec.config") -> tuple[SisaConfig, Workload]:
    """The common configuration, and the workload made from the fields that only its kind has.

    Raises:
        ConfigError: with every problem of both parts.
    """
    names = {f.name for f in dataclasses.fields(SisaConfig)}
    problems: list[str] = []
    try:
        common = build(SisaConfig, {k: v for k, v in data.items() if k in names}, where)
    except ConfigError as error:
        problems += error.messages
    named = data.get("kind", SisaConfig.kind)
    if named not in KINDS:
        raise ConfigError(problems)
    kind = _kind(named)
    taken = {f.name for f in dataclasses.fields(kind.Config)}
    for name in sorted(set(data) - names - taken):
        takes = ", ".join(sorted(names | taken))
        problems.append(f"{where}.{name}: unknown field; {named} takes {takes}")
    try:
        own = build(kind.Config, {k: v for k, v in data.items() if k in taken - names}, where)
    except ConfigError as error:
        problems += error.messages
    if problems:
        raise ConfigError(problems)
    return common, kind(own, common, inputs)


def _kind(name: str) -> Any:
    """The class of a kind; peft and transformers are imported only where they are needed."""
    if name == "language":
        from unlearning_engine.sisa.language import Language

        return Language
    if name == "adapters":
        from unlearning_engine.sisa.adapters import Adapters

        return Adapters
    if name == "classifier":
        from unlearning_engine.sisa.classifier import Classifier

        return Classifier
    raise ConfigError(f"kind: {name!r} is unknown; one of {', '.join(KINDS)}")
