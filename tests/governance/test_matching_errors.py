"""The published error rates of the search are those of the code that searches, and reports print them."""

from __future__ import annotations

import json
from pathlib import Path

from governance.evidence import matching_rates, pdf, schema
from tests.bench import matching_errors as bench
from tests.governance import evidence_example as make
from tests.governance.test_evidence_pdf import text_of


def test_what_is_published_was_measured_with_this_code() -> None:
    found = json.loads(bench.PUBLISHED.read_text())
    assert found["code_digest"] == bench.code_digest(), "run `python -m tests.bench.matching_errors --publish`"
    assert {one["what"] for one in found["misses"]} == set(bench.CHANGES)
    assert all(one["trials"] == found["works"] >= 400 for one in (*found["misses"], *found["matches"]))


def test_a_few_works_show_what_is_found_and_what_is_missed() -> None:
    missed = {one["what"]: one["missed"] for one in bench.alike(list(bench.misses(7, 12)))}
    assert missed["nothing"] == missed["case, accents, punctuation and line breaks changed"] == 0
    assert missed["1 word in 2 replaced, as in a paraphrase"] == 12
    assert list(bench.misses(7, 4)) == list(bench.misses(7, 4))


def test_the_report_prints_them_with_counts_bounds_and_what_was_not_tried(tmp_path: Path) -> None:
    document = {**make.bare(), "matching_rates": matching_rates.measured()}
    told = " ".join(text_of(pdf.render(schema.build(document)), tmp_path).split())
    assert "How often the search errs" in told and "not for the data sets of this case" in told
    assert "passage of 60 words within a page of others" in told and "400" in told and "translations" in told
    assert "On these data sets it was not measured" in told
    plain = " ".join(text_of(pdf.render(schema.build(make.bare())), tmp_path).split())
    assert "How often the search errs was not measured." in plain
