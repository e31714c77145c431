"""Eight threads at one challenge, over a real PostgreSQL: one proof, as many tries as are allowed, no deadlock."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from governance.secrets import ensure_secrets
from tests.services.test_two_workers_send_each_letter_once import ROOT, run, said

RACE = """
import json, threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connections
# Tables as the models have them: what migrations add beside them takes no part in this, and their time.
settings.MIGRATION_MODULES = {one.label: None for one in apps.get_app_configs()}
for name in ("default", "keyring"):
    call_command("migrate", database=name, run_syncdb=True, verbosity=0)
from governance.errors import GovernanceError
from governance.models import Challenge, LedgerEntry, Proof
from governance.services import intake, outbox, proofs
from governance.services.intake import Item
from governance.tokens import link_token
outbox._try_at_once = lambda pk: None

def case():
    filed = intake.case_file(kind="privacy", law="gdpr", name="Vel Marun", email="vel@marun.example",
                             items=[Item(form="fact", title="A", text="Vel lives in Ardry.")])
    intake.email_confirm(token=link_token(filed.public_id, "confirm"))
    filed.refresh_from_db()
    return filed

def begin(filed):
    return proofs.challenge_begin(case=filed, method="channel", target="my account vel")

def together(n, act):
    gate = threading.Barrier(n)
    def one(k):
        try:
            gate.wait()
            return act(k) or "done"
        except GovernanceError as error:
            return error.code
        finally:
            connections.close_all()
    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(one, range(n)))

def attempt(pk, answer):
    came = proofs.challenge_try(challenge=Challenge.objects.select_related("case__claimant").get(pk=pk), answer=answer)
    return "shown" if came.shown else came.why

def after(row):
    row.refresh_from_db()
    ours = Proof.objects.filter(case=row.case_id, level=5).count()
    return {"state": row.state, "tries": row.tries, "proofs": ours}

told = {}
row = begin(case())
told["pause"] = [together(8, lambda k: attempt(row.pk, row.code)), after(row)]
proofs.PAUSE = timedelta(seconds=-60)
row = begin(case())
told["no_pause"] = [together(8, lambda k: attempt(row.pk, row.code)), after(row)]
told["replay"] = [[attempt(begin(row.case).pk, row.code)], after(row)]
row = begin(case())
before = LedgerEntry.objects.filter(action="proof.tried").count()
told["guesses"] = [together(14, lambda k: attempt(row.pk, "lethe-0")), after(row)]
told["noted"] = LedgerEntry.objects.filter(action="proof.tried").count() - before
row = begin(case())
def either(k):
    if k % 2:
        return attempt(row.pk, row.code)
    proofs.challenge_end(challenge=Challenge.objects.select_related("case").get(pk=row.pk))
told["ended"] = [together(4, either), after(row)]
filed = case()
told["begun"] = together(8, lambda k: begin(type(filed).objects.get(pk=filed.pk)).state)
print(json.dumps(told))
"""


@pytest.mark.services
def test_whoever_comes_at_the_same_time_gains_nothing(tmp_path: Path, postgresql_url: str) -> None:
    ensure_secrets(tmp_path / "secrets")
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "governance.settings", "LETHE_HOME": str(tmp_path)}
    env |= {"PYTHONPATH": str(ROOT), "LETHE_DATABASE_URL": postgresql_url}
    told = json.loads(said(run(RACE, env)).splitlines()[-1])

    once = {"state": "proven", "tries": 1, "proofs": 1}
    came, end = told["pause"]
    assert Counter(came)["shown"] == 1 and set(came) <= {"shown", "too_soon", "over"} and end == once, told["pause"]
    came, end = told["no_pause"]
    assert Counter(came)["shown"] == 1 and set(came) <= {"shown", "used", "over"}, came
    assert (end["state"], end["proofs"]) == ("proven", 1) and 1 <= end["tries"] <= 8, end
    assert told["replay"][0] == ["wrong_code"] and told["replay"][1]["proofs"] == 1
    came, end = told["guesses"]
    assert Counter(came) == {"wrong_code": 10, "over": 4} and end == {"state": "spent", "tries": 10, "proofs": 0}
    assert told["noted"] == 10
    came, end = told["ended"]
    assert (end["state"], end["proofs"]) in {("proven", 1), ("ended", 0)}, end
    assert came.count("shown") == end["proofs"] and set(came) <= {"shown", "done", "used", "over"}, came
    assert Counter(told["begun"]) == {"open": 5, "too_many_open": 3}
