"""Searches of one case beside each other, over a real PostgreSQL: nobody decides too early, and no case is stuck."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from governance.secrets import ensure_secrets
from tests.services.test_two_workers_send_each_letter_once import ROOT, run, said

RACE = """
import json, threading, time
from concurrent.futures import ThreadPoolExecutor
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connections, transaction
# Tables as the models have them: what migrations add beside them takes no part in this, and their time.
settings.MIGRATION_MODULES = {one.label: None for one in apps.get_app_configs()}
for name in ("default", "keyring"):
    call_command("migrate", database=name, run_syncdb=True, verbosity=0)
from governance import dispatch
from governance.models import Dataset
from governance.policies import Actor
from governance.services import additions, intake, jobs, matching, outbox, proof, review
from governance.services.intake import Item
from governance.tokens import link_token
from tests.governance.conftest import file_case, finish
from tests.governance.staff import member
outbox._try_at_once = lambda pk: None
legal = Actor.of(member("legal@house.example", role="legal"))
for n in range(2):
    rows = dispatch.put_rows([{"id": f"r{n}", "text": "the sea"}])
    Dataset.objects.create(name=f"Works {n}", purpose="training", artifact=rows, records_count=1)
pool = ThreadPoolExecutor(4)

def admitted():
    case = file_case()
    intake.email_confirm(token=link_token(case.public_id, "confirm"))
    case.refresh_from_db()
    proof.proof_record(case=case, level=3, note="Nonce seen.", actor=legal)
    proof.proof_accept(case=case, actor=legal)
    review.case_admit(case=case, actor=legal)
    return case

def aside(act, *args):
    def one():
        try:
            act(*args)
            return "done"
        except Exception as error:
            return f"{type(error).__name__}: {error}"[:200]
        finally:
            connections.close_all()
    return pool.submit(one)

def stands(case):
    case.refresh_from_db()
    return str(case.status)

def search(case, handler=matching.matching_start):
    job = case.jobs.get(kind="match", state="queued")
    jobs.job_run(job_id=str(job.pk), attempt=job.attempt, handlers={"match": handler})

def ends(case):
    gate, rows = threading.Barrier(2), list(case.jobs.filter(kind="engine.match", state="queued"))
    def one(job):
        gate.wait()
        finish(job, matches=b"")
    return [one.result() for one in [aside(one, job) for job in rows]]

def work(n):
    return [Item(form="text", title=f"Lantern {n}", text=f"a lantern counts {n} ferries home")]

told = {"together": []}
for _round in range(5):
    case = admitted()
    search(case)
    told["together"].append([*ends(case), stands(case)])

# A later search has the engine's jobs written but not committed while the first ends.
case = admitted()
search(case)
additions.works_add(case=case, items=work(1))
reached, go = threading.Event(), threading.Event()
def uncommitted(*, job):
    with transaction.atomic():
        matching.matching_start(job=job)
        reached.set()
        go.wait(30)
later = aside(search, case, uncommitted)
reached.wait(30)
told["under way"] = [*ends(case), stands(case)]
go.set()
told["under way"] += [later.result(), stands(case), *ends(case), stands(case)]

# The engine is faster than the job that handed the search over says that it is done.
case, reached, go = admitted(), threading.Event(), threading.Event()
def slow(*, job):
    matching.matching_start(job=job)
    reached.set()
    go.wait(30)
first = aside(search, case, slow)
reached.wait(30)
told["fast"] = [*ends(case), stands(case)]
go.set()
told["fast"] += [first.result(), stands(case)]

# Works are added while the last search ends.
case, reached, go = admitted(), threading.Event(), threading.Event()
search(case)
keep = additions.items_keep
def held(*args, **more):
    reached.set()
    go.wait(30)
    return keep(*args, **more)
additions.items_keep = held
adding = aside(lambda: additions.works_add(case=case, items=work(2)))
reached.wait(30)
ending = pool.submit(ends, case)
time.sleep(1.5)
go.set()
told["added"] = [adding.result(), *ending.result(), stands(case)]
additions.items_keep = keep
search(case)
told["added"] += [*ends(case), stands(case)]
print(json.dumps(told))
"""


@pytest.mark.services
def test_nobody_decides_before_every_search_ended_and_none_waits_for_ever(tmp_path: Path, postgresql_url: str) -> None:
    ensure_secrets(tmp_path / "secrets")
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "governance.settings", "LETHE_HOME": str(tmp_path)}
    env |= {"PYTHONPATH": str(ROOT), "LETHE_DATABASE_URL": postgresql_url}
    told = json.loads(said(run(RACE, env)).splitlines()[-1])

    done = ["done", "done"]
    assert told["together"] == [[*done, "decision"]] * 5
    assert told["under way"] == [*done, "matching", "done", "matching", *done, "decision"]
    assert told["fast"] == [*done, "decision", "done", "decision"]
    assert told["added"] == ["done", *done, "matching", *done, "decision"]
