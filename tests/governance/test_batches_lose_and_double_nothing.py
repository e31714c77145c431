"""Batches: parts that can be sent again, a result for every line, and workers that die anywhere."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import DataError
from django.db.models import QuerySet
from django.forms.models import model_to_dict
from django.test import Client
from django.utils import timezone

from governance.errors import Unfit
from governance.models import AgentCase, Batch, BatchItem, Case, ClaimedItem, Kind, LedgerOpening, Letter, Role
from governance.policies import Actor
from governance.services import agents, batch_lines, batches, bulk_filing
from governance.services.batch_lines import MAX_TEXT, count, line_of, lines
from governance.validators import ADDRESS_LENGTH, TITLE_LENGTH
from tests.governance.agents import Known, known, works
from tests.governance.conftest import file_case

pytestmark = pytest.mark.database

#: Columns that differ from one case to the next; the link's end comes with a letter, which a batch does not write.
OWN = ["link_until", "id", "case", "number", "status_token", "confirm_token", "created_at", "changed_at", "received_at"]


@pytest.fixture
def agent(people: dict[Role, Actor], monkeypatch: pytest.MonkeyPatch) -> Known:
    monkeypatch.setattr(batches, "PIECE", 10)
    return known(people[Role.LEGAL])


def run(name: str) -> Batch:
    return batches.batch_run(Batch.objects.get(public_id=name).pk)


def told(case: Case) -> QuerySet[LedgerOpening]:
    return case.openings.order_by("entry").exclude(entry__action="letter.written")


def states(name: str) -> list[str]:
    return list(BatchItem.objects.filter(batch__public_id=name).values_list("state", flat=True))


def test_every_line_has_its_result_and_every_good_one_its_case(agent: Known) -> None:
    bad = [{"ref": "B1"}, {"ref": "B2", "text": "a poem"}, {"ref": "B3", "url": "file:///etc/passwd"}]
    name = agent.batch(works(0, 15), [*bad, *works(15, 8)])
    batch = run(name)
    assert (batch.state, batch.lines, batch.done) == ("done", 26, 26)
    assert (batch.accepted, batch.refused, batch.doubled) == (23, 3, 0)
    assert Case.objects.count() == 3 and AgentCase.objects.count() == 3
    assert ClaimedItem.objects.count() == 23 and not Letter.objects.exists()
    answer = agent.get(f"/api/v1/batches/{name}/results/?state=refused").json()
    assert [row["ref"] for row in answer["results"]] == ["B1", "B2", "B3"]
    assert answer["results"][0]["why"] == "Name either a text or a url." and answer["results"][0]["case"] == ""
    good = agent.get(f"/api/v1/batches/{name}/results/?page_size=1").json()
    assert good["results"][0]["case"].startswith("LT-") and good["next"]


def test_a_line_that_no_database_can_hold_is_refused_alone(agent: Known) -> None:
    bad = [
        {"ref": "B\ud8001", "title": "T", "text": "x \ud800"},
        {"ref": "B2", "title": "T \udfff", "text": "x"},
        {"ref": "B3", "url": "https://musica.example/\ud800"},
        {"ref": "B\x004", "title": "T", "text": "x \x00"},
        {"ref": "B5", "url": "https://musica.example/\x00"},
        {"ref": 10**4000, "title": "T", "text": "y"},
    ]
    name = agent.batch([*works(0, 5), *bad, *works(5, 8)])
    batch = run(name)
    assert (batch.state, batch.accepted, batch.refused) == ("done", 14, 5)
    rows = agent.get(f"/api/v1/batches/{name}/results/?state=refused").json()["results"]
    assert [row["ref"] for row in rows] == ["B1", "B2", "B3", "B4", "B5"]
    assert all("half a character" in row["why"] for row in rows[:3]) and all("NUL" in row["why"] for row in rows[3:])


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (DataError("too long"), batch_lines.UNTAKEN),
        (UnicodeError(), batch_lines.UNTAKEN),
        (Unfit("Not so."), "Not so."),
    ],
)
def test_what_fails_only_when_it_is_written_ends_as_the_result_of_its_line(
    agent: Known, monkeypatch: pytest.MonkeyPatch, error: Exception, why: str
) -> None:
    real = bulk_filing.piece_file

    def refuses(batch: Batch, start: int, judged: Any) -> None:
        real(batch, start, judged)
        if any(one.line.item and one.line.ref == "W13" for one in judged):
            raise error

    monkeypatch.setattr(bulk_filing, "piece_file", refuses)
    name = agent.batch(works(0, 25))
    batch = run(name)
    assert (batch.state, batch.done, batch.accepted, batch.refused) == ("done", 25, 24, 1)
    bad = BatchItem.objects.get(state="refused")
    assert (bad.position, bad.ref, bad.why) == (14, "W13", why)
    assert ClaimedItem.objects.count() == 24


def test_a_case_of_a_batch_is_as_one_that_was_filed_alone(agent: Known) -> None:
    run(agent.batch(works(0, 2)))
    items = [line.item for line in lines("\n".join(map(json.dumps, works(2, 2))).encode(), "jsonl") if line.item]
    batches.file_for(agent=agent.agent, mandate=agent.mandate, kind=Kind.COPYRIGHT, law="house", items=items)
    for of in (
        lambda case: model_to_dict(case, exclude=[*OWN, "claimant"]),
        lambda case: [str(getattr(case.claimant, name)) for name in ("name", "email", "principal", "email_mark")],
        lambda case: bool(case.claimant.email_confirmed_at),
        lambda case: model_to_dict(case.clocks.get(), exclude=OWN),
        lambda case: [(item.position, item.form, item.title[:-1], item.channel) for item in case.items.all()],
        lambda case: [(proof.level, proof.note) for proof in case.proofs.all()],
        lambda case: [(stay.stage, stay.hours) for stay in case.stays.all()],
        lambda case: case.filed_by.mandate_id,
        lambda case: [(o.entry.action, o.actor_label, o.body) for o in told(case)],
    ):
        one, other = (of(case) for case in Case.objects.order_by("pk"))
        assert one == other


def test_the_same_work_again_is_told_as_filed_already(agent: Known) -> None:
    run(agent.batch(works(0, 5)))
    again = run(agent.batch([*works(3, 4), works(3, 1)[0]]))
    assert (again.accepted, again.doubled) == (2, 3)


def test_a_worker_that_dies_within_a_piece_leaves_nothing_of_it(agent: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    name = agent.batch(works(0, 35))
    pk = Batch.objects.get().pk
    real, calls = bulk_filing.rows_write, []

    def dies(model: Any, *rows: Any) -> None:
        real(model, *rows)
        calls.append(model)
        if calls.count(BatchItem) == 3:
            raise SystemExit("killed")

    monkeypatch.setattr(bulk_filing, "rows_write", dies)
    with pytest.raises(SystemExit):
        batches.batch_run(pk)
    monkeypatch.undo()
    monkeypatch.setattr(batches, "PIECE", 10)
    assert Batch.objects.get().done == 20 and Case.objects.count() == 2
    assert batches.batch_run(pk).done == 20, "whoever has it is not disturbed"
    Batch.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    done = batches.batch_run(pk)
    assert (done.state, done.accepted) == ("done", 35)
    assert states(name) == ["accepted"] * 35 and ClaimedItem.objects.count() == 35


def test_a_task_takes_some_pieces_and_leaves_the_rest_to_the_next(agent: Known) -> None:
    agent.batch(works(0, 35))
    pk = Batch.objects.get().pk
    assert batches.batch_run(pk, pieces=2).done == 20
    assert batches.batches_sweep() == 1
    assert batches.batch_run(pk, pieces=2).state == "done"
    assert batches.batches_sweep() == 0


def test_a_part_sent_again_changes_nothing_and_another_under_its_number_is_refused(agent: Known) -> None:
    body = {"mandate": str(agent.mandate.public_id), "format": "jsonl"}
    name = agent.post("/api/v1/batches/", body).json()["id"]
    data = json.dumps(works(0, 1)[0]).encode()
    assert agent.part(name, 1, data).status_code == 201
    assert agent.part(name, 1, data).status_code == 200
    assert agent.part(name, 1, data + b"\n" + data).status_code == 409
    assert agent.part(name, 2, data, digest="sha-256=:" + "A" * 43 + "=:").status_code == 422
    assert agent.part(name, 2, data, digest="md5=:x:").status_code == 400
    assert agent.part(name, 0, data).status_code == 422
    assert agent.part(name, 2, b"").status_code == 422
    assert agent.part(name, 3, data).status_code == 201
    gap = agent.post(f"/api/v1/batches/{name}/close/")
    assert gap.status_code == 422 and "2" in gap.json()["detail"]
    assert agent.get(f"/api/v1/batches/{name}/").json()["parts"] == [1, 3]
    assert agent.part(name, 2, data).status_code == 201
    assert agent.post(f"/api/v1/batches/{name}/close/").json()["state"] == "queued"
    assert agent.post(f"/api/v1/batches/{name}/close/").status_code == 202
    assert agent.part(name, 4, data).status_code == 409


def test_people_who_file_by_themselves_go_first(agent: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []
    monkeypatch.setattr(batches.time, "sleep", rests.append)
    run(agent.batch(works(0, 20)))
    assert rests == []
    file_case()
    run(agent.batch(works(20, 20)))
    assert len(rests) == 2 and max(rests) <= batches.LONGEST_PAUSE


def test_there_is_an_end_to_a_batch(agent: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MAX_LINES", 3)
    body = {"mandate": str(agent.mandate.public_id), "format": "jsonl"}
    name = agent.post("/api/v1/batches/", body).json()["id"]
    data = "\n".join(json.dumps(line) for line in works(0, 4)).encode()
    assert "at most 3 works" in agent.part(name, 1, data).json()["detail"]


def test_a_mandate_that_ends_stops_the_batch_where_it_is(agent: Known, people: dict[Role, Actor]) -> None:
    agent.batch(works(0, 25))
    pk = Batch.objects.get().pk
    batches.batch_run(pk, pieces=1)
    agents.mandate_revoke(mandate=agent.mandate, actor=people[Role.LEGAL])
    assert batches.batch_run(pk).state == "stopped"
    assert Batch.objects.get().done == 10


def test_an_agent_sees_its_own_batches_only(agent: Known, people: dict[Role, Actor]) -> None:
    name = agent.batch(works(0, 1))
    other = known(people[Role.LEGAL])
    assert other.get(f"/api/v1/batches/{name}/").status_code == 404
    assert other.get("/api/v1/batches/").json()["results"] == []


def test_a_request_about_a_person_is_never_a_batch(people: dict[Role, Actor]) -> None:
    agent = known(people[Role.LEGAL], kinds=("privacy",))
    body = {"mandate": str(agent.mandate.public_id), "format": "jsonl", "kind": "privacy"}
    assert agent.post("/api/v1/batches/", body).status_code == 400


def test_the_page_behind_the_private_link_shows_the_progress(agent: Known, client: Client) -> None:
    name = agent.batch([*works(0, 2), {"ref": "B1"}])
    url = agent.get(f"/api/v1/batches/{name}/").json()["progress_url"].removeprefix("http://127.0.0.1:8000")
    assert "Waiting to be filed" in client.get(url).content.decode()
    run(name)
    page = client.get(url).content.decode()
    assert "3 of 3 works" in page and "B1" in page and "Vel Marun" not in page
    assert "Indiquez soit un texte, soit une adresse (url)." in client.get(f"{url}?language=fr").content.decode()
    assert client.get(f"/batches/wrong/{name}/").status_code == 404


@pytest.mark.parametrize(
    ("format", "data", "expected"),
    [
        ("jsonl", b'\xef\xbb\xbf{"url": "https://a.example/"}\r\n\r\n', [""]),
        ("jsonl", b"[1]\nnot json\n" + b"[" * 9000, ["no JSON object"] * 3),
        ("jsonl", b'{"text": "a", "title": "\xff"}', ["UTF-8"]),
        ("jsonl", b'{"text": 5, "title": "t"}', ["are texts"]),
        ("jsonl", json.dumps({"title": "t", "text": "x" * (MAX_TEXT + 1)}).encode(), ["at most"]),
        ("jsonl", json.dumps({"title": "a\u202eb", "text": "x"}).encode(), ["control characters"]),
        ("csv", "ref,Title,text\r\n1,Ode,\"zwei\nZeilen, 🎻\"\r\n2,,x\r\n".encode(), ["", "title"]),
        ("csv", b"", []),
    ],
)  # fmt: skip
def test_lines_are_judged_one_by_one(format: str, data: bytes, expected: list[str]) -> None:
    found = list(lines(data, format))
    assert len(found) == len(expected)
    for line, why in zip(found, expected, strict=True):
        assert (why in line.why) if why else line.item


@pytest.mark.parametrize(
    "part",
    [b"", b"\n\r\n \n{}\n", b"\xef\xbb\xbf{}\n\xef\xbb\xbf\n", b"\xff\xfe\n\xc3\n{}",
     "\u2028\n\u00a0\n{}\x85{}".encode(), b"[]\n1\nx"],
    ids=["empty", "blanks", "marks", "no UTF-8", "other blanks", "no objects"],
)  # fmt: skip
@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_lines_are_counted_as_they_are_read(part: bytes, format: str) -> None:
    found = list(lines(part, format))
    assert count(part, format) == len(found)
    for skip in range(len(found) + 1):
        assert list(lines(part, format, skip=skip)) == found[skip:]


def test_a_sentence_about_length_names_the_limits_that_hold() -> None:
    long, titled = (line_of({"title": "x" * title, "text": "x" * text}) for title, text in ((1, 20_001), (201, 1)))
    assert f"{MAX_TEXT:,} characters" in long.why
    assert f"{TITLE_LENGTH} characters, an address {ADDRESS_LENGTH}." in titled.why
    assert line_of({"title": "x" * TITLE_LENGTH, "text": "x" * MAX_TEXT}).item
