"""Anybody has a sample's file checked on the page that checks reports: what holds, what was altered, what is open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from governance.evidence import sampling
from governance.evidence.check_result import Outcome
from governance.evidence.checkpoint import make_checkpoint, verifier_key, verify_checkpoint
from governance.evidence.sample_check import check_sample, is_sample
from governance.evidence.trust_file import Believed
from governance.models import AuditSample, Role
from governance.policies import Actor
from governance.services import known_keys, samples, seal_ends
from lethe_verify import sample as stranger
from lethe_verify import trust
from lethe_verify.verdict import Outcome as Verdict
from tests.governance.audits import drawn_sample
from tests.governance.conftest import file_case

pytestmark = pytest.mark.database


@pytest.fixture
def sample(people: dict[Role, Actor], house: Path) -> AuditSample:
    """Two of five cases."""
    for n in range(5):
        file_case(email=f"s{n}@studio.example")
    return drawn_sample(people[Role.AUDITOR])


@pytest.fixture
def file(sample: AuditSample) -> dict[str, Any]:
    """Its file, parsed."""
    return dict(json.loads(samples.check_file(sample)))


def believed() -> Believed:
    from governance.evidence.trust_file import believed

    return believed({**seal_ends.trusted(), "witnesses": []})


def ask(client: Client, data: bytes) -> str:
    upload = SimpleUploadedFile("sample-1.json", data, content_type="application/json")
    answer = client.post("/verify/", {"file": upload})
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_sample_is_proven_on_the_page_without_any_help(client: Client, sample: AuditSample) -> None:
    page = ask(client, samples.check_file(sample))
    for said in (
        "This sample was drawn as it was stated.", "2 of 5", sample.seed, samples.root_of(sample).hex(),
        *(number for number, _stratum in sample.drawn), "compare the root above", "The ledger is ours",
    ):  # fmt: skip
        assert said in page, said
    assert "is-fail" not in page and "studio.example" not in page


def test_it_is_told_in_the_readers_language(client: Client, sample: AuditSample) -> None:
    client.cookies["django_language"] = "de"
    page = ask(client, samples.check_file(sample))
    assert "This sample" not in page and "Stichprobe" in page


def test_whatever_is_altered_is_refused_as_a_stranger_refuses_it(file: dict[str, Any]) -> None:
    other = next(one for one in file["population"] if one not in file["drawn"])
    entry = file["entries"][0]
    altered: dict[str, Any] = {
        "text": "another text, chosen afterwards", "drawn": [file["drawn"][0], other],
        "population": file["population"][1:], "root": "0" * 64, "consistency": ["0" * 64], "format": "lethe-sample/1",
        "seed": "0" * 64, "entries": [{**entry, "body": {**entry["body"], "n": 1}}], "witnesses": ["w+00000000+AA"],
        "checkpoint": file["checkpoint"].replace("\n", "\n1", 1), "verifier_key": "x", "more": 1,
    }  # fmt: skip
    assert check_sample(rfc8785.dumps(file), believed()).outcome is Outcome.GENUINE
    for name, value in altered.items():
        data = rfc8785.dumps({**file, name: value})
        assert check_sample(data, believed()).outcome is Outcome.ALTERED, name
        assert stranger.judge(data, trust.Trust()).outcome is Verdict.REFUSED, name
    for data in (b'{"format":"lethe-sample/2"}', b'{"format":"lethe-sample/2"', json.dumps(file).encode()):
        assert not is_sample(data) or check_sample(data, believed()).outcome is Outcome.ALTERED


def test_lists_that_read_in_two_ways_and_statements_like_none_of_ours_are_refused(
    people: dict[Role, Actor], house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_case()
    lists: list[tuple[list[sampling.Member], list[list[Any]]]] = [
        ([("1", "")], [[1, ""]]), ([("1", "None")], [["1", None]]), ([("a", "b,c")], [["a,b", "c"]]),
        ([("a", "b\nc,d")], [["a", "b\nc,d"]]), ([("a", "x"), ("a", "y")], [["a", "x"], ["a", "y"]]),
        ([("", "x")], [["", "x"]]),
    ]  # fmt: skip
    for stated, shown in lists:
        monkeypatch.setattr(samples, "population_of", lambda *_given, stated=stated: stated)
        data = json.loads(samples.check_file(drawn_sample(people[Role.AUDITOR], strata="kind")))
        data |= {"population": shown, "drawn": stranger.drawn(shown, 2, data["seed"])}
        found = check_sample(rfc8785.dumps(data), believed())
        assert found.outcome is Outcome.ALTERED and "more than one way" in found.findings[0].detail, shown
    monkeypatch.setattr(samples, "population_of", lambda *_given: [("a", "x")])
    stated_twice = drawn_sample(people[Role.AUDITOR], note="x" * 101)
    found = check_sample(samples.check_file(stated_twice), believed())
    assert "none of ours has" in found.findings[0].detail


def test_a_sample_of_another_ledger_is_whole_and_not_ours(client: Client, file: dict[str, Any]) -> None:
    key = Ed25519PrivateKey.generate()
    ours = verify_checkpoint(file["checkpoint"], file["verifier_key"])
    note = make_checkpoint(origin="ledger.other.example", size=ours.size, root=ours.root, key=key)
    other = {**file, "checkpoint": note, "verifier_key": verifier_key("ledger.other.example", key.public_key())}
    page = ask(client, rfc8785.dumps(other))
    assert "This sample rests on the ledger of somebody else." in page and "drawn as it was stated" not in page


def test_a_draw_that_was_not_made_here_is_not_called_ours(client: Client, file: dict[str, Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "drawn_at", lambda *_given: None)
        assert "we do not know its draw" in ask(client, rfc8785.dumps(file))


def test_a_key_that_was_lost_since_is_told(file: dict[str, Any]) -> None:
    trusted, now = believed(), timezone.now()
    lost = Believed(seals=trusted.seals, ledger_keys=trusted.ledger_keys, lost={file["verifier_key"]: now})
    found = check_sample(rfc8785.dumps(file), lost)
    assert found.outcome is Outcome.LEDGER_LOST and found.findings[-1].open
    assert known_keys.lost() == []


@pytest.mark.parametrize("shortened", [False, True])
def test_number_and_seed_of_a_print_are_looked_up(client: Client, sample: AuditSample, shortened: bool) -> None:
    seed = sample.seed[:8] + sample.seed[-8:] if shortened else sample.seed[:16]
    for word in ("sample ", "Stichprobe ", "Échantillon ", "عينة ", "sample-"):
        page = client.post("/verify/", {"number": f"{word}{sample.number}", "code": seed}).content.decode()
        assert "Our register knows this sample and this seed." in page, word
    for number, code in ((sample.number + 1, seed), (sample.number, "0" * 16)):
        page = client.post("/verify/", {"number": f"Sample {number}", "code": code}).content.decode()
        assert "Our register does not know this sample with this seed." in page
