"""What was named without a text cannot be looked for by words, and every report that rests on a search says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from governance.evidence import certificate, pdf, report, schema, search_scope
from governance.models import ClaimedItem, Dataset, Job, Record
from governance.services import dossier_parts
from governance.services.intake import Item
from tests.governance import report_examples as examples
from tests.governance.conftest import POEM, file_case
from tests.governance.test_evidence_pdf import text_of

NAMED = [{"title": "The Salt Orchard"}, {"title": "https://vel.example/winters", "without_text": "url"},
         {"title": "vel.example", "without_text": "domain"}, {"title": "ISBN 1", "without_text": "number"},
         {"title": "Harbour at night", "without_text": "digest"}]  # fmt: skip


def named(kind: str, **more: Any) -> dict[str, Any]:
    document = examples.no_data() if kind == "no_data" else examples.of_case(kind)
    document["case"] |= {"items": NAMED, "items_count": len(NAMED), **more}
    return {**document, "ledger": None}


def test_evidence_says_what_was_given_in_place_of_a_text(db: None) -> None:
    poem, address = Item(form="text", title="The Salt Orchard", text=POEM), "https://vel.example/w"
    case = file_case(items=[poem, Item(form="url", title=address, text=address)])
    more = {"form": "context", "title": "Why", "text": "x"}
    ClaimedItem.objects.create(case=case, subject=case.claimant.subject, position=9, **more)
    expected = [{"title": "The Salt Orchard"}, {"title": "https://vel.example/w", "without_text": "url"}]
    assert dossier_parts.items(case) == expected


def test_a_report_that_nothing_was_found_names_what_was_not_looked_for(tmp_path: Path) -> None:
    told = text_of(pdf.render(schema.build(named("no_data"))), tmp_path)
    assert "By the words of each text that was given" in told and "each named work" not in told
    assert (
        "Named without a text, so not looked for: “https://vel.example/winters” (address); “vel.example” (website); "
        "“ISBN 1” (registry number); “Harbour at night” (file, of which only the fingerprint is kept)."
    ) in told


@pytest.mark.parametrize("searched", [1824, 0])
def test_so_do_full_report_and_certificate_where_a_search_was_made(searched: int) -> None:
    for kind, context in (("compliance", report.context), ("certificate", certificate.context)):
        document = named(kind)
        document["matching"]["searched"] = searched
        made = context(document, "sha256:" + "0" * 64)
        lines = " ".join(made["not_covered"] if kind == "compliance" else made["limits"])
        assert ("Named without a text" in lines) == bool(searched), kind


def test_more_than_fit_are_counted() -> None:
    document = named("no_data", items=[{"title": f"w{n}", "without_text": "url"} for n in range(23)], items_count=23)
    assert search_scope.unsearched(document, 20).endswith("“w19” (address) and 3 more.")


@pytest.mark.parametrize("kind", ["no_data", "compliance"])
def test_data_sets_registered_after_the_search_are_named_as_not_searched(tmp_path: Path, kind: str) -> None:
    document = examples.no_data() if kind == "no_data" else examples.of_case(kind)
    document["matching"]["later"] = [{"name": "Newer corpus", "digest": "sha256:" + "1" * 64, "records": 7}]
    told = text_of(pdf.render(schema.build({**document, "ledger": None})), tmp_path)
    assert "registered after the search, so not searched for this request: Newer corpus." in told


def test_only_sets_in_which_the_engine_ended_a_search_count_as_searched(case: Any, catalogue: dict[str, Any]) -> None:
    assert dossier_parts.data_sets(case) == {"searched": 0, "data_sets": []}
    job = Job.objects.create(
        key=f"engine.match:x:{catalogue['data'].pk}", kind="engine.match", queue="gpu", case=case, state="failed"
    )
    assert dossier_parts.data_sets(case) == {"searched": 0, "data_sets": []}
    Job.objects.filter(pk=job.pk).update(state="succeeded", attempt=1)
    new = Dataset.objects.create(name="Newer", purpose="training", artifact="sha256:" + "1" * 64, records_count=1)
    Record.objects.create(dataset=new, record_id="n1", digest="sha256:" + "0" * 64)
    told = dossier_parts.data_sets(case)
    assert told["searched"] == 3 and [one["name"] for one in told["data_sets"]] == ["Works"]
    assert [(one["name"], one["records"]) for one in told["later"]] == [("Newer", 1)]
