"""The sub-command `patch`: make, apply, rollback, verify. Documents go to standard output, progress to standard error.

Exit codes: 0 done, and for `verify` nothing is false; 1 failed, and for `verify` something is false; 2 bad input; 3, of
`apply` and `fetch-apply`, intact but signed by a key that nobody named.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from unlearning_engine.errors import ConfigError, DataError, EngineError
from unlearning_engine.progress import Report

FAILED, BAD_INPUT, SIGNER_UNKNOWN = 1, 2, 3
CONFIDENTIAL = (
    "A patch together with its base tells what was removed, and together with its result it is the base: patches are "
    "confidential unless --public says otherwise. Never publish the patch of a privacy case; delete it with the base."
)


def add(verbs: Any) -> None:
    """Add the sub-command to the engine's."""
    text = "Ship an unlearning as a small file that goes both ways, bit for bit."
    actions = verbs.add_parser("patch", help=text, description=text, epilog=CONFIDENTIAL).add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    make = actions.add_parser("make", help="what changed from a base to an unlearned model", epilog=CONFIDENTIAL)
    make.add_argument("--base", required=True, metavar="DIR", help="the model before")
    make.add_argument("--model", required=True, metavar="DIR", help="the unlearned model")
    make.add_argument("--result", default="", metavar="PATH", help="result.json of its run: method, guarantee, spec")
    make.add_argument("--public", action="store_true", help="mark it as fit for anyone; default: confidential")
    apply = actions.add_parser("apply", help="lay patches on their base", epilog=CONFIDENTIAL)
    apply.add_argument("--base", dest="model", required=True, metavar="DIR", help="the model before")
    apply.add_argument(
        "--statements",
        nargs="+",
        default=[],
        metavar="DIR",
        help="signed statements about each patch, in its order",
    )
    _signer(apply)
    rollback = actions.add_parser("rollback", help="take patches off again", epilog=CONFIDENTIAL)
    rollback.add_argument("--model", required=True, metavar="DIR", help="the patched model")
    for action, order in ((apply, "in the order of their making"), (rollback, "the newest first")):
        action.add_argument("--patch", required=True, nargs="+", metavar="PATCH", help=f"one or more, {order}")
    for action, what in ((make, "patch"), (apply, "model"), (rollback, "model")):
        action.add_argument("--out", required=True, metavar="DIR", help=f"new folder of the {what}")
    verify = actions.add_parser("verify", help="whether a patch is whole, and fits given models", epilog=CONFIDENTIAL)
    verify.add_argument("patch", metavar="PATCH", help="folder of the patch")
    verify.add_argument("--base", default="", metavar="DIR", help="the model before: try it, without writing")
    verify.add_argument("--result", default="", metavar="DIR", help="the model after: try the way back")
    verify.add_argument("--digest", default="", metavar="SHA256", help="the patch's digest as it was published")
    for action in (make, apply, rollback, verify, *_of_feeds(actions)):
        action.add_argument("--json", action="store_true", help="as JSON")


def _signer(action: argparse.ArgumentParser) -> None:
    action.add_argument(
        "--signer", default="", metavar="SHA256|PEM",
        help="fingerprint of the key whose statements about the patch you believe; --trust names it too",
    )  # fmt: skip


def _of_feeds(actions: Any) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """The actions that read a publisher's feed."""
    fetch = actions.add_parser("fetch-apply", help="fetch a published patch from a signed feed, verify and apply it")
    fetch.add_argument("--model", required=True, metavar="DIR", help="your copy of the model before")
    fetch.add_argument("--out", required=True, metavar="DIR", help="new folder of the model")
    _signer(fetch)
    fetch.add_argument(
        "--acknowledge", default="", metavar="KEY", help="tell the publisher, signed by this Ed25519 key (PEM)"
    )
    fetch.add_argument("--limit", type=int, default=64 * 2**30, metavar="BYTES", help="most bytes to fetch (64 GiB)")
    tell = actions.add_parser("acknowledge", help="tell the publisher that a patch was applied, however it was")
    for action in (fetch, tell):
        action.add_argument("url", metavar="URL", help="the publisher's feed: https://.../feeds/patches.json")
        action.add_argument(
            "--trust", required=True, metavar="FILE|KEY", help="the publisher's trust file, or its feed's key"
        )
        action.add_argument(
            "--patch", default="", metavar="SHA256", help="which one, where there are several for your model"
        )
    tell.add_argument("--model", required=True, metavar="DIR", help="the patched model")
    tell.add_argument("--key", required=True, metavar="PEM", help="your Ed25519 key, which the publisher knows")
    return fetch, tell


def run(arguments: argparse.Namespace) -> int:
    """Run one action; returns its exit code."""
    try:
        with _progress(arguments) as report:
            if arguments.action == "make":
                document, code = _make(arguments, report), 0
            elif arguments.action == "verify":
                document, code = _verify(arguments, report)
            elif arguments.action == "fetch-apply":
                document, code = _fetch(arguments, report), 0
            elif arguments.action == "acknowledge":
                document, code = _acknowledge(arguments), 0
            else:
                document, code = _move(arguments, report), 0
    except EngineError as error:
        if arguments.json:
            _print_json({"error": {"type": type(error).__name__, "messages": list(error.messages)}})
        sys.stderr.write("".join(f"  - {message}\n" for message in error.messages))
        return _code(error)
    if arguments.json:
        _print_json(document)
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _told(document)))
    return code


def _code(error: EngineError) -> int:
    from unlearning_engine.patches.statements import SignerUnknown

    if isinstance(error, SignerUnknown):
        return SIGNER_UNKNOWN
    return BAD_INPUT if isinstance(error, ConfigError | DataError) else FAILED


@contextlib.contextmanager
def _progress(arguments: argparse.Namespace) -> Iterator[Report]:
    """A bar at a terminal, lines of JSON where they are asked for, else nothing."""
    from unlearning_engine.display import Display
    from unlearning_engine.progress import Lines, silent

    if arguments.json:
        yield Lines(sys.stderr)
    elif sys.stderr.isatty():
        with Display(arguments.action, sys.stderr) as display:
            yield display
    else:
        yield silent


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=1, sort_keys=True) + "\n")


def _make(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    from unlearning_engine.patches.making import make

    made = make(
        arguments.base,
        arguments.model,
        arguments.out,
        result=arguments.result,
        public=arguments.public,
        report=report,
    )
    kept = ("digest", "confidential", "base", "result", "run", "payload", "summary")
    return {"patch": arguments.out, **{name: made[name] for name in kept}}


def _move(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    from unlearning_engine.patches.applying import apply

    back = arguments.action == "rollback"
    stated = [] if back else _stated(arguments)
    done = apply(arguments.model, arguments.patch, arguments.out, back=back, report=report)
    return {"model": arguments.out, **dataclasses.asdict(done), **({"statements": stated} if stated else {})}


def _stated(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """What the statements about each patch say, before anything is written; nothing where none are given."""
    from unlearning_engine.patches.manifest import Patch
    from unlearning_engine.patches.statements import fingerprint, judge, read_set

    if not arguments.statements:
        if arguments.signer:
            raise ConfigError("--signer says whose statements you believe; give them by --statements")
        return []
    if len(arguments.statements) != len(arguments.patch):
        raise ConfigError("--statements: give one folder for each patch, in the same order")
    signers = [fingerprint(arguments.signer)] if arguments.signer else []
    pairs = zip(map(Patch, arguments.patch), arguments.statements, strict=True)
    found = [judge(read_set(place), one.folder, weights=one.result, signers=signers) for one, place in pairs]
    return [dataclasses.asdict(one) for one in found]


def _fetch(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    from unlearning_engine.patches.fetching import fetch_apply

    return fetch_apply(
        arguments.url,
        arguments.trust,
        arguments.model,
        arguments.out,
        signer=arguments.signer,
        patch=arguments.patch,
        key=arguments.acknowledge,
        limit=arguments.limit,
        report=report,
    )


def _acknowledge(arguments: argparse.Namespace) -> dict[str, Any]:
    from unlearning_engine.patches.acknowledging import acknowledge

    return acknowledge(arguments.url, arguments.trust, arguments.model, arguments.key, arguments.patch)


def _verify(arguments: argparse.Namespace, report: Report) -> tuple[dict[str, Any], int]:
    from unlearning_engine.patches.verifying import verify

    found = verify(
        arguments.patch, base=arguments.base, result=arguments.result, expected=arguments.digest, report=report
    )
    return {**dataclasses.asdict(found), "exit_code": found.exit_code}, found.exit_code


def _told(document: Mapping[str, Any]) -> Iterator[str]:
    """A document of any action, for a person."""
    if "summary" in document:
        counts, size = document["summary"], document["payload"]["bytes"]
        yield f"{document['patch']}: patch {document['digest']}"
        yield f"from {document['base']['weights']}"
        yield f"to   {document['result']['weights']}"
        yield f"{counts['touched']} of {counts['tensors']} tensors, {counts['values_changed']:,} values changed"
        yield f"{size:,} bytes, {size / counts['model_bytes']:.2%} of the model"
        yield CONFIDENTIAL if document["confidential"] else "Marked as public."
    elif "model" in document:
        yield f"{document['model']}: from {document['before']}"
        yield f"to {document['after']}"
        yield from (f"Note: {note}" for note in document["notes"])
        told = document.get("statements", [])  # of one patch from a feed, or of each that was given
        for stated in [told] if isinstance(told, dict) else told:
            verdicts = ", ".join(stated["verdicts"]) or "none"
            yield f"statements signed by {stated['signer']}; verdicts that they state: {verdicts}"
        if "acknowledged" in document:
            yield "The publisher was told."
    elif "acknowledged" in document:
        yield f"The publisher was told that patch {document['patch']} is applied."
    else:
        yield f"patch {document['digest']}"
        yield from (f"checked: {line}" for line in document["checked"])
        yield from (f"false: {line}" for line in document["findings"])
        yield "The patch is false: see above." if document["findings"] else "Nothing is false."
