"""One job, top to bottom: check the spec, name and fetch what goes in, run the verb, write result.json.

The job's folder holds everything and is enough to go on after a crash:

    spec.json       the spec as it was understood
    run.json        its digest and the content names of its inputs, written before the work begins
    progress.jsonl  every event of all attempts
    checkpoints, .* working state (what training resumes from, locks, fetched inputs); never an output
    result.json     written last, at once: where it is, the job is done
    error.json      why the last attempt ended, where it failed

Every other entry is an output. A finished folder is reused by the same spec over the same inputs and refused
to any other; a lock keeps a second run out. torch is imported only after all of the spec was found good.
"""

from __future__ import annotations

import dataclasses
import errno
import importlib
import json
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from filelock import FileLock, Timeout

from unlearning_engine.artifacts import Store, resolve
from unlearning_engine.catalog import METHODS
from unlearning_engine.contracts import DIGEST, SPECS, GenerateSpec, Result, Spec, UnlearnSpec, digest, parse, to_json
from unlearning_engine.energy import Meter
from unlearning_engine.errors import ConfigError, DataError, DeviceError, EngineError, StorageError
from unlearning_engine.libraries import versions
from unlearning_engine.progress import LOG, Report, logged
from unlearning_engine.trees import name_of

#: Verb -> module and function, imported when needed.
VERBS: Mapping[str, tuple[str, str]] = {
    "generate": ("unlearning_engine.synthetic", "generate"),
    "train": ("unlearning_engine.recipes", "train"),
    "match": ("unlearning_engine.matching", "match"),
    "unlearn": ("unlearning_engine.methods", "unlearn"),
    "verify": ("unlearning_engine.verification", "verify"),
    "patch-make": ("unlearning_engine.patches.job", "make_patch"),
    "probe": ("unlearning_engine.probing", "probe"),
}
SPEC, RUN, RESULT, ERROR, CACHE, LOCK = "spec.json", "run.json", "result.json", "error.json", ".inputs", ".lock"
#: Entries of a job's folder that are not outputs. The log is one: it is the loss curve's source.
RESERVED = frozenset({SPEC, RUN, RESULT, ERROR, "checkpoints"})
#: What an attempt that made nothing leaves behind.
BARREN = frozenset({LOCK, SPEC, ERROR, LOG})
#: Spec fields that may also name a model of the hub, which is no path.
MODELS = frozenset({"model", "candidate", "original", "reference"})
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
_HUB = re.compile(r"^[A-Za-z0-9][\w.-]*(/[\w.-]+)?$")
_LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "numpy", "scipy", "scikit-learn", "peft")


def check(data: object, store: Store | None = None) -> Spec:
    """A spec, with every problem of its form, its references and its method found at once.

    Raises:
        ConfigError: with one message per problem.
    """
    problems: list[str] = []
    spec: Spec | None = None
    try:
        spec = parse(data)
    except ConfigError as error:
        problems.extend(error.messages)
    if isinstance(data, dict) and data.get("verb") in SPECS:
        kind = SPECS[data["verb"]]
        problems.extend(p for name, ref in _references(kind, data) if (p := _reference_fault(name, ref, store)))
        method = data.get("method")
        if kind is UnlearnSpec and isinstance(method, str) and method and method not in METHODS:
            problems.append(f"spec.method: {method!r} is unknown; one of {', '.join(sorted(METHODS))}")
        seed = data.get("seed", 0)
        if isinstance(seed, int) and not 0 <= seed < 2**32:
            problems.append(f"spec.seed: {seed} is out of range; 0 to {2**32 - 1}")
    if problems or spec is None:
        raise ConfigError(problems)
    return spec


def _references(kind: type[Spec], data: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Field and value of each reference of a spec; one in a list is called `parts.0`."""
    found: list[tuple[str, Any]] = []
    for spec_field in dataclasses.fields(kind):
        value = data.get(spec_field.name)
        if spec_field.type == "Ref":
            found.append((spec_field.name, value))
        elif spec_field.type == "list[Ref]" and isinstance(value, list):
            found.extend((f"{spec_field.name}.{number}", ref) for number, ref in enumerate(value))
    return found


def _reference_fault(name: str, ref: object, store: Store | None) -> str:
    if not isinstance(ref, str) or not ref:
        return ""  # parse has said so, or it is optional
    if DIGEST.match(ref):
        return "" if store else f"spec.{name}: {ref[:18]}... needs an artefact store; give --store or LETHE_ARTIFACTS"
    if Path(ref).exists() or (name in MODELS and _is_hub(ref)):
        return ""
    return f"spec.{name}: {ref!r} does not exist; give a path, or sha256:... of the artefact store"


def _is_hub(ref: str) -> bool:
    return bool(_HUB.match(ref)) and not Path(ref).exists()


def run(data: object, out: str | Path, *, store: Store | None, report: Report) -> Result:
    """Run the job that `data` (a spec's JSON) describes in the folder `out`; see the module's text.

    Raises:
        ConfigError: the spec is wrong, or the folder belongs to another spec.
        StorageError: another run holds the folder, or the disk is full.
        EngineError: whatever the verb raises; it is also left in error.json.
    """
    spec = check(data, store)
    folder = Path(out).absolute()
    try:
        with _disk(folder):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be made ({error.strerror}); choose another --out") from error
    with _locked(folder), _disk(folder):
        identity: dict[str, Any] = {"spec_digest": digest(to_json(spec)), "inputs": _name_inputs(spec)}
        finished = _finished(folder, identity)
        if finished:
            report({"event": "start", "verb": finished.verb, "spec_digest": finished.spec_digest, "resumed": False})
            report({"event": "end", "seconds": finished.seconds, "reused": True})
            _purge(spec, folder)
            return finished
        resumed = _claim(folder, identity, spec)
        try:
            result = _attempt(spec, identity, folder, store, report, resumed=resumed)
        except EngineError as error:
            _write(folder / ERROR, describe(error))
            _release(folder, error)
            raise
        _purge(spec, folder)
        return result


def _purge(spec: Spec, folder: Path) -> None:
    """Once the result is safe: delete what still holds the records in the lineage that they were deleted from."""
    if isinstance(spec, UnlearnSpec) and spec.purge and spec.shard < 0:
        importlib.import_module("unlearning_engine.sisa.purge").purge_folders(spec.lineage, folder)


def _attempt(
    spec: Spec, identity: Mapping[str, Any], folder: Path, store: Store | None, report: Report, *, resumed: bool
) -> Result:
    started, meter = time.monotonic(), Meter()
    tell, close = logged(folder, report)
    try:
        tell({"event": "start", "verb": _verb(spec), "spec_digest": identity["spec_digest"], "resumed": resumed})
        with _memory(), _disk(folder):
            metrics = _call(_with_local_inputs(spec, store, folder / CACHE), folder, tell)
        seconds = round(time.monotonic() - started, 3)
        tell({"event": "end", "seconds": seconds, "reused": False})
    finally:
        close()
    outputs = _outputs(folder)
    result = Result(
        verb=_verb(spec),
        spec_digest=identity["spec_digest"],
        inputs=identity["inputs"],
        outputs=outputs,
        digests={name: name_of(folder / path) for name, path in outputs.items()},
        metrics=metrics,
        environment=environment(),
        seconds=seconds,
        energy=meter.read(),
    )
    _write(folder / RESULT, dataclasses.asdict(result))
    shutil.rmtree(folder / CACHE, ignore_errors=True)
    return result


def _call(spec: Spec, folder: Path, report: Report) -> dict[str, Any]:
    module, name = VERBS[_verb(spec)]
    function = getattr(importlib.import_module(module), name)
    if isinstance(spec, GenerateSpec):
        metrics = function(folder, seed=spec.seed, artists=spec.artists, persons=spec.persons)
    else:
        metrics = function(spec, folder, report)
    return cast("dict[str, Any]", json.loads(json.dumps(metrics or {}, allow_nan=False)))


def _verb(spec: Spec) -> str:
    return cast(str, type(spec).verb)  # type: ignore[attr-defined]


# ---------------------------------------------------------------- inputs and outputs


def _name_inputs(spec: Spec) -> dict[str, str]:
    """Content name of each input, so that a changed file is never taken for the old one."""
    names: dict[str, str] = {}
    problems: list[str] = []
    for field, ref in _references(type(spec), vars(spec)):
        if not ref:
            continue
        if DIGEST.match(ref) or _is_hub(ref):
            names[field] = ref
            continue
        try:
            names[field] = name_of(ref, links=True)
        except DataError as error:
            problems.extend(f"spec.{field}: {message}" for message in error.messages)
    if problems:
        raise DataError(problems)
    return names


def _with_local_inputs(spec: Spec, store: Store | None, cache: Path) -> Spec:
    """The spec with each reference as a local path, fetched and verified where it lay in the store."""
    local: dict[str, Any] = {}
    problems: list[str] = []
    for field, ref in _references(type(spec), vars(spec)):
        name, _, listed = field.partition(".")
        if not ref or _is_hub(ref):
            continue
        try:
            path = str(resolve(ref, store, cache, only=_wanted(spec, name)))
        except DataError as error:
            problems.extend(f"spec.{field}: {message}" for message in error.messages)
            continue
        local[name] = [*local.get(name, []), path] if listed else path
    if problems:
        raise DataError(problems)
    return dataclasses.replace(spec, **local)


def _wanted(spec: Spec, field: str) -> Callable[[str], bool] | None:
    """Which files of a stored folder the job reads: of a lineage, one shard's, where it trains that one alone."""
    if not (isinstance(spec, UnlearnSpec) and field == "lineage" and spec.shard >= 0):
        return None
    from unlearning_engine.sisa.lineage import belongs_to

    return belongs_to(spec.shard)


def _outputs(folder: Path) -> dict[str, str]:
    entries = sorted(p for p in folder.iterdir() if p.name not in RESERVED and not p.name.startswith("."))
    names = {p.name if p.is_dir() else p.stem: p.name for p in entries}
    if len(names) != len(entries):
        return {p.name: p.name for p in entries}
    return names


def _finished(folder: Path, identity: Mapping[str, Any]) -> Result | None:
    if not (folder / RESULT).exists():
        return None
    result = read_result(folder)
    if {"spec_digest": result.spec_digest, "inputs": result.inputs} != identity:
        raise ConfigError(f"{folder}: holds the result of another spec or of other inputs; choose another --out")
    changed = [n for n, path in result.outputs.items() if _name_or_none(folder / path) != result.digests.get(n)]
    if changed:
        raise DataError([f"{folder}: output {n!r} was changed after the run; choose another --out" for n in changed])
    return result


def _name_or_none(path: Path) -> str | None:
    return name_of(path) if path.exists() else None


def read_result(folder: str | Path) -> Result:
    """The result in a job's folder.

    Raises:
        DataError: missing or damaged.
    """
    path = Path(folder) / RESULT
    try:
        data = json.loads(path.read_bytes())
        return Result(**data)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path}: is no readable result ({error}); run the job in another folder") from error


def _claim(folder: Path, identity: Mapping[str, Any], spec: Spec) -> bool:
    """Make the folder this job's. True when an earlier attempt of the very same job left state in it."""
    path = folder / RUN
    if path.exists():
        try:
            before = json.loads(path.read_bytes())
        except ValueError as error:
            raise DataError(f"{path}: is damaged; choose another --out") from error
        if before != dict(identity):
            raise ConfigError(f"{folder}: was begun with another spec or with other inputs; choose another --out")
        (folder / ERROR).unlink(missing_ok=True)
        return True
    strange = sorted(p.name for p in folder.iterdir() if p.name not in BARREN)
    if strange:
        raise ConfigError(f"{folder}: is not empty ({', '.join(strange[:5])}); choose another --out")
    (folder / ERROR).unlink(missing_ok=True)
    _write(folder / SPEC, to_json(spec))
    _write(path, dict(identity))
    return False


def _release(folder: Path, error: EngineError) -> None:
    """Wrong input that was found before anything was made leaves the folder free for the corrected spec."""
    if isinstance(error, (ConfigError, DataError)) and all(p.name in BARREN | {RUN} for p in folder.iterdir()):
        (folder / RUN).unlink(missing_ok=True)


def _write(path: Path, value: object) -> None:
    """JSON, all or nothing: a reader sees the old file or the whole new one."""
    scratch = path.with_name(f".{path.name}.new")
    with scratch.open("w", encoding="utf-8") as out:
        json.dump(value, out, ensure_ascii=False, allow_nan=False, indent=1)
        out.flush()
        os.fsync(out.fileno())
    scratch.replace(path)


# ---------------------------------------------------------------- what can go wrong around a verb


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise StorageError(f"{folder}: another run is writing it; wait for it or choose another --out") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        refused = _refusal(error)
        if refused.errno in (errno.ENOSPC, errno.EDQUOT):
            message = f"{folder}: the disk is full; the last checkpoint is kept. Free space and run the same again"
        elif refused.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.EFBIG):
            message = f"{refused.filename or folder}: {refused.strerror}; choose a place that can be written"
        else:
            raise
        raise StorageError(message) from error


def _refusal(error: Exception) -> OSError:
    """The system's error: itself, or what a library in Rust (safetensors, tokenizers) made words of."""
    if isinstance(error, OSError):
        return error
    said = _OS_ERROR.search(str(error))
    number = int(said[1]) if said and not isinstance(error, EngineError) else 0
    return OSError(number, os.strerror(number))


@contextmanager
def _memory() -> Iterator[None]:
    """torch's out-of-memory errors, told apart by name since torch may not be imported here."""
    try:
        yield
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":
            raise
        raise DeviceError(f"the device has too little memory ({error}); use a smaller batch or another one") from error


def describe(error: EngineError) -> dict[str, Any]:
    """An error as error.json holds it."""
    return {"type": type(error).__name__, "retryable": error.retryable, "messages": list(error.messages)}


def environment() -> dict[str, Any]:
    """Versions, platform, device and threads of this process, as a result records them."""
    torch = sys.modules.get("torch")
    device: dict[str, Any] = {"device": "none", "threads": 1}
    if torch is not None:
        cuda = torch.cuda.is_available() and torch.cuda.is_initialized()
        device = {"device": torch.cuda.get_device_name() if cuda else "cpu", "threads": torch.get_num_threads()}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": versions(_LIBRARIES),
        **device,
    }


Verb = Callable[[Spec, Path, Report], Mapping[str, Any]]
__all__ = ["LOG", "VERBS", "Verb", "check", "describe", "environment", "read_result", "run"]
