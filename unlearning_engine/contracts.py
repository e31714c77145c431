"""What crosses the engine's border, as frozen dataclasses. Standard library only.

A *spec* is one job for one verb; it is JSON, content-addressed, and a person can run the very same
file by hand. A reference to data or weights (`Ref`) is a string: a path, or `sha256:<64 hex>` in an
artefact store. A *result* is what the job leaves behind as `result.json`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from unlearning_engine.errors import ConfigError

SCHEMA = 1
Ref = str
#: Environment variable: folder in which `verify` keeps scores for other candidates; unset, it keeps none.
SCORE_CACHE = "LETHE_SCORE_CACHE"
#: Stage under which a run of unlearning reports what it keeps and what it has forgotten: see `frontier`.
WATCH = "watch"
#: Methods that train with, and delete from, a lineage.
LINEAGE_METHODS = ("sisa", "retrain")
DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")


class Guarantee(StrEnum):
    """What a method can promise at best."""

    EXACT = "exact"
    CERTIFIED = "certified"
    APPROXIMATE = "approximate"


class Outcome(StrEnum):
    """Outcome of a verification. The first that holds, in this order, is the verdict."""

    BAD_INPUT = "bad_input"
    DAMAGED = "damaged"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    PASS = "pass"  # noqa: S105 - a verdict


#: Exit codes of `verify` on the command line.
EXIT_CODE: Mapping[Outcome, int] = types.MappingProxyType(
    {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.BAD_INPUT: 2, Outcome.INCONCLUSIVE: 3, Outcome.DAMAGED: 4}
)


@dataclass(frozen=True, kw_only=True)
class Spec:
    """Fields that every job has. `seed` makes a run deterministic; `threads` 0 means by load."""

    seed: int = 0
    device: str = "auto"
    threads: int = 0
    schema: int = SCHEMA


@dataclass(frozen=True, kw_only=True)
class GenerateSpec(Spec):
    """Write a fictitious organisation's corpus: see `unlearning_engine.synthetic`."""

    verb: typing.ClassVar[str] = "generate"
    artists: int = 8
    persons: int = 8


@dataclass(frozen=True, kw_only=True)
class TrainSpec(Spec):
    """Train a model from its configuration on a dataset's records.

    Without a `method`, a language model and its recipe. `sisa` and `retrain` (one shard, one slice) train with a
    lineage, from which records can be deleted exactly: see `unlearning_engine.sisa`. `shard` trains that one alone
    (from 0; -1 all); `parts` are the folders of such jobs, whose shards are taken over instead of trained again.
    `workers` shards are trained side by side on this machine.
    """

    verb: typing.ClassVar[str] = "train"
    method: str = ""
    dataset: Ref
    tokenizer_text: Ref = ""
    tokenizer: Ref = ""
    base: Ref = ""
    exclude_ids: Ref = ""
    shard: int = -1
    parts: list[Ref] = field(default_factory=list)
    workers: int = 1
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MatchSpec(Spec):
    """Find a claimant's works (rows `{"id", "title", "text"}`), or their `fingerprints`, among a dataset's records."""

    verb: typing.ClassVar[str] = "match"
    works: Ref = ""
    fingerprints: Ref = ""
    dataset: Ref
    near_threshold: float = 0.5


@dataclass(frozen=True, kw_only=True)
class UnlearnSpec(Spec):
    """Make `model` forget the records of `dataset` named in `forget_ids` (one id a line), or the rows of `forget`.

    With `forget`, `retain` are the rows to hold; where a method needs some and gets none, they are sampled from the
    model. A `request` stands in place of `forget` where there is no training data at all: see `source_free`. So do
    `prompts` with a `classifier` that flags what is to go among the model's own continuations, and `behaviour`, the
    settings of that: see `behaviours`. `tune` settings are tried on other subjects first: see `methods.tuning`.

    `exclude_ids` names records that are in neither part: forgotten by an earlier request, or set aside by a
    decision. They are not forgotten again, and above all never trained on again.

    A `lineage` stands in place of model and dataset for the methods `sisa` and `retrain`: each affected shard is
    trained again from its earliest affected slice, or from fresh weights. There `dataset` is needed only where the
    lineage does not keep its records; `base`, `shard`, `parts` and `workers` are as in `TrainSpec`, and records named
    in `exclude_ids` are deleted too, where the lineage still has them. With `purge`, what still holds the records in
    the lineage's own folder is deleted as soon as the successor and its result are written.

    Over several `processes` on this machine, each with a device of its own, one model's weights are split: `together`.
    """

    verb: typing.ClassVar[str] = "unlearn"
    method: str
    model: Ref = ""
    lineage: Ref = ""
    dataset: Ref = ""
    forget_ids: Ref = ""
    exclude_ids: Ref = ""
    forget: Ref = ""
    retain: Ref = ""
    request: Ref = ""
    prompts: Ref = ""
    classifier: Ref = ""
    behaviour: dict[str, Any] = field(default_factory=dict)
    tune: int = 0
    processes: int = 1
    base: Ref = ""
    shard: int = -1
    parts: list[Ref] = field(default_factory=list)
    workers: int = 1
    purge: bool = False
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class VerifySpec(Spec):
    """Probe `candidate` beside the original and, where there is one, a retrained reference.

    `forget`, `retain`, `controls` and `general` are JSONL files of items: records with a prompt and
    an answer. Controls were never seen by any of the models and come from the same source. Instead of
    `forget`, `retain` and `general`, a `dataset` with `forget_ids` may be given: the engine then divides it.
    `join` stands between prompt and answer in place of one space, `chat` uses the tokenizer's chat template.
    """

    verb: typing.ClassVar[str] = "verify"
    candidate: Ref
    original: Ref
    reference: Ref = ""
    controls: Ref
    forget: Ref = ""
    retain: Ref = ""
    general: Ref = ""
    dataset: Ref = ""
    forget_ids: Ref = ""
    exclude_ids: Ref = ""
    join: str = ""
    chat: bool = False
    policy: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ProbeSpec(Spec):
    """Measure one family of probes, or all, on `model`: numbers with intervals, no verdict.

    `items` are rows with a prompt and an answer; `controls` the like of them that no model saw. `layout` is "rows",
    "tofu" or "muse"; `join` stands between prompt and answer in place of one space, `chat` uses the chat template. The
    family behaviour takes prompts as items, a `classifier` and `behaviour`, the settings: see `behaviours`.
    """

    verb: typing.ClassVar[str] = "probe"
    name: str
    model: Ref
    items: Ref
    reference: Ref = ""
    original: Ref = ""
    controls: Ref = ""
    classifier: Ref = ""
    behaviour: dict[str, Any] = field(default_factory=dict)
    layout: str = "rows"
    join: str = ""
    chat: bool = False


@dataclass(frozen=True, kw_only=True)
class PatchSpec(Spec):
    """What changed from `base` to `model`, as a standard unlearning patch; confidential unless `public`."""

    verb: typing.ClassVar[str] = "patch-make"
    base: Ref
    model: Ref
    public: bool = False


SPECS: Mapping[str, type[Spec]] = types.MappingProxyType(
    {c.verb: c for c in (GenerateSpec, TrainSpec, MatchSpec, UnlearnSpec, VerifySpec, ProbeSpec, PatchSpec)}
)


#: Numbers of a spec that have a least one.
LEAST: Mapping[str, int] = types.MappingProxyType({"workers": 1, "tune": 0, "processes": 1})


def canonical(value: object) -> bytes:
    """Bytes of a JSON value that do not depend on key order or white space."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(value: object) -> str:
    """`sha256:<hex>` of the canonical bytes."""
    return "sha256:" + hashlib.sha256(canonical(value)).hexdigest()


def to_json(spec: Spec) -> dict[str, Any]:
    """A spec as the JSON object that `parse` reads back."""
    return {"verb": type(spec).verb, **dataclasses.asdict(spec)}  # type: ignore[attr-defined]


def _matches(value: object, kind: object) -> bool:
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    origin = typing.get_origin(kind) or kind
    return isinstance(value, origin)  # type: ignore[arg-type]


def parse(data: object) -> Spec:
    """Read a spec and report *every* problem at once.

    Raises:
        ConfigError: with one message per problem.
    """
    if not isinstance(data, dict):
        raise ConfigError("spec: must be a JSON object")
    verb = data.get("verb")
    if not isinstance(verb, str) or verb not in SPECS:
        raise ConfigError(f"spec.verb: {verb!r} is unknown; one of {', '.join(sorted(SPECS))}")
    kind = SPECS[verb]
    hints = {k: t for k, t in typing.get_type_hints(kind).items() if typing.get_origin(t) is not typing.ClassVar}
    fields = {f.name: f for f in dataclasses.fields(kind)}
    problems: list[str] = []
    for name in sorted(set(data) - set(fields) - {"verb"}):
        problems.append(f"spec.{name}: unknown field; {verb} takes {', '.join(sorted(fields))}")
    for name, spec_field in fields.items():
        required = spec_field.default is dataclasses.MISSING and spec_field.default_factory is dataclasses.MISSING
        if name not in data:
            if required:
                problems.append(f"spec.{name}: missing")
        elif not _matches(data[name], hints[name]):
            kind_name = getattr(hints[name], "__name__", hints[name])
            problems.append(f"spec.{name}: {data[name]!r} is not of type {kind_name}")
        elif required and data[name] == "":
            problems.append(f"spec.{name}: is empty")
        elif name == "parts" and not all(isinstance(part, str) and part for part in data[name]):
            problems.append("spec.parts: must be a list of paths or names")
        elif name in LEAST and data[name] < LEAST[name]:
            problems.append(f"spec.{name}: {data[name]} is less than {LEAST[name]}")
    problems.extend(f"spec.{place}: {value} is no number that JSON knows" for place, value in _not_finite(data))
    if data.get("schema", SCHEMA) != SCHEMA:
        problems.append(f"spec.schema: {data['schema']!r} is not supported; this engine reads {SCHEMA}")
    problems.extend(_choice_problems(kind, data))
    if problems:
        raise ConfigError(problems)
    return kind(**{k: v for k, v in data.items() if k != "verb"})


def _not_finite(value: object, place: str = "") -> Iterator[tuple[str, float]]:
    """Where NaN or infinity stands: Python's JSON reads them, no digest can be made of them."""
    if isinstance(value, float) and not math.isfinite(value):
        yield place, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _not_finite(inner, f"{place}.{name}" if place else str(name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _not_finite(inner, f"{place}.{number}")


def _choice_problems(kind: type[Spec], data: Mapping[str, Any]) -> list[str]:
    """Problems of fields of which some must be given."""
    sets = [("forget", "retain"), ("dataset", "forget_ids")]
    if kind is VerifySpec and not any(data.get(one) and data.get(other) for one, other in sets):
        return ["spec: give forget and retain, or dataset and forget_ids"]
    if kind is MatchSpec and bool(data.get("works")) == bool(data.get("fingerprints")):
        return ["spec: give works or fingerprints, one of the two"]
    if kind is UnlearnSpec and data.get("purge") and not data.get("lineage"):
        return ["spec.purge: only a lineage is purged; leave purge out"]
    if kind is UnlearnSpec and data.get("purge") and DIGEST.match(str(data["lineage"])):
        return ["spec.purge: the lineage lies in an artefact store, which deletes its own; leave purge out"]
    if kind is UnlearnSpec and not data.get("lineage"):
        if data.get("method") == "sisa":
            return ["spec.lineage: missing; the method sisa deletes from a lineage"]
        return _set_problems(data)
    if kind is UnlearnSpec and data.get("method") not in LINEAGE_METHODS:
        return [f"spec.lineage: only the methods {' and '.join(LINEAGE_METHODS)} take a lineage"]
    return []


def _set_problems(data: Mapping[str, Any]) -> list[str]:
    """What is to be forgotten comes as ids of a dataset's rows, as rows, as a request, or by prompts: never as two."""
    ways = [name for name in ("forget", "request", "prompts") if data.get(name)]
    wanted = ("model",) if ways else ("model", "dataset", "forget_ids")
    problems = [f"spec.{name}: missing" for name in wanted if not data.get(name)]
    both = [name for name in ("dataset", "forget_ids", "exclude_ids") if ways and data.get(name)]
    problems += [f"spec.{name}: goes with a dataset; with {ways[0]} leave it out" for name in both]
    if len(ways) > 1:
        problems.append(f"spec.{ways[-1]}: describes what is to be forgotten; leave out {' and '.join(ways[:-1])}")
    if data.get("retain") and not ways:
        problems.append("spec.retain: goes with forget, request or prompts; with a dataset leave it out")
    if data.get("prompts") and not data.get("classifier"):
        problems.append("spec.classifier: missing; it says which continuations of the prompts are to go")
    alone = [name for name in ("classifier", "behaviour") if data.get(name) and not data.get("prompts")]
    problems += [f"spec.{name}: goes with prompts; leave it out" for name in alone]
    return problems


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its interval (two-sided, at the policy's confidence) and its count of independent items."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """One probe's finding.

    `limit` is on the scale of `candidate`, fixed before the run as reference (or controls) plus or
    minus `margin`. `bounds` are the sides that the policy tests: "upper", "lower" or "both".
    `difference` is candidate minus reference with its interval; `outcome` comes from it alone.
    `items_needed` tells an inconclusive probe how many independent items would decide.
    """

    name: str
    family: str
    candidate: Estimate
    reference: Estimate | None = None
    original: Estimate | None = None
    difference: Estimate | None = None
    margin: float | None = None
    limit: float | None = None
    bounds: str = "upper"
    outcome: str = "reported"
    p_value: float | None = None
    items_needed: int | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a job leaves behind.

    `outputs` maps a name to a path relative to the job's folder. `inputs` (spec field to name) and `digests`
    (output to name) hold content names, so that a reader knows which bytes went in and came out. `energy` is of the
    last attempt: see `energy`.
    """

    verb: str
    spec_digest: str
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    energy: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    schema: int = SCHEMA
