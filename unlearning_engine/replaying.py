"""`verify --replay`: an auditor computes a finished verification again, and with the models at hand measures it again.

`replay` needs neither models nor torch: the verdict and every number of `verification.json` follow from `scores.jsonl`
and the recorded policy. `rescore` measures the models once more under the recorded seed, policy and format. Sums taken
in another order (threads, processor, library) move a score by less than `TOLERANCE`; what moved further is told.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearning_engine.contracts import DIGEST, Outcome, VerifySpec, parse
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.probes.table import Row, ScoreTable, read_scores
from unlearning_engine.verification import SCORES, VERIFICATION, recompute

if TYPE_CHECKING:
    from unlearning_engine.progress import Report

#: Scores of the same models on another machine differ by less: nats per token, or shares.
TOLERANCE = 1e-3
#: Of many differences this many are told.
SHOWN = 20
#: Written by the job alone, not computed from the scores.
_OF_THE_RUN = frozenset({"schema", "scores", "versions", "earlier_runs"})
_SPEC = "spec.json"


@dataclass(frozen=True, kw_only=True)
class Replay:
    """The recorded verdict, and what did not come out as recorded; `rescored` where the models were measured again."""

    verdict: Outcome
    differences: tuple[str, ...]
    rescored: bool = False


def _folder(bundle: str | Path) -> Path:
    folder = Path(bundle)
    folder = folder.parent if folder.is_file() else folder
    missing = [name for name in (VERIFICATION, SCORES) if not (folder / name).is_file()]
    if missing:
        raise DataError(f"{bundle}: has no {' and no '.join(missing)}; give the folder of a finished verify")
    return folder


def _recorded(folder: Path) -> dict[str, Any]:
    path = folder / VERIFICATION
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        Outcome(found["verdict"])
        dict(found["policy"])
        str(found["scores"]["digest"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: is no readable verification ({error!r})") from error
    return dict(found)


def _differences(where: str, before: Any, after: Any) -> Iterator[str]:
    """Where two JSON values differ; numbers may differ in their last digits, as other libraries compute them."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            yield from _differences(f"{where}.{key}" if where else key, before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for at, (one, other) in enumerate(zip(before, after, strict=True)):
            name = one.get("name", at) if isinstance(one, Mapping) else at
            yield from _differences(f"{where}.{name}", one, other)
    elif not _same(before, after):
        yield f"{where}: recorded {_short(before)}, computed {_short(after)}"


def _same(before: Any, after: Any) -> bool:
    numbers = [isinstance(v, int | float) and not isinstance(v, bool) for v in (before, after)]
    return math.isclose(before, after, rel_tol=1e-9, abs_tol=1e-12) if all(numbers) else bool(before == after)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def replay(bundle: str | Path) -> Replay:
    """Compute verdict, findings and all numbers again from the scores and the recorded policy.

    Raises:
        DataError: the folder holds no finished verification, or one that cannot be read.
        ConfigError: the recorded policy is none that this engine knows.
    """
    folder = _folder(bundle)
    recorded = _recorded(folder)
    found = json.loads(json.dumps(recompute(folder / SCORES, recorded["policy"])))
    told = {key: value for key, value in recorded.items() if key not in _OF_THE_RUN}
    own = "sha256:" + hashlib.sha256((folder / SCORES).read_bytes()).hexdigest()
    differences = list(_differences("scores.digest", recorded["scores"]["digest"], own))
    differences += _differences("", told, found)
    return Replay(verdict=Outcome(recorded["verdict"]), differences=tuple(differences))


# ---------------------------------------------------------------- measuring again


def _spec(folder: Path, recorded: Mapping[str, Any], given: Mapping[str, Any]) -> VerifySpec:
    """What to measure: the job's own spec with the recorded policy and seed, and with the paths that were given."""
    path = folder / _SPEC
    try:
        data = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"verb": VerifySpec.verb}
    except ValueError as error:
        raise DataError(f"{path}: is no readable spec ({error})") from error
    chosen = recorded.get("format", {"join": None, "chat": False})
    data |= {**given, "policy": recorded["policy"], "seed": recorded["seed"]}
    spec = parse({**data, "join": chosen["join"] or "", "chat": chosen["chat"]})
    if not isinstance(spec, VerifySpec):
        raise ConfigError(f"{path}: is a spec of another verb than verify")
    refs = [f.name for f in dataclasses.fields(spec) if f.type == "Ref" and getattr(spec, f.name)]
    lost = [name for name in refs if DIGEST.match(getattr(spec, name)) or not Path(getattr(spec, name)).exists()]
    if lost:
        raise ConfigError([f"{name}: {getattr(spec, name)!r} is not here; give it with its flag" for name in lost])
    return spec


def _keyed(table: ScoreTable) -> dict[tuple[Any, ...], Row]:
    """Rows by what they are about, the n-th of the same counted."""
    seen: dict[tuple[Any, ...], int] = {}
    found = {}
    for row in table.rows:
        key = (row.model, row.attack, row.set, row.id)
        seen[key] = seen.get(key, 0) + 1
        found[(*key, seen[key])] = row
    return found


def _moved(before: Row, after: Row) -> float:
    """The largest change of a score; infinite where one has a number and the other none."""
    largest = 0.0
    for f in dataclasses.fields(Row):
        one, other = getattr(before, f.name), getattr(after, f.name)
        if isinstance(one, int | float) and isinstance(other, int | float):
            largest = max(largest, abs(one - other))
        elif one != other:
            return math.inf
    return largest


def _scores_apart(before: ScoreTable, after: ScoreTable) -> Iterator[str]:
    first, second = _keyed(before), _keyed(after)
    if missing := first.keys() ^ second.keys():
        yield f"scores: {len(missing)} rows are in one of the two tables only"
    moved = {key: _moved(first[key], second[key]) for key in first.keys() & second.keys()}
    far = {key: by for key, by in moved.items() if by > TOLERANCE}
    if far:
        worst = max(far, key=lambda key: far[key])
        model, attack, name, row, _ = worst
        about = f"{model}, {attack or 'no attack'}, {name}, {row}"
        share = f"{len(far)} of {len(moved)} rows moved by more than {TOLERANCE:g}"
        yield f"scores: {share}, most by {far[worst]:g} ({about})"


def rescore(bundle: str | Path, given: Mapping[str, Any], out: Path, report: Report) -> Replay:
    """Replay, then measure the models again into `out` and compare their digests, the scores and the verdict.

    Args:
        given: fields of a `VerifySpec` that stand in place of those in the job's `spec.json`.

    Raises:
        ConfigError: a model or a file is not at hand. DataError: see `replay`, and what `verify` raises.
    """
    from unlearning_engine.verification import verify

    folder = _folder(bundle)
    recorded, first = _recorded(folder), replay(bundle)
    verify(_spec(folder, recorded, given), out, report, recorded=False)
    again = _recorded(out)
    differences = [*first.differences, *_differences("models", recorded["models"], again["models"])]
    differences += _scores_apart(read_scores(folder / SCORES), read_scores(out / SCORES))
    differences += _differences("verdict", recorded["verdict"], again["verdict"])
    return Replay(verdict=first.verdict, differences=tuple(differences), rescored=True)
