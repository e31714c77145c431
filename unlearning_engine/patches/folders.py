"""What lies around a model's weights, and new folders that are whole or not there."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unlearning_engine.contracts import digest
from unlearning_engine.errors import DataError, StorageError

#: Fields of a configuration that say who wrote it, not what the model is.
_CIRCUMSTANCE = frozenset({"_name_or_path", "transformers_version", "dtype", "torch_dtype", "use_cache"})
#: What a model's folder needs besides weights. Nothing else is copied: other weights or a recipe would be those of the
#: model before.
_BESIDE = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "spiece.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
)


def read_config(folder: Path) -> dict[str, Any]:
    """What a model's configuration says about the model.

    Raises:
        DataError: missing or damaged.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: is no readable configuration ({error}); give the folder of a saved model") from error
    if not isinstance(config, dict):
        raise DataError(f"{path}: is no configuration; give the folder of a saved model")
    return {name: value for name, value in config.items() if name not in _CIRCUMSTANCE}


def surroundings(folder: Path) -> dict[str, str | None]:
    """Digests of configuration and tokenizer, as a manifest's `base` has them; None for a tokenizer that is not there.

    Raises:
        DataError: there is no configuration.
    """
    from unlearning_engine.recipes import tokenizer_digest

    try:
        tokenizer = tokenizer_digest(folder)
    except DataError:
        tokenizer = None
    return {"config": digest(read_config(folder)), "tokenizer": tokenizer}


def copy_beside(source: Path, target: Path) -> None:
    """Copy configuration and tokenizer."""
    for name in _BESIDE:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)


@contextmanager
def new_folder(out: str | Path) -> Iterator[Path]:
    """A scratch folder that becomes `out` at the end of `with`, its files on the disk; after an error it is gone.

    Raises:
        DataError: `out` is there already.
        StorageError: the disk is full or refuses.
    """
    target = Path(out).absolute()
    if target.exists() or target.is_symlink():
        raise DataError(f"{target}: exists already; name a new folder")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name[:40]}.", dir=target.parent))
        try:
            yield scratch
            for path in (*scratch.iterdir(), scratch):
                _to_disk(path)
            scratch.chmod(0o755)
            scratch.rename(target)
            _to_disk(target.parent)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "the disk is full; free space" if full else f"{error.strerror}; allow it, or choose another place,"
        where = error.filename or target
        raise StorageError(f"{where}: {why} and run the same again; nothing is left at {target}") from error


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
