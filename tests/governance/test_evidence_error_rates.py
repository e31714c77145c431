"""A report that rests on a verdict says how often that verdict errs, and under which policy this was measured."""

from __future__ import annotations

from pathlib import Path

from governance.evidence import error_rates, pdf, report, schema
from tests.governance import evidence_example as make
from tests.governance.test_evidence_pdf import text_of


def test_the_published_matrix_fits_the_document() -> None:
    rates = error_rates.measured()
    assert rates is not None
    document = {**make.example(), "ledger": None, "error_rates": rates}
    schema.validate(document)
    assert {"retrained", "steering (RMU)"} <= {one["name"] for one in rates["families"]}


def test_where_nothing_was_published_nothing_is_said(tmp_path: Path) -> None:
    assert error_rates.measured(tmp_path / "zoo.json") is None
    assert report.context(make.approximate(), make.sha("evidence"))["rates"] is None


def test_the_words_count_trials_and_tell_whose_policy_it_was() -> None:
    rates = make.error_rates()
    same, other = (" ".join(error_rates.words(rates, digest)) for digest in (rates["policy_digest"], make.sha("own")))
    assert (
        "Trials of cheating models: 40, of which passed: 0. Trials of honest models: 120, of which failed: 0." in same
    )
    assert "under the very policy of this case" in same
    assert "under another policy than this case" in other


def test_the_report_prints_the_matrix_what_was_compared_and_what_was_not_tried(tmp_path: Path) -> None:
    document = {**make.approximate(), "error_rates": make.error_rates()}
    text = text_of(pdf.render(schema.build(document)), tmp_path)
    for words in (
        "How often this verdict errs", "steering (RMU)", "pass at most 7.2%", "pass 82.2% to 94.1%, fail at most 3.0%",
        "Compared with never-seen controls", "Not tried: many sampled answers (not named by the policy).",
    ):  # fmt: skip
        assert words in text, words


def test_a_report_without_a_verdict_has_no_matrix(tmp_path: Path) -> None:
    document = {**make.refused(), "error_rates": make.error_rates()}
    assert "How often this verdict errs" not in text_of(pdf.render(schema.build(document)), tmp_path)
