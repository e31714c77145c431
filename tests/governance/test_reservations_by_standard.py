"""Each standard on bytes and headers: what it states, what it leaves unknown, what it cannot read."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.outbound import Answer
from governance.reservations import Site, Stance, Use, cawg, overall, read, structured
from tests.architecture.tree import ROOT

PAGE = "https://artist.example/poems/tide"
R, A, U = Stance.RESERVED, Stance.ALLOWED, Stance.UNKNOWN


def answer(url: str, body: str | bytes = "", *headers: tuple[str, str], status: int = 200) -> Answer:
    data = body.encode() if isinstance(body, str) else body
    return Answer(url=url, status=status, headers=headers, body=data)


def site(body: str | bytes = "", *headers: tuple[str, str], **files: str) -> Site:
    names = {"robots": "/robots.txt", "tdmrep": "/.well-known/tdmrep.json", "ai": "/ai.txt"}
    found = {names[key]: answer(f"https://artist.example{names[key]}", text) for key, text in files.items()}
    return Site(page=answer(PAGE, body, *headers), files=found)


def told(one: Site, standard: str = "") -> set[tuple[str, Use, Stance]]:
    return {(f.standard, f.use, f.stance) for f in read(one) if not standard or f.standard == standard}


HTML = ("Content-Type", "text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("train-ai=n", {(Use.TRAIN, R)}),
        ("train-ai=y, search=n", {(Use.TRAIN, A), (Use.SEARCH, R)}),
        ("train-ai=n, train-ai=y", {(Use.TRAIN, A)}),  # RFC 9651: the last of equal keys counts
        ('train-ai=n;exceptions="a, b", ai-use=y', {(Use.TRAIN, R), (Use.INPUT, A)}),
        ("train-ai=maybe", {(Use.TRAIN, U)}),
        ("train-ai", {(Use.TRAIN, U)}),
        ("bots=n", {(Use.MINE, R)}),
        ("something-else=n", set()),
        ("Train-AI=n", {(Use.TRAIN, U)}),  # keys are lower case: the field cannot be parsed
        ("train-ai=n,", {(Use.TRAIN, U)}),
        ("", set()),
    ],
)
def test_aipref_in_a_header(header: str, expected: set[tuple[Use, Stance]]) -> None:
    found = told(site("", ("content-usage", header)), "AIPREF")
    assert {(use, stance) for _name, use, stance in found} == expected


def test_aipref_headers_in_several_lines_are_one_field() -> None:
    found = told(site("", ("Content-Usage", "train-ai=n"), ("Content-Usage", "search=y")), "AIPREF")
    assert found == {("AIPREF", Use.TRAIN, R), ("AIPREF", Use.SEARCH, A)}


@pytest.mark.parametrize(
    ("robots", "expected"),
    [
        ("User-Agent: *\nAllow: /\nContent-Usage: / train-ai=n", {(Use.TRAIN, R)}),
        ("User-Agent: *\nContent-Usage: / train-ai=n\nContent-Usage: /poems/ train-ai=y", {(Use.TRAIN, A)}),
        (
            "User-Agent: *\nContent-Usage: /poems/ train-ai=y\nContent-Usage: /poems/ train-ai=n",
            {(Use.TRAIN, A), (Use.TRAIN, R)},
        ),
        ("User-Agent: ExampleBot\nContent-Usage: / train-ai=n", set()),
        ("User-Agent: *\nContent-Usage: /music/ train-ai=n", set()),
        ("User-Agent: *\nDisallow: /poems/\nContent-Usage: / train-ai=y", set()),  # not crawled: no preference
        ("user-agent : *\n content-usage\t:\t/\ttrain-ai=n # ours", {(Use.TRAIN, R)}),
        ("User-Agent: *\nContent-Usage: train-ai=n", {(Use.TRAIN, R)}),
    ],
)  # fmt: skip
def test_aipref_in_robots_txt(robots: str, expected: set[tuple[Use, Stance]]) -> None:
    assert {(use, stance) for _name, use, stance in told(site(robots=robots), "AIPREF")} == expected


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (site("", ("TDM-Reservation", "1")), {R}),
        (site("", ("tdm-reservation", "0")), {A}),
        (site("", ("tdm-reservation", "yes")), {U}),
        (site('<html><head><meta name="TDM-reservation" content="1">', HTML), {R}),
        (site('<meta name="tdm-reservation" content="1">', ("Content-Type", "text/plain")), set()),
        (site(tdmrep='[{"location": "/", "tdm-reservation": 1}]'), {R}),
        (site(tdmrep='[{"location": "/*", "tdm-reservation": 1}, {"location": "/poems/", "tdm-reservation": 0}]'), {A}),
        (site(tdmrep='[{"location": "/music/", "tdm-reservation": 1}]'), set()),
        (site(tdmrep='{"location": "/", "tdm-reservation": 1}'), {U}),
        (site(tdmrep="<html>not found</html>"), {U}),
        (site(tdmrep="[" * 100_000), {U}),
        (site(tdmrep='[1, null, {"location": 7}]'), set()),
    ],
)  # fmt: skip
def test_tdmrep(one: Site, expected: set[Stance]) -> None:
    assert {stance for _name, use, stance in told(one, "TDMRep") if use == Use.MINE} == expected


def test_a_policy_of_tdmrep_is_told() -> None:
    one = site("", ("tdm-reservation", "1"), ("tdm-policy", "https://artist.example/policy.json"))
    assert "policy.json" in read(one)[0].note


@pytest.mark.parametrize(
    ("robots", "expected"),
    [
        ("User-agent: GPTBot\nDisallow: /", {(Use.TRAIN, R)}),
        ("User-agent: GPTBot\nUser-agent: CCBot\nDisallow: /poems", {(Use.TRAIN, R)}),
        ("User-agent: GPTBot\nDisallow: /music", {(Use.TRAIN, U)}),
        ("User-agent: google-extended\nDisallow: /", {(Use.TRAIN, R)}),
        ("User-agent: OAI-SearchBot\nDisallow: /", {(Use.SEARCH, R)}),
        ("User-agent: *\nDisallow: /", {(Use.MINE, R)}),
        ("User-agent: Googlebot\nDisallow: /", set()),
        ("User-agent: *\nDisallow:", set()),
    ],
)
def test_crawlers_of_ai_companies_in_robots_txt(robots: str, expected: set[tuple[Use, Stance]]) -> None:
    assert {(use, stance) for _name, use, stance in told(site(robots=robots), "robots.txt")} == expected


def test_content_signals_in_robots_txt() -> None:
    found = told(site(robots="User-agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /"), "Content signals")
    assert {(use, stance) for _name, use, stance in found} == {(Use.SEARCH, A), (Use.TRAIN, R)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("User-Agent: *\nDisallow: /", {R}),
        ("User-Agent: *\nDisallow: *.jpg\nAllow: /", {A}),
        ("User-Agent: *\nAllow: /\nDisallow: /", {R}),
        ("Spec-Version: 1.0\nTraining: deny", {R}),
        ("Training: conditional", {U}),
        ("<html>a page for every address</html>", set()),
    ],
)
def test_ai_txt(text: str, expected: set[Stance]) -> None:
    assert {stance for _name, _use, stance in told(site(ai=text), "ai.txt")} == expected


def test_noai_in_a_header_and_in_a_page() -> None:
    assert told(site("", ("X-Robots-Tag", "noindex, noai"))) == {("noai", Use.TRAIN, R)}
    assert told(site('<meta name="robots" content="noimageai">', HTML)) == {("noai", Use.TRAIN, R)}
    assert told(site("", ("X-Robots-Tag", "noarchive"))) == set()


PACKET = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/"{0}>{1}</rdf:Description></rdf:RDF></x:xmpmeta>'
)
VOCAB = "http://ns.useplus.org/ldf/vocab/"


@pytest.mark.parametrize(
    ("attribute", "inner", "expected"),
    [
        (f' plus:DataMining="{VOCAB}DMI-PROHIBITED-AIMLTRAINING"', "", {(Use.TRAIN, R)}),
        ("", f"<plus:DataMining>{VOCAB}DMI-ALLOWED</plus:DataMining>", {(Use.MINE, A)}),
        ("", f'<plus:DataMining rdf:resource="{VOCAB}DMI-UNSPECIFIED"/>', {(Use.MINE, U)}),
        (
            "",
            "<plus:DataMining>DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING</plus:DataMining>",
            {(Use.MINE, R), (Use.SEARCH, A)},
        ),
        ("", "<plus:DataMining>DMI-SOMETHING-NEW</plus:DataMining>", {(Use.MINE, U)}),
        ("", "<other:DataMining>DMI-PROHIBITED</other:DataMining>", set()),
    ],
)  # fmt: skip
def test_iptc_in_the_bytes_of_a_picture(attribute: str, inner: str, expected: set[tuple[Use, Stance]]) -> None:
    jpeg = b"\xff\xd8\xff\xe1" + PACKET.format(attribute, inner).encode() + b"\xff\xda more \x00 bytes"
    found = told(site(jpeg, ("Content-Type", "image/jpeg")), "IPTC data mining")
    assert {(use, stance) for _name, use, stance in found} == expected


def manifest(entry: str, use: str, label: str = "cawg.training-mining") -> dict[str, Any]:
    entries = {entry: {"use": use, "constraint_info": "ask us"}}
    return {"manifests": {"urn:1": {"assertions": [{"label": label, "data": {"entries": entries}}]}}}


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        (manifest("cawg.ai_generative_training", "notAllowed"), {(Use.TRAIN, R)}),
        (manifest("cawg.ai_training", "allowed"), {(Use.TRAIN, A)}),
        (manifest("cawg.data_mining", "constrained"), {(Use.MINE, R)}),
        (manifest("c2pa.ai_inference", "notAllowed", "c2pa.training-mining"), {(Use.INPUT, R)}),
        (manifest("cawg.ai_training", "notAllowed", "cawg.training-mining__2"), {(Use.TRAIN, R)}),
        (manifest("cawg.ai_training", "perhaps"), {(Use.TRAIN, U)}),
        (manifest("cawg.ai_training", "notAllowed", "c2pa.actions"), set()),
        ({}, set()),
    ],
)
def test_the_assertion_in_content_credentials(store: dict[str, Any], expected: set[tuple[Use, Stance]]) -> None:
    assert {(one.use, one.stance) for one in cawg.findings(store, PAGE)} == expected


def test_credentials_that_no_library_reads_are_unknown_and_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    [found] = read(site(b"\xff\xd8\xff\xebJP jumb ... c2pa ...", ("Content-Type", "image/jpeg")))
    assert (found.stance, found.note) == (U, cawg.NEEDS)


SIGNED = ROOT / "tests/governance/golden/content-credentials.jpg"


def test_a_picture_with_real_credentials_says_what_its_signer_wants() -> None:
    """Signed by c2pa-python 0.38.1 with a throw-away key."""
    pytest.importorskip("c2pa", reason="c2pa-python is optional and not installed")
    found = told(site(SIGNED.read_bytes(), ("Content-Type", "image/jpeg")))
    assert found == {(cawg.NAME, Use.TRAIN, R), (cawg.NAME, Use.MINE, R)}


def test_the_same_picture_without_the_library_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    [found] = read(site(SIGNED.read_bytes(), ("Content-Type", "image/jpeg")))
    assert (found.stance, found.note) == (U, cawg.NEEDS)


def test_nothing_stated_is_unknown_not_allowed() -> None:
    assert set(overall(read(site("<html>", HTML))).values()) == {U}


def test_the_strictest_statement_counts_and_mining_holds_training_within_it() -> None:
    one = site("", ("Content-Usage", "train-ai=y"), tdmrep='[{"location": "/", "tdm-reservation": 1}]')
    assert overall(read(one))[Use.TRAIN] == R


def test_an_error_page_in_the_place_of_a_file_states_nothing() -> None:
    robots = answer("https://artist.example/robots.txt", "User-agent: *\nDisallow: /", status=500)
    assert read(Site(page=answer(PAGE), files={"/robots.txt": robots})) == []


@given(st.text(max_size=200))
def test_no_text_breaks_the_reading_of_a_header(text: str) -> None:
    parsed = structured.dictionary(text)
    assert parsed is None or all(isinstance(value, str) for value in parsed.values())


@given(st.binary(max_size=400), st.text(max_size=200))
def test_no_bytes_break_any_adapter(body: bytes, text: str) -> None:
    files = {"robots": text, "tdmrep": text, "ai": text}
    for finding in read(site(body, HTML, ("Content-Usage", text), ("X-Robots-Tag", text), **files)):
        json.dumps(finding.quote)
