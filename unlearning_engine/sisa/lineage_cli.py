"""The sub-command `lineage`: show, plan, verify, purge, open, check. Documents go to standard output.

Exit codes: 0 done, and for `verify` everything is identical; 1 failed, and for `verify` and `check` something is
false; 2 bad input; 3 it could not be decided.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from unlearning_engine.errors import ConfigError, DataError, EngineError
from unlearning_engine.placement import Place, deletion_cost, expected_share

if TYPE_CHECKING:
    from rich.console import Console

    from unlearning_engine.sisa.lineage import Lineage

FAILED, BAD_INPUT, UNDECIDED = 1, 2, 3
#: Sizes of deletions whose cost is shown.
_DELETIONS = (1, 5, 50, 500)
_STAGE = re.compile(r"(\d+)\.(\d+)")


def add(verbs: Any) -> None:
    """Add the sub-command to the engine's."""
    text = "Look at a lineage: what it is, whether it is true, what a deletion left in it."
    actions = verbs.add_parser("lineage", help=text, description=text).add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    show = actions.add_parser("show", help="shards, slices, history, claim, and what a deletion would cost")
    plan = actions.add_parser("plan", help="what deleting records would cost, one request or many in one pass")
    plan.add_argument(
        "--forget-ids", nargs="+", required=True, metavar="PATH", help="a list of ids for each request, one id a line"
    )
    verify = actions.add_parser("verify", help="check every file and train stages again to compare their bits")
    verify.add_argument("--stage", action="append", metavar="SHARD.SLICE", help="only this one, as `show` names it")
    verify.add_argument("--no-replay", action="store_true", help="check files and manifests only")
    verify.add_argument("--data", default="", metavar="PATH", help="the records, where the lineage keeps none")
    verify.add_argument("--exclude-ids", default="", metavar="PATH", help="ids in --data that were deleted before")
    verify.add_argument("--base", default="", metavar="PATH", help="the frozen base of a lineage of adapters")
    verify.add_argument("--tokenizer-text", default="", metavar="PATH", help="what its tokenizer was learnt from")
    verify.add_argument("--device", default="", help="auto, cpu or cuda:N (default: as it was trained)")
    purge = actions.add_parser("purge", help="delete what still holds records, or learned from deleted ones")
    which = purge.add_mutually_exclusive_group(required=True)
    which.add_argument("--successor", metavar="DIR", help="the lineage that a deletion made from this one")
    which.add_argument("--rows", action="store_true", help="all records it keeps; it cannot be replayed after that")
    opening = actions.add_parser("open", help="open the commitment to one record, for its claimant")
    opening.add_argument("--id", required=True, help="the record's id")
    opening.add_argument("--content", default="", metavar="HEX", help="digest of its content, once it is deleted")
    check = actions.add_parser("check", help="what published commitments say about a record that was opened")
    check.add_argument("opening", help="file that `open` wrote")
    check.add_argument("--old", required=True, metavar="FILE", help="commitments.json of the lineage before")
    check.add_argument("--new", default="", metavar="FILE", help="commitments.json of the lineage after")
    check.add_argument("--text", default="", metavar="FILE", help="the record as the claimant has it, one JSON line")
    for action in (show, plan, verify, purge, opening):
        action.add_argument("lineage", metavar="DIR", help="folder of the lineage, or of the job that made it")
    for action in (show, plan, verify, purge, check):
        action.add_argument("--json", action="store_true", help="as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run one action; returns its exit code."""
    actions = {"show": _show, "plan": _plan, "verify": _verify, "purge": _purge, "open": _open, "check": _check}
    try:
        return actions[arguments.action](arguments)
    except EngineError as error:
        if getattr(arguments, "json", False):
            _print_json({"error": {"type": type(error).__name__, "messages": list(error.messages)}})
        sys.stderr.write("".join(f"  - {message}\n" for message in error.messages))
        if isinstance(error, ConfigError | DataError):
            return BAD_INPUT
        return UNDECIDED if arguments.action == "verify" else FAILED
    except OSError as error:  # a full disk or a folder that may not be written says nothing about the lineage
        sys.stderr.write(f"  - {error.filename or arguments.action}: {error.strerror}; give it room, or allow it\n")
        return UNDECIDED if arguments.action == "verify" else FAILED


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=1, sort_keys=True) + "\n")


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


# ---------------------------------------------------------------- show


def overview(lineage: Lineage) -> dict[str, Any]:
    """What `show` tells, as JSON. Shards count from 0 and slices from 1; costs are shares of the lineage's passes.

    Raises:
        DataError: a manifest is missing, damaged or altered.
    """
    from unlearning_engine.contracts import digest
    from unlearning_engine.sisa import claims
    from unlearning_engine.sisa.config import SisaConfig
    from unlearning_engine.sisa.purge import read_purged

    meta = lineage.meta
    manifests = {shard: lineage.manifest(shard) for shard in lineage.shards}
    epochs = float(meta.config.get("epochs", SisaConfig().epochs))
    total = sum(map(sum, meta.counts))
    sizes = [size for size in _DELETIONS if size <= total]
    return {
        "lineage": meta.digest,
        "method": meta.method,
        "kind": meta.kind,
        "seed": meta.seed,
        "threads": meta.threads,
        "records": total,
        "stages": [_stage(shard, stage) for shard, manifest in manifests.items() for stage in manifest.slices],
        "weights": {str(shard): manifest.weights for shard, manifest in manifests.items()},
        "fingerprints": {
            digest(s.fingerprint): s.fingerprint for m in manifests.values() for s in m.slices if s.checkpoint
        },
        "components": meta.components,
        "history": meta.history,
        "claim": claims.claim(meta, manifests),
        "cost": {str(size): expected_share(size, meta.counts, epochs) for size in sizes},
        "purged": [{name: entry[name] for name in ("path", "when", "why")} for entry in read_purged(lineage.root)],
    }


def _stage(shard: int, stage: Any) -> dict[str, Any]:
    from unlearning_engine.contracts import digest

    names = ("records", "cumulative", "passes", "steps", "data", "order", "start", "checkpoint")
    found = {name: getattr(stage, name) for name in names}
    return {"shard": shard, "slice": stage.slice + 1, **found, "fingerprint": digest(stage.fingerprint)}


def _show(arguments: argparse.Namespace) -> int:
    from unlearning_engine.sisa.lineage import Lineage

    found = overview(Lineage(arguments.lineage))
    if arguments.json:
        _print_json(found)
        return 0
    from rich.table import Table

    console = _console()
    console.print(f"{found['kind']}, {found['method']}, seed {found['seed']}: {found['records']} records")
    console.print(f"lineage {found['lineage']}")
    table = Table("Stage", "Records", "So far", "Passes", "Steps", "Checkpoint", "Made by")
    for stage in found["stages"]:
        cells = [stage[name] for name in ("records", "cumulative", "passes", "steps")]
        marks = [_short(stage[name]) for name in ("checkpoint", "fingerprint")]
        table.add_row(f"{stage['shard']}.{stage['slice']}", *map(str, cells), *marks)
    console.print(table)
    for name, entries in found["fingerprints"].items():
        rest = ", ".join(f"{key} {_short(value)}" for key, value in sorted(entries.items()))
        console.print(f"made by {_short(name)}: {rest}")
    for part in found["components"]:
        saw = {True: "saw records", False: "saw no record", None: "may have seen records"}[part["saw_records"]]
        console.print(f"{part['name']} {_short(part['digest'])}: {saw}; {part['note']}")
    for entry in found["history"]:
        stages = ", ".join(f"{shard}.{number + 1}" for shard, number in entry["first_slices"].items())
        console.print(f"deleted {entry['records']} from {_short(entry['parent'])}: trained again from {stages}")
    console.print(found["claim"]["sentence"])
    if found["history"]:
        console.print("So the lineage says of itself; `lineage verify` checks it.")
    costs = "; ".join(f"{size}: {share:.1%}" for size, share in found["cost"].items())
    console.print(f"Expected cost of deleting so many records, drawn at random, in shares of a whole training: {costs}")
    if found["purged"]:
        console.print(f"{len(found['purged'])} files were purged; see purged.json")
    return 0


def _short(name: str) -> str:
    return name.removeprefix("sha256:")[:12]


# ---------------------------------------------------------------- plan


def foreseen(lineage: Lineage, lists: Sequence[str]) -> dict[str, Any]:
    """What deleting the records of these lists of ids takes in one pass, in sample passes.

    Raises:
        DataError: naming every list without an id, every id that the lineage does not have, and every one that two
            requests name.
    """
    from unlearning_engine.data import load_ids, raise_all
    from unlearning_engine.sisa.config import SisaConfig
    from unlearning_engine.sisa.source import read_index

    index, requests = read_index(lineage.root), [load_ids(path) for path in lists]
    names = [name for request in requests for name in request]
    problems = [f"{path}: names no record" for path, request in zip(lists, requests, strict=True) if not request]
    problems += [f"record id {name!r} is not in the lineage" for name in names if name not in index]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    raise_all([*problems, *(f"record id {name!r} is named by more than one request" for name in twice)])
    epochs = float(lineage.meta.config.get("epochs", SisaConfig().epochs))
    cost = deletion_cost(lineage.meta.counts, epochs, [[index[name] for name in request] for request in requests])
    return {
        "requests": len(requests),
        "records": len(names),
        "first_slices": {str(shard): number + 1 for shard, number in cost.first_slices.items()},
        "passes": cost.passes,
        "one_by_one": cost.one_by_one,
        "lineage": cost.lineage,
        "retraining": cost.retraining,
    }


def _plan(arguments: argparse.Namespace) -> int:
    from unlearning_engine.sisa.lineage import Lineage

    found = foreseen(Lineage(arguments.lineage), arguments.forget_ids)
    if arguments.json:
        _print_json(found)
        return 0
    console = _console()
    stages = ", ".join(f"shard {shard} from slice {number}" for shard, number in found["first_slices"].items())
    console.print(
        f"{found['records']} records of {found['requests']} requests: {stages or 'nothing'} is trained again."
    )
    console.print(
        f"In one pass {found['passes']:,.0f} samples are seen; request by request {found['one_by_one']:,.0f}."
    )
    console.print(
        f"The whole lineage took {found['lineage']:,.0f}; retraining without shards takes {found['retraining']:,.0f}."
    )
    return 0


# ---------------------------------------------------------------- verify


def _verify(arguments: argparse.Namespace) -> int:
    from unlearning_engine.data import load_ids
    from unlearning_engine.display import Display
    from unlearning_engine.progress import Lines

    chosen = [_place(text) for text in arguments.stage] if arguments.stage else None
    deleted = load_ids(arguments.exclude_ids) if arguments.exclude_ids else []
    with contextlib.ExitStack() as stack:
        lines = arguments.json or not sys.stderr.isatty()
        report = Lines(sys.stderr) if lines else stack.enter_context(Display("verify", sys.stderr))
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))  # whatever a library prints
        from unlearning_engine.sisa.replay import verify_lineage

        found = verify_lineage(
            arguments.lineage,
            only=chosen,
            replay=not arguments.no_replay,
            dataset=arguments.data,
            deleted=deleted,
            base=arguments.base,
            tokenizer_text=arguments.tokenizer_text,
            device=arguments.device,
            report=report,
        )
    if arguments.json:
        _print_json(dataclasses.asdict(found))
    else:
        _verification(dataclasses.asdict(found))
    return found.exit_code


def _place(text: str) -> Place:
    match = _STAGE.fullmatch(text)
    if not match or int(match[2]) < 1:
        raise ConfigError(f"--stage: {text!r} must read SHARD.SLICE, as `lineage show` names it")
    return Place(int(match[1]), int(match[2]) - 1)


def _verification(found: Mapping[str, Any]) -> None:
    from rich.table import Table

    console = _console()
    console.print(f"lineage {found['lineage']}: {found['checked']} things checked")
    for finding in found["findings"]:
        console.print(f"{finding['where']}: {finding['state']}; {finding['detail']}")
    table = Table("Stage", "Records", "Steps", "Seconds", "Outcome", "Detail")
    for stage in found["replayed"]:
        name = f"{stage['shard']}.{stage['slice'] + 1}"
        numbers = (str(stage["records"]), str(stage["steps"]), f"{stage['seconds']:.1f}")
        table.add_row(name, *numbers, str(stage["outcome"]), stage["detail"])
    if found["replayed"]:
        console.print(table)
    again = sum(bool(stage["seconds"]) for stage in found["replayed"])
    console.print(
        {
            0: "Nothing is false.",
            1: "The lineage is false: see above.",
            UNDECIDED: "Nothing was found to be false, but not everything could be decided.",
        }[found["exit_code"]]
        + f" {again} of {found['stages']} stages were trained again."
    )


# ---------------------------------------------------------------- purge


def _purge(arguments: argparse.Namespace) -> int:
    from unlearning_engine.sisa import purge
    from unlearning_engine.sisa.lineage import Lineage

    lineage = Lineage(arguments.lineage)
    done = purge.purge_rows(lineage) if arguments.rows else purge.purge_folders(lineage.root, arguments.successor)
    if arguments.json:
        _print_json(done)
        return 0
    console = _console()
    for entry in done["entries"]:
        console.print(f"{entry['path']}  {_short(entry['digest'])}  {entry['why']}")
    console.print(f"{done['files']} files, {done['bytes']} bytes deleted; written down in {lineage.root / purge.FILE}")
    for path in done["linked_elsewhere"]:
        console.print(f"{path}: the same bytes have another name on this disk; purge that too")
    return 0


# ---------------------------------------------------------------- commitments


def _open(arguments: argparse.Namespace) -> int:
    from unlearning_engine.sisa.lineage import Lineage
    from unlearning_engine.sisa.openings import open_record

    _print_json(dataclasses.asdict(open_record(Lineage(arguments.lineage), arguments.id, content=arguments.content)))
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from unlearning_engine.sisa import commitments

    opening = commitments.read_opening(arguments.opening)
    content = commitments.content_of(arguments.text) if arguments.text else ""
    new = commitments.read(arguments.new) if arguments.new else None
    found = commitments.check(opening, commitments.read(arguments.old), new, content=content)
    if arguments.json:
        _print_json(found)
    else:
        words = {True: "yes", False: "no", None: "not decided"}
        sys.stdout.write(f"commitment {found['commitment']}\nin the lineage before: {words[found['was_in']]}\n")
        sys.stdout.write(f"in the lineage after: {words[found['is_in']]}\n" if new else "")
        sys.stdout.write("".join(f"{problem}\n" for problem in found["problems"]))
    if found["problems"]:
        return UNDECIDED
    return 0 if found["was_in"] and not found["is_in"] else FAILED
