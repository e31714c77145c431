"""The report of an exact deletion: "exact" where the engine's claim is whole, its own words, and never more."""

from __future__ import annotations

import copy
import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from governance.evidence import pdf, report, schema, seal
from governance.evidence.errors import ContradictionError, DocumentError
from governance.evidence.sentences import Deletion, Facts, statement
from governance.evidence.vocabulary import Disposition, Guarantee, Service, Verdict
from tests.governance import evidence_example as make
from tests.governance.evidence_sealed import sealed
from tests.governance.lineage_example import claim
from tests.governance.test_evidence_pdf import text_of
from tests.tools import verapdf

SENTENCE = claim()["sentence"]
WHOLE = Deletion(code="exact", sentence=SENTENCE, records_left_out=4, stages="shard 03 from slice 1 of 2")


def document(code: str | None = "exact") -> dict[str, Any]:
    """The example with a deletion in place of its retraining."""
    found = copy.deepcopy(make.bare())
    last = found["attempts"][-1]
    last |= {"method": "sisa", "title": "Deletion from a sharded, sliced training (SISA)", "construction": None}
    last["deletion"] = {
        "lineage_before": make.sha("before"), "lineage_after": make.sha("after"), "shards": 4,
        "retrained": [{"shard": 3, "first_slice": 1, "slices": 2}, {"shard": 0, "first_slice": 2, "slices": 2}],
        "records_left_out": found["matching"]["counts"]["erase"], "records_in_pass": 265, "cases_in_pass": 2,
        "passes": 2072, "retraining_passes": 7704,
        "claim": claim(code) if code else None,
    }  # fmt: skip
    found["disposals"] += [
        {"what": what, "digest": make.sha(what), "due_on": "2026-12-24", "deleted_at": None}
        for what in ("lineage", "checkpoints")
    ]
    return make.with_ledger(found)


def facts(**changes: Any) -> Facts:
    known = Facts(
        verdict=Verdict.PASS, guarantee=Guarantee.EXACT, disposition=Disposition.FULFILLED, service=Service.REPLACED,
        model="Lumen", before="Lumen revision 1", after="Lumen revision 2", items=1, records=4, probes=8, attacks=1,
        deployments=2, deletion=WHOLE,
    )  # fmt: skip
    return dataclasses.replace(known, **changes)


def test_a_whole_claim_is_printed_as_exact_with_the_engines_words():
    said = statement(facts())
    assert said.headline == "The 4 records matched to the work were deleted exactly from Lumen"
    assert said.verdict == "Exact: trained again without the records"
    assert said.claims[0] == "Trained again without the 4 records: shard 03 from slice 1 of 2."
    assert said.claims[1] == SENTENCE


@pytest.mark.parametrize("code", ["exact_for_adapters", "exact_for_weights", "exact_but_components", "x", ""])
def test_a_narrower_claim_is_never_fulfilled_nor_called_exact(code):
    narrow = dataclasses.replace(WHOLE, code=code, sentence="For the adapters only." if code else "")
    with pytest.raises(ContradictionError, match="partly_fulfilled"):
        statement(facts(deletion=narrow))
    said = statement(facts(deletion=narrow, disposition=Disposition.PARTLY))
    ours = " ".join((said.headline, said.verdict, said.claims[0]))
    assert not re.search(r"\bexact (?!\.)|exactly", ours, re.IGNORECASE)
    assert ("The claim is narrower than exact." in ours) == bool(code)


def test_a_record_that_was_not_left_out_breaks_the_claim():
    with pytest.raises(ContradictionError):
        statement(facts(deletion=dataclasses.replace(WHOLE, records_left_out=3)))


@pytest.mark.parametrize("service", [Service.PENDING, Service.SERVING, Service.UNREACHABLE])
def test_while_the_old_version_may_answer_nothing_says_that_records_are_gone(service):
    said = statement(facts(service=service, disposition=Disposition.PARTLY))
    assert not re.search(r"delet|gone|forg", " ".join((said.headline, *said.claims)), re.IGNORECASE)


def test_measurements_that_settle_nothing_are_told_beside_the_construction():
    said = statement(facts(verdict=Verdict.INCONCLUSIVE, disposition=Disposition.PARTLY))
    assert "settle nothing" in said.headline and said.claims[1] == SENTENCE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lineage_after": make.sha("before")}, "the lineage of before"),
        ({"retrained": [{"shard": 4, "first_slice": 1, "slices": 2}]}, "no such stage"),
        ({"retrained": [{"shard": 0, "first_slice": 3, "slices": 2}]}, "no such stage"),
        ({"claim": {"code": "exact"}}, "attempts.1.deletion"),
    ],
)  # fmt: skip
def test_a_deletion_that_contradicts_itself_is_no_evidence(change, words):
    found = document()
    found["attempts"][-1]["deletion"] |= change
    with pytest.raises(DocumentError, match=words):
        schema.validate({**found, "ledger": None})


def test_only_an_exact_method_has_a_deletion():
    found = document()
    found["attempts"][-1]["guarantee"] = "approximate"
    with pytest.raises(DocumentError, match="though the method is approximate"):
        schema.validate({**found, "ledger": None})


def test_digests_are_short_in_the_text_and_whole_on_the_last_page():
    found = document()
    context = report.context(found, make.sha("file"))
    assert not any("sha256:" in line for line in context["done"])
    made = context["attempts"][-1]["deleted"]
    assert (made["passes"], made["share"], made["whole"]) == ("2,072", "26.9%", "7,704")
    labels = dict(context["digests"])
    number = found["attempts"][-1]["number"]
    assert labels[f"Plan {number}, lineage after"].replace(" ", "") == make.sha("after").removeprefix("sha256:")


def test_the_pdf_prints_lineages_stages_claim_and_what_is_to_go(tmp_path: Path):
    data = seal.seal(pdf.render(schema.build(document())), key=sealed().key)
    text = text_of(data, tmp_path)
    for words in ("deleted exactly from", "Lineage before", "shard-03", "1 other request",
                  "in the words of the program that trained", "Lineage", "Checkpoints"):  # fmt: skip
        assert words in text
    try:
        good, told = verapdf.validate(tmp_path / "report.pdf", "3a", "ua1")
    except verapdf.Missing as error:
        pytest.skip(f"service: {error}")
    assert good, told
