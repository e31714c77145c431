"""What a report and its evidence say of those who run the version before elsewhere: their own word, and no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from governance.evidence import pdf, schema
from governance.evidence.errors import DocumentError
from tests.governance import evidence_example as make
from tests.governance.test_evidence_pdf import text_of

AT = "2026-11-23T09:00:00.000Z"


def part(**withdrawn: str) -> dict[str, Any]:
    patch = {"digest": make.sha("patch"), "base": make.sha("base"), "result": make.sha("result"), "published_at": AT,
             "withdrawn": withdrawn or None}  # fmt: skip
    word = {"statement": '{"state":"applied"}', "signature": "c2lnbmVk"}
    return {"patch": patch, "subscribers": [
        {"name": "Harbour Labs", "state": "applied", "since": AT, **word},
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
        "not told by us; has stated nothing",
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
    with pytest.raises(DocumentError):
        schema.validate({**make.bare(), "downstream": {**part(), "subscribers": [wrong]}})
