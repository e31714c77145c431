"""Samples that an auditor draws, exports, a report's proof: what is fixed before, what anybody can do again."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse

from governance.errors import Conflict, NotAllowed, Unfit
from governance.models import AuditSample, Case, Kind, LedgerEntry, LedgerOpening, Role
from governance.policies import Actor
from governance.services import checkpoints, exports, samples
from lethe_verify import sample as stranger
from lethe_verify import trust
from lethe_verify.verdict import Outcome
from tests.governance.audits import TEXT, drawn_sample, stated_sample
from tests.governance.conftest import TODAY, file_case
from tests.governance.staff import sign_in_to_decide
from tests.governance.test_public_bundle import write


@pytest.fixture
def auditor(client: Client, people: dict[Role, Actor]) -> Actor:
    user = people[Role.AUDITOR].user
    assert user
    sign_in_to_decide(client, user)
    return people[Role.AUDITOR]


def by_hand(cases: list[str], n: int, root: bytes, text: str) -> list[str]:
    """The algorithm as docs/audits.md tells it, written a third time."""
    seed = hashlib.sha256(b"lethe-sample/1\n" + root.hex().encode() + b"\n" + text.encode()).hexdigest()
    return sorted(cases, key=lambda one: hashlib.sha256(f"{seed}\n{one}".encode()).hexdigest())[:n]


def test_the_next_checkpoint_decides_and_a_stranger_draws_the_same(client: Client, auditor: Actor, house: Path) -> None:
    cases = [file_case(email=f"one{n}@studio.example").number for n in range(7)]
    sample = stated_sample(auditor, n=3)
    with pytest.raises(Conflict, match="next checkpoint decides"):
        samples.sample_draw(sample=sample, text="", actor=auditor)
    head = checkpoints.checkpoint_make()
    file_case(email="later@studio.example")  # after the statement: not in the list
    checkpoints.checkpoint_make()
    done = samples.sample_draw(sample=sample, text="", actor=auditor)
    assert done.checkpoint == head.size and [one[0] for one in done.drawn] == by_hand(cases, 3, bytes(head.root), TEXT)
    with pytest.raises(Conflict, match="drawn already"):
        samples.sample_draw(sample=sample, text="", actor=auditor)
    published = trust.read(client.get("/.well-known/lethe-trust.json").content.decode())
    data = client.get(reverse("sample_json", args=[done.public_id])).content
    verdict = stranger.judge(data, published)
    assert verdict.outcome is Outcome.GENUINE, verdict.findings
    assert stranger.judge(data, trust.Trust()).outcome is Outcome.UNKNOWN_SIGNER
    assert b"Marun" not in data and b"studio.example" not in data


def test_whatever_is_altered_is_refused(auditor: Actor, house: Path) -> None:
    for n in range(4):
        file_case(email=f"two{n}@studio.example")
    data = json.loads(samples.check_file(drawn_sample(auditor)))
    other = next(one for one in data["population"] if one not in data["drawn"])
    altered: dict[str, Any] = {
        "text": "another text, chosen afterwards", "drawn": [data["drawn"][0], other],
        "population": data["population"][1:],
        "seed": "0" * 64, "entries": [{**data["entries"][0], "body": {**data["entries"][0]["body"], "n": 1}}],
    }  # fmt: skip
    for name, value in altered.items():
        changed = json.dumps({**data, name: value}, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        assert stranger.judge(changed, trust.Trust()).outcome is Outcome.REFUSED, name


def test_a_text_can_be_kept_from_the_house_until_the_draw(auditor: Actor, house: Path) -> None:
    file_case()
    secret = "what only the auditor knows"
    sample = stated_sample(auditor, text=hashlib.sha256(secret.encode()).hexdigest())
    checkpoints.checkpoint_make()
    assert sample.text == ""
    with pytest.raises(Unfit, match="not the text"):
        samples.sample_draw(sample=sample, text="something else", actor=auditor)
    assert samples.sample_draw(sample=sample, text=secret, actor=auditor).text == secret


def test_groups_filters_and_faults(auditor: Actor, people: dict[Role, Actor], house: Path) -> None:
    for kind in (Kind.COPYRIGHT, Kind.COPYRIGHT, Kind.COPYRIGHT, Kind.PRIVACY):
        file_case(kind=kind)
    assert [one[1] for one in drawn_sample(auditor, strata="kind").drawn] == ["copyright", "copyright", "privacy"]
    assert stated_sample(auditor, kind="privacy").size == 1
    with pytest.raises(Unfit) as fault:
        stated_sample(auditor, n=0, text="short", state="closed")
    assert len(fault.value.messages) == 2
    with pytest.raises(Unfit, match="No case answers to this"):
        stated_sample(auditor, state="closed")
    with pytest.raises(NotAllowed):
        stated_sample(people[Role.LEGAL])


def test_what_was_stated_and_drawn_is_final_and_names_nobody(auditor: Actor, house: Path) -> None:
    file_case()
    sample = drawn_sample(auditor)
    rows = AuditSample.objects.filter(pk=sample.pk)
    for change in (lambda: rows.update(n=1), lambda: rows.update(drawn=[]), rows.delete):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
    for action in ("sample.stated", "sample.drawn"):
        body = LedgerOpening.objects.get(entry__action=action).body
        assert Case.objects.get().number not in json.dumps(body)


def test_an_auditor_states_and_draws_on_the_pages(client: Client, auditor: Actor, house: Path) -> None:
    case = file_case()
    days = {"first": TODAY.replace(day=1).isoformat(), "last": TODAY.isoformat()}
    wrong = client.post("/audit/samples/", {"n": 1, "date": "received_on", **days, "text": "short"})
    assert wrong.status_code == 422 and "at least 8" in wrong.content.decode()
    fields = {"n": 1, "date": "received_on", "text": TEXT, **days}
    assert client.post("/audit/samples/", fields).status_code == 302
    sample = AuditSample.objects.get()
    link = reverse("sample", args=[sample.public_id])
    assert "next checkpoint decides" in client.get(link).content.decode()
    checkpoints.checkpoint_make()
    assert client.post(f"{link}draw/").status_code == 302
    page = client.get(link).content.decode()
    assert case.number in page and f"python -m lethe_verify sample-{sample.number}.json" in page
    assert (
        client.get(reverse("sample_csv", args=[sample.public_id])).content.decode().splitlines()[1]
        == f"1,{case.number},"
    )


@pytest.mark.parametrize("what", list(exports.KINDS))
def test_exports_hold_the_days_and_nobodys_name(client: Client, auditor: Actor, decided: Any, what: str) -> None:
    case = decided()
    fields = {"what": what, "first": TODAY.isoformat(), "last": TODAY.isoformat()}
    answer = client.post("/audit/exports/", {**fields, "form": "csv"})
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    rows = list(csv.DictReader(io.StringIO(text)))
    told = json.loads(b"".join(client.post("/audit/exports/", {**fields, "form": "json"}).streaming_content))  # type: ignore[attr-defined]
    entry = LedgerEntry.objects.filter(action="export.taken").latest("index").opening.body
    assert entry["what"] == what and entry["rows"] == len(told)
    assert set(rows[0] if rows else exports.KINDS[what].columns) == set(exports.KINDS[what].columns)
    if what != "policies":
        assert case.number in text and len(rows) > 0
    for word in ("Marun", "marun.example", "house.example", "A licence is on file"):
        assert word not in text
    day = TODAY.replace(year=TODAY.year - 1).isoformat()
    empty = client.post("/audit/exports/", {**fields, "first": day, "last": day, "form": "json"})
    assert json.loads(b"".join(empty.streaming_content)) == []  # type: ignore[attr-defined]


def test_the_ledger_is_read_by_days(client: Client, auditor: Actor) -> None:
    file_case()
    today, size = TODAY.isoformat(), LedgerEntry.objects.count()
    assert len(client.get(f"/ledger/?from={today}&to={today}").context["rows"]) == size
    assert client.get(f"/ledger/?to={TODAY.replace(year=TODAY.year - 1)}").context["rows"] == []
    assert client.get("/ledger/?from=nonsense").status_code == 200


def test_a_report_is_proven_step_by_step(client: Client, auditor: Actor, decided: Any, house: Path) -> None:
    report = write(decided())
    page = client.get(reverse("report_proof", args=[report.number])).content.decode()
    entry = LedgerEntry.objects.get(action="report.sealed")
    for expected in (report.pdf, report.evidence, bytes(entry.hash).hex(), reverse("ledger_entry", args=[entry.index]),
                     f"python -m lethe_verify {report.number}.zip --trust lethe-trust.json"):  # fmt: skip
        assert expected in page, expected
    assert reverse("report_proof", args=[report.number]) in client.get("/reports/").content.decode()


def test_no_link_of_an_auditors_pages_ends_in_nothing(
    client: Client, auditor: Actor, decided: Any, house: Path
) -> None:
    write(decided())
    drawn_sample(auditor)
    seen, wrong = set[str](), {}
    todo = ["/desk/", "/audit/", "/ledger/", "/reports/", "/cases/", "/cases/workload/", "/cases/calendar/"]
    while todo and len(seen) < 160:
        path = todo.pop(0)
        if path in seen:
            continue
        seen.add(path)
        answer = client.get(path, follow=True)
        if answer.status_code != 200:
            wrong[path] = answer.status_code
        elif answer["Content-Type"].startswith("text/html") and not answer.streaming:
            todo += _links(answer.content.decode())
    assert not wrong


def _links(html: str) -> list[str]:
    """Own addresses of a page, each by its path and first parameter; not what signs out or shows one entry in fifty."""
    found = [part.split('"')[0].replace("&amp;", "&") for part in html.split(' href="')[1:]]
    kept = [
        one.split("#")[0] for one in found if one.startswith("/") and not one.startswith(("/static/", "/accounts/"))
    ]
    return [one for one in dict.fromkeys(kept) if not one.startswith("/ledger/") or one in ("/ledger/", "/ledger/0/")]
