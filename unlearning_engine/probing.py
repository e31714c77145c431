"""The verb `probe`: one family of probes, or all, on one model's directory; numbers with intervals and no verdict.

Leaves `probe.json` (the measures) and `items.jsonl` (scores of each item, numbers and ids only). Where a number
cannot be had the measure says why and is inconclusive: NaN logits, one fact alone, what a row lacks. What makes every
number wrong is an error: no rows, rows that cannot be read, a tokenizer that is not the model's, a reference that is
the model itself.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from unlearning_engine.contracts import ProbeSpec
from unlearning_engine.errors import ConfigError, DataError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from unlearning_engine.data import Record
    from unlearning_engine.probes.families import Measure
    from unlearning_engine.probes.formats import Format
    from unlearning_engine.probes.gather import ItemScores, Plan
    from unlearning_engine.probes.inside import Inside
    from unlearning_engine.progress import Report

SCHEMA = 1
MEASURES, ITEMS = "probe.json", "items.jsonl"
CORRECTION, BEHAVIOUR = "correction", "behaviour"
_SHOWN = ("memorisation", "knowledge", "distribution", "membership", "privacy", "representation", "utility", "canary")
FAMILIES = (*_SHOWN, CORRECTION)
ALL, ROWS = "all", "rows"
#: Other names of families, as they are called elsewhere.
ALIASES: Mapping[str, str] = {
    "memorization": "memorisation",
    "multiple-choice": "knowledge",
    "choice": "knowledge",
    "forget-quality": "distribution",
    "truth-ratio": "distribution",
    "mia": "membership",
    "privleak": "privacy",
    "representations": "representation",
    "perplexity": "utility",
    "exposure": "canary",
    "behavior": BEHAVIOUR,
    "toxicity": BEHAVIOUR,
}
#: A tokenizer that makes fewer ids than this share of the model's rows is another model's.
LEAST_ROWS = 0.8
#: What a table of the behaviour says of how it was measured.
HOW = ("label", "threshold", "tries", "length", "temperature", "seed")


def family_of(name: str) -> str:
    """The family that a name means; the name of a mean of item scores means the family that it belongs to.

    Raises:
        ConfigError: it means none.
    """
    from unlearning_engine.probes.families import SIMPLE

    found = ALIASES.get(name.replace("_", "-"), name)
    found = SIMPLE[found].family if found in SIMPLE else found
    known = (*FAMILIES, BEHAVIOUR)  # which is no part of all: it asks for prompts and a classifier
    if found != ALL and found not in known:
        raise ConfigError(f"spec.name: {name!r} is no family of probes; {ALL} or one of {', '.join(known)}")
    return found


# ---------------------------------------------------------------- reading


@dataclass(frozen=True, kw_only=True)
class _Read:
    """Items and controls with what to call them."""

    items: Sequence[Record]
    controls: Sequence[Record]
    label: str


def _load(path: str, layout: str) -> tuple[Sequence[Record], str]:
    from unlearning_engine.data import load_records
    from unlearning_engine.probes.published import load_published

    if layout == ROWS:
        return load_records(path), ROWS
    found = load_published(path, layout)
    return found.records, found.label


def _read(spec: ProbeSpec, family: str) -> _Read:
    if family == BEHAVIOUR:
        from unlearning_engine.data import load_records

        return _Read(items=load_records(spec.items, bare=True), controls=(), label="prompts")
    items, label = _load(spec.items, spec.layout)
    controls = _load(spec.controls, spec.layout)[0] if spec.controls else ()
    shared = {r.full_text for r in items} & {r.full_text for r in controls}
    if shared:
        raise DataError(f"--controls: {len(shared)} rows are among the items; controls must be seen by no model")
    return _Read(items=items, controls=controls, label=label)


def _check_fields(spec: ProbeSpec, family: str) -> None:
    """Refuse what the family does not take; the behaviour's prompts are continued as they stand.

    Raises:
        ConfigError: with one message per field.
    """
    if family == BEHAVIOUR:
        problems = [] if spec.classifier else ["spec.classifier: missing; it says what counts as the behaviour"]
        given = {"controls": spec.controls, "join": spec.join, "chat": spec.chat, "layout": spec.layout != ROWS}
    else:
        problems, given = [], {"classifier": spec.classifier, "behaviour": spec.behaviour}
    problems += [f"spec.{name}: {family} does not take it; leave it out" for name, value in given.items() if value]
    if problems:
        raise ConfigError(problems)


def check_tokenizer(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, where: str) -> None:
    """Refuse a tokenizer that makes ids which the model has no rows for, or far fewer than it has.

    Raises:
        DataError: naming both sizes.
    """
    rows = int(model.config.vocab_size)
    largest = max(tokenizer.get_vocab().values()) + 1
    if largest > rows or largest < LEAST_ROWS * rows:
        raise DataError(f"{where}: the tokenizer makes {largest} ids, the model has {rows} rows; give the model's own")


def _same_words(one: PreTrainedTokenizerBase, other: PreTrainedTokenizerBase, records: Sequence[Record]) -> bool:
    texts = [text for r in records for text in (r.full_text, *r.perturbed, *r.paraphrase)]
    return bool(one(texts)["input_ids"] == other(texts)["input_ids"])


# ---------------------------------------------------------------- measuring


@dataclass
class _Session:
    """One probe while it measures."""

    spec: ProbeSpec
    family: str
    read: _Read
    layout: Format
    tokenizer: PreTrainedTokenizerBase
    report: Report
    done: int = 0
    total: int = 1

    def wants(self, *families: str) -> bool:
        return self.family == ALL or self.family in families

    def tell(self, stage: str) -> None:
        self.done += 1
        self.report({"event": "progress", "stage": stage, "step": self.done, "total": self.total})

    def load(self, name: str) -> PreTrainedModel:
        from unlearning_engine.models import load_model

        gc.collect()
        model = load_model(getattr(self.spec, name), device=self.spec.device)
        check_tokenizer(model, self.tokenizer, f"--{name}")
        return model

    def plan(self, records: Sequence[Record], context: int | None) -> Plan:
        from unlearning_engine.probes.gather import prepare

        continued = self.wants("memorisation", "utility", CORRECTION)
        return prepare(records, self.tokenizer, self.layout, context=context, continued=continued)


@dataclass
class _Measured:
    """What was taken of every model, by "model", "reference" and, of corrections, "original"."""

    items: dict[str, list[ItemScores]]
    controls: dict[str, list[ItemScores]]
    gradients: dict[str, list[float]]
    inside: Inside


def _measure_model(session: _Session, name: str, found: _Measured, models: Mapping[str, PreTrainedModel]) -> None:
    """Scores of one loaded model on items and controls, its gradients and its layers, as far as they are wanted."""
    from unlearning_engine.models import context_length
    from unlearning_engine.probes.gather import gather
    from unlearning_engine.probes.gradients import gradient_norms

    model, pad_id = models[name], session.tokenizer.pad_token_id
    plans = {"items": session.plan(session.read.items, context_length(model))}
    if session.read.controls and session.wants("membership", "privacy"):
        plans["controls"] = session.plan(session.read.controls, context_length(model))
    for kind, plan in plans.items():
        getattr(found, kind)[name] = gather(model, session.tokenizer, plan)
        if "controls" in plans:
            firsts = [plan.examples[plan.pairs[(r.prompt, r.answer or r.text)][0]] for r in plan.records]
            found.gradients[name if kind == "items" else f"{name} controls"] = gradient_norms(model, firsts, pad_id)
    if session.wants("representation"):
        found.inside.look(name, model, plans["items"], pad_id, finite=all(i.finite for i in found.items[name]))
    session.tell(f"measured {name}")


def _measure_all(session: _Session) -> _Measured:
    from unlearning_engine.probes.inside import Inside

    found = _Measured(items={}, controls={}, gradients={}, inside=Inside())
    names = ["model", *(["reference"] if session.spec.reference else [])]
    names += ["original"] if session.spec.original and session.family == CORRECTION else []
    patched = session.wants("representation") and session.spec.reference and session.spec.original
    session.total = len(names) + bool(patched)
    for name in names:
        _measure_model(session, name, found, {name: session.load(name)})
    if patched and not found.inside.note:
        original = session.load("original")
        plan = session.plan(session.read.items, None)
        for name in names:
            found.inside.patch(name, original, session.load(name), plan, session.tokenizer.pad_token_id)
        session.tell("patched original")
    return found


def _measures(session: _Session, found: _Measured) -> list[Measure]:
    """Every measure of the family, or of all."""
    from unlearning_engine.probes.contrasts import forget_quality, membership_and_leak
    from unlearning_engine.probes.families import SIMPLE, Material, simple
    from unlearning_engine.probes.intervals import Clusters
    from unlearning_engine.probes.usefulness import usefulness
    from unlearning_engine.statistics import Settings

    settings = Settings(seed=session.spec.seed)
    clusters = Clusters.of(session.read.items, settings)
    material = Material(
        items=found.items,
        controls=found.controls,
        clusters=clusters,
        control_clusters=Clusters.of(session.read.controls, settings) if session.read.controls else None,
        gradients=found.gradients,
    )
    measures = [simple(name, material) for name, what in SIMPLE.items() if session.wants(what.family)]
    if session.wants("distribution"):
        measures += forget_quality(material)
    if session.wants("membership", "privacy"):
        measures += [m for m in membership_and_leak(material) if session.wants(m.family)]
    if session.wants("representation"):
        measures += found.inside.measures(session.read.items, clusters)
    if session.wants("utility"):
        measures += usefulness(material)
    order = {family: n for n, family in enumerate(FAMILIES)}
    return sorted(measures, key=lambda m: order[m.family])


def _item_rows(found: _Measured, measures: Sequence[Measure]) -> list[dict[str, Any]]:
    from unlearning_engine.probes.families import SIMPLE

    wanted = [name for name in SIMPLE if name in {m.name for m in measures}]
    rows = []
    for model, items in found.items.items():
        for item in items:
            row: dict[str, Any] = {"model": model, "id": item.record.id, "finite": int(item.finite)}
            if item.finite:
                row |= {"loss": item.own.loss, "tokens": item.own.tokens}
                row |= {name: SIMPLE[name].score(item) for name in wanted}
            rows.append(row)
    return rows


def _identities(spec: ProbeSpec) -> dict[str, str]:
    from unlearning_engine.models import weights_digest

    found = {name: weights_digest(ref) for name in ("model", "reference", "original") if (ref := getattr(spec, name))}
    same = [name for name in ("reference", "original") if found.get(name) == found["model"]]
    if same:
        raise DataError([f"--{name}: has the model's own weights; nothing can be compared" for name in same])
    return found


def _summary(session: _Session, measures: Sequence[Measure], identities: Mapping[str, str]) -> dict[str, Any]:
    from unlearning_engine.probes.families import DAMAGED

    rows = [measure.to_json() for measure in measures]
    # A model that gives no numbers for some item is inconclusive as a whole, whatever else could be counted.
    damaged = any(measure.found.note.endswith(DAMAGED) for measure in measures)
    outcome = "measured" if any(m.measured for m in measures) and not damaged else "inconclusive"
    named = [row for row in rows if row["name"] == session.spec.name]
    head = next((row for row in (named or rows) if row["outcome"] == "measured"), (named or rows)[0])
    single = {"measure": head["name"], **{key: head[key] for key in ("estimate", "interval", "n")}}
    return {
        "schema": SCHEMA,
        "name": session.family,
        "outcome": outcome,
        **({} if session.family == ALL else single),
        "confidence": 0.95,
        "items": len(session.read.items),
        "facts": len({r.cluster for r in session.read.items}),
        "data": session.read.label,
        "models": dict(identities),
        "seed": session.spec.seed,
        **({"behaviour": dict(measures[0].detail)} if session.family == BEHAVIOUR else {}),
        "measures": rows,
    }


def probe(spec: ProbeSpec, out: Path, report: Report) -> dict[str, Any]:
    """Measure and leave `probe.json` and `items.jsonl` in `out`; returns what `probe.json` holds.

    Raises:
        ConfigError: no such family or layout, or a format that the tokenizer does not know.
        DataError: rows or models that cannot be read or do not belong together.
    """
    from unlearning_engine.models import choose_threads, load_tokenizer
    from unlearning_engine.probes.formats import Format

    family = family_of(spec.name)
    layout = Format(join=spec.join or None, chat=spec.chat)
    choose_threads(spec.threads)
    _check_fields(spec, family)
    read = _read(spec, family)
    identities = _identities(spec)
    tokenizer = load_tokenizer(spec.model)
    for name in ("reference", "original"):
        ref = getattr(spec, name)
        if ref and not _same_words(tokenizer, load_tokenizer(ref), read.items):
            raise DataError(f"--{name}: cuts the items into other tokens than the model; numbers per token differ")
    session = _Session(spec=spec, family=family, read=read, layout=layout, tokenizer=tokenizer, report=report)
    if family == BEHAVIOUR:
        from unlearning_engine.probes.behaviour import observe

        session.total = len(identities)
        measures, rows = observe(spec, read.items, tokenizer, load=session.load, tell=session.tell)
    else:
        found = _measure_all(session)
        measures = _measures(session, found)
        rows = _item_rows(found, measures)
    summary = _summary(session, measures, identities)
    out.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row, allow_nan=False) + "\n" for row in rows]
    (out / ITEMS).write_text("".join(lines), encoding="utf-8")
    (out / MEASURES).write_text(json.dumps(summary, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return summary


# ---------------------------------------------------------------- showing


def _line(row: Mapping[str, Any]) -> str:
    if row["estimate"] is None:
        return f"{row['name']:34s} -          {row['note']}"
    span = "no interval" if row["interval"] is None else "[{:.4g}, {:.4g}]".format(*row["interval"])
    seen = {name: (row.get(name) or {}).get("estimate") for name in ("reference", "original")}
    other = "".join(f"   {name} {value:.4g}" for name, value in seen.items() if value is not None)
    note = f"   ({row['note']})" if row.get("note") else ""
    return f"{row['name']:34s} {row['estimate']:<10.4g} {span}   n {row['n']}{other}{note}"


def present(metrics: Mapping[str, Any], stream: TextIO, *, as_json: bool) -> int:
    """Print a result as one JSON line, or as a line a measure; returns the exit code: 0 measured, 3 inconclusive."""
    if as_json:
        stream.write(json.dumps(metrics, allow_nan=False) + "\n")
    else:
        stream.write(f"{metrics['name']}: {metrics['items']} items, {metrics['facts']} facts, {metrics['data']}; 95%\n")
        if how := metrics.get("behaviour"):
            stream.write(", ".join(f"{name} {how[name]}" for name in HOW) + "\n")
        stream.write("".join(_line(row) + "\n" for row in metrics["measures"]))
    stream.flush()
    return 0 if metrics["outcome"] == "measured" else 3
