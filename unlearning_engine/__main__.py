"""The engine's command line. A job is a spec file or, for people, flags that make one:

    python -m unlearning_engine unlearn spec.json --out DIR
    python -m unlearning_engine unlearn --method graddiff --model M --data D.jsonl --forget-ids F.txt --out DIR

`verify --replay BUNDLE` computes a finished verify again from its scores, with --rescore from the models, and ends with
the recorded verdict where all came out the same, else with 2.

`probe NAME` measures and prints; its folder is a scratch one unless --out names one, and 3 means inconclusive.

Exit codes: 0 done; 1 failed; 2 wrong input; 70 a fault of the engine; 130 stopped with Ctrl-C or SIGTERM. `verify` ends
with the verdict instead: 0 pass, 1 fail, 2 bad input, 3 inconclusive, 4 damaged.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from unlearning_engine import runner, storing
from unlearning_engine.artifacts import ENVIRONMENT, Store
from unlearning_engine.catalog import METHODS
from unlearning_engine.contracts import EXIT_CODE, SCORE_CACHE, Outcome, Result
from unlearning_engine.errors import ConfigError, DataError, EngineError
from unlearning_engine.flags import FLAGS, add_flags, given_fields, spec_from_flags
from unlearning_engine.patches import cli as patch_cli
from unlearning_engine.planner import cli as planner_cli
from unlearning_engine.progress import Event, Lines, Report, silent
from unlearning_engine.sisa import lineage_cli

BAD_INPUT, FAILED, FAULT, STOPPED = 2, 1, 70, 130


def parser() -> argparse.ArgumentParser:
    """The command line: one sub-command a verb, and `methods`."""
    top = argparse.ArgumentParser(
        prog="python -m unlearning_engine",
        description="Trains, unlearns and verifies language models; every run leaves a result.json in its folder.",
        epilog="A finished run is not repeated, an interrupted one goes on from its last checkpoint.",
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, (summary, flags) in FLAGS.items():
        sub = verbs.add_parser(verb, help=summary.replace("%", "%%"), description=summary)
        name = "NAME of the probes, or " if verb == "probe" else ""
        sub.add_argument("spec", nargs="?", help=f"{name}the job as a JSON file, in place of the flags below")
        free = verb in ("probe", "verify")
        sub.add_argument("--out", required=not free, metavar="DIR", help="folder of this run, new or its own")
        sub.add_argument("--store", default="", metavar="URL", help=f"artefact store (default: ${ENVIRONMENT})")
        sub.add_argument("--json", action="store_true", help="JSON lines instead of a progress bar")
        sub.add_argument("--watch-stdin", action="store_true", help=argparse.SUPPRESS)
        add_flags(sub, flags)
        if verb == "verify":
            sub.add_argument("--replay", metavar="BUNDLE", help="compute a finished verify again from its scores")
            sub.add_argument("--cache", metavar="DIR", help=f"keep scores for later runs (default: ${SCORE_CACHE})")
            sub.add_argument("--rescore", action="store_true", help="with --replay: measure the models again, too")
    lineage_cli.add(verbs)
    patch_cli.add(verbs)
    planner_cli.add(verbs)
    storing.add(verbs)
    methods = verbs.add_parser("methods", help="list the unlearning methods and what each can promise")
    methods.add_argument("--json", action="store_true", help="as JSON")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. See the module's text."""
    arguments = parser().parse_args(argv)
    if arguments.verb == "methods":
        return _methods(as_json=arguments.json)
    if arguments.verb == "lineage":
        return lineage_cli.run(arguments)
    if arguments.verb == "patch":
        return patch_cli.run(arguments)
    if arguments.verb == "put":
        return storing.run(arguments)
    if arguments.verb == "plan":
        return planner_cli.run(arguments)
    if arguments.watch_stdin:
        _end_with_parent()
    lines = arguments.json or not sys.stdout.isatty()
    stream = _own_stdout()
    if arguments.verb == "probe":
        return _probe(arguments, stream)
    if arguments.verb == "verify" and arguments.cache:
        os.environ[SCORE_CACHE] = str(Path(arguments.cache).absolute())
    if arguments.verb == "verify" and (arguments.replay or not arguments.out or arguments.rescore):
        return _replay(arguments, stream)
    if lines:
        return _job(arguments, Lines(stream))
    from unlearning_engine.display import Display

    with Display(arguments.verb, stream) as display:
        return _job(arguments, display)


def _probe(arguments: argparse.Namespace, stream: TextIO) -> int:
    """`probe`: its numbers, or why there are none, are all that goes to standard output."""
    numbers, progress = Lines(stream), Lines(sys.stderr)

    def report(event: Event) -> None:
        if arguments.json:
            (numbers if event["event"] == "error" else progress)(event)

    if arguments.spec and not Path(arguments.spec).is_file():
        arguments.name__text, arguments.spec = arguments.spec, None
    with tempfile.TemporaryDirectory(prefix="lethe-probe-") as scratch:
        arguments.out = arguments.out or scratch
        return _job(arguments, report, stream)


def _replay(arguments: argparse.Namespace, stream: TextIO) -> int:
    """`verify --replay`: the recorded verdict's exit code where everything came out as recorded, else 2."""
    from unlearning_engine import replaying

    lines = Lines(stream)
    try:
        if not arguments.replay:
            raise ConfigError("verify: give --out DIR, or --replay BUNDLE (alone, or with --rescore)")
        given = given_fields(arguments)
        if given and not arguments.rescore:
            raise ConfigError("verify: --replay takes no other flags of the job unless --rescore is given")
        if arguments.rescore:
            with tempfile.TemporaryDirectory(prefix="lethe-verify-") as scratch:
                out = Path(arguments.out or scratch)
                found = replaying.rescore(arguments.replay, given, out, lines if arguments.json else silent)
        else:
            found = replaying.replay(arguments.replay)
    except EngineError as error:
        lines({"event": "error", **runner.describe(error)}) if arguments.json else _complain(error)
        return BAD_INPUT if isinstance(error, ConfigError | DataError) else FAILED
    told = [*found.differences[: replaying.SHOWN]]
    if len(found.differences) > len(told):
        told.append(f"... and {len(found.differences) - len(told)} more")
    if arguments.json:
        answer = {"verdict": str(found.verdict), "rescored": found.rescored, "same": not told, "differences": told}
        stream.write(json.dumps(answer) + "\n")
    else:
        what = "differs from what was recorded" if told else "the same numbers"
        stream.write("".join(f"{line}\n" for line in (f"verdict {found.verdict}: {what}", *told)))
    stream.flush()
    return BAD_INPUT if told else EXIT_CODE[found.verdict]


def _job(arguments: argparse.Namespace, report: Report, stream: TextIO | None = None) -> int:
    try:
        address = arguments.store or os.environ.get(ENVIRONMENT, "")
        store = Store(address) if address else None
        result = runner.run(_spec(arguments, store), arguments.out, store=store, report=report)
    except EngineError as error:
        report({"event": "error", **runner.describe(error)})
        if not arguments.json:
            _complain(error)
        return BAD_INPUT if isinstance(error, ConfigError | DataError) else FAILED
    except KeyboardInterrupt:
        sys.stderr.write(
            f"\nStopped. What was done so far, with the last checkpoint, is kept in {arguments.out}; "
            "run the same command again to go on.\n"
        )
        return STOPPED
    if stream is not None:
        from unlearning_engine.probing import present

        return present(result.metrics, stream, as_json=arguments.json)
    return _exit_code(result)


def _exit_code(result: Result) -> int:
    verdict = result.metrics.get("verdict") if result.verb == "verify" else None
    return EXIT_CODE[Outcome(verdict)] if verdict else 0


def _spec(arguments: argparse.Namespace, store: Store | None) -> object:
    """The spec's JSON, from the file or from the flags."""
    if not arguments.spec:
        return spec_from_flags(arguments, store)
    given = [flag for flag, field in FLAGS[arguments.verb][1].items() if getattr(arguments, field.dest) is not None]
    if given:
        raise ConfigError(f"{arguments.spec}: give a spec file or flags ({', '.join(given)}), not both")
    try:
        data = json.loads(Path(arguments.spec).read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{arguments.spec}: is no readable JSON file ({error})") from error
    if isinstance(data, dict) and data.get("verb", arguments.verb) != arguments.verb:
        raise ConfigError(f"{arguments.spec}: is a spec for {data['verb']!r}, not for {arguments.verb!r}")
    return {"verb": arguments.verb, **data} if isinstance(data, dict) else data


def _complain(error: EngineError) -> None:
    count = len(error.messages)
    sys.stderr.write(f"{count} problem{'s' if count > 1 else ''}:\n" + "".join(f"  - {m}\n" for m in error.messages))


def _methods(*, as_json: bool) -> int:
    if as_json:
        sys.stdout.write(json.dumps([dataclasses.asdict(m) for m in METHODS.values()], indent=1) + "\n")
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table("Method, guarantee", "Needs", "Defaults", "What it does, source", show_lines=True)
    for column in table.columns:
        column.overflow = "fold"
    for m in METHODS.values():
        defaults = ", ".join(f"{name} {value or 'by size'}" for name, value in m.defaults.items())
        table.add_row(f"{m.name}\n{m.guarantee.value}", ", ".join(m.needs), defaults, f"{m.summary}\n{m.paper}")
    Console().print(table)
    return 0


def _own_stdout() -> TextIO:
    """Standard output for this program alone: whatever a library prints goes to standard error."""
    own = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    sys.stdout.flush()
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return own


def _end_with_parent() -> None:
    """End this process and all that it started as soon as standard input closes: its starter is gone."""

    def watch() -> None:
        while os.read(0, 1):
            continue
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, name="watch-stdin", daemon=True).start()


def _fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A fault of the engine itself: the whole traceback, and an exit code that no verdict has."""
    traceback.print_exception(kind, error, trace)
    sys.stderr.write("This is a fault of the engine, not of your input; please report it with the lines above.\n")
    sys.stderr.flush()
    os._exit(FAULT)


def entry(argv: Sequence[str] | None = None) -> Any:
    """What `python -m unlearning_engine` runs."""
    sys.excepthook = _fault
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # schedulers of a cluster end a run with it
    sys.exit(main(argv))


if __name__ == "__main__":
    entry()
