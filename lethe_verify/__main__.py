"""The command: `python -m lethe_verify BUNDLE_OR_PDF --trust FILE|FINGERPRINT`."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from lethe_verify import bundle, sample, statements
from lethe_verify.errors import Refused
from lethe_verify.judge import Known, judge
from lethe_verify.trust import Trust, TrustError, load
from lethe_verify.verdict import EXIT, Outcome, Verdict

WORDS = {
    Outcome.GENUINE: "GENUINE: this is what the issuer you trust sealed, and nothing was changed since.",
    Outcome.REFUSED: "REFUSED: do not rely on this file.",
    Outcome.UNDECIDED: "CANNOT BE JUDGED: the file is whole and by the issuer you trust, but something that must hold "
                       "cannot be decided with what you gave. This is no success.",
    Outcome.UNKNOWN_SIGNER: "INTACT, SIGNER UNKNOWN: this is no success. Get the issuer's fingerprint by another way "
                            "than this file, and give it by --trust.",
}  # fmt: skip
#: Options about the ledger that a file rests on.
LEDGER = ("checkpoint", "consistency", "checkpoint_time")
EPILOG = """exit codes: 0 genuine, by the signer that you trust; 1 refused; 2 wrong use; 3 intact, signer unknown;
4 cannot be judged: intact and by that signer, but no time stamp authority that you trust stands behind its time.
Get the fingerprint from the issuer's own site (/verify/ or /.well-known/lethe-trust.json) or on paper,
never from the file that you check."""


def main(arguments: list[str] | None = None) -> int:
    """Read, judge, tell."""
    parser = argparse.ArgumentParser(
        prog="lethe_verify", epilog=EPILOG,
        description="Check a sealed report, a bundle, a sample of cases, or statements about a model, offline.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "file",
        type=Path,
        help="the PDF, the bundle (ZIP), a sample of cases (JSON) or a folder of statements about a model",
    )
    parser.add_argument("--trust", metavar="FILE|FINGERPRINT", action="append", default=[],
                        help="whose seal and whose time stamps you believe; may be given several times")  # fmt: skip
    parser.add_argument(
        "--at", type=_day, metavar="DATE", help="judge as if on this day (2036-01-31); today without it"
    )
    parser.add_argument(
        "--model", type=Path, metavar="DIR", help="the model or patch that a folder of statements is of"
    )
    parser.add_argument(
        "--weights", type=Path, metavar="DIR", help="a model that is to have the weights spoken of, in whatever files"
    )
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="a checkpoint of the ledger that you kept")
    parser.add_argument("--consistency", type=Path, metavar="FILE", help="the issuer's proof between the checkpoints")
    parser.add_argument("--checkpoint-time", type=Path, metavar="FILE", help="the time stamp over that checkpoint")
    parser.add_argument("--json", action="store_true", help="answer as JSON")
    chosen = parser.parse_args(arguments)
    try:
        trust = Trust()
        for given in chosen.trust:
            trust |= load(given)
        if chosen.file.is_dir():
            _fits(chosen, "a folder of statements", "model", "weights")
            return _told(_statements(chosen, trust), chosen.json)
        data = read(chosen.file, bundle.MAX)
        sampled = sample.is_sample(data)
        # What a sample holds is judged at no moment; only the time stamp over a checkpoint is.
        judged_at = ("at",) if not sampled or chosen.checkpoint_time else ()
        _fits(chosen, "a sample" if sampled else "a report", *LEDGER, *judged_at)
        known = _known(chosen.checkpoint, chosen.consistency, chosen.checkpoint_time)
        if sampled:
            return _told(sample.judge(data, trust, known, chosen.at), chosen.json)
    except OSError as error:
        sys.stderr.write(f"lethe_verify: {error.filename} cannot be read: {error.strerror}.\n")
        return 2
    except (TrustError, Refused, UnicodeDecodeError) as error:
        sys.stderr.write(f"lethe_verify: {error}\n")
        return 2
    return _told(judge(data, trust, known=known, at=chosen.at), chosen.json)


def _fits(chosen: argparse.Namespace, what: str, *usable: str) -> None:
    """Refuse what was asked for and would not be looked at: its answer would be taken for one about it."""
    for name in ("model", "weights", *LEDGER, "at"):
        if getattr(chosen, name) is not None and name not in usable:
            raise TrustError(f"--{name.replace('_', '-')} is of no use with {what}")


def _statements(chosen: argparse.Namespace, trust: Trust) -> Verdict:
    for given in (chosen.model, chosen.weights):
        if given is not None and not given.is_dir():
            raise TrustError(f"{given} is no folder")
    return statements.judge(chosen.file, trust, model=chosen.model, held=chosen.weights)


def _told(verdict: Verdict, as_json: bool) -> int:
    sys.stdout.write(json.dumps(verdict.to_json(), indent=1) + "\n" if as_json else words(verdict))
    return EXIT[verdict.outcome]


def _day(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write it as 2036-01-31") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def read(path: Path, limit: int) -> bytes:
    """The bytes of a file, one more than the limit at most: what is larger is refused without being read."""
    with path.open("rb") as file:
        return file.read(limit + 1)


def _known(checkpoint: Path | None, consistency: Path | None, time: Path | None) -> Known | None:
    if checkpoint is None:
        if consistency is not None or time is not None:
            raise TrustError("--consistency and --checkpoint-time are of no use without --checkpoint")
        return None
    proof = read(consistency, bundle.LIMITS[bundle.LEDGER]) if consistency else b""
    stamp = read(time, bundle.LIMITS[bundle.README]) if time else b""
    return Known(read(checkpoint, bundle.LIMITS[bundle.README]).decode(), proof, stamp)


def words(verdict: Verdict) -> str:
    """The verdict for people."""
    heads = {"refused": "Refused", "undecided": "Cannot be judged", "proved": "Proved", "not_proved": "NOT proved"}
    lines = [WORDS[verdict.outcome], ""]
    for state, head in heads.items():
        texts = [one.text for one in verdict.findings if one.state == state]
        if texts:
            lines += [f"{head}:", *(f"  - {_printable(text, 2000)}" for text in texts), ""]
    facts = {
        "Report" if verdict.kind != "statements" else "Model": verdict.report.get("number", ""),
        "Issuer, as it says": verdict.report.get("issuer", ""),
        "Sealed, by its own clock": verdict.sealed_at, "Sealed at the latest, by time stamp": verdict.stamped_at,
        "SHA-256 of the file": verdict.sha256,
        "Fingerprint of the seal": verdict.fingerprint, "Key of the ledger": verdict.ledger_key,
    }  # fmt: skip
    return "\n".join([*lines, *(f"{name}: {_printable(str(value))}" for name, value in facts.items() if value), ""])


def _printable(text: str, most: int = 300) -> str:
    """Nothing that a terminal would obey."""
    return "".join(one if one.isprintable() else "?" for one in text)[:most]


if __name__ == "__main__":
    raise SystemExit(main())
