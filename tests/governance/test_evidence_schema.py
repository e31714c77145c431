"""An evidence document is built only when it follows its schema and contradicts neither itself nor the ledger."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from governance.evidence import certificate, outcomes, report, schema
from governance.evidence.engine_results import verification
from governance.evidence.errors import DocumentError, ProofError
from governance.evidence.sentences import statement
from tests.governance import evidence_example as make


@pytest.mark.parametrize("document", [make.bare(), make.example(), make.approximate(), make.refused()])
def test_honest_documents_are_built_and_read_back(document: dict[str, Any]) -> None:
    data = schema.build(document)
    assert schema.parse(data) == json.loads(data)
    assert schema.build(json.loads(data)) == data


def test_every_problem_is_reported_with_its_place() -> None:
    document = make.bare()
    document["schema"] = "lethe-evidence/2"
    document["case"]["received_on"] = "yesterday"
    document["extra"] = 1
    with pytest.raises(DocumentError) as caught:
        schema.validate(document)
    text = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 3
    assert "evidence.case.received_on" in text and "'extra'" in text and "evidence.schema" in text


Change = Callable[[dict[str, Any]], Any]
CONTRADICTIONS: dict[str, Change] = {
    "titles": lambda d: d["report"].update(audience="public"),
    "records say so": lambda d: d["matching"]["records"][0].update(decision="refuse"),
    "twice": lambda d: d["matching"]["records"][0].update(commitment=d["matching"]["records"][1]["commitment"]),
    "policy.digest": lambda d: d["policy"].update(digest=make.sha("other")),
    "config_digest": lambda d: d["attempts"][0].update(config="{}"),
    "before the start": lambda d: d["attempts"][1]["thresholds_recorded"].update(at="2026-11-30T00:00:00.000Z"),
    "pass, but": lambda d: d["attempts"][1]["verification"]["probes"][0].update(outcome="fail"),
    "no attempt made": lambda d: d["models"]["after"].update(digest=make.sha("unknown")),
    "reference was released": lambda d: d["models"]["reference"].update(digest=d["models"]["after"]["digest"]),
    "fresh weights": lambda d: d["attempts"][1]["construction"].update(fresh_weights=False),
    "cannot be fulfilled": lambda d: d["deployments"][0].update(state="serving"),
    "own interval": lambda d: d["attempts"][0]["verification"]["probes"][0]["candidate"].update(low=0.5),
    "needs reasons": lambda d: d["case"].update(disposition="refused"),
    "no data found": lambda d: d["case"].update(disposition="no_data_found"),
    "judged by": lambda d: d["attempts"][1].update(policy_digest=make.sha("other")),
}


@pytest.mark.parametrize("words", CONTRADICTIONS)
def test_a_document_that_contradicts_itself_is_refused(words: str) -> None:
    document = make.bare()
    CONTRADICTIONS[words](document)
    with pytest.raises(DocumentError, match=words):
        schema.build(document)


LEDGER_FORGERIES: dict[str, Change] = {
    "body": lambda d: d["ledger"]["entries"][1]["body"].update(evidence=make.sha("other")),
    "salt": lambda d: d["ledger"]["entries"][0].update(salt="0" * 64),
    "leaf": lambda d: d["ledger"]["entries"][0]["leaf"].update(index=4),
    "proof": lambda d: d["ledger"]["entries"][0]["proof"].pop(),
    "checkpoint": lambda d: d["ledger"].update(checkpoint=d["ledger"]["checkpoint"].replace("\n8\n", "\n9\n")),
    "evidence entry": lambda d: d["ledger"]["entries"].pop(),
    "document": lambda d: d["case"].update(asked="Something else."),
    "threshold entry": lambda d: d["attempts"][0]["thresholds_recorded"].update(index=6),
}


@pytest.mark.parametrize("what", LEDGER_FORGERIES)
def test_a_forged_ledger_proof_is_refused(what: str) -> None:
    document = make.example()
    LEDGER_FORGERIES[what](document)
    with pytest.raises(DocumentError, match="ledger"):
        schema.validate(document)


def test_a_ledger_of_another_key_is_refused_by_the_one_who_checks() -> None:
    document = make.example()
    assert schema.verify_ledger(document, [make.VERIFIER]) == 8
    other = make.verifier_key(make.ORIGIN, make.Ed25519PrivateKey.generate().public_key())
    with pytest.raises(ProofError, match="another key"):
        schema.verify_ledger(document, [other])
    with pytest.raises(ProofError, match="no ledger proof"):
        schema.verify_ledger(make.bare())


def test_other_byte_forms_of_the_same_document_are_refused() -> None:
    data = schema.build(make.bare())
    for other in (json.dumps(json.loads(data)).encode(), data + b"\n", b"[]", b"\xff", b"[" * 100_000):
        with pytest.raises(DocumentError):
            schema.parse(other)


def test_the_core_digest_ignores_the_proof_alone() -> None:
    document = make.example()
    assert schema.core_digest(document) == schema.core_digest(make.bare())
    changed = copy.deepcopy(document)
    changed["report"]["issuer"] = "Another"
    assert schema.core_digest(changed) != schema.core_digest(document)


def test_the_engines_verification_fits_the_document() -> None:
    found = make.verification("pass", (0.01, 0.02, 0.01, 0.18, 0.51, 0.22, 0.25))
    engine = {
        "verdict": "pass", "reference_kind": "retrained", "findings": [],
        "probes": [one | {"detail": {"x": 1}} for one in found["probes"]],
        "attacks": [{"attack": "relearning", "model": "candidate", "set": "forget", "steps": 60, "taught_facts": 36,
                     "taught_works": 6, "asked_facts": 144, "asked_works": 24, "losses": [1.0]}],
    }  # fmt: skip
    document = make.bare()
    document["attempts"][1]["verification"] = verification(engine, document_digest=make.sha("file"))
    schema.validate(document)
    assert document["attempts"][1]["verification"]["attacks"][0]["description"] == (
        "Relearning, candidate: trained again on 36 facts of 6 works of this case in 60 steps, then asked about 144 "
        "facts of 24 others."
    )
    with pytest.raises(DocumentError, match="reference_kind"):
        verification({"verdict": "pass"}, document_digest=make.sha("file"))


def test_what_is_named_without_an_accepted_record_is_counted_and_told() -> None:
    document = make.approximate()
    assert not schema.facts(document).partial
    document["case"]["items_accepted"] = 1
    found = schema.facts(document)
    assert found.unmet_items == 1 and found.partial
    assert "1 of 2" in " ".join(statement(found).claims)
    document["case"]["items_accepted"] = 3
    with pytest.raises(DocumentError, match="3 of 2 items"):
        schema.validate(document)


def test_a_work_without_a_text_counts_as_not_looked_for_where_nothing_else_is_known() -> None:
    document = make.approximate()
    document["case"]["items"][0]["without_text"] = "url"
    assert schema.facts(document).unmet_items == 1


def test_kinds_of_attack_are_counted_not_their_rounds() -> None:
    document = make.approximate()
    document["attempts"][0]["verification"]["attacks"] = [
        {"name": name, "description": f"round {n}"} for n, name in enumerate(("relearning", "relearning", "pruning"))
    ]
    assert schema.facts(document).attacks == 2


def test_what_was_asked_plainly_within_an_attack_goes_from_the_engine_into_report_and_certificate() -> None:
    engine = {
        "verdict": "pass", "reference_kind": "controls", "findings": [],
        "probes": make.verification("pass", (0.01, 0.02, 0.01, 0.18, 0.51, 0.22, 0.25))["probes"],
        "attacks": [{"attack": name, "model": model, "asked_facts": 150, "forget_facts": 150, "plain_facts": plain,
                     "prefixes": 4, "roles": 4, "examples": 3}
                    for name, plain in (("prompts", 30), ("few_shot", 150)) for model in ("original", "candidate")],
    }  # fmt: skip
    document = make.approximate()
    document["attempts"][0]["verification"] = verification(engine, document_digest=make.sha("file"))
    schema.validate(document)
    told = "since its wording does not fit beside them: prefixes and roles: 30 of 150."
    facts = schema.facts(document)
    assert facts.attacks == 1 and told in " ".join(statement(facts).claims)
    assert told in " ".join(certificate.context(document, make.sha("evidence"))["done"])
    found = report.context(document, make.sha("evidence"))["found"]
    assert len(found["attacks"]) == 2 and told in found["attacks"][1]
    assert "retained examples in front (its wording fits beside none of the facts)" in found["left_out"]
    document["attempts"][0]["verification"]["attacks"][0]["plain_facts"] = 151
    with pytest.raises(DocumentError, match="151 of 150 facts"):
        schema.validate(document)


def test_that_running_texts_went_through_no_attack_is_told_beside_the_attacks() -> None:
    document = make.approximate()
    told = "Running texts were only asked for; no attack was tried on them."
    assert told not in statement(schema.facts(document)).claims
    found = document["attempts"][0]["verification"]
    found["probes"].append(make.probe("verbatim_text", "memorisation", 0.02, 0.02, 0.1, "pass"))
    assert told in statement(schema.facts(document)).claims
    assert told in outcomes.verdict_sentence(found, confidence=0.95)
    assert told in certificate.context(document, make.sha("evidence"))["done"]
    found["attacks"] = []
    assert told not in statement(schema.facts(document)).claims
