"""Jobs: the list, how far one is, its course, its spec without a person, and what an engineer may do to it."""

from __future__ import annotations

import html
import shlex
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from governance import dispatch
from governance.models import Case, Job, JobPoint, Role, Status, User
from governance.policies import Actor
from governance.services import jobs, papers, patches, regressions, rescans
from governance.web.job_words import KINDS
from tests.governance.conftest import engine_job, file_case, run_house_jobs
from tests.governance.staff import member
from unlearning_engine.flags import FLAGS


@pytest.fixture
def engineer(client: Client) -> User:
    user = member("jobs@house.example", role=Role.ENGINEER)
    client.force_login(user)
    return user


@pytest.fixture
def running(walk: Any) -> Job:
    """An unlearning job in the middle of its run."""
    case = walk(file_case(), Status.UNLEARNING)
    run_house_jobs(case)
    job = engine_job(case, "unlearn")
    jobs.job_start(job_id=str(job.pk), attempt=0)
    events = [{"stage": "unlearn", "step": n, "total": 300, "loss": 3.0 - n / 100} for n in range(0, 136, 5)]
    jobs.job_beat(job_id=str(job.pk), attempt=0, events=events)
    job.refresh_from_db()
    return job


def page(client: Client, job: Job, **query: str) -> str:
    return str(client.get(reverse("job", args=[job.pk]), query).content.decode())


def test_every_kind_of_job_has_words(client: Client, engineer: User) -> None:
    engine = {f"engine.{verb}" for verb in FLAGS.keys() - {"patch-make"}}
    kinds = {*dispatch.HOUSE_JOBS, *engine, patches.KIND, regressions.KIND, rescans.KIND}
    assert kinds == KINDS.keys()
    for kind in ("engine.rescan", "paper"):
        Job.objects.create(key=kind, kind=kind, queue="default")
    text = client.get("/jobs/").content.decode()
    assert "Looking for opted-out works in a new dataset" in text and "A paper is written and signed" in text
    assert "engine.rescan" not in text.replace('<option value="engine.rescan">', "", 1)


def test_the_job_by_hand_names_the_store(client: Client, engineer: User, running: Job, settings: Any) -> None:
    name = f"unlearn-{str(running.pk)[:8]}"
    start = f".venv/bin/python -m unlearning_engine unlearn ~/Downloads/{name}.json"
    line = f"{start} --store {shlex.quote(settings.ARTIFACTS_URL)} --out {name}"
    assert line in html.unescape(page(client, running)) and "URL --out" not in page(client, running)


def test_a_paper_shows_its_order_and_nothing_to_run(client: Client, engineer: User) -> None:
    boss = Actor.of(member("orders@house.example", role=Role.EXECUTIVE))
    job = papers.paper_order(kind="register", size="A4", language="en", actor=boss)
    text = page(client, job)
    assert "Download the spec" in text and "unlearning_engine" not in text
    answer = client.get(reverse("job_spec", args=[job.pk]))
    assert answer.content == dispatch.read_bytes(job.spec)
    assert f'"paper-{str(job.pk)[:8]}.json"' in answer["Content-Disposition"]


def test_an_empty_list_says_what_starts_a_job(client: Client, engineer: User) -> None:
    assert "A confirmed plan starts the next one" in client.get("/jobs/").content.decode()


def test_the_list_counts_what_runs_and_filters(client: Client, engineer: User, running: Job) -> None:
    text = client.get("/jobs/").content.decode()
    assert "1 job is running, 0 waiting" in text and "unlearn, 135 of 300" in text and "data-refresh" in text
    failed = client.get("/jobs/", {"state": "failed"})
    assert failed.context["rows"] == [] and failed.context["refresh_seconds"]
    assert "1 job is running, 0 waiting" in (text := failed.content.decode()) and "answers to this filter" in text
    assert len(client.get("/jobs/", {"queue": "gpu", "state": "running"}).context["rows"]) == 1
    assert client.get("/jobs/", {"state": "nonsense", "after": "nonsense"}).status_code == 200


def test_the_list_is_narrowed_by_kind_and_case(client: Client, engineer: User, running: Job) -> None:
    other = Job.objects.create(key="other", kind="report", queue="signing")
    assert running.case

    def found(**asked: str) -> set[str]:
        rows = client.get(reverse("jobs"), asked).context["rows"]
        return {row[0]["url"].split("/")[2] for row in rows}

    mine = Job.objects.filter(case=running.case)
    assert found(q=running.case.number.lower()) == {str(one.pk) for one in mine} and str(other.pk) not in found(
        q=running.case.number[:4]
    )
    assert found(kind=running.kind, q=running.case.number) == {str(one.pk) for one in mine.filter(kind=running.kind)}
    assert found(kind="report") == {str(other.pk)} and found(kind="nonsense") >= {str(running.pk), str(other.pk)}
    assert found(q="LT-nobody") == found(q="\0") == set()
    assert "No job answers to this filter." in client.get(reverse("jobs"), {"q": "LT-nobody"}).content.decode()


def test_pages_follow_each_other(client: Client, engineer: User, monkeypatch: Any) -> None:
    monkeypatch.setattr("governance.selectors.jobs.SIZE", 2)
    made = [str(Job.objects.create(key=f"k{n}", kind="match", queue="default").pk) for n in range(5)]
    seen, address = [], "/jobs/"
    while address:
        answer = client.get(address)
        seen += [row[0]["url"].split("/")[2] for row in answer.context["rows"]]
        address = f"/jobs/{answer.context['next_page_url']}" if answer.context["next_page_url"] else ""
    assert sorted(seen) == sorted(made) and len(seen) == len(set(seen))


def test_a_running_job_shows_bar_course_and_spec(client: Client, engineer: User, running: Job) -> None:
    text = page(client, running)
    for words in (
        "<progress",
        "Loss by step",
        "unlearn: from 3 to 1.65",
        "as a table",
        "Cancel the job",
        "data-refresh",
    ):
        assert words in text
    assert "graddiff" in text and "Marun" not in text


def test_the_course_is_there_as_csv(client: Client, engineer: User, running: Job) -> None:
    lines = page(client, running, format="csv").splitlines()
    assert lines[0] == "stage,step,loss" and lines[1] == "unlearn,0,3.0" and len(lines) == JobPoint.objects.count() + 1


def test_a_failed_job_says_what_was_wrong_and_runs_again(client: Client, engineer: User, running: Job) -> None:
    error = {"type": "DeviceError", "messages": ["No memory is left on the device."], "retryable": False}
    jobs.job_fail(job_id=str(running.pk), attempt=0, error=error)
    text = page(client, running)
    assert "Stopped: the device was missing, full or lost" in text and "DeviceError" in text
    assert "No memory is left" in text and "Let it run again" in text
    assert client.post(reverse("job_retry", args=[running.pk])).status_code == 302
    running.refresh_from_db()
    assert (running.state, running.attempt) == (Job.State.QUEUED, 1)
    assert client.post(reverse("job_retry", args=[running.pk]), follow=True).status_code == 200
    running.refresh_from_db()
    assert running.attempt == 1


def test_a_job_is_cancelled_once(client: Client, engineer: User, running: Job) -> None:
    assert client.post(reverse("job_cancel", args=[running.pk])).status_code == 302
    running.refresh_from_db()
    assert running.state == Job.State.CANCELLED
    again = client.post(reverse("job_cancel", args=[running.pk]), follow=True)
    assert "had ended already" in again.content.decode()


def test_readers_without_the_permission_find_no_button(client: Client, running: Job) -> None:
    client.force_login(member("reader@house.example", role=Role.AUDITOR))
    assert "Cancel the job" not in page(client, running)


def test_the_case_page_shows_the_job_that_runs(client: Client, engineer: User, running: Job) -> None:
    case = Case.objects.get()
    text = client.get(reverse("case", args=[case.public_id])).content.decode()
    assert "unlearn, 135 of 300" in text and "To the job" in text


def test_looks_of_the_watch_are_drawn_as_curves_and_as_a_frontier(client: Client, engineer: User, running: Job) -> None:
    looks = [(0, 0.95, 1.0), (50, 0.4, 0.8), (100, 0.05, 0.9)]
    events = [
        {"stage": "watch", "step": step, "total": 300, "forget_probability": gone, "retain_utility": kept}
        for step, gone, kept in looks
    ]
    assert jobs.job_beat(job_id=str(running.pk), attempt=0, events=events)
    charts = {chart["id"]: chart for chart in client.get(reverse("job", args=[running.pk])).context["charts"]}
    assert list(charts) == ["loss", "watch", "frontier"]
    assert charts["watch"]["labels"] == ["0", "50", "100"] and charts["watch"]["series"][0]["data"] == [0.95, 0.4, 0.05]
    assert "from 0.95 to 0.05; lowest share that stayed: 0.90" in charts["watch"]["sentence"]
    assert [(dot["x"], dot["y"]) for dot in charts["frontier"]["series"][0]["data"]] == [
        (0.05, 1.0),
        (0.6, 0.8),
        (0.95, 0.9),
    ]
    lines = page_csv(client, running)
    assert lines[0] == "stage,step,loss,forget_probability,retain_utility" and lines[-1] == "watch,100,,0.05,0.9"


def page_csv(client: Client, job: Job) -> list[str]:
    return str(client.get(reverse("job", args=[job.pk]), {"format": "csv"}).content.decode()).splitlines()
