"""Four worker processes over one outbox, a real database and a real mail server: each letter arrives once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from governance.secrets import ensure_secrets
from tests.governance.receivers import mail_server

ROOT = Path(__file__).resolve().parents[2]
LETTERS, WORKERS = 12, 4
FILE = f"""
from governance.services.intake import Item, case_file
from governance.services import outbox
outbox._try_at_once = lambda pk: None
for n in range({LETTERS}):
    case_file(kind="copyright", law="house", name="Vel Marun", email=f"vel{{n}}@marun.example",
              items=[Item(form="text", title="A", text="a poem of some words")])
"""
SWEEP = """
import sys, time
from governance.services import outbox
while time.time() < float(sys.argv[1]):
    time.sleep(0.005)
print(outbox.outbox_sweep())
"""


def run(code: str, env: dict[str, str], *args: str) -> subprocess.Popen[str]:
    """A process of its own with Django set up; its keys lie in its own home, whatever the tests run on."""
    start = "import django; django.setup()\n" + code
    command = [sys.executable, "-c", start, *args]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=env | {"LETHE_KEYRING_URL": ""},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def said(process: subprocess.Popen[str]) -> str:
    """What it printed; its error when it failed."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err[-2000:]
    return out


@pytest.mark.services
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_each_letter_arrives_once_whoever_is_first(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    ensure_secrets(tmp_path / "secrets")
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "governance.settings", "LETHE_HOME": str(tmp_path)}
    env |= {"PYTHONPATH": str(ROOT), "LETHE_EMAIL": "smtp", "LETHE_SMTP_TLS": "0", "LETHE_DATABASE_URL": ""}
    if database == "postgresql":
        env["LETHE_DATABASE_URL"] = request.getfixturevalue("postgresql_url")
    target = SimpleNamespace()
    with mail_server(target) as server:
        env |= {"LETHE_SMTP_HOST": "127.0.0.1", "LETHE_SMTP_PORT": str(target.EMAIL_PORT)}
        migrate = "from django.core.management import call_command as c; c('migrate', verbosity=0)"
        said(run(f"{migrate}; c('migrate', database='keyring', verbosity=0)", env))
        said(run(FILE, env))
        now = float(said(run("import time; print(time.time() + 6)", env)))
        workers = [run(SWEEP, env, str(now)) for _n in range(WORKERS)]
        shares = [int(said(worker)) for worker in workers]
    arrived = Counter(str(letter["To"]) for letter in server.taken)
    assert sum(shares) == LETTERS == len(server.taken) and set(arrived.values()) == {1}
