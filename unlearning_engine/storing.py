"""The sub-command `put`: a model's folder or a dataset into the artefact store, checked first. Standard library only.

A dataset is kept as the JSONL that every verb reads: columns renamed as asked, ids made where there are none. The
digest that it prints is the name by which everything else finds it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from unlearning_engine.artifacts import ENVIRONMENT, Store
from unlearning_engine.data import load_records, write_records
from unlearning_engine.errors import ConfigError, DataError, EngineError

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
TOKENIZER = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
FAILED, BAD_INPUT = 1, 2


def add(verbs: Any) -> None:
    """Add the sub-command to the engine's."""
    text = "Put a model's folder or a dataset into the artefact store, checked; prints the digest to register."
    put = verbs.add_parser("put", help=text, description=text)
    put.add_argument(
        "path", metavar="PATH", help="a model's folder (config.json), or JSONL, Parquet, a dataset's folder"
    )
    put.add_argument("--store", default="", metavar="URL", help=f"artefact store (default: ${ENVIRONMENT})")
    put.add_argument(
        "--columns", default=[], nargs="+", metavar="OURS=THEIRS", help="of a dataset: text=body, prompt=question"
    )
    put.add_argument("--json", action="store_true", help="as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Check, store, print; returns the exit code."""
    try:
        store = Store(arguments.store or os.environ.get(ENVIRONMENT, ""))
        path = Path(arguments.path)
        _demand_no_run(path)
        is_model = (path / "config.json").is_file()
        told = put_model(path, store) if is_model else put_dataset(path, store, arguments.columns)
    except EngineError as error:
        sys.stderr.write("".join(f"{message}\n" for message in error.messages))
        return BAD_INPUT if isinstance(error, ConfigError | DataError) else FAILED
    if arguments.json:
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        facts = ", ".join(f"{name} {value}" for name, value in told.items() if name not in ("digest", "kind"))
        sys.stdout.write(f"Stored the {told['kind']} ({facts}).\n{told['digest']}\n")
    return 0


def _demand_no_run(path: Path) -> None:
    if not (path / "run.json").is_file():
        return
    there = [path / name for name in ("model", "dataset.jsonl") if (path / name).exists()]
    what = f"name {' or '.join(map(str, there))}" if there else "name what it made, not the folder"
    raise DataError(f"{path}: is the folder of a run, no model and no dataset; {what}")


def put_model(folder: Path, store: Store) -> dict[str, Any]:
    """Store a model's folder; returns `digest`, `kind`, `architecture`, `files` and `bytes`.

    Raises:
        DataError: with every problem: no readable config.json, no weights, no tokenizer.
    """
    problems = []
    try:
        config = json.loads((folder / "config.json").read_bytes())
        architecture = str((config.get("architectures") or [config.get("model_type") or "unknown"])[0])
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(f"{folder / 'config.json'}: is no readable JSON object ({error})") from error
    if not any(found for pattern in WEIGHTS for found in folder.glob(pattern)):
        problems.append(f"{folder}: holds no weights ({' or '.join(WEIGHTS)}); save the model with save_pretrained")
    if not any((folder / name).is_file() for name in TOKENIZER):
        problems.append(f"{folder}: holds no tokenizer; save it beside the weights with tokenizer.save_pretrained")
    if problems:
        raise DataError(problems)
    files = [path for path in folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    facts = {"architecture": architecture, "files": len(files), "bytes": size}
    return {"digest": store.put_tree(folder), "kind": "model", **facts}


def put_dataset(path: Path, store: Store, columns: list[str]) -> dict[str, Any]:
    """Store a dataset as JSONL; returns `digest`, `kind` and `records`.

    Raises:
        ConfigError: a pair of columns that is none.
        DataError: with the first problems of its rows, by line.
    """
    wrong = [pair for pair in columns if not all(pair.partition("=")[::2])]
    if wrong:
        raise ConfigError([f"--columns {pair!r}: write OURS=THEIRS, such as text=body" for pair in wrong])
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder")
    records = load_records(path, columns=dict(pair.split("=", 1) for pair in columns) or None)
    with tempfile.TemporaryDirectory(prefix="lethe-put-") as scratch:
        rows = Path(scratch) / "records.jsonl"
        write_records(rows, records)
        return {"digest": store.put_file(rows), "kind": "dataset", "records": len(records)}
