"""Our own well-known files, and the signed feed of opt-outs."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance import dispatch
from governance.models import ReservationCheck, ReservedAddress
from governance.outbound import Answer
from governance.reservations import Site, Stance, Use, overall, read
from governance.services import opt_out_feed
from tests.governance.conftest import file_case

Feeds = Callable[[], int]


def reading(url: str, stance: str, *, published: bool = True) -> ReservedAddress:
    row, now = ReservedAddress.objects.create(url=url, published=published), timezone.now()
    finding = {"standard": "AIPREF", "use": "train", "stance": stance, "quote": "", "where": url, "note": ""}
    sources = [{"url": url, "status": 200, "digest": "sha256:" + "a" * 64}]
    ReservationCheck.objects.create(
        address=row, stance=stance, since=now, uses={"train": stance}, findings=[finding], sources=sources
    )
    return row


def signed(document: dict[str, Any]) -> None:
    """Check a page of the feed as a subscriber does."""
    lethe = dict(document["_lethe"])
    signature = base64.b64decode(lethe.pop("signature"))
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(lethe["public_key"]))
    key.verify(signature, dispatch.canonical_text({**document, "_lethe": lethe}).encode())


def test_the_feed_tells_what_is_reserved_and_public_and_is_signed(client: Client, feeds: Feeds) -> None:
    reading("https://artist.example/poems", "reserved")
    reading("https://open.example/", "allowed")
    reading("https://silent.example/", "unknown")
    reading("https://claimant.example/", "reserved", published=False)
    file_case(name="Vel Marun")
    feeds()
    answer = client.get(reverse("opt_out_feed"))
    document = answer.json()
    assert answer["Content-Type"].startswith("application/feed+json")
    [item] = document["items"]
    assert item["url"] == "https://artist.example/poems" and item["_lethe"]["standards"] == ["AIPREF"]
    signed(document)
    assert "claimant.example" not in answer.content.decode() and "Vel" not in answer.content.decode()


def test_a_changed_feed_is_noticed(client: Client, feeds: Feeds) -> None:
    reading("https://artist.example/poems", "reserved")
    feeds()
    document = client.get(reverse("opt_out_feed")).json()
    document["items"] = []
    with pytest.raises(InvalidSignature):
        signed(document)


def test_a_withdrawn_reservation_leaves_the_feed(client: Client, feeds: Feeds) -> None:
    row = reading("https://artist.example/poems", "reserved")
    now = timezone.now()
    ReservationCheck.objects.create(address=row, stance="allowed", since=now, uses={}, findings=[], sources=[])
    feeds()
    assert client.get(reverse("opt_out_feed")).json()["items"] == []


def test_a_long_feed_comes_in_pages_each_signed(client: Client, monkeypatch: pytest.MonkeyPatch, feeds: Feeds) -> None:
    monkeypatch.setattr(opt_out_feed, "PAGE", 2)
    for n in range(5):
        reading(f"https://artist.example/{n}", "reserved")
    feeds()
    seen, url = [], reverse("opt_out_feed")
    while url:
        document = client.get(url).json()
        signed(document)
        seen += [item["url"] for item in document["items"]]
        url = document.get("next_url", "").removeprefix("http://127.0.0.1:8000")
    assert seen == [f"https://artist.example/{n}" for n in range(5)]
    for wrong in ("x", "-1", "9" * 30):
        assert client.get(f"{reverse('opt_out_feed')}?after={wrong}").status_code == 404


def test_security_txt_names_its_contact_and_an_end_or_is_not_there(client: Client, settings: Any) -> None:
    assert client.get("/.well-known/security.txt").status_code == 404
    settings.SECURITY_CONTACT = "mailto:security@house.example"
    text = client.get("/.well-known/security.txt").content.decode()
    assert "Contact: mailto:security@house.example\n" in text and "Expires: " in text


@pytest.mark.parametrize(("said", "stance"), [("reserved", Stance.RESERVED), ("allowed", Stance.ALLOWED)])
def test_our_own_files_say_what_our_adapters_read(client: Client, settings: Any, said: str, stance: Stance) -> None:
    settings.SITE_TRAINING = said
    files = {}
    for path in ("/robots.txt", "/ai.txt", "/.well-known/ai.txt", "/.well-known/tdmrep.json"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        files[path] = Answer(url=f"https://house.example{path}", status=200, headers=(), body=answer.content)
    told = tuple(client.get("/opt-out/").headers.items())
    page = Answer(url="https://house.example/opt-out/", status=200, headers=told, body=b"")
    findings = read(Site(page=page, files=files))
    assert overall(findings)[Use.TRAIN] == stance
    assert {one.standard for one in findings} >= {"AIPREF", "TDMRep", "ai.txt"}
    assert "Disallow: /status/" in files["/robots.txt"].body.decode()
    assert json.loads(files["/.well-known/tdmrep.json"].body)[0]["tdm-policy"].endswith("/ai.txt")
