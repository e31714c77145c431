"""Evidence that is signed anew with another reference, other controls or another search than the ledger was told of."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from governance.evidence import opened as ours
from governance.evidence import pdf, schema, seal
from governance.evidence.errors import DocumentError
from governance.evidence.leaf import canonical
from lethe_verify import Outcome, evidence, judge, opened
from lethe_verify.errors import Refused
from lethe_verify.trust import Trust
from tests.governance import evidence_example as make
from tests.governance.evidence_sealed import sealed

Change = Callable[[dict[str, Any]], None]
CONTROLS, REFERENCE, WORKS = make.sha("controls"), make.sha("reference"), make.sha("data set")
AT = "2026-11-18T09:00:00.000Z"
#: Entries 0 and 1 signed the plans; 2 and 4 were written as run and verification of the second ended, 5 as the search.
PLANS = {
    n: ("plan.confirmed", {
        "attempt": n + 1, "method": method, "config": make.sha('{"learning_rate":1e-05}'), "seed": n + 1,
        "base": make.sha("before"), "reference": REFERENCE, "controls": CONTROLS, "records": 4,
        "policy": make.POLICY_DIGEST,
    })
    for n, method in ((0, "graddiff"), (1, "retrain"))
}  # fmt: skip
SEARCH: dict[str, Any] = {"dataset": WORKS, "hits": 5, "records": 1824, "near_threshold": 0.5, "scheme": "words/1"}
MADE = {"attempt": 2, "method": "retrain", "candidate": make.sha("candidate two"), "spec": make.sha("spec")}
JUDGED = {"attempt": 2, "verdict": "pass", "policy": make.POLICY_DIGEST,
          "document": make.bare()["attempts"][1]["verification"]["document_digest"]}  # fmt: skip
LEDGER = {**PLANS, 2: ("unlearning.finished", MADE), 4: ("verification.finished", JUDGED),
          5: ("matching.finished", SEARCH)}  # fmt: skip


def document() -> dict[str, Any]:
    found = make.bare()
    for place, one in enumerate(found["attempts"], start=1):
        config = json.dumps({"learning_rate": 1e-05, "seed": place}, separators=(",", ":"))
        one |= {"config": config, "config_digest": make.sha(config),
                "compared": {"controls": CONTROLS, "reference": REFERENCE},
                "thresholds_recorded": {"index": place - 1, "at": AT}}  # fmt: skip
    found["attempts"][1]["ended"] = {"made": {"index": 2, "at": AT}, "judged": {"index": 4, "at": AT}}
    found["matching"] |= {"data_sets": [{"name": "Works", "digest": WORKS, "records": 1824}],
                          "searches": [{"index": 5, "at": AT, **SEARCH}]}  # fmt: skip
    return found


def checked(found: dict[str, Any], ledger: dict[int, make.Told] = LEDGER) -> None:
    """By the stranger's verifier; the house's own refuses the same, or neither does."""
    given = make.with_ledger(found, ledger)
    try:
        evidence.check_ledger(evidence.read(canonical(given)))
    except Refused:
        with pytest.raises(DocumentError, match="ledger"):
            schema.validate(given)
        raise
    schema.validate(given)


def test_what_was_signed_and_searched_is_what_the_evidence_tells() -> None:
    checked(document())
    assert ours.rests_on(document()) == [0, 1, 2, 3, 4, 5]


def swapped(name: str, value: str) -> Change:
    def change(found: dict[str, Any]) -> None:
        found["attempts"][-1]["compared"][name] = value

    return change


def other_reference(found: dict[str, Any]) -> None:
    found["attempts"][-1]["compared"]["reference"] = found["models"]["reference"]["digest"] = make.sha("an easier one")


def other_configuration(found: dict[str, Any]) -> None:
    config = '{"learning_rate":0.5,"seed":2}'
    found["attempts"][-1] |= {"config": config, "config_digest": make.sha(config)}


def other_seed(found: dict[str, Any]) -> None:
    config = '{"learning_rate":1e-05,"seed":7}'
    found["attempts"][-1] |= {"config": config, "config_digest": make.sha(config)}


def other_method(found: dict[str, Any]) -> None:
    found["attempts"][0]["method"] = "npo"


def other_base(found: dict[str, Any]) -> None:
    found["models"]["before"]["digest"] = make.sha("an older one")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (other_reference, "another reference"),
        (lambda found: found["models"].update(reference=None), "two references"),
        (swapped("controls", make.sha("easier controls")), "another controls"),
        (other_configuration, "another configuration"),
        (other_seed, "another seed"),
        (other_method, "another method"),
        (other_base, "another version to be changed"),
    ],
)
def test_a_plan_told_otherwise_than_it_was_signed_is_refused(change: Change, word: str) -> None:
    found = document()
    change(found)
    with pytest.raises(Refused, match=word):
        checked(found)


def test_more_records_than_were_in_the_plan_are_refused() -> None:
    few = {**LEDGER, 1: ("plan.confirmed", {**PLANS[1][1], "records": 3})}
    with pytest.raises(Refused, match="another number of records"):
        checked(document(), few)


def fewer_hits(found: dict[str, Any]) -> None:
    found["matching"]["searches"][0]["hits"] = 4


def stricter(found: dict[str, Any]) -> None:
    found["matching"]["searches"][0]["near_threshold"] = 0.2


def another_set(found: dict[str, Any]) -> None:
    found["matching"]["data_sets"].append({"name": "More", "digest": make.sha("more"), "records": 9})


def larger_set(found: dict[str, Any]) -> None:
    found["matching"]["data_sets"][0]["records"] = 2000


def twice(found: dict[str, Any]) -> None:
    found["matching"]["searches"] *= 2


def unwritten(found: dict[str, Any]) -> None:
    found["matching"]["searches"][0]["index"] = 4


def earlier(found: dict[str, Any]) -> None:
    found["matching"]["searches"][0]["at"] = "2026-11-03T09:00:00.000Z"


@pytest.mark.parametrize("change", [fewer_hits, stricter, another_set, larger_set, twice, unwritten, earlier])
def test_a_search_told_otherwise_than_when_it_ended_is_refused(change: Change) -> None:
    found = document()
    change(found)
    with pytest.raises(Refused) as refusal:
        checked(found)
    assert refusal.value.code == "search"


def other_measurements(found: dict[str, Any]) -> None:
    found["attempts"][1]["verification"]["document_digest"] = make.sha("better ones")


def earlier_verdict(found: dict[str, Any]) -> None:
    found["attempts"][1]["ended"]["judged"]["at"] = "2026-11-19T09:00:00.000Z"


def another_end(found: dict[str, Any]) -> None:
    found["attempts"][1]["ended"]["judged"] = {"index": 5, "at": AT}


def of_the_other_plan(found: dict[str, Any]) -> None:
    found["attempts"][0]["ended"] = found["attempts"][1].pop("ended")


def before_its_run(found: dict[str, Any]) -> None:
    made = found["attempts"][1]["ended"].pop("made")
    found["attempts"][1]["ended"] = {"made": {"index": 0, "at": made["at"]}}


def another_version(found: dict[str, Any]) -> None:
    found["models"]["after"]["digest"] = found["attempts"][1]["candidate"] = make.sha("another candidate")


@pytest.mark.parametrize(
    "change",
    [other_measurements, earlier_verdict, another_end, of_the_other_plan, before_its_run, another_version],
)
def test_a_version_or_verdict_told_otherwise_than_when_it_came_is_refused(change: Change) -> None:
    found = document()
    change(found)
    with pytest.raises(Refused, match="than the ledger was told when it was (made|judged)"):
        checked(found)


def test_a_verdict_that_was_no_pass_when_it_came_is_refused() -> None:
    with pytest.raises(Refused, match="another verdict"):
        checked(document(), {**LEDGER, 4: ("verification.finished", {**JUDGED, "verdict": "inconclusive"})})


@pytest.mark.parametrize("hits", [0, 3])
def test_as_many_records_are_found_as_the_searches_found_at_most(hits: int) -> None:
    found, told = document(), {**SEARCH, "hits": hits}
    found["matching"]["searches"] = [{"index": 5, "at": AT, **told}]
    with pytest.raises(Refused, match=f"4 records as found; its searches found {hits}"):
        checked(found, {**LEDGER, 5: ("matching.finished", told)})


def test_that_nothing_was_found_is_refused_where_a_search_found_something() -> None:
    with pytest.raises(Refused, match="0 records as found; its searches found 5"):
        opened.hold({"matching": {**document()["matching"], "counts": {"found": 0}}},
                    [opened.Entry(5, AT, "matching.finished", SEARCH, "case")], "case")  # fmt: skip


def test_plan_and_search_of_another_case_prove_nothing() -> None:
    entries = [opened.Entry(n, AT, action, body, "other") for n, (action, body) in LEDGER.items()]
    for found, code in ((document(), "plan"), ({"matching": document()["matching"]}, "search")):
        with pytest.raises(Refused) as refusal:
            opened.hold(found, entries, "case")
        assert refusal.value.code == code


def test_a_report_signed_anew_with_another_reference_is_refused_and_a_true_one_says_what_was_held() -> None:
    trust = Trust(frozenset({sealed().fingerprint}), frozenset({make.VERIFIER}))
    true = judge(seal.seal(pdf.render(schema.build(make.with_ledger(document(), LEDGER))), key=sealed().key), trust)
    assert true.outcome is Outcome.GENUINE
    stated = {(one.code, one.state) for one in true.findings}
    assert {("plan", "proved"), ("run", "not_proved"), ("search", "proved"), ("verdict", "not_proved")} <= stated
    assert opened.unjudged(document()) == [1] and opened.unjudged(make.refused()) is None
    forged = document()
    other_reference(forged)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(schema, "verify_ledger", lambda *_args: 8)
        data = seal.seal(pdf.render(canonical(make.with_ledger(forged, LEDGER))), key=sealed().key)
    refused = judge(data, trust)
    assert refused.outcome is Outcome.REFUSED
    assert refused.findings[-1].text == (
        "The evidence says of plan 2 another reference than entry 1 of the ledger, by which it was signed."
    )


def test_evidence_of_before_is_read_and_what_it_does_not_open_is_said() -> None:
    found = make.bare()
    checked(found, {})
    silent, searched = opened.told(found, [])
    assert silent == [1, 2] and not searched
