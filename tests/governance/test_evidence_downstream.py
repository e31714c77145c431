"""What a report and its evidence say of those who run the version before elsewhere: their own word, and no more."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.evidence import acknowledged, pdf, schema
from governance.evidence.errors import DocumentError
from governance.evidence.leaf import canonical
from lethe_verify import evidence, trust
from lethe_verify.judge import _acknowledged
from lethe_verify.verdict import Verdict
from tests.governance import evidence_example as make
from tests.governance.test_evidence_pdf import text_of

AT = "2026-11-23T09:00:00.000Z"


def word(secret: bytes = b"harbour labs' own key, 32 bytes!", /, **changed: str) -> dict[str, str]:
    """A statement as a subscriber signs it, about the patch of `part`."""
    key = Ed25519PrivateKey.from_private_bytes(secret)
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    said = {"kind": acknowledged.KIND, "feed": "feed", "patch": make.sha("patch"), "base": make.sha("base"),
            "result": make.sha("result"), "state": "applied", "at": AT, "public_key": public, **changed}  # fmt: skip
    text = canonical(said)
    return {"statement": text.decode(), "signature": base64.b64encode(key.sign(text)).decode()}


def part(**withdrawn: str) -> dict[str, Any]:
    patch = {"digest": make.sha("patch"), "base": make.sha("base"), "result": make.sha("result"), "published_at": AT,
             "withdrawn": withdrawn or None}  # fmt: skip
    return {"patch": patch, "subscribers": [
        {"name": "Harbour Labs", "state": "applied", "since": AT, **word()},
        {"name": "Quay", "state": "untold", "since": AT},
    ]}  # fmt: skip


def test_the_report_says_who_stated_what_and_what_that_does_not_show(tmp_path: Path) -> None:
    document = {**make.bare(), "downstream": part(at=AT, reason="verdict")}
    text = text_of(pdf.render(schema.build(document)), tmp_path)
    for words in (
        "Who runs the version before elsewhere",
        "published on 23 November 2026 and withdrawn on 23 November 2026: its verdict holds no longer.",
        "Registered as running the model: 2. Of these, stating that they applied the patch: 1.",
        "It does not show that they deleted the old weights.",
        "not told by us; has stated nothing about such a patch",
    ):
        assert words in text, words


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Quay", "state": "applied", "since": AT},  # a word without the statement
        {"name": "Quay", "state": "told", "since": AT, "statement": "{}", "signature": "x"},
    ],
)
def test_a_word_comes_with_its_statement_and_nothing_else_does(wrong: dict[str, Any]) -> None:
    schema.validate({**make.bare(), "downstream": part()})
    assert evidence.acknowledged({"downstream": part()}) == (1, 1, 0)
    with pytest.raises(DocumentError):
        schema.validate({**make.bare(), "downstream": {**part(), "subscribers": [wrong]}})


SAID = word()["statement"]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (word() | {"signature": "c2lnbmVk"}, "not signed by the key"),
        (word() | {"signature": "\ud800"}, "not signed by the key"),
        (word() | {"statement": SAID.replace("feed", "food", 2)}, "not exactly"),
        (word(at="2026-11-23T09:00:00.001Z"), "another moment"),
        (word(at="2026-11-23T09:00:00.000"), "another moment"),
        (
            word() | {"statement": SAID.replace('"feed":"feed"', '"feed":"food"')},
            "not signed by the key",
        ),
        (word() | {"statement": SAID.replace(",", ", ")}, "not signed by the key"),
        (word(public_key="A" * 43 + "="), "not signed by the key"),
        (word(public_key="no key"), "not signed by the key"),
        (word(patch=make.sha("another")), "patch not as the document has it"),
        (word(base=make.sha("another"), result=make.sha("another")), "base, result not as"),
        (word(state="fetched"), "state not as"),
        (word(kind="lethe-patch-acknowledgement/2"), "kind not as"),
        (word(at="2026-11-23T09:00:01+00:00"), "another moment"),
        (word(at="2026-11-23T09:00:00"), "another moment"),
        (word(more="member"), "not exactly"),
        (word() | {"statement": "{}"}, "not exactly"),
        (word() | {"statement": "no JSON"}, "not exactly"),
    ],
)
def test_a_statement_that_was_not_signed_so_is_in_no_evidence(wrong: dict[str, str], why: str) -> None:
    forged = {"name": "Harbour Labs", "state": "applied", "since": AT, **wrong}
    document = {**make.bare(), "downstream": {**part(), "subscribers": [forged]}}
    with pytest.raises(DocumentError, match=f"subscribers.0.statement: .*{why}"):
        schema.validate(document)
    assert evidence.acknowledged(document) == (1, 0, 0)


def test_a_statement_is_for_the_feed_of_whoever_published_the_patch() -> None:
    first, _second = part()["subscribers"]
    quay = {**first, "name": "Quay", **word(b"the own key of quay, 32 bytes!!!", feed="food")}
    mixed = {"downstream": {**part(), "subscribers": [first, quay]}}
    with pytest.raises(DocumentError, match=r"subscribers.1.statement: for another publisher"):
        schema.validate({**make.bare(), **mixed})
    assert evidence.acknowledged(mixed) == (2, 0, 0), "nobody knows which of the two is the publisher's"
    assert evidence.acknowledged(mixed, {"feed"}) == (2, 1, 0)
    assert evidence.acknowledged({"downstream": part()}, {"food"}) == (1, 0, 0)
    told = {"format": "lethe-trust/2", "seals": [], "ledgers": [], "feeds": ["feed"]}
    assert trust.read(json.dumps(told)).feeds == {"feed"}


def test_whom_nobody_looked_at_is_not_told_as_one_who_signed_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MAX_STATEMENTS", 1)
    first, _second = part()["subscribers"]
    document = {"downstream": {**part(), "subscribers": [first, {**first, "name": "Quay"}, {**first, "name": "Pier"}]}}
    assert evidence.acknowledged(document) == (1, 1, 2)
    verdict = Verdict()
    _acknowledged(verdict, document, trust.Trust())
    assert [one.state for one in verdict.findings] == ["proved", "not_proved"]
    assert "not looked at: 2." in verdict.findings[1].text


def test_one_key_speaks_for_one_subscriber_and_about_a_patch_that_is_there() -> None:
    first, second = part()["subscribers"]
    twice = {**part(), "subscribers": [first, {**first, "name": "Quay"}]}
    with pytest.raises(DocumentError, match=r"subscribers.1.statement: by the key of another"):
        schema.validate({**make.bare(), "downstream": twice})
    verdict = Verdict()
    _acknowledged(verdict, {"downstream": twice}, trust.Trust())
    assert [(one.code, one.state) for one in verdict.findings] == [
        ("acknowledged", "proved"), ("acknowledged", "not_proved"),
    ]  # fmt: skip
    assert "keys that they name: 1." in verdict.findings[0].text and "in 1 of 2 cases" in verdict.findings[1].text
    with pytest.raises(DocumentError, match="none was published"):
        schema.validate({**make.bare(), "downstream": {"patch": None, "subscribers": [first, second]}})
