"""The engineer's rooms: who takes jobs, why a run failed, and runs side by side."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance import dispatch, tasks
from governance.models import Job, JobPoint, Role, Status, Worker
from governance.policies import Actor
from governance.services import jobs
from tests.governance.conftest import file_case
from tests.governance.staff import sign_in_to_decide
from unlearning_engine.contracts import GenerateSpec, MatchSpec

pytestmark = pytest.mark.database

MACHINE = {
    "cores": 8, "load": 1.5, "memory_mib": 65536, "memory_free_mib": 32768, "disk_free_mib": 102400,
    "devices": [{"name": "H200", "memory_mib": 143771, "memory_free_mib": 100000, "busy_percent": 3, "serial": "x"}],
    "user": "somebody",
}  # fmt: skip


@pytest.fixture
def engineer(client: Client, people: dict[Role, Actor]) -> Client:
    user = people[Role.ENGINEER].user
    assert user is not None
    sign_in_to_decide(client, user)
    return client


def seen(name: str, *queues: str, ago: int = 0) -> None:
    tasks.worker_seen(name, list(queues), 20.0, MACHINE)
    Worker.objects.filter(name=name).update(seen_at=timezone.now() - timedelta(seconds=ago))


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def test_what_a_worker_tells_is_kept_in_its_form_and_forgotten_after_a_day() -> None:
    seen("old@a", "default", ago=25 * 3600)
    seen("engine@a", "gpu", "nonsense")
    row = Worker.objects.get()
    assert (row.name, row.queues) == ("engine@a", ["gpu"])
    assert "user" not in row.machine and "serial" not in row.machine["devices"][0]


def test_the_page_warns_when_nobody_takes_the_jobs_that_wait(engineer: Client, case: Any) -> None:
    page = reverse("jobs")
    assert "No worker has told that it is alive" in text_of(engineer.get(page))
    Job.objects.create(key="a", kind="engine.match", queue="gpu", case=case)
    assert "Work stands still" in text_of(engineer.get(page))
    seen("default@a", "default")
    seen("signing@a", "signing")
    seen("engine@a", "gpu", ago=61)
    text = text_of(engineer.get(page))
    assert "No worker takes from: gpu. 1 job of the engine waits." in text and "silent since" in text
    seen("engine@a", "gpu")
    text = text_of(engineer.get(page))
    assert "Work stands still" not in text and "H200, 98 of 140 GiB free" in text
    two = [Job.objects.create(key=name, kind="engine.match", queue="gpu", case=case, state="running",
                              worker="engine@a") for name in "bc"]  # fmt: skip
    rows = engineer.get(page).context["worker_rows"]
    assert {link["text"] for row in rows if row[4] for link in row[4]["links"]} == {str(one.pk)[:8] for one in two}


def test_why_a_run_failed_stands_on_its_page_and_the_log_is_the_engineers(
    engineer: Client, people: dict[Role, Actor], case: Any
) -> None:
    job = Job.objects.create(key="a", kind="engine.match", queue="gpu", case=case)
    tasks.job_started(str(job.pk), 0, "engine@a")
    tasks.job_progress(str(job.pk), 0, [{"event": "progress", "stage": "train", "step": 3, "memory_mib": 2048}])
    told = {"type": "DeviceError", "retryable": False, "messages": ["train: the device ran out of memory"]}
    error = {"type": "DeviceError", "retryable": False, "problems": 1, "detail": dispatch.store().put_json(told)}
    jobs.engine_fail(
        job_id=str(job.pk), attempt=0, error={**error, "log": dispatch.put_bytes(b"step 3 <b>of 9</b>\n")}, then={}
    )
    text = text_of(engineer.get(reverse("job", args=[job.pk])))
    assert "ran out of memory" in text and "engine@a" in text and "2.0 GiB" in text
    listed = text_of(engineer.get(reverse("jobs"), {"state": "failed"}))
    assert "train: the device ran out of memory" in listed
    log = reverse("job_log", args=[job.pk])
    assert log in text and "step 3 &lt;b&gt;of 9" in text_of(engineer.get(log))
    legal = people[Role.LEGAL].user
    assert legal is not None
    engineer.force_login(legal)
    assert log not in text_of(engineer.get(reverse("job", args=[job.pk]))) and engineer.get(log).status_code == 403


def test_a_job_is_run_by_hand_from_its_downloaded_spec_as_it_is_told(engineer: Client, tmp_path: Path) -> None:
    job = dispatch.enqueue_engine(spec=GenerateSpec(seed=3, artists=1, persons=1), key="a")
    page = engineer.get(reverse("job", args=[job.pk]))
    line, file = str(page.context["command"]), engineer.get(page.context["spec_url"])
    assert f'href="{page.context["spec_url"]}"' in page.content.decode()
    assert "sha256:" + hashlib.sha256(file.content).hexdigest() == job.spec
    name = str(file["Content-Disposition"]).split('"')[1]
    downloads = tmp_path / "Downloads"
    downloads.mkdir()
    (downloads / name).write_bytes(file.content)
    assert line.startswith(".venv/bin/python -m unlearning_engine ")
    # As a shell takes it, in a folder that has the software's Python.
    (tmp_path / ".venv").symlink_to(sys.prefix)
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run(["bash", "-c", line], cwd=tmp_path, env=environment, check=True)
    made = json.loads((tmp_path / name.removesuffix(".json") / "result.json").read_text())
    assert made["spec_digest"] == job.spec and made["digests"]


def test_a_job_whose_input_was_deleted_says_that_nobody_can_run_it_again(engineer: Client) -> None:
    works, data = dispatch.put_rows([{"id": "a", "title": "A", "text": "b"}]), dispatch.put_rows([{"id": "r"}])
    job = dispatch.enqueue_engine(spec=MatchSpec(works=works, dataset=data), key="a")
    Job.objects.filter(pk=job.pk).update(state="succeeded")
    assert engineer.get(reverse("job", args=[job.pk])).context["command"]
    dispatch.discard(works)
    page = engineer.get(reverse("job", args=[job.pk]))
    assert not page.context["command"] and "deleted since (works)" in page.content.decode()


def test_runs_of_one_version_are_set_beside_each_other(
    engineer: Client, walk: Callable[..., Any], catalogue: dict[str, Any]
) -> None:
    found = list(walk(file_case(), Status.RELEASE).jobs.filter(kind="engine.unlearn").order_by("created_at"))
    assert len(found) == 2
    for n, job in enumerate(found):
        looks = {"forget_probability": 0.4 / (n + 1), "retain_utility": 0.9}
        JobPoint.objects.create(job=job, stage=dispatch.WATCH, step=10, values=looks)
        JobPoint.objects.create(job=job, stage="train", step=10, values={"loss": 2.0 - n})
    page = text_of(engineer.get(reverse("job", args=[found[0].pk])))
    assert "Its like" in page and str(found[1].pk) in page
    text = text_of(engineer.get(reverse("jobs_compare"), {"job": [str(job.pk) for job in found]}))
    assert "2 runs side by side" in text and "Frontiers of the runs" in text and "Loss by step" in text
    assert all(job.case.number in text for job in found)
    assert "Before and after" in text and "never seen 1%" in text
    assert "No run was chosen" in text_of(engineer.get(reverse("jobs_compare"), {"job": "nonsense"}))
    third = Job.objects.create(key="third", kind="engine.unlearn", queue="gpu", plan=found[0].plan)
    page = engineer.get(reverse("jobs_compare"), {"job": [str(job.pk) for job in found]})
    assert [str(third.pk) in one["url"] for one in page.context["more"]] == [True]
    three = engineer.get(page.context["more"][0]["url"])
    assert "3 runs side by side" in text_of(three) and not three.context["more"]
    out = next(row for row in three.context["rows"] if row[0] == "Beside others")
    assert "2 runs side by side" in text_of(engineer.get(out[1]["url"])) and str(found[0].pk) not in out[1]["url"]
