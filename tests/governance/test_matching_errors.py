"""The published error rates of the search are those of the code that searches, and reports print them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from governance.evidence import matching_rates, pdf, report, schema
from governance.models import Kind
from governance.services import dossier_parts
from tests.bench import matching_errors as bench
from tests.governance import evidence_example as make
from tests.governance.conftest import file_case
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


def test_a_change_is_as_strong_as_its_name_says() -> None:
    work = bench.text(random.Random(3), 400)
    letters = sum(one.isalpha() for one in work)
    for change in (bench.mistyped, bench.lookalike):
        changed = change(random.Random(4), work)
        assert sum(one != two for one, two in zip(work, changed, strict=True)) == letters // 50, change
    parted = bench.hyphenated(random.Random(4), work)
    assert parted.count("-\n") == sum(len(word.strip(".")) >= 6 for word in work.split())
    assert "every word of 6 letters or more hyphenated at a line's end" in bench.CHANGES


def test_the_rates_of_a_search_for_works_stand_in_reports_about_works_alone(db: None) -> None:
    assert set(dossier_parts.rates(file_case())) == {"error_rates", "matching_rates"}
    for kind in (Kind.PRIVACY, Kind.OBJECTION, Kind.SAFETY, Kind.CORRECTION):
        assert set(dossier_parts.rates(file_case(kind))) == {"error_rates"}


def test_the_report_prints_them_with_counts_bounds_and_what_was_not_tried(tmp_path: Path) -> None:
    rates = matching_rates.measured()
    assert rates and rates["words"] == [bench.SHORTEST, bench.LONGEST]
    document = {**make.bare(), "matching_rates": rates}
    told = " ".join(text_of(pdf.render(schema.build(document)), tmp_path).split())
    assert "How often the search errs" in told and "not for the data sets of this case" in told
    assert "passage of 60 words within a page of others" in told and "400" in told and "translations" in told
    assert "On these data sets it was not measured" in told and "works of 80 to 600 words" in told
    assert "works of 70 to 90 words" in matching_rates.context({**rates, "words": [70, 90]})["words"]
    before = {name: value for name, value in rates.items() if name != "words"}
    assert "works of 80 to 600 words" in matching_rates.context(before)["words"], "as documents from before mean it"
    plain = " ".join(text_of(pdf.render(schema.build(make.bare())), tmp_path).split())
    assert "How often the search errs was not measured." in plain


@pytest.mark.parametrize(("told", "differs"), [({}, False), ({"near_threshold": 0.7}, True), ({"scheme": "x"}, True)])
def test_a_search_that_compared_otherwise_than_the_trials_says_so(told: dict[str, object], differs: bool) -> None:
    rates = matching_rates.measured()
    assert rates
    as_tried = {"near_threshold": rates["threshold"], "scheme": rates["scheme"]}
    assert bool(matching_rates.context(rates, [{"hits": 1}, {**as_tried, **told}])["otherwise"]) is differs
    document = {**make.bare(), "matching_rates": rates}
    document["matching"]["searches"] = [{"index": 4, "at": "2026-11-18T09:00:00.000Z", "dataset": "x", "hits": 4,
                                         **as_tried, **told}]  # fmt: skip
    found = report.context(document, make.sha("evidence"))["search"]
    assert bool(found["otherwise"]) is differs
