"""The verification policy: every threshold of a verdict, fixed and digested before a run.

Standard library only until `settings` is called, so that a web process can check a proposed policy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from unlearning_engine.catalog import ATTACKS, DEFAULT_POLICY, MARGINS, gating
from unlearning_engine.contracts import digest
from unlearning_engine.errors import ConfigError

if TYPE_CHECKING:
    from unlearning_engine.statistics import Settings

#: Probes that must pass under the default policy, each with a margin of its own.
GATING = tuple(DEFAULT_POLICY["margins"])
COMPONENTS = ("retain", "neighbours", "general")
_RELEARNING = tuple(DEFAULT_POLICY["relearning"])
_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "confidence": (0.5, 0.9999),
        "resamples": (200, 100_000),
        "minimum_items": (2, 1_000_000),
        "minimum_utility_items": (2, 1_000_000),
        "minimum_works": (2, 1_000_000),
        "maximum_items": (2, 1_000_000),
        "maximum_utility_items": (2, 1_000_000),
        "paraphrases": (0, 32),
        "answer_slack": (0, 256),
        "forget_quality_alpha": (1e-6, 0.5),
        "survivor_alpha": (1e-6, 0.5),
        "copy_below": (0.0, 0.9),
        "attack_floor": (0.0, 1.0),
        "attack_kept_floor": (0.0, 1.0),
        "kinship_limit": (0.01, 1.0),
        "balance_limit": (0.01, 0.5),
        "utility_floor": (0.01, 1.0),
        "pooled_utility_floor": (0.01, 1.0),
        "damaged_below": (0.0, 1.0),
        "version": (1, 1_000_000),
    }
)
_RELEARNING_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "share": (0.01, 0.9),
        "rounds": (1, 100),
        "epochs": (1, 100),
        "learning_rate": (1e-8, 1.0),
        "batch_size": (1, 4096),
    }
)


def _number(value: object, whole: bool) -> bool:
    return isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)


def _range_problems(where: str, values: Mapping[str, Any], ranges: Mapping[str, tuple[float, float]]) -> list[str]:
    problems = []
    for name, (low, high) in ranges.items():
        value, whole = values[name], isinstance(low, int)
        if not _number(value, whole) or not low <= value <= high:
            kind = "a whole number" if whole else "a number"
            problems.append(f"{where}.{name}: {value!r} must be {kind} from {low} to {high}")
    return problems


def _key_problems(where: str, given: object, known: tuple[str, ...]) -> list[str]:
    if not isinstance(given, Mapping):
        return [f"{where}: {given!r} must be an object with {', '.join(known)}"]
    missing = [f"{where}.{name}: missing" for name in known if name not in given]
    return missing + [f"{where}.{name}: unknown; one of {', '.join(known)}" for name in sorted(set(given) - set(known))]


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Every threshold of a verdict; meanings stand beside the values in `catalog.DEFAULT_POLICY`.

    Raises:
        ConfigError: when made, with every problem at once.
    """

    name: str = DEFAULT_POLICY["name"]
    version: int = DEFAULT_POLICY["version"]
    confidence: float = DEFAULT_POLICY["confidence"]
    resamples: int = DEFAULT_POLICY["resamples"]
    minimum_items: int = DEFAULT_POLICY["minimum_items"]
    minimum_utility_items: int = DEFAULT_POLICY["minimum_utility_items"]
    minimum_works: int = DEFAULT_POLICY["minimum_works"]
    maximum_items: int = DEFAULT_POLICY["maximum_items"]
    maximum_utility_items: int = DEFAULT_POLICY["maximum_utility_items"]
    paraphrases: int = DEFAULT_POLICY["paraphrases"]
    answer_slack: int = DEFAULT_POLICY["answer_slack"]
    attacks: tuple[str, ...] = tuple(DEFAULT_POLICY["attacks"])
    margins: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_POLICY["margins"]))
    forget_quality_alpha: float = DEFAULT_POLICY["forget_quality_alpha"]
    survivor_alpha: float = DEFAULT_POLICY["survivor_alpha"]
    copy_below: float = DEFAULT_POLICY["copy_below"]
    attack_floor: float = DEFAULT_POLICY["attack_floor"]
    attack_kept_floor: float = DEFAULT_POLICY["attack_kept_floor"]
    kinship_limit: float = DEFAULT_POLICY["kinship_limit"]
    balance_limit: float = DEFAULT_POLICY["balance_limit"]
    utility_floor: float = DEFAULT_POLICY["utility_floor"]
    pooled_utility_floor: float = DEFAULT_POLICY["pooled_utility_floor"]
    damaged_below: float = DEFAULT_POLICY["damaged_below"]
    required_utility: tuple[str, ...] = tuple(DEFAULT_POLICY["required_utility"])
    relearning: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_POLICY["relearning"]))

    def __post_init__(self) -> None:
        problems = _range_problems("policy", vars(self), _RANGES)
        if not isinstance(self.name, str) or not self.name:
            problems.append(f"policy.name: {self.name!r} must be a name")
        problems += self._attack_problems()
        if faults := _key_problems("policy.relearning", self.relearning, _RELEARNING):
            problems += faults
        else:
            problems += _range_problems("policy.relearning", self.relearning, _RELEARNING_RANGES)
        if unknown := sorted(set(self.required_utility) - set(COMPONENTS)):
            problems.append(f"policy.required_utility: {unknown} unknown; any of {', '.join(COMPONENTS)}")
        if not problems and self.damaged_below >= self.utility_floor:
            problems.append(f"policy.damaged_below: {self.damaged_below} must lie below utility_floor")
        if not problems and self.minimum_items > self.maximum_items:
            problems.append(f"policy.maximum_items: {self.maximum_items} must not lie below minimum_items")
        if not problems and self.minimum_utility_items > self.maximum_utility_items:
            problems.append(
                f"policy.maximum_utility_items: {self.maximum_utility_items} must not lie below the minimum"
            )
        if problems:
            raise ConfigError(problems)

    def _attack_problems(self) -> list[str]:
        """Attacks must be known and named once, and each has its probes' margins: no more and no fewer."""
        known = ", ".join(ATTACKS)
        problems = [f"policy.attacks: {name!r} unknown; any of {known}" for name in self.attacks if name not in ATTACKS]
        if len(set(self.attacks)) < len(self.attacks):
            problems.append("policy.attacks: names an attack twice")
        if "paraphrase" in self.attacks and not self.paraphrases:
            problems.append("policy.paraphrases: 0 leaves nothing to ask for the attack paraphrase; raise it")
        if problems:
            return problems
        needed = gating(self.attacks)
        return _key_problems("policy.margins", self.margins, needed) or _range_problems(
            "policy.margins", self.margins, dict.fromkeys(needed, (0.001, 0.5))
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Policy:
        """A policy from the fields that differ from the default, those inside `margins` and `relearning` too.

        Raises:
            ConfigError: with every problem, unknown fields among them.
        """
        known = {f.name for f in dataclasses.fields(cls)}
        problems = [f"policy.{name}: unknown field; one of {', '.join(sorted(known))}" for name in set(data) - known]
        fields = {k: v for k, v in data.items() if k in known}
        for name in ("required_utility", "attacks"):
            value = fields.get(name, ())
            if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
                problems.append(f"policy.{name}: {value!r} must be a list of names")
                del fields[name]
            elif name in fields:
                fields[name] = tuple(value)
        if isinstance(fields.get("relearning"), Mapping):
            fields["relearning"] = {**DEFAULT_POLICY["relearning"], **fields["relearning"]}
        if isinstance(fields.setdefault("margins", {}), Mapping):
            named = [name for name in fields.get("attacks", DEFAULT_POLICY["attacks"]) if name in ATTACKS]
            fields["margins"] = {**{name: MARGINS[name] for name in gating(named)}, **fields["margins"]}
        try:
            policy = cls(**fields)
        except ConfigError as error:
            raise ConfigError(sorted(problems) + list(error.messages)) from error
        if problems:
            raise ConfigError(sorted(problems))
        return policy

    def to_json(self) -> dict[str, Any]:
        """The whole policy as the JSON object that `from_json` reads back."""
        data = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {
            **data,
            "margins": dict(self.margins),
            "relearning": dict(self.relearning),
            "required_utility": list(self.required_utility),
            "attacks": list(self.attacks),
        }

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of the whole policy, defaults filled in."""
        return digest(self.to_json())

    def without(self, attacks: Collection[str]) -> Policy:
        """The same policy less some attacks with their margins: what remains where these cannot be carried out."""
        left = tuple(name for name in self.attacks if name not in attacks)
        needed = set(gating(left))
        margins = {name: margin for name, margin in self.margins.items() if name in needed}
        return dataclasses.replace(self, attacks=left, margins=margins)

    def settings(self, seed: int) -> Settings:
        """How to resample under this policy."""
        from unlearning_engine.statistics import Settings

        return Settings(
            confidence=self.confidence, resamples=self.resamples, minimum_works=self.minimum_works, seed=seed
        )
