"""What a plan costs before it runs: arithmetic first, then time, energy and money. Standard library only.

One pass of T tokens through a model of N parameters takes 2 N T floating-point operations forward, and 6 N T forward
and backward (Kaplan et al. 2020, arXiv:2001.08361). Padding, attention's own products, loading and saving are left
out: what they add is in the correction by past runs (`Hardware.correction`).
"""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from dataclasses import dataclass, field

from unlearning_engine.errors import ConfigError

FORWARD, BOTH = 2.0, 6.0
#: Backward alone, where it ends before the first layer: the products for states and for weights.
BACKWARD = BOTH - FORWARD
#: Layer at which steering stops, of so many, and layers whose matrices it trains (`methods.rmu`).
STEERED, TRAINED_LAYERS = 7 / 32, 3
#: Sustained operations a second by kind of device, where nothing was measured. One CPU thread: the demonstration's
#: retraining, 655 records x 12 passes x about 13 tokens x 0.66M parameters in 12 s (docs/experiments.md). A GPU: 40% of
#: the dense bf16 peak of one H100, 989e12; a goal and no measurement.
THROUGHPUT: Mapping[str, float] = types.MappingProxyType({"cpu": 3e10, "gpu": 4e14})
#: One verification by the default policy, in operations a parameter and item: 45 s on one CPU thread for a model of
#: 0.66M parameters and 180 items (docs/verdict-power.md), whose records have about 11 tokens by their characters.
VERIFICATION, VERIFIED_TOKENS = 45 * THROUGHPUT["cpu"] / 657_024 / 180, 11.0
#: Items of the forget set that a verification draws at most (`catalog.DEFAULT_POLICY`).
MOST_ITEMS = 1000


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a method does with its default settings, as its configuration has them; a test compares both.

    `answers` are sequences trained for each forgotten record of a step, `read_before` passes over the forget set
    before the first step, by the original. With `steered`, passes end at the steered layer, a frozen copy runs beside
    the model, and only the last layers before are trained. `parts` unlearnings are made one after the other and merged.
    With `retained`, the epochs are passes over the retained set, and the forget set is not read.
    """

    epochs: int
    batch_size: int = 16
    retain_batch_size: int = 0
    answers: int = 1
    read_before: int = 0
    steered: bool = False
    parts: int = 1
    retained: bool = False
    watch_looks: int = 6
    watch_items: int = 40


_ALONE = Work(epochs=8)
_PAIR = Work(epochs=8, retain_batch_size=24)

#: Work by method. A method that is not here has no measurement, and is never given a made-up one.
WORK: Mapping[str, Work] = types.MappingProxyType(
    {
        "ascent": _ALONE,
        "graddiff": _PAIR,
        "npo": dataclasses.replace(_PAIR, read_before=1),
        "simnpo": _PAIR,
        "altpo": dataclasses.replace(_PAIR, answers=2, read_before=5),
        "relabel": Work(epochs=4, batch_size=12, retain_batch_size=20, answers=2),
        "spunge": dataclasses.replace(_PAIR, read_before=1, parts=4),
        "undo": Work(epochs=7, batch_size=24, retained=True),
        "rmu": dataclasses.replace(_PAIR, steered=True),
        "task_vector": _ALONE,
    }
)


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """Where it will run. `kind` is cpu or gpu; `flops` are sustained operations a second (0: the kind's default).

    `watts` is the power drawn while it runs and `rate` the price of an hour; 0 means that nobody has said. `currency`
    is printed behind the price. `correction` is how many times longer past runs of each method took than this
    arithmetic says on this device, "" for any method; `runs` is how many such runs there were.
    """

    kind: str = "cpu"
    name: str = ""
    flops: float = 0.0
    watts: float = 0.0
    rate: float = 0.0
    currency: str = ""
    correction: Mapping[str, float] = field(default_factory=dict)
    runs: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = [] if self.kind in THROUGHPUT else [f"device: {self.kind!r} is unknown; {' or '.join(THROUGHPUT)}"]
        numbers = {"flops": self.flops, "watts": self.watts, "rate": self.rate}
        problems += [f"{name}: {value!r} must be 0 or more" for name, value in numbers.items() if not value >= 0]
        if problems:
            raise ConfigError(problems)

    @property
    def throughput(self) -> float:
        """Operations a second that are reckoned with."""
        return self.flops or THROUGHPUT[self.kind]

    def factor(self, method: str) -> tuple[float, int]:
        """How much longer this method's past runs took than reckoned, and how many they were; else any method's."""
        known = method if method in self.correction else ""
        return self.correction.get(known, 1.0), self.runs.get(known, 0)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What a cost depends on; 0 means unknown. `passes` are the sample passes of a deletion from a lineage.

    `epochs` are the passes over the data with which the model was trained; tokens are those of all rows together. Of an
    ensemble of `shards`, `parameters` are those of one: a record is learnt by one, and judged through all.
    """

    parameters: int = 0
    layers: int = 0
    forget_records: int = 0
    forget_tokens: int = 0
    retain_records: int = 0
    retain_tokens: int = 0
    epochs: float = 0.0
    passes: float = 0.0
    retraining_passes: float = 0.0
    shards: int = 1

    @property
    def per_record(self) -> float:
        """Tokens of a record, on average; 0 where unknown."""
        records = self.forget_records + self.retain_records
        return (self.forget_tokens + self.retain_tokens) / records if records else 0.0


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Expected cost of one run; None where it is not known or nobody has said what it takes.

    `flops` are operations; `reckoned` seconds come from them alone and `seconds` are corrected by past runs.
    `watt_hours` and `money` follow from `seconds`. `unknown` names what is missing (a key of `planner.SENTENCES`).
    """

    flops: float | None = None
    reckoned: float | None = None
    seconds: float | None = None
    watt_hours: float | None = None
    money: float | None = None
    correction: float = 1.0
    runs: int = 0
    unknown: str = ""


def token_work(method: str, sizes: Sizes) -> tuple[float | None, str]:
    """Operations of a run for each parameter of the model, or None and what is missing."""
    if method in ("retrain", "sisa"):
        return _training(method, sizes)
    if method not in WORK:
        return None, "no_cost"
    if not sizes.forget_tokens:
        return None, "no_tokens"
    work = WORK[method]
    if (work.retain_batch_size or work.retained) and not sizes.retain_tokens:
        return None, "no_tokens"
    return _steps(work, sizes), ""


def _training(method: str, sizes: Sizes) -> tuple[float | None, str]:
    """Trained anew: on everything kept, or for as many sample passes as the lineage's placement says."""
    passes = sizes.passes if method == "sisa" else sizes.retraining_passes
    if passes:
        return (BOTH * passes * sizes.per_record, "") if sizes.per_record else (None, "no_tokens")
    if method == "sisa" or not sizes.epochs:
        return None, "no_epochs"
    return (BOTH * sizes.epochs * sizes.retain_tokens, "") if sizes.retain_tokens else (None, "no_tokens")


def _steps(work: Work, sizes: Sizes) -> float:
    batches = work.parts * math.ceil(sizes.forget_records / work.parts / work.batch_size)
    kept = sizes.retain_tokens / sizes.retain_records if sizes.retain_records else 0.0
    tokens = work.epochs * (work.answers * sizes.forget_tokens + batches * work.retain_batch_size * kept)
    if work.retained:
        tokens = work.epochs * sizes.retain_tokens
    each = BOTH
    if work.steered:
        depth, trained = _depth(sizes.layers)
        each = 2 * FORWARD * depth + BACKWARD * trained  # the model and its frozen copy
    # Three sets are watched: the forgotten, their neighbours, the rest.
    rows = min(work.watch_items, sizes.forget_records) + 2 * min(work.watch_items, sizes.retain_records)
    watched = work.parts * rows * sizes.per_record * (work.watch_looks + 1) if kept else 0.0
    return each * tokens + FORWARD * (work.read_before * sizes.forget_tokens + watched)


def _depth(layers: int) -> tuple[float, float]:
    """Shares of the layers that a steered pass goes through forward, and backward."""
    if not layers:
        return STEERED, min(STEERED, TRAINED_LAYERS / 32)
    layer = max(1, round(STEERED * layers))
    return layer / layers, min(layer, TRAINED_LAYERS) / layers


def cost_of(method: str, sizes: Sizes, hardware: Hardware) -> Cost:
    """What one run of a method costs."""
    work, unknown = token_work(method, sizes)
    return _priced(work, unknown, method, sizes, hardware)


def verification_cost(sizes: Sizes, hardware: Hardware) -> Cost:
    """What judging one candidate costs, by the default policy: scoring, writing and relearning go token by token."""
    items = min(sizes.forget_records, MOST_ITEMS)
    longer = sizes.per_record / VERIFIED_TOKENS or 1.0  # of unknown length: as measured
    work = VERIFICATION * items * longer * sizes.shards if items else None
    return _priced(work, "" if work else "no_tokens", "verify", sizes, hardware)


def _priced(work: float | None, unknown: str, method: str, sizes: Sizes, hardware: Hardware) -> Cost:
    if work is None or not sizes.parameters:
        return Cost(unknown=unknown or "no_parameters")
    flops = work * sizes.parameters
    reckoned = flops / hardware.throughput
    factor, runs = hardware.factor(method)
    seconds = reckoned * factor
    return Cost(
        flops=flops,
        reckoned=reckoned,
        seconds=seconds,
        watt_hours=hardware.watts * seconds / 3600 if hardware.watts else None,
        money=hardware.rate * seconds / 3600 if hardware.rate else None,
        correction=factor,
        runs=runs,
    )
