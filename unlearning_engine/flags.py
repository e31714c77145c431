"""Flags for people: each is a field of a spec, or a file whose content becomes one."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlearning_engine.artifacts import Store
from unlearning_engine.catalog import POLICIES
from unlearning_engine.contracts import DIGEST
from unlearning_engine.errors import ConfigError
from unlearning_engine.runner import MODELS, check


@dataclass(frozen=True)
class Flag:
    """One flag. `kind`: text, path (made absolute), paths, whole, number, switch, file (JSON), policy (name or
    file), pairs (key=value)."""

    field: str
    kind: str
    help: str

    @property
    def dest(self) -> str:
        """The attribute of the parsed arguments."""
        return f"{self.field}__{self.kind}"


_RUN = {
    "--seed": Flag("seed", "whole", "makes the run repeatable (default 0)"),
    "--device": Flag("device", "text", "auto, cpu or cuda:N"),
    "--threads": Flag("threads", "whole", "CPU threads; 0 chooses by load"),
}
_SHARDS = {
    "--base": Flag("base", "path", "frozen base model of a lineage of adapters"),
    "--shard": Flag("shard", "whole", "train this shard of the lineage alone, from 0"),
    "--parts": Flag("parts", "paths", "folders of jobs that trained single shards, to be joined"),
    "--workers": Flag("workers", "whole", "shards trained side by side (default 1)"),
}
_SETTINGS = {
    "--config": Flag("config", "file", "settings as a JSON file"),
    "--set": Flag("config", "pairs", "one setting KEY=VALUE, again and again; goes over --config"),
}

_BEHAVIOUR = {
    "--classifier": Flag("classifier", "path", "folder of a text classifier that flags the behaviour"),
    "--behaviour": Flag(
        "behaviour", "pairs", "KEY=VALUE of label, threshold, tries, length, temperature, with_prompt; again and again"
    ),
}

#: Verb -> its summary and its flags.
FLAGS: Mapping[str, tuple[str, Mapping[str, Flag]]] = {
    "generate": (
        "Write a fictitious organisation's corpus.",
        {
            "--artists": Flag("artists", "whole", "how many artists"),
            "--persons": Flag("persons", "whole", "how many private persons"),
            **_RUN,
        },
    ),
    "train": (
        "Train a causal language model from its configuration.",
        {
            "--method": Flag("method", "text", "sisa or retrain: with a lineage that records can be deleted from"),
            "--data": Flag("dataset", "path", "JSONL, Parquet or dataset folder"),
            "--tokenizer-text": Flag("tokenizer_text", "path", "text to learn the tokenizer from"),
            "--tokenizer": Flag("tokenizer", "path", "folder of a saved tokenizer, in place of the text"),
            "--exclude-ids": Flag("exclude_ids", "path", "records to leave out, one id a line"),
            **_SHARDS,
            **_SETTINGS,
            **_RUN,
        },
    ),
    "patch-make": (
        "What changed from a base to an unlearned model, as a job (see `patch`).",
        {
            "--base": Flag("base", "path", "folder of the model before"),
            "--model": Flag("model", "path", "folder of the unlearned model"),
            "--public": Flag("public", "switch", "fit for anyone; default: confidential"),
            **_RUN,
        },
    ),
    "match": (
        "Find works among a dataset's records.",
        {
            "--works": Flag("works", "path", "JSONL rows of id, title, text"),
            "--fingerprints": Flag("fingerprints", "path", "in place of works: a filter list with its key"),
            "--data": Flag("dataset", "path", "JSONL, Parquet or dataset folder"),
            "--near-threshold": Flag("near_threshold", "number", "lowest score of a near-duplicate, 0 to 1"),
            **_RUN,
        },
    ),
    "unlearn": (
        "Make a model forget records.",
        {
            "--method": Flag("method", "text", "see `methods`"),
            "--model": Flag("model", "path", "folder of the model, or hub id"),
            "--lineage": Flag("lineage", "path", "in place of --model, for sisa and retrain: a training with lineage"),
            "--data": Flag("dataset", "path", "what the model was trained on"),
            "--forget-ids": Flag("forget_ids", "path", "records to forget, one id a line"),
            "--exclude-ids": Flag("exclude_ids", "path", "records in neither part: forgotten before, or set aside"),
            "--forget": Flag("forget", "path", "in place of --data and --forget-ids: the rows to forget, JSONL"),
            "--retain": Flag("retain", "path", "with --forget, --request or --prompts: the rows to hold, JSONL"),
            "--request": Flag(
                "request", "path", "without training data: JSON of subject, titles and passages to forget"
            ),
            "--prompts": Flag("prompts", "path", "with --classifier: prompts whose flagged continuations are to go"),
            **_BEHAVIOUR,
            "--tune": Flag("tune", "whole", "try as many settings on other subjects first, take the best (default 0)"),
            "--processes": Flag("processes", "whole", "split the model's weights over as many devices (default 1)"),
            "--purge": Flag("purge", "switch", "delete what still holds the records in the folder of --lineage"),
            **_SHARDS,
            **_SETTINGS,
            **_RUN,
        },
    ),
    "verify": (
        "Probe whether a model has forgotten; the exit code is the verdict.",
        {
            "--model": Flag("candidate", "path", "the model after unlearning"),
            "--original": Flag("original", "path", "the model before"),
            "--reference": Flag("reference", "path", "a model retrained without the records, if there is one"),
            "--forget": Flag("forget", "path", "items that must be forgotten, JSONL"),
            "--retain": Flag("retain", "path", "items that must survive, JSONL"),
            "--controls": Flag("controls", "path", "items of the same source that no model saw, JSONL"),
            "--general": Flag("general", "path", "ordinary knowledge that must survive, JSONL"),
            "--data": Flag("dataset", "path", "in place of forget, retain and general: what the original learned"),
            "--forget-ids": Flag("forget_ids", "path", "with --data: records to forget, one id a line"),
            "--exclude-ids": Flag("exclude_ids", "path", "with --data: records in neither part, one id a line"),
            "--join": Flag("join", "text", "text between prompt and answer (default: one space)"),
            "--chat": Flag("chat", "switch", "put the prompt into the tokenizer's chat template"),
            "--policy": Flag("policy", "policy", f"thresholds: {', '.join(POLICIES)}, or a JSON file"),
            **_RUN,
        },
    ),
    "probe": (
        "Measure a family of probes, or all, on a model: estimates with 95% intervals, no verdict.",
        {
            "--name": Flag("name", "text", "the same as NAME"),
            "--model": Flag("model", "path", "folder of the model"),
            "--items": Flag("items", "path", "rows of prompt and answer, JSONL"),
            "--reference": Flag("reference", "path", "a model retrained without the items"),
            "--original": Flag(
                "original", "path", "the model before, for activation patching, correction and behaviour"
            ),
            "--controls": Flag("controls", "path", "rows of the same source that no model saw, for membership"),
            **_BEHAVIOUR,
            "--layout": Flag("layout", "text", "rows (default), or the published layout tofu or muse"),
            "--join": Flag("join", "text", "text between prompt and answer (default: one space)"),
            "--chat": Flag("chat", "switch", "put the prompt into the tokenizer's chat template"),
            **_RUN,
        },
    ),
}
_TYPES = {"whole": int, "number": float}
_METAVARS = {"path": "PATH", "file": "FILE.json", "policy": "NAME|FILE.json", "pairs": "KEY=VALUE"}


def add_flags(parser: argparse.ArgumentParser, flags: Mapping[str, Flag]) -> None:
    """Add flags to a sub-command; none is required here, since the spec's check names all that is missing."""
    group = parser.add_argument_group("the job")
    for name, flag in flags.items():
        metavar = _METAVARS.get(flag.kind, flag.kind.upper())
        if flag.kind == "paths":
            group.add_argument(name, dest=flag.dest, nargs="+", metavar="PATH", help=flag.help)
        elif flag.kind == "switch":
            group.add_argument(name, dest=flag.dest, action="store_const", const=True, help=flag.help)
        elif flag.kind == "pairs":
            group.add_argument(name, dest=flag.dest, action="append", metavar=metavar, help=flag.help)
        else:
            kind = _TYPES.get(flag.kind, str)
            group.add_argument(name, dest=flag.dest, type=kind, metavar=metavar, help=flag.help)


def spec_from_flags(arguments: argparse.Namespace, store: Store | None) -> dict[str, Any]:
    """The spec's JSON that the flags describe.

    Raises:
        ConfigError: a file or setting among the flags is wrong, and with it every other problem of the spec.
    """
    flags = FLAGS[arguments.verb][1]
    spec: dict[str, Any] = {"verb": arguments.verb}
    problems: list[str] = []
    for name, flag in flags.items():
        given = getattr(arguments, flag.dest)
        if given is None:
            continue
        try:
            value = _value(name, flag, given)
        except ConfigError as error:
            problems.extend(error.messages)
            continue
        spec[flag.field] = {**spec.get(flag.field, {}), **value} if isinstance(value, dict) else value
    try:
        check(spec, store)
    except ConfigError as error:
        problems.extend(_in_flags(message, flags) for message in error.messages)
    if problems:
        raise ConfigError(problems)
    return spec


def given_fields(arguments: argparse.Namespace) -> dict[str, Any]:
    """Fields of a spec that were given as flags, unchecked.

    Raises:
        ConfigError: a file or setting among the flags is wrong.
    """
    flags = FLAGS[arguments.verb][1]
    named = ((name, flag, getattr(arguments, flag.dest)) for name, flag in flags.items())
    return {flag.field: _value(name, flag, given) for name, flag, given in named if given is not None}


def _value(name: str, flag: Flag, given: Any) -> Any:
    if flag.kind == "path":
        stored = DIGEST.match(given) or (flag.field in MODELS and not Path(given).exists())
        return given if stored else str(Path(given).absolute())
    if flag.kind == "paths":
        return [ref if DIGEST.match(ref) else str(Path(ref).absolute()) for ref in given]
    if flag.kind == "policy":
        return _policy(name, given)
    if flag.kind == "file":
        return _object(name, given)
    if flag.kind == "pairs":
        return _pairs(name, given)
    return given


def _policy(name: str, given: str) -> dict[str, Any]:
    """A policy of the catalogue by its name, or what a file says."""
    if given in POLICIES:
        copied: dict[str, Any] = json.loads(json.dumps(dict(POLICIES[given])))
        return copied
    if not Path(given).is_file():
        raise ConfigError(f"{name}: {given!r} is neither a policy ({', '.join(POLICIES)}) nor a JSON file")
    return _object(name, given)


def _object(name: str, path: str) -> dict[str, Any]:
    try:
        value = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{name}: {path!r} is no readable JSON file ({error})") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{name}: {path!r} must hold a JSON object")
    return value


def _pairs(name: str, given: list[str]) -> dict[str, Any]:
    """`lr=1e-3` as {"lr": 0.001}; a value that is no JSON is text."""
    values: dict[str, Any] = {}
    problems = []
    for pair in given:
        key, sign, text = pair.partition("=")
        if not key or not sign:
            problems.append(f"{name}: {pair!r} must read KEY=VALUE")
            continue
        try:
            values[key] = json.loads(text)
        except ValueError:
            values[key] = text
    if problems:
        raise ConfigError(problems)
    return values


def _in_flags(message: str, flags: Mapping[str, Flag]) -> str:
    """The same message with the flag's name, which is what its reader typed."""
    for name, flag in flags.items():
        if message.startswith(f"spec.{flag.field}:"):
            return f"{name}{message.removeprefix(f'spec.{flag.field}')}"
    return message
