"""Secrets come from files, one each, random per installation. There are no defaults.

Each file lies in `LETHE_SECRETS` (default: `secrets` in `LETHE_HOME`) with mode 0600. The key of the keys
(`keyring.kek`) must never be in one backup with the keyring database, nor that with the main database.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

#: name -> bytes of randomness; stored as hexadecimal text. None of them signs for strangers (docs/keys.md).
FILES = {"django.key": 48, "keyring.kek": 32, "ledger.commitments": 32, "tokens.key": 32, "fingerprints.key": 32}


class SecretMissing(RuntimeError):
    """A secret's file is missing or unreadable; the message says which and what to run."""


def home() -> Path:
    """The folder of everything that this installation writes."""
    return Path(os.environ.get("LETHE_HOME") or BASE_DIR / "var")


def secrets_folder() -> Path:
    """Where the secret files lie."""
    return Path(os.environ.get("LETHE_SECRETS") or home() / "secrets")


def ensure_secrets(folder: Path) -> list[str]:
    """Make what is missing, keep what exists; returns the names made."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = []
    for name, size in FILES.items():
        try:
            new_secret(folder / name, size)
        except FileExistsError:
            continue
        made.append(name)
    return made


def new_secret(path: Path, size: int) -> None:
    """Random bytes in a file that does not exist yet (else FileExistsError)."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(size))


def read_secret(name: str) -> bytes:
    """The secret's bytes.

    Raises:
        SecretMissing: when the file is not there, is empty, or is not hexadecimal.
    """
    path = secrets_folder() / name
    try:
        value = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError) as error:
        raise SecretMissing(f"Secret {name} cannot be read ({error}). Run `python manage.py bootstrap`.") from error
    if len(value) < 32:
        raise SecretMissing(f"Secret {name} is shorter than 32 bytes. Restore it from its backup.")
    return value
