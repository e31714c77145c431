"""Four worker processes watch the same clocks at the same moment: each alarm is raised, recorded and mailed once."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from governance.secrets import ensure_secrets
from tests.governance.receivers import mail_server
from tests.services.test_two_workers_send_each_letter_once import ROOT, run, said

CASES, WORKERS = 8, 4
FILE = f"""
from datetime import timedelta
from django.utils import timezone
from governance.models import Case, CaseClock
from governance.services import outbox
from governance.services.intake import Item, case_file
from tests.governance.staff import member
outbox._try_at_once = lambda pk: None
member("legal@house.example", role="legal")
for n in range({CASES}):
    case_file(kind="privacy", law="gdpr", name="Ada Brenn", email=f"ada{{n}}@brenn.example",
              items=[Item(form="fact", title="A", text="lives at 4 Mill Lane")])
day = timezone.localdate() + timedelta(days=3)
CaseClock.objects.update(due=day)
Case.objects.update(due_on=day)
"""
WATCH = """
import sys, time
from governance.services import deadlines
while time.time() < float(sys.argv[1]):
    time.sleep(0.005)
print(deadlines.deadlines_watch())
"""
COUNT = """
from governance.models import ClockAlarm, LedgerOpening
near = LedgerOpening.objects.filter(entry__action="deadline.near").count()
print(near, ClockAlarm.objects.count(), ClockAlarm.objects.filter(mailed_at=None).count())
"""


@pytest.mark.services
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_each_alarm_is_raised_once_whoever_looks(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
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
        start = float(said(run("import time; print(time.time() + 6)", env)))
        workers = [run(WATCH, env, str(start)) for _n in range(WORKERS)]
        shares = [int(said(worker)) for worker in workers]
        assert said(run(COUNT, env)).split() == [str(CASES), str(CASES), "0"]
    told = Counter(str(letter["Subject"]) for letter in server.taken)
    assert sum(shares) == CASES == len(server.taken) and set(told.values()) == {1}
