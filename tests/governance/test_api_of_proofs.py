"""The interface of proofs: what each level unlocks is told first, then a challenge, then the look; refusals by code."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client

from governance import proof_words
from governance.models import Case, Challenge, Kind, Role, Status
from governance.policies import Actor
from governance.secrets import BASE_DIR
from governance.services import doubts
from governance.services.intake import Item
from governance.tokens import link_token
from tests.governance.agents import known
from tests.governance.conftest import file_case
from tests.governance.names import name_server
from tests.governance.test_claimants_show_what_is_theirs import DOMAIN, confirmed
from tests.governance.world import Web, web

ITEMS = [Item(form="url", title="Poems", text=f"https://www.{DOMAIN}/poems")]


class Api:
    """Calls about one case by its private link."""

    def __init__(self, case: Case, **headers: str) -> None:
        self.base = f"/api/v1/requests/{link_token(case.public_id, 'status')}/proof/"
        self.client, self.headers = Client(enforce_csrf_checks=True), headers

    def get(self, path: str = "") -> Any:
        return self.client.get(self.base + path, headers=self.headers)

    def post(self, path: str, body: Any, **headers: str) -> Any:
        sent = {**self.headers, **headers}
        return self.client.post(self.base + path, body, content_type="application/json", headers=sent)

    def begin(self, method: str, target: str, **more: Any) -> Any:
        return self.post("challenges/", {"method": method, "target": target, "declared": True, **more})

    def check(self, public_id: str, **body: str) -> Any:
        Challenge.objects.update(tried_at=None)
        return self.post(f"challenges/{public_id}/check/", body)


@pytest.fixture
def world(settings: Any) -> Iterator[Web]:
    settings.OUTBOUND_NETWORKS = ["127.0.0.0/8"]
    with web() as kept:
        yield kept


def test_every_level_tells_what_it_unlocks_before_anything_is_asked(people: dict[Role, Actor]) -> None:
    told = Api(confirmed(items=ITEMS)).get().json()
    assert {row["level"]: row["shown"] for row in told["levels"]} == {1: True, 2: False, 3: False, 4: False}
    assert all(row["unlocks"] for row in told["levels"]) and not told["enough"]
    assert {(way["method"], way["checked_by"]) for way in told["ways"]} >= {("dns", "machine"), ("registry", "person")}
    assert all("I declare" in way["declaration"] for way in told["ways"]) and "perjury" not in str(told)
    person = confirmed(Kind.PRIVACY, items=[Item(form="fact", title="", text="Ada lives in Ardry.")])
    told = Api(person).get().json()
    assert [(way["method"], way["level"], way["declaration"]) for way in told["ways"]] == [("channel", 5, "")]
    assert told["document_url"] == "", "no document without a doubt"
    why = "Two requests in this name came from different addresses."
    doubts.doubt_record(case=person, reason=why, pauses_clock=False, actor=people[Role.LEGAL])
    assert Api(person).get().json()["document_url"].endswith("/proof/document/")
    assert Api(confirmed(Kind.SAFETY)).get().json()["ways"] == [], "a report of unsafe content needs nothing"


def test_a_record_is_begun_looked_for_and_found(settings: Any) -> None:
    case, records = confirmed(items=ITEMS), {}
    api = Api(case)
    with name_server(records) as server:
        settings.DNS_SERVERS = [server]
        begun = api.begin("dns", DOMAIN)
        assert begun.status_code == 201
        row = begun.json()
        assert (row["place"], row["named_in_claim"], row["tries_left"]) == (f"_lethe-proof.{DOMAIN}", True, 10)
        assert [step["copy"] for step in row["steps"]] == [[row["place"]], [row["code"]]]
        refused = api.check(row["id"])
        assert (refused.status_code, refused["Content-Type"]) == (422, "application/problem+json")
        assert (refused.json()["code"], refused.json()["detail"][:13]) == ("no_record", "There is no s")
        soon = api.post(f"challenges/{row['id']}/check/", {})
        assert (soon.status_code, soon.json()["code"]) == (409, "too_soon")
        assert api.get(f"challenges/{row['id']}/").json()["tries_left"] == 9
        records[row["place"]] = row["code"]
        found = api.check(row["id"])
    assert (found.status_code, found.json()["state"], found.json()["code"]) == (200, "proven", "")
    case.refresh_from_db()
    assert case.status == Status.REVIEW
    told = api.get().json()
    assert told["enough"] and {row["level"] for row in told["levels"] if row["shown"]} == {1, 3}
    assert api.check(row["id"]).json()["code"] == "over", "used once"


def test_a_key_signs_what_the_interface_names(world: Web) -> None:
    key, api = Ed25519PrivateKey.generate(), Api(confirmed(items=ITEMS))
    world.put("/ada.keys", key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b"\n")
    row = api.begin("signature", f"{world.url}/ada.keys").json()
    assert row["level"] == 2 and row["place"] == row["target"]
    empty = api.check(row["id"])
    assert (empty.status_code, empty.json()["errors"][0]["pointer"]) == (400, "#/answer")
    assert Challenge.objects.get().tries == 0, "what brings no answer is no try"
    assert api.check(row["id"], answer=base64.b64encode(b"x" * 64).decode()).json()["code"] == "wrong_signature"
    signed = base64.b64encode(key.sign(row["signed_text"].encode())).decode()
    assert api.check(row["id"], answer=signed).json()["state"] == "proven"


def test_an_agent_comes_from_its_list_by_its_key(people: dict[Role, Actor]) -> None:
    agent = known(people[Role.LEGAL])
    work = {"form": "url", "text": f"https://{DOMAIN}/1"}
    body = {"kind": "copyright", "declared": True, "items": [work], "mandate": str(agent.mandate.public_id)}
    assert agent.post("/api/v1/requests/", body).status_code == 201
    path = agent.get("/api/v1/requests/").json()["results"][0]["proof_api_url"].removeprefix("http://127.0.0.1:8000")
    sent = {"method": "well_known", "target": DOMAIN, "declared": True}
    first = agent.post(f"{path}challenges/", sent, Idempotency_Key="one")
    assert agent.post(f"{path}challenges/", sent, Idempotency_Key="one").json() == first.json()
    [row] = agent.get(f"{path}challenges/").json()["results"]
    assert row["place"] == f"https://{DOMAIN}/.well-known/lethe-proof.txt" and row["named_in_claim"]
    assert Client().delete(f"{path}challenges/{row['id']}/").status_code == 204
    over = Client().delete(f"{path}challenges/{row['id']}/")
    assert (over.status_code, over.json()["code"]) == (409, "used")


def test_the_code_of_a_channel_is_told_by_the_channel_alone() -> None:
    case = confirmed(Kind.PRIVACY, items=[Item(form="fact", title="", text="Ada lives in Ardry.")])
    api, row = Api(case), Api(case).begin("channel", "my account ada_q").json()
    code = Challenge.objects.get().code
    assert row["code"] == "" and code not in str(row) + str(api.get("challenges/").json())
    assert api.check(row["id"], answer="lethe-0").json()["code"] == "wrong_code"
    assert api.check(row["id"], answer=code).json()["state"] == "proven"


def test_refusals_are_codes_whose_sentences_speak_the_language_that_was_asked_for() -> None:
    case = confirmed(items=ITEMS)
    for language, word in (("de", "Domain"), ("ar", "نطاق"), ("en", "This is no domain")):
        answer = Api(case, **{"Accept-Language": language}).begin("dns", "nodot")
        assert (answer.status_code, answer.json()["code"]) == (422, "no_domain")
        assert word in answer.json()["detail"] and answer["Content-Language"] == language
    german = Api(case, **{"Accept-Language": "de"})
    assert "Änderung" in german.get().content.decode()
    for changes, code in (
        ({"declared": False}, "not_declared"),
        ({"method": "channel"}, "not_for_kind"),
        ({"method": "registry", "target": "ISBN 1"}, "no_number"),
        ({"method": "credentials"}, "no_file"),
        ({"method": "profile", "target": "ftp://x.example"}, "no_page"),
    ):
        body = {"method": "dns", "target": DOMAIN, "declared": True, **changes}
        assert german.post("challenges/", body).json()["code"] == code
    assert Api(file_case()).begin("dns", DOMAIN).json()["code"] == "not_confirmed"
    assert german.get("challenges/00000000-0000-4000-8000-000000000000/").status_code == 404


def test_pages_refuse_in_the_language_of_the_case(client: Client) -> None:
    case = confirmed(items=ITEMS)
    Case.objects.update(language="fr")
    page = client.post(f"/status/{link_token(case.public_id, 'status')}/proof/dns/", {"target": "x", "declared": "on"})
    assert page.status_code == 422 and "Ce n’est pas un domaine" in page.content.decode()


def test_every_code_that_is_given_has_its_sentence() -> None:
    rooms = ("services/proofs.py", "services/doubts.py", "proof_checks.py", "content_credentials.py")
    source = "".join((BASE_DIR / "governance" / name).read_text() for name in rooms)
    given = set(re.findall(r'(?:refused|NotShown|Unreadable)\("(\w+)"', source))
    given |= {"not_public", "no_answer", "no_record", "no_code"}
    assert given == set(proof_words.REFUSALS), given ^ set(proof_words.REFUSALS)


def test_what_is_tried_is_throttled_apart_from_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from rest_framework.throttling import ScopedRateThrottle

    monkeypatch.setattr(ScopedRateThrottle, "THROTTLE_RATES", {"status": "9/hour", "proof": "2/hour"})
    api = Api(confirmed(items=ITEMS))
    answers = [api.begin("dns", "nodot") for _n in range(3)]
    assert [one.status_code for one in answers] == [422, 422, 429] and answers[2]["Retry-After"]
    assert api.get().status_code == 200
