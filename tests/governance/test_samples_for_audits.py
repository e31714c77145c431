"""Samples that an auditor draws, exports, a report's proof: what is fixed before, what anybody can do again."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import merkle, sampling
from governance.models import (
    AuditSample,
    Case,
    Kind,
    LedgerCosignature,
    LedgerEntry,
    LedgerOpening,
    Role,
)
from governance.policies import Actor
from governance.services import checkpoints, exports, samples
from governance.web import verify
from lethe_verify import bundle, trust
from lethe_verify import sample as stranger
from lethe_verify.__main__ import main as command
from lethe_verify.judge import Known
from lethe_verify.verdict import Outcome, Verdict
from tests.governance.audits import TEXT, drawn_sample, stated_sample
from tests.governance.conftest import TODAY, file_case
from tests.governance.staff import sign_in_to_decide
from tests.governance.test_public_bundle import write
from tests.verifier.example import genuine

pytestmark = pytest.mark.database


@pytest.fixture
def auditor(client: Client, people: dict[Role, Actor]) -> Actor:
    user = people[Role.AUDITOR].user
    assert user
    sign_in_to_decide(client, user)
    return people[Role.AUDITOR]


def by_hand(cases: list[str], n: int, root: bytes, text: str) -> list[str]:
    """The algorithm as docs/audits.md tells it, written a third time."""
    seed = hashlib.sha256(b"lethe-sample/2\n" + root.hex().encode() + b"\n" + text.encode()).hexdigest()
    return sorted(cases, key=lambda one: hashlib.sha256(f"{seed}\n{one}".encode()).hexdigest())[:n]


def test_the_ledger_decides_and_a_stranger_draws_the_same(client: Client, auditor: Actor, house: Path) -> None:
    cases = [file_case(email=f"one{n}@studio.example").number for n in range(7)]
    sample = stated_sample(auditor, n=3)
    root = merkle.Tree(bytes(one.hash) for one in LedgerEntry.objects.order_by("index")).root()
    with pytest.raises(Conflict, match="next checkpoint has to hold"):
        samples.sample_draw(sample=sample, text="", actor=auditor)
    file_case(email="later@studio.example")  # after the statement: not in the list
    head = checkpoints.checkpoint_make()
    done = samples.sample_draw(sample=sample, text="", actor=auditor)
    assert done.checkpoint == head.size and [one[0] for one in done.drawn] == by_hand(cases, 3, root, TEXT)
    with pytest.raises(Conflict, match="drawn already"):
        samples.sample_draw(sample=sample, text="", actor=auditor)
    published = trust.read(client.get("/.well-known/lethe-trust.json").content.decode())
    data = client.get(reverse("sample_json", args=[done.public_id])).content
    verdict = stranger.judge(data, published)
    assert verdict.outcome is Outcome.GENUINE, verdict.findings
    assert stranger.judge(data, trust.Trust()).outcome is Outcome.UNKNOWN_SIGNER
    kept = json.loads(data)["checkpoint"]
    assert stranger.judge(data, published, Known(kept)).outcome is Outcome.GENUINE
    assert stranger.judge(data, published, Known(json.loads(genuine().ledger)["checkpoint"])).outcome is Outcome.REFUSED
    [asked] = [one.text for one in verdict.findings if one.code == "asked"]
    assert "3 cases, of those" in asked and f'"to":"{timezone.localdate()}"' in asked
    [left] = [one.text for one in verdict.findings if root.hex() in one.text and one.state == "not_proved"]
    assert "did not choose among several" in left and "only where the text was kept and nobody could guess it" in left
    assert b"Marun" not in data and b"studio.example" not in data


def test_whatever_is_altered_is_refused(auditor: Actor, house: Path) -> None:
    for n in range(4):
        file_case(email=f"two{n}@studio.example")
    data = json.loads(samples.check_file(drawn_sample(auditor)))
    other = next(one for one in data["population"] if one not in data["drawn"])
    altered: dict[str, Any] = {
        "text": "another text, chosen afterwards", "drawn": [data["drawn"][0], other],
        "population": data["population"][1:], "root": "0" * 64, "consistency": ["0" * 64], "format": "lethe-sample/1",
        "seed": "0" * 64, "entries": [{**data["entries"][0], "body": {**data["entries"][0]["body"], "n": 1}}],
    }  # fmt: skip
    for name, value in altered.items():
        assert judged({**data, name: value}).outcome is Outcome.REFUSED, name


def judged(data: dict[str, Any]) -> Verdict:
    return stranger.judge(rfc8785.dumps(data), trust.Trust())


def test_whichever_checkpoint_proves_it_the_draw_is_the_same(auditor: Actor, house: Path) -> None:
    """Whoever knows the text by now, and chooses among checkpoints, chooses no cases."""
    for n in range(9):
        file_case(email=f"four{n}@studio.example")
    done = drawn_sample(auditor)
    for n in range(3):
        file_case(email=f"five{n}@studio.example")
        head = checkpoints.checkpoint_make()
        done.checkpoint = head.size  # the house says that it was this one
        data = json.loads(samples.check_file(done))
        assert judged(data).outcome is Outcome.UNKNOWN_SIGNER and data["drawn"] == [list(one) for one in done.drawn]
        seed = sampling.seed(bytes(head.root), TEXT)
        other = {**data, "seed": seed, "drawn": stranger.drawn(data["population"], 2, seed)}
        assert judged(other).findings[0].code == "seed"
        assert judged({**other, "root": bytes(head.root).hex()}).findings[0].code == "fork"


def test_a_list_that_reads_in_two_ways_is_refused(auditor: Actor, house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The house states one list and shows another one of the same digest and length."""
    lists: list[tuple[list[sampling.Member], list[list[Any]]]] = [
        ([("1", "")], [[1, ""]]),
        ([("1", "None")], [["1", None]]),
        ([("a", "b,c")], [["a,b", "c"]]),
        ([("a", "b\nc,d")], [["a", "b\nc,d"]]),
        ([("a", "b\u2028c")], [["a", "b\u2028c"]]),
        ([("a", "x"), ("a", "y")], [["a", "x"], ["a", "y"]]),
        ([("", "x")], [["", "x"]]),
    ]
    file_case()
    for stated, shown in lists:
        monkeypatch.setattr(samples, "population_of", lambda *_given, stated=stated: stated)
        data = json.loads(samples.check_file(drawn_sample(auditor, strata="kind")))
        found = judged({**data, "population": shown, "drawn": stranger.drawn(shown, 2, data["seed"])})
        assert found.outcome is Outcome.REFUSED and found.findings[0].code == "population", shown
    monkeypatch.setattr(samples, "population_of", lambda *_given: [("a", "x")])  # groups that nobody asked for
    assert judged(json.loads(samples.check_file(drawn_sample(auditor)))).findings[0].code == "population"
    text = "L-1,copyright\r\nL-2,a\u2028b\n".encode()
    assert sampling.members(text) == [("L-1", "copyright\r"), ("L-2", "a\u2028b")]


def test_a_list_of_many_groups_is_gone_through_once() -> None:
    class Passes(list[list[str]]):
        times = 0

        def __iter__(self) -> Iterator[list[str]]:
            self.times += 1
            return super().__iter__()

    listed = Passes([f"L-{n}", f"group {n % 50:02}"] for n in range(200))
    found = stranger.drawn(listed, 2, "0" * 64)
    assert listed.times == 1 and len(found) == 100
    assert found == [list(one) for one in sampling.draw([(a, b) for a, b in listed], 2, "0" * 64)]


def test_of_a_file_that_was_not_read_to_its_end_no_digest_is_told(tmp_path: Path, capsys: Any) -> None:
    path, head = tmp_path / "sample.json", b'{"format":"lethe-sample/2"'
    path.write_bytes(head + b" " * (bundle.MAX + 5 - len(head)))
    assert command([str(path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["sha256"] == ""


def test_with_witnesses_a_checkpoint_that_none_will_ever_sign_holds_nothing_up(
    auditor: Actor, house: Path, settings: Any
) -> None:
    settings.WITNESSES = "w+00000000+AA https://witness.example"
    file_case()
    sample = stated_sample(auditor)
    checkpoints.checkpoint_make()  # the witness does not answer
    file_case()
    with pytest.raises(Conflict, match="witness outside of the house"):
        samples.sample_draw(sample=sample, text="", actor=auditor)
    signed = checkpoints.checkpoint_make()
    LedgerCosignature.objects.create(checkpoint=signed, witness="w", line="w", at=timezone.now())
    assert samples.sample_draw(sample=sample, text="", actor=auditor).checkpoint == signed.size


def test_of_a_sample_that_was_drawn_by_an_earlier_rule_no_file_is_made(
    client: Client, auditor: Actor, house: Path
) -> None:
    file_case()
    done = drawn_sample(auditor)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "FORMAT", "lethe-sample/3")  # for a later version this one's rule is the earlier one
        with pytest.raises(Conflict, match="earlier rule"):
            samples.check_file(done)
        assert client.get(reverse("sample_json", args=[done.public_id])).status_code == 409
        assert client.get(reverse("sample", args=[done.public_id])).status_code == 200


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
    days = {"first": TODAY.replace(day=1).isoformat(), "last": timezone.localdate().isoformat()}
    wrong = client.post("/audit/samples/", {"n": 1, "date": "received_on", **days, "text": "short"})
    assert wrong.status_code == 422 and "at least 8" in wrong.content.decode()
    assert "the ledger up to your statement then decides" in client.get("/audit/").content.decode()
    fields = {"n": 1, "date": "received_on", "text": TEXT, **days}
    assert client.post("/audit/samples/", fields).status_code == 302
    sample = AuditSample.objects.get()
    link = reverse("sample", args=[sample.public_id])
    assert "next checkpoint has to hold" in client.get(link).content.decode()
    assert samples.root_of(sample).hex() in client.get(link).content.decode()
    checkpoints.checkpoint_make()
    assert client.post(f"{link}draw/").status_code == 302
    page = client.get(link).content.decode()
    command = f"python3 lethe-verify.pyz sample-{sample.number}.json --trust lethe-trust.json"
    assert case.number in page and command in re.sub("</?span>", "", page) and reverse("verify") in page
    assert sample.__class__.objects.get().seed in page, "it can be noted, and typed at /verify"
    assert "This sample was drawn as it was stated." in client.get(link, {"check": "now"}).content.decode()
    assert (
        client.get(reverse("sample_csv", args=[sample.public_id])).content.decode().splitlines()[1]
        == f"1,{case.number},"
    )


def test_the_audits_page_tells_what_is_believed_and_leads_to_what_was_taken(
    client: Client, auditor: Actor, house: Path
) -> None:
    page = client.get("/audit/").content.decode()
    for said in (str(verify.told()[0]["value"]), "/ledger/?kind=export", "/ledger/?kind=sample", reverse("policies")):
        assert said in page


def test_samples_beyond_the_first_page_are_reached(
    client: Client, auditor: Actor, house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_case()
    for _n in range(3):
        stated_sample(auditor)
    monkeypatch.setattr(samples, "SIZE", 2)
    first = client.get("/audit/").context["parts"][0]
    second = client.get("/audit/" + first["next_page_url"]).context["parts"][0]
    numbers = [int(row[0]["text"].split()[1]) for row in (*first["rows"], *second["rows"])]
    assert numbers == [3, 2, 1] and not second["next_page_url"]
    assert client.get("/audit/?before=nonsense").status_code == 200


@pytest.mark.parametrize("what", list(exports.KINDS))
def test_exports_hold_the_days_and_nobodys_name(client: Client, auditor: Actor, decided: Any, what: str) -> None:
    case = decided()
    fields = {"what": what, "first": TODAY.isoformat(), "last": timezone.localdate().isoformat()}
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
    day = (TODAY - timedelta(days=365)).isoformat()
    empty = client.post("/audit/exports/", {**fields, "first": day, "last": day, "form": "json"})
    assert json.loads(b"".join(empty.streaming_content)) == []  # type: ignore[attr-defined]


def test_the_ledger_is_read_by_days(client: Client, auditor: Actor) -> None:
    file_case()
    size = LedgerEntry.objects.count()
    assert len(client.get(f"/ledger/?from={TODAY}&to={timezone.localdate()}").context["rows"]) == size
    assert client.get(f"/ledger/?to={TODAY - timedelta(days=365)}").context["rows"] == []
    assert client.get("/ledger/?from=nonsense").status_code == 200


def test_a_report_is_proven_step_by_step(client: Client, auditor: Actor, decided: Any, house: Path) -> None:
    report = write(decided())
    page = client.get(reverse("report_proof", args=[report.number])).content.decode()
    entry = LedgerEntry.objects.get(action="report.sealed")
    evidence = LedgerEntry.objects.filter(action="evidence.recorded").latest("index")
    for expected in (
        *(report.pdf, report.evidence, bytes(entry.hash).hex(), reverse("ledger_entry", args=[entry.index])),
        *(reverse("ledger_proof", args=[evidence.index]), "A report has two entries."),
        f"python3 lethe-verify.pyz {report.number}.zip --trust lethe-trust.json",
    ):
        assert expected in re.sub("</?span>", "", page), expected
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
