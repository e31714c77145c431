"""A folder held against a signed list of its files: every one by SHA-256, and no other."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from lethe_verify.errors import Refused

CHUNK: Final = 1024 * 1024


def digests(folder: Path) -> dict[str, str]:
    """Path and hex SHA-256 of each file, read as a stream.

    Raises:
        Refused: there is something that is neither a file nor a folder. It is not opened: a pipe would never end.
    """
    found: dict[str, str] = {}
    for path in _paths(folder):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise Refused("model", f"{name} is a symbolic link; what it leads to is not signed.")
        if not path.is_file():
            raise Refused("model", f"{name} is neither a file nor a folder.")
        found[name] = _digest(path)
    return found


def _paths(folder: Path) -> list[Path]:
    """All but folders. A folder that cannot be listed is an error, never an empty one."""

    def fail(error: OSError) -> None:
        raise error

    found: list[Path] = []
    for place, folders, files in os.walk(folder, onerror=fail):
        here = Path(place)
        found += [here / name for name in files] + [here / name for name in folders if (here / name).is_symlink()]
    return sorted(found)


def differences(named: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """What is not as it was signed, one sentence's part for each file, in order of name."""
    missing = {name: digest for name, digest in named.items() if name not in here}
    found = {name: "was changed" for name in named if name in here and here[name] != named[name]}
    for name, digest in sorted(here.items()):
        if name not in named:
            old = next((one for one in sorted(missing) if missing[one] == digest), "")
            found[name] = f"has the bytes of {old}, which is missing" if old else "was added"
            missing.pop(old, None)
    return [f"{name} {what}" for name, what in sorted({**found, **dict.fromkeys(missing, "is missing")}.items())]


def _digest(path: Path) -> str:
    state = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            state.update(chunk)
    return state.hexdigest()
