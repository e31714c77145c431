"""Which runs of `verify` a candidate has had: a second one is recorded as such.

One run, one verdict: whoever measures again under another seed or policy until a verdict pleases, leaves every run in
`verifications.jsonl` beside the folders of the runs, a line when it begins and one when it ends, so that a run that
was given up counts, too. A job that was killed and goes on in its own folder is the same run. Runs kept elsewhere are
not seen: an installation's own record is its ledger.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unlearning_engine.errors import DataError

REGISTER = "verifications.jsonl"
#: What makes two runs the same one, were it killed and begun again.
_SAME = ("out", "candidate", "items", "seed", "policy_digest")


def _read(path: Path) -> list[dict[str, Any]]:
    """Lines of the register; one cut short by a kill at its end is passed over.

    Raises:
        DataError: another line is not one that a run wrote.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(dict(json.loads(line)))
        except (ValueError, TypeError) as error:
            if number == len(lines):
                break
            raise DataError(f"{path}:{number}: is no record of a run; restore the file") from error
    return found


def _append(path: Path, line: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = not path.is_file() or path.read_bytes()[-1:] in (b"", b"\n")
    with path.open("a", encoding="utf-8") as lines:
        lines.write(("" if whole else "\n") + json.dumps(line, allow_nan=False) + "\n")
        lines.flush()
        os.fsync(lines.fileno())


def begin(out: Path, run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Record a run and return those of the same candidate that were begun before, each with its verdict or None.

    Args:
        out: the run's folder; the register lies beside it.
        run: candidate and items as digests, seed and policy_digest.

    Raises:
        DataError: the register is damaged.
    """
    path, own = out.absolute().parent / REGISTER, {"out": out.name, **run}
    lines = _read(path)
    verdicts = {json.dumps([line.get(k) for k in _SAME]): line["verdict"] for line in lines if "verdict" in line}
    begun = {json.dumps([line.get(k) for k in _SAME]): line for line in lines if "verdict" not in line}
    mine = json.dumps([own[k] for k in _SAME])
    if mine not in begun:
        _append(path, own)
    return [
        {**line, "verdict": verdicts.get(name)}
        for name, line in begun.items()
        if name != mine and line.get("candidate") == own["candidate"]
    ]


def end(out: Path, run: Mapping[str, Any], verdict: str) -> None:
    """Record what a run came to."""
    _append(out.absolute().parent / REGISTER, {"out": out.name, **run, "verdict": verdict})
