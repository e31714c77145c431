"""A worker dies between storing a sealed paper and writing its row: the files are found and deleted, a day later."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from governance import dispatch
from governance.errors import Conflict
from governance.models import Job, Paper, Role, Unclaimed
from governance.secrets import ensure_secrets
from governance.services import jobs, papers, unclaimed

pytestmark = pytest.mark.database

STORES = """
import time, django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from governance import dispatch
from governance.services import unclaimed
put = dispatch.put_bytes
def dies(data):
    print(put(data), flush=True)
    time.sleep(600)
dispatch.put_bytes = dies
unclaimed.store(pdf=b"a sealed paper of somebody")
"""
SWEEPS = """
import sys, django
django.setup()
from datetime import timedelta
from governance import dispatch
from governance.services import unclaimed
early = unclaimed.sweep()
unclaimed.GRACE = timedelta(0)
print(early, dispatch.exists(sys.argv[1]), unclaimed.sweep(), dispatch.exists(sys.argv[1]), unclaimed.sweep())
"""


def later() -> None:
    Unclaimed.objects.update(at=timezone.now() - unclaimed.GRACE - timedelta(minutes=1))


@pytest.fixture
def order(house: Path, people: Any) -> Job:
    return papers.paper_order(kind="register", size="A4", language="en", actor=people[Role.EXECUTIVE])


def test_a_paper_whose_worker_died_is_written_anew_and_its_files_go(
    order: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr(papers, "_register_paper", lambda *_args: sys.exit(137))
        papers.paper_write(job=order)
    left = set(Unclaimed.objects.values_list("ref", flat=True))
    assert len(left) == 2 and all(dispatch.exists(ref) for ref in left)
    assert unclaimed.sweep() == 0, "its worker may still be at it"
    paper = papers.paper_write(job=order)
    assert set(Unclaimed.objects.values_list("ref", flat=True)) == left
    later()
    assert unclaimed.sweep() == 2 and unclaimed.sweep() == 0
    assert not any(dispatch.exists(ref) for ref in left)
    assert dispatch.exists(paper.pdf) and dispatch.exists(paper.evidence)


def test_what_a_row_names_stays_though_it_was_noted(order: Job) -> None:
    paper = papers.paper_write(job=order)
    assert not Unclaimed.objects.exists()
    Unclaimed.objects.create(ref=paper.pdf)
    later()
    assert unclaimed.sweep() == 0 and dispatch.exists(paper.pdf) and not Unclaimed.objects.exists()


def test_a_worker_that_was_slower_than_the_sweep_begins_anew(order: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    store = unclaimed.store

    def slow(**files: bytes) -> dict[str, str]:
        refs = store(**files)
        later()
        assert unclaimed.sweep() == 2
        return refs

    with monkeypatch.context() as patched, pytest.raises(Conflict, match="swept"):
        patched.setattr(unclaimed, "store", slow)
        papers.paper_write(job=order)
    assert not Paper.objects.exists() and papers.paper_write(job=order).pdf


def test_the_job_whose_files_were_swept_waits_and_is_done_then(order: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    store = unclaimed.store

    def slow(**files: bytes) -> dict[str, str]:
        refs = store(**files)
        later()
        unclaimed.sweep()
        return refs

    handlers = {"paper": papers.paper_write}
    with monkeypatch.context() as patched:
        patched.setattr(unclaimed, "store", slow)
        jobs.job_run(job_id=str(order.pk), attempt=order.attempt, handlers=handlers)
    order.refresh_from_db()
    assert order.state == Job.State.QUEUED and order.error["waits"]
    jobs.job_run(job_id=str(order.pk), attempt=order.attempt, handlers=handlers)
    order.refresh_from_db()
    assert order.state == Job.State.SUCCEEDED and Paper.objects.get(job=order).pdf


def test_a_try_that_died_a_day_ago_does_not_shorten_the_time_of_the_next() -> None:
    """The README of a case has the same bytes at each try."""
    refs = unclaimed.store(readme=b"the same bytes at each try")
    later()
    assert unclaimed.store(readme=b"the same bytes at each try") == refs
    assert unclaimed.sweep() == 0 and dispatch.exists(refs["readme"])
    unclaimed.claim(refs)


def test_what_was_stored_again_since_the_sweep_looked_stays() -> None:
    refs = unclaimed.store(readme=b"seen by the sweep, then stored again")
    later()
    seen, limit = Unclaimed.objects.get(), timezone.now() - unclaimed.GRACE
    unclaimed.store(readme=b"seen by the sweep, then stored again")
    assert not unclaimed._swept(seen, limit) and dispatch.exists(refs["readme"])


def test_a_file_that_cannot_be_deleted_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = unclaimed.store(pdf=b"stuck")["pdf"], unclaimed.store(pdf=b"loose")["pdf"]
    later()
    discard = dispatch.discard

    def fails(ref: str) -> bool:
        if ref == one:
            raise PermissionError("the disk is read only")
        return discard(ref)

    with monkeypatch.context() as patched:
        patched.setattr(dispatch, "discard", fails)
        assert unclaimed.sweep() == 1
    assert dispatch.exists(one) and not dispatch.exists(two)
    assert unclaimed.sweep() == 0, "due again a day later"
    later()
    assert unclaimed.sweep() == 1 and not dispatch.exists(one)


def test_a_process_that_is_killed_leaves_a_note_by_which_its_file_is_found(tmp_path: Path) -> None:
    """Processes of their own, with a database of their own, and kill -9."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("LETHE_")}
    env |= {"LETHE_HOME": str(tmp_path), "LETHE_DEBUG": "1", "DJANGO_SETTINGS_MODULE": "governance.settings"}
    ensure_secrets(tmp_path / "secrets")
    with subprocess.Popen([sys.executable, "-c", STORES], env=env, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        ref = worker.stdout.readline().strip()
        worker.send_signal(signal.SIGKILL)
    assert ref.startswith("sha256:")
    done = subprocess.run([sys.executable, "-c", SWEEPS, ref], env=env, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["0", "True", "1", "False", "0"], done.stderr[-2000:]
