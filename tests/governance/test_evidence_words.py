"""Every probe, attack and finding of the engine has words, and one list of them serves page and report."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from governance.evidence import passing
from governance.evidence.engine_results import verification
from governance.evidence.wording import (
    ATTACKS,
    FINDINGS,
    OF_A_PROBE,
    PROBES,
    finding_sentence,
    finding_sentences,
    probe_title,
)
from lethe_verify import passed
from tests.architecture.tree import ROOT
from unlearning_engine.attacks.standard import ATTACKS as STANDARD
from unlearning_engine.attacks.standard import works_probes
from unlearning_engine.catalog import MARGINS
from unlearning_engine.probes.survivors import NAMES
from unlearning_engine.probes.utility import NAMES as UTILITY


def finding(code: str, **data: Any) -> dict[str, Any]:
    return {"code": code, "outcome": "fail", "data": data}


def test_every_probe_that_can_decide_has_a_title_of_its_own() -> None:
    names = {*MARGINS, *NAMES, *works_probes(STANDARD).values(), "forget_quality"}
    names |= set(UTILITY)
    assert names == set(PROBES)
    assert len({str(title) for title in PROBES.values()}) == len(PROBES)
    assert set(ATTACKS) == set(STANDARD)


def test_every_code_of_the_engine_has_a_sentence() -> None:
    source = "".join((ROOT / "unlearning_engine" / name).read_text() for name in ("fitness.py", "verdict.py"))
    codes = set(re.findall(r'code="(\w+)"', source)) | set(re.findall(r'\(\s*"(\w+)", \{', source))
    codes |= set(re.findall(r'code = "(\w+)"', source)) | set(re.findall(r'Outcome\.\w+: "(\w+)"', source))
    codes |= {f"{name}_empty" for name in ("forget", "retain", "controls")} | {"survivors", "survivors_suspected"}
    assert codes >= {"beyond_margin", "reference_copied", "controls_known", "attack_without_effect"}
    assert codes == set(FINDINGS)
    assert set(FINDINGS) > OF_A_PROBE


@pytest.mark.parametrize("code", FINDINGS)
def test_a_sentence_ends_in_a_full_stop_and_leaves_no_gap(code: str) -> None:
    said = finding_sentence(finding(code, probe="exact_value", attack="pruning"))
    assert said.endswith(".")
    assert "%" not in said and ": ." not in said


def test_findings_of_one_code_are_one_sentence() -> None:
    found = finding_sentences(
        [
            finding("not_measured", probe="pruning_value"),
            finding("reference_copied", closeness=0.1),
            finding("not_measured", probe="verbatim_text"),
            finding("attack_without_effect", set="forget"),
            finding("attack_without_effect", set="retain", attack="quantisation_4bit"),
        ]
    )
    assert found == [
        "Not measured: Gives it with small weights removed; Recites the text.",
        "The new version is a copy of the reference, not a run of its own.",
        "An attack did nothing to the new version or to the model beside it, or wrecked one of them, and so shows "
        "nothing: relearning; weights rounded to 4 bits.",
    ]


def test_what_has_no_words_is_printed_as_it_is() -> None:
    assert probe_title("new_probe") == "new probe"
    assert finding_sentence(finding("new_code")) == "new code."


@pytest.mark.parametrize("name", [name for name, attack in STANDARD.items() if attack.prepare is not None])
def test_a_report_tells_what_an_attack_did_and_to_whom(name: str) -> None:
    runs = [
        {"attack": name, "model": model, "asked_facts": 180, **STANDARD[name].describe}
        for model in ("candidate", "reference")
    ]
    found = {"verdict": "pass", "reference_kind": "retrained", "findings": [], "probes": [], "attacks": runs}
    (attack,) = verification(found, document_digest="sha256:x")["attacks"]
    assert attack["name"] == name
    assert attack["description"].endswith(", then asked: candidate (180 facts), reference (180 facts).")
    assert "{" not in attack["description"]


def test_one_sided_bounds_are_not_called_a_two_sided_interval() -> None:
    page = (Path(__file__).parents[2] / "templates/report/report.html").read_text()
    assert "below each difference, and below each share of what must stay, stand two one-sided bounds" in page
    assert "of what must stay, one-sided bounds" in page
    assert "Below each estimate stands its two-sided" not in page


def test_the_checks_excuse_the_probes_of_those_attacks_alone_that_a_model_may_not_allow() -> None:
    bound = {name for name, attack in STANDARD.items() if attack.one_stream}
    assert bound == passed.MODEL_BOUND == passing._MODEL_BOUND
