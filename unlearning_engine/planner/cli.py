"""The sub-command `plan`: which way to forget, ranked, for whoever has no app. Documents go to standard output.

Exit codes: 0 something can be tried; 2 bad input; 3 nothing is left, and the sentence says why.
"""

from __future__ import annotations

import argparse
import json
import sys
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.planner import (
    ACCESS,
    ORDERS,
    Attempt,
    Hardware,
    House,
    Ranking,
    Situation,
    Sizes,
    available,
    duration,
    rank,
)
from unlearning_engine.planner.reading import model_sizes, tokens_of

BAD_INPUT, NOTHING_LEFT = 2, 3
_PARTS: Mapping[str, type[Any]] = {"sizes": Sizes, "hardware": Hardware, "house": House}
_TOP = {"access": str, "recipe": bool, "has": list, "deadline": float, "tried": list, "serves": int}
_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
#: Flag -> part of the spec, field, type, help.
_FLAGS: tuple[tuple[str, str, str, Any, str], ...] = (
    ("--parameters", "sizes", "parameters", int, "of the model; read from --model"),
    ("--layers", "sizes", "layers", int, "of the model; read from --model"),
    ("--epochs", "sizes", "epochs", float, "passes with which it was trained; read from --model's recipe"),
    ("--forget-records", "sizes", "forget_records", int, "read from --data and --forget-ids"),
    ("--forget-tokens", "sizes", "forget_tokens", int, "of all of them; else reckoned by their characters"),
    ("--retain-records", "sizes", "retain_records", int, "read from --data and --forget-ids"),
    ("--retain-tokens", "sizes", "retain_tokens", int, "of all of them; else reckoned by their characters"),
    ("--device", "hardware", "kind", str, "cpu (default) or gpu"),
    ("--throughput", "hardware", "flops", float, "operations a second that were measured"),
    ("--watts", "hardware", "watts", float, "power drawn while it runs"),
    ("--rate", "hardware", "rate", float, "price of an hour"),
    ("--currency", "hardware", "currency", str, "printed behind a price"),
    ("--minimum", "house", "minimum", str, "least guarantee: approximate (default), certified or exact"),
    ("--attempts", "house", "attempts", int, "runs that are allowed in all (default 2)"),
    ("--budget-seconds", "house", "seconds", float, "of all attempts together"),
    ("--budget-money", "house", "money", float, "of all attempts together"),
    ("--order", "house", "order", str, f"{', '.join(ORDERS)}"),
    ("--reserve", "house", "reserve", float, "seconds before the deadline that belong to the release (default a day)"),
)


def add(verbs: Any) -> None:
    """Add the sub-command to the engine's."""
    text = "Rank the ways to forget: cost, guarantee, risk, and why each stands where it does."
    plan = verbs.add_parser("plan", help=text, description=text)
    plan.add_argument("spec", nargs="?", help="the situation as a JSON file, in place of the flags below")
    for flag, _part, field, kind, words in _FLAGS:
        plan.add_argument(flag, dest=field, type=kind, metavar=kind.__name__.upper(), help=words)
    plan.add_argument("--methods", nargs="+", metavar="NAME", help="only these are allowed")
    plan.add_argument("--access", choices=sorted(ACCESS), help="what can still be read (default: training set)")
    plan.add_argument("--no-recipe", action="store_true", help="nobody knows how the model was trained")
    plan.add_argument("--has", nargs="+", metavar="NEED", help="further needs that are met, as `methods` names them")
    plan.add_argument("--deadline", metavar="TIME", help="from now: 90min, 36h, 14d")
    plan.add_argument("--tried", nargs="+", metavar="METHOD[=VERDICT[:SECONDS]]", help="attempts so far")
    plan.add_argument("--model", metavar="DIR", help="folder of the model, for its size")
    plan.add_argument("--data", metavar="PATH", help="what it was trained on, for the length of the records")
    plan.add_argument("--forget-ids", metavar="PATH", help="records to forget, one id a line")
    plan.add_argument("--lineage", metavar="DIR", help="its training with lineage, with --forget-ids")
    plan.add_argument("--json", action="store_true", help="as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Rank, and print; returns the exit code."""
    try:
        ranking, situation = _ranking(arguments)
    except (ConfigError, DataError) as error:
        sys.stderr.write("".join(f"  - {message}\n" for message in error.messages))
        return BAD_INPUT
    if arguments.json:
        sys.stdout.write(json.dumps(_document(ranking), indent=1) + "\n")
    else:
        _print(ranking, situation)
    return 0 if ranking.candidates else NOTHING_LEFT


def _ranking(arguments: argparse.Namespace) -> tuple[Ranking, Situation]:
    given = _from_flags(arguments)
    if arguments.spec:
        if given:
            raise ConfigError(f"{arguments.spec}: give a spec file or flags ({', '.join(sorted(given))}), not both")
        try:
            given = json.loads(Path(arguments.spec).read_bytes())
        except (OSError, ValueError) as error:
            raise ConfigError(f"{arguments.spec}: is no readable JSON file ({error})") from error
    situation = situation_of(given)
    return rank(situation), situation


# ---------------------------------------------------------------- what goes in


def situation_of(data: object) -> Situation:
    """A situation from its JSON, whose fields are those of `_PARTS` and `_TOP`.

    Raises:
        ConfigError: with every problem of form; then with every problem of the values.
    """
    if not isinstance(data, dict):
        raise ConfigError("spec: must be a JSON object")
    problems = [f"spec.{name}: unknown; of {', '.join([*_PARTS, *_TOP])}" for name in set(data) - {*_PARTS, *_TOP}]
    problems += [
        f"spec.{name}: {data[name]!r} is not of type {kind.__name__}"
        for name, kind in _TOP.items()
        if name in data and not _is(data[name], kind)
    ]
    parts = {name: _typed(kind, data.get(name, {}), f"spec.{name}", problems) for name, kind in _PARTS.items()}
    tried = data.get("tried", [])
    attempts = [
        _typed(Attempt, one, f"spec.tried.{at}", problems) for at, one in enumerate(tried if _is(tried, list) else [])
    ]
    problems += [f"spec.tried.{at}.method: missing" for at, one in enumerate(attempts) if "method" not in one]
    if problems:
        raise ConfigError(sorted(problems))
    has = available(
        data.get("access", "training set"),
        recipe=data.get("recipe", True),
        lineage=bool(parts["sizes"].get("passes")),
        also=data.get("has", []),
    )
    return Situation(
        sizes=Sizes(**parts["sizes"]),
        hardware=Hardware(**parts["hardware"]),
        house=House(**parts["house"]),
        has=has,
        deadline=data.get("deadline"),
        tried=tuple(Attempt(**one) for one in attempts),
        serves=data.get("serves", 1),
    )


def _is(value: object, kind: Any) -> bool:
    if kind in (int, float):
        return isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)
    return isinstance(value, typing.get_origin(kind) or kind)


def _typed(kind: type[Any], data: object, where: str, problems: list[str]) -> dict[str, Any]:
    """The fields of one part; what is unknown or of another type is added to the problems."""
    if not isinstance(data, dict):
        problems.append(f"{where}: must be a JSON object")
        return {}
    hints, found = typing.get_type_hints(kind), {}
    for name, value in data.items():
        given = tuple(value) if isinstance(value, list) else value
        if name not in hints:
            problems.append(f"{where}.{name}: unknown; of {', '.join(hints)}")
        elif not _is(given, hints[name]):
            problems.append(f"{where}.{name}: {value!r} is not of type {getattr(hints[name], '__name__', hints[name])}")
        else:
            found[name] = given
    return found


def _from_flags(arguments: argparse.Namespace) -> dict[str, Any]:
    """The situation's JSON that the flags describe; empty where none was given.

    Raises:
        ConfigError, DataError: a file or a time among them is wrong.
    """
    data: dict[str, Any] = {}
    read = _sizes(arguments)
    if read:
        data["sizes"] = read
    for _flag, part, field, _kind, _words in _FLAGS:
        if getattr(arguments, field) is not None:
            data.setdefault(part, {})[field] = getattr(arguments, field)
    if arguments.methods:
        data.setdefault("house", {})["methods"] = arguments.methods
    for name in ("access", "has"):
        if getattr(arguments, name):
            data[name] = getattr(arguments, name)
    if arguments.no_recipe:
        data["recipe"] = False
    if arguments.deadline:
        data["deadline"] = _seconds(arguments.deadline)
    if arguments.tried:
        data["tried"] = [_attempt(text) for text in arguments.tried]
    return data


def _seconds(text: str) -> float:
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz ")
    try:
        return float(number) * _UNITS[text[len(number) :].strip() or "s"]
    except (KeyError, ValueError) as error:
        raise ConfigError(f"--deadline: {text!r} is no time; write 90min, 36h or 14d") from error


def _attempt(text: str) -> dict[str, Any]:
    """`graddiff=fail:52` as an attempt; without a verdict its run broke."""
    method, _sign, rest = text.partition("=")
    verdict, _colon, seconds = rest.partition(":")
    try:
        return {"method": method, "verdict": verdict, "seconds": float(seconds or 0)}
    except ValueError as error:
        raise ConfigError(f"--tried: {text!r} must read METHOD=VERDICT:SECONDS") from error


def _sizes(arguments: argparse.Namespace) -> dict[str, Any]:
    """Sizes that the given files tell."""
    found: dict[str, Any] = {}
    if arguments.model:
        root = Path(arguments.model)
        names = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
        if not names:
            raise DataError(f"--model: {arguments.model} is no folder of a model")
        found |= model_sizes(names, lambda name: (root / name).open("rb"))
    if arguments.data and arguments.forget_ids:
        found |= _records(arguments.data, arguments.forget_ids)
    if arguments.lineage:
        if not arguments.forget_ids:
            raise ConfigError("--lineage: name the records with --forget-ids")
        from unlearning_engine.sisa.lineage import Lineage
        from unlearning_engine.sisa.lineage_cli import foreseen

        cost = foreseen(Lineage(Path(arguments.lineage)), [arguments.forget_ids])
        found |= {"passes": cost["passes"], "retraining_passes": cost["retraining"]}
    return found


def _records(data: str, ids: str) -> dict[str, int]:
    from unlearning_engine.data import load_ids, load_records, split

    forget, retain = split(load_records(data), load_ids(ids))
    found: dict[str, int] = {}
    for name, rows in (("forget", forget), ("retain", retain)):
        count, each = tokens_of({"prompt": r.prompt, "answer": r.answer, "text": r.text} for r in rows)
        found |= {f"{name}_records": count, f"{name}_tokens": round(count * each)}
    return found


# ---------------------------------------------------------------- what comes out


def _document(ranking: Ranking) -> dict[str, Any]:
    """The ranking as JSON, each reason with its sentence."""

    def told(value: Any) -> Any:
        if isinstance(value, Mapping):
            plain = {key: told(one) for key, one in value.items()}
            return {**plain, "text": _text(plain)} if set(plain) == {"code", "values"} else plain
        return [told(one) for one in value] if isinstance(value, list | tuple) else value

    found: dict[str, Any] = told(ranking.to_json())
    return found


def _text(told: Mapping[str, Any]) -> str:
    from unlearning_engine.planner import SENTENCES

    return str(SENTENCES[told["code"]] % told["values"])


def _print(ranking: Ranking, situation: Situation) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if ranking.ended:
        console.print(f"{ranking.ended.text} What is left is to propose the model's withdrawal to people.")
        if not ranking.candidates and ranking.ended.code != "end_nothing":
            return
    table = Table("", "Method", "Guarantee", "Run", "With verification", "Energy", "Price", "In time")
    for at, one in enumerate(ranking.candidates, start=1):
        cost, currency = one.cost, situation.hardware.currency
        table.add_row(
            str(at),
            one.method,
            one.guarantee,
            "no measurement" if cost.seconds is None else duration(cost.seconds),
            "not known" if one.total is None else duration(one.total),
            "not configured" if cost.watt_hours is None else f"{cost.watt_hours:.3g} Wh",
            "not configured" if cost.money is None else f"{cost.money:.2g} {currency}".strip(),
            {True: "yes", False: "no", None: "not known"}[one.in_time],
        )
    if ranking.candidates:
        console.print(table)
    for at, one in enumerate(ranking.candidates, start=1):
        console.print(f"{at}. {one.method}: {' '.join(said.text for said in (*one.why, *one.risk))}")
    for refused in ranking.refused:
        console.print(f"-  {refused.method} cannot run. {refused.why.text}")
