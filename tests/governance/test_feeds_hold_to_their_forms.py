"""Every feed against what others wrote about its form: RFC 4287's grammar, feedparser, the rules of JSON Feed 1.1."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import feedparser
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from jsonschema import Draft202012Validator
from lxml import etree

from governance import dispatch
from governance.models import AiModel, ModelVersion, Patch, PatchPublication, PatchWithdrawal, Role, Status
from governance.policies import Actor
from governance.services import opt_out_feed, patch_feed
from tests.governance.conftest import file_case
from tests.governance.test_fingerprints_are_told_by_consent import works
from tests.governance.test_patch_acknowledgements import publish
from tests.governance.test_what_we_tell_machines import reading

People = dict[Role, Actor]
Feeds = Callable[[], int]
HERE = Path(__file__).parent / "schemas"
ATOM = {"a": "http://www.w3.org/2005/Atom"}
#: What a name of a model may hold, and XML has to bear.
NAME = "Lumen <b>&amp;</b> \N{PILE OF POO} ]]> \x0b\uffff"


def json_feed(client: Client, url: str) -> dict[str, Any]:
    """A page of a JSON feed, held against the rules; the ones that no schema says are here."""
    answer = client.get(url)
    assert answer["Content-Type"].startswith("application/feed+json")
    document = answer.json()
    schema = json.loads((HERE / "json-feed-1.1.schema.json").read_text())
    problems = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(document)]
    assert not problems, problems
    ids = [item["id"] for item in document["items"]]
    assert len(ids) == len(set(ids)) and document.get("next_url") != document["feed_url"]
    return dict(document)


def atom(client: Client, url: str) -> Any:
    """An Atom feed, held against the grammar of RFC 4287, its rules beside the grammar, and feedparser."""
    answer = client.get(url)
    assert answer["Content-Type"].startswith("application/atom+xml")
    document = etree.fromstring(answer.content)
    grammar = etree.RelaxNG(etree.parse(HERE / "atom.rng"))
    assert grammar.validate(document), grammar.error_log
    entries = document.findall("a:entry", ATOM)
    assert document.find("a:author", ATOM) is not None or all(e.find("a:author", ATOM) is not None for e in entries)
    for entry in entries:  # 4.1.2: an alternate link where there is no content
        alternate = [link for link in entry.findall("a:link", ATOM) if link.get("rel", "alternate") == "alternate"]
        assert alternate or entry.find("a:content", ATOM) is not None
    marks = [(link.get("rel", "alternate"), link.get("type"), link.get("hreflang")) for link in
             document.findall("a:link", ATOM)]  # fmt: skip
    assert len(marks) == len(set(marks)), "4.1.1: one alternate link of a type and language"
    [itself] = [link.get("href") for link in document.findall("a:link", ATOM) if link.get("rel") == "self"]
    assert itself.endswith(url)
    told = feedparser.parse(answer.content, response_headers={"content-type": answer["Content-Type"]})
    assert told.bozo == 0 and told.version == "atom10", told.get("bozo_exception")
    assert len(told.entries) == len(entries)
    return told


def there(people: People, before: ModelVersion, n: int) -> PatchPublication:
    row = publish(people, before, n)
    Patch.objects.filter(pk=row.patch_id).update(artifact=dispatch.put_bytes(f"{n}".encode()))
    return row


def test_the_grammar_knows_what_is_wrong(client: Client) -> None:
    grammar = etree.RelaxNG(etree.parse(HERE / "atom.rng"))
    good = client.get(reverse("patch_feed_atom")).content.decode()
    assert grammar.validate(etree.fromstring(good.encode()))
    for old, new in (("<id>", "<guid>"), ("<updated>2", "<updated>on 2"), ("<title>", '<title type="nonsense">'),
                     (' rel="self"', ' rel=""'), ("<author>", "<author><age>3</age>"),
                     ("<feed ", '<feed xml:lang="" '), ("</name>", '</name><uri xml:base="x">u</uri>')):  # fmt: skip
        assert old in good
        wrong = good.replace(old, new, 1).replace("</id>", "</guid>") if old == "<id>" else good.replace(old, new, 1)
        assert not grammar.validate(etree.fromstring(wrong.encode())), new


def test_empty_feeds(client: Client, feeds: Feeds) -> None:
    feeds()
    json_feed(client, reverse("opt_out_feed"))
    json_feed(client, reverse("patch_feed"))
    assert atom(client, reverse("patch_feed_atom")).entries == []


def test_feeds_of_opt_outs_and_of_works(
    client: Client, walk: Any, monkeypatch: pytest.MonkeyPatch, feeds: Feeds
) -> None:
    monkeypatch.setattr(opt_out_feed, "PAGE", 2)
    monkeypatch.setattr(opt_out_feed, "WORKS", 1)
    walk(file_case(items=works(), share=True), Status.PLANNING)
    for place in ("https://one.example/a?b=c&d=%20", "https://two.example:8443/", "http://[2001:db8::1]/x"):
        reading(place, "reserved")
    feeds()
    url, pages, found = reverse("opt_out_feed"), 0, []
    while url and pages < 10:
        page = json_feed(client, url)
        found += page["items"]
        pages, url = pages + 1, page.get("next_url", "").removeprefix("http://127.0.0.1:8000")
    assert pages == 4 and len(found) == len({one["id"] for one in found}) == 5


def test_feeds_of_patches_withdrawn_ones_and_strange_names_too(
    client: Client, people: People, catalogue: dict[str, Any], feeds: Feeds
) -> None:
    before = catalogue["released"]
    AiModel.objects.filter(pk=before.model_id).update(name=NAME)
    kept, gone = there(people, before, 1), there(people, before, 2)
    row = PatchWithdrawal.objects.create(publication=gone, reason="flawed", proposed_by=people[Role.ENGINEER].user)
    PatchWithdrawal.objects.filter(pk=row.pk).update(approved_by=people[Role.LEGAL].user, approved_at=timezone.now())
    feeds()
    page = json_feed(client, reverse("patch_feed"))
    assert [item["title"].startswith("Withdrawn") for item in page["items"]] == [False, True]
    told = atom(client, reverse("patch_feed_atom"))
    assert {one.id for one in told.entries} == {f"urn:uuid:{row.public_id}" for row in (kept, gone)}
    assert any(NAME.translate({11: 0xFFFD, 0xFFFF: 0xFFFD}) in one.title for one in told.entries)


def test_readers_see_the_newest_patches_however_many_there_are(
    client: Client, people: People, catalogue: dict[str, Any], monkeypatch: pytest.MonkeyPatch, feeds: Feeds
) -> None:
    monkeypatch.setattr(patch_feed, "PAGE", 2)
    rows = [there(people, catalogue["released"], n) for n in (1, 2, 3)]
    told = atom(client, reverse("patch_feed_atom"))
    assert {one.id for one in told.entries} == {f"urn:uuid:{row.public_id}" for row in rows[1:]}
    feeds()
    first = json_feed(client, reverse("patch_feed"))
    rest = json_feed(client, first["next_url"].removeprefix("http://127.0.0.1:8000"))
    assert [item["id"] for item in first["items"] + rest["items"]] == [f"urn:uuid:{row.public_id}" for row in rows]
