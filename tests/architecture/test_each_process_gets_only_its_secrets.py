"""The Procfile: the engine gets no database, and no process but the signer gets the seal."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

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
