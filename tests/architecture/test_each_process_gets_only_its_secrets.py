"""The Procfile: the engine gets no database, and no process but the signer gets the seal and the keys beside it."""

from __future__ import annotations

import ast
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from governance.secrets import FILES
from tests.architecture.tree import ROOT, python_files

GIVEN = {
    "LETHE_DATABASE_URL": "postgres://secret",
    "LETHE_KEYRING_URL": "postgres://secret",
    "LETHE_SECRETS": "secrets",
    "LETHE_SMTP_PASSWORD_FILE": "password",
    "LETHE_SEAL_FOLDER": "seal",
    "LETHE_PKCS11_PIN_FILE": "pin",
    "LETHE_KMS_CREDENTIALS_FILE": "credentials",
    "LETHE_BROKER": "redis://broker",
    "LETHE_ARTIFACTS": "s3://artefacts",
}
PROCESSES = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines() if line.strip())

#: Modules that open private keys.
OPEN_KEYS = {"own_keys", "seals", "feed_signing", "key_rotation", "token_key", "kms_key"}

EnvironmentOf = Callable[[str], dict[str, str]]


@pytest.fixture
def environment_of(tmp_path: Path) -> EnvironmentOf:
    """Runs a line of the Procfile with programs that only print the environment they were given."""
    for program in ("gunicorn", "celery"):
        stand_in = tmp_path / program
        stand_in.write_text("#!/bin/sh\nenv\n")
        stand_in.chmod(0o755)

    def run(name: str) -> dict[str, str]:
        env = {**GIVEN, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        done = subprocess.run(["sh", "-c", PROCESSES[name]], env=env, capture_output=True, text=True, check=True)
        return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)

    return run


def test_there_is_one_process_for_each_part() -> None:
    assert list(PROCESSES) == ["web", "worker", "engine", "signer", "beat"]


@pytest.mark.parametrize("name", PROCESSES)
def test_only_the_signer_gets_the_seal(name: str, environment_of: EnvironmentOf) -> None:
    given = environment_of(name)
    for variable in ("LETHE_SEAL_FOLDER", "LETHE_PKCS11_PIN_FILE", "LETHE_KMS_CREDENTIALS_FILE"):
        assert (variable in given) == (name == "signer"), variable


def test_the_engine_gets_broker_and_store_but_no_database_and_no_secret(environment_of: EnvironmentOf) -> None:
    given = environment_of("engine")
    assert given["LETHE_BROKER"] == "redis://broker"
    assert given["LETHE_ARTIFACTS"] == "s3://artefacts"
    hidden = {"LETHE_DATABASE_URL", "LETHE_KEYRING_URL", "LETHE_SECRETS", "LETHE_SMTP_PASSWORD_FILE"}
    assert not hidden & set(given)


def test_what_answers_strangers_opens_no_private_key() -> None:
    """Keys that sign for strangers lie in the seal's folder alone: none is a secret, and no page opens one."""
    assert sorted(FILES) == ["django.key", "fingerprints.key", "keyring.kek", "ledger.commitments", "tokens.key"]
    rooms = [path for path in python_files() if path.parts[:2] in {("governance", "web"), ("governance", "api")}]
    assert len(rooms) > 50
    assert [str(path) for path in rooms if OPEN_KEYS & named(path)] == []


def named(path: Path) -> set[str]:
    """What a file imports, by its last name and the module that it is taken from."""
    taken = [node for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.ImportFrom)]
    parts = {part for node in taken for part in (node.module or "").split(".")}
    return parts | {alias.name for node in taken for alias in node.names}
