"""Objection, unsafe content and correction: each is filed by its own page, with its own words, proofs and codes."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from governance.clocks import LAWS, laws_for
from governance.errors import Unfit
from governance.kinds import KINDS, codes, rule
from governance.models import Case, ClaimedItem, Kind
from governance.policies import proof_unlocks_weights
from governance.services import matching
from governance.services.intake import Item
from tests.governance.conftest import file_case
from tests.governance.filing import file

PERSON = {"name": "Ada Brenn", "email": "ada@brenn.example"}
OBJECTION = {**PERSON, "facts": "Ada Brenn lives in Ardry.", "situation": "I am being stalked.", "law": "gdpr"}
SAFETY = {**PERSON, "passages": "Mix the two.\n---\nThen light it.", "prompt": "How do I burn it?", "harm": "unsafe"}
CORRECTION = {**PERSON, "law": "gdpr", "wrong_1": "Ada Brenn was convicted.", "right_1": "Ada Brenn was acquitted.",
              "wrong_2": "Ada Brenn lives in Ardry."}  # fmt: skip


def test_every_kind_has_a_rule_grounds_exceptions_and_a_law() -> None:
    assert set(KINDS) == set(Kind)
    for kind, asked in KINDS.items():
        assert laws_for(kind) and asked.weights_levels
        for law in laws_for(kind):
            assert codes(asked.grounds, law.code), (kind, law.code)
            assert codes(asked.exceptions, law.code), (kind, law.code)
        for one in (*asked.grounds, *asked.exceptions):
            assert one.laws <= set(LAWS) | {"us_va", "us_co", "quebec", "gpai", "house"} and one.citation


@pytest.mark.parametrize(
    ("kind", "data", "forms"),
    [
        ("objection", OBJECTION, ["fact", "context"]),
        ("safety", SAFETY, ["text", "text", "context"]),
        ("correction", CORRECTION, ["fact", "fact"]),
    ],
)
def test_each_is_filed_by_its_own_page(client: Client, kind: str, data: dict[str, str], forms: list[str]) -> None:
    assert client.get(reverse(kind)).status_code == 200
    answer = file(client, kind, data)
    assert answer.status_code == 302, answer.content.decode()
    case = Case.objects.get()
    assert case.kind == kind and [item.form for item in case.items.all()] == forms
    assert client.get(answer["Location"]).status_code == 200


def test_a_correction_keeps_what_is_right_beside_what_is_wrong(client: Client) -> None:
    file(client, "correction", CORRECTION)
    first, second = Case.objects.get().items.all()
    assert (first.text, first.replacement) == ("Ada Brenn was convicted.", "Ada Brenn was acquitted.")
    assert second.replacement == ""
    assert b"acquitted" not in bytes(ClaimedItem.objects.values_list("replacement", flat=True)[0])


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        ("objection", {**OBJECTION, "situation": ""}, "an objection rests on your own situation"),
        ("objection", {**OBJECTION, "law": "ccpa"}, "ccpa"),
        ("safety", {**SAFETY, "passages": " "}, "at least one passage"),
        ("safety", {**SAFETY, "harm": "boring"}, "boring"),
        ("correction", {**PERSON, "law": "gdpr"}, "at least one statement"),
        ("correction", {**PERSON, "law": "gdpr", "right_1": "So it is."}, "says wrongly"),
        ("correction", {**PERSON, "law": "gdpr", "wrong_1": "Same.", "right_1": "Same."}, "Both statements"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_filed(client: Client, kind: str, data: Any, said: str) -> None:
    answer = file(client, kind, data)
    assert answer.status_code == 422 and said in answer.content.decode()
    assert not Case.objects.exists()


def test_what_explains_a_request_is_never_looked_for(catalogue: dict[str, Any]) -> None:
    items = [Item(form="fact", title="Fact 1", text="x"), Item(form="context", title="Situation", text="private")]
    case = file_case(Kind.OBJECTION, items=items)
    searched = case.items.exclude(form__in=matching.UNSEARCHED)
    assert [item.form for item in searched] == ["fact"]


def test_a_law_that_does_not_know_the_kind_is_refused_with_those_that_do() -> None:
    with pytest.raises(Unfit, match="choose .*gdpr"):
        file_case(Kind.OBJECTION, law="ccpa")


def test_only_a_correction_names_what_is_right_instead() -> None:
    with pytest.raises(Unfit, match="Only a correction"):
        file_case(Kind.PRIVACY, items=[Item(form="fact", title="Fact 1", text="x", replacement="y")])


@pytest.mark.parametrize(
    ("kind", "level", "unlocks"), [("safety", 1, True), ("objection", 3, False), ("correction", 5, True)]
)
def test_each_kind_asks_for_the_proof_that_its_effect_needs(kind: str, level: int, unlocks: bool) -> None:
    case = file_case(Kind(kind))
    case.proofs.create(subject=case.claimant.subject, level=level, note="seen")
    assert proof_unlocks_weights(case) is unlocks
    assert rule(kind).asked.startswith("That ")
