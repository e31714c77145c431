"""One sentence per verdict, and what stood behind it: the same words for page and report."""

from __future__ import annotations

from typing import Any

import pytest

from governance.evidence import outcomes
from governance.evidence.policy_words import THRESHOLDS, change_words, eased, title
from unlearning_engine.attacks.standard import works_probes
from unlearning_engine.catalog import ATTACKS, MARGINS
from unlearning_engine.policy import COMPONENTS, Policy
from unlearning_engine.probes.survivors import NAMES


def probe(name: str, outcome: str = "pass", family: str = "memorisation", **more: Any) -> dict[str, Any]:
    return {"name": name, "family": family, "outcome": outcome, "candidate": {"n": 180}, **more}


def found(verdict: str, *probes: dict[str, Any], **more: Any) -> dict[str, Any]:
    document = {"verdict": verdict, "reference_kind": "retrained", "probes": list(probes), "attacks": []}
    return {**document, **more}


def said(*args: Any, **more: Any) -> str:
    return outcomes.verdict_sentence(found(*args, **more), confidence=0.95)


def test_a_pass_names_every_attack_and_claims_no_proof() -> None:
    attacks = [{"attack": "relearning"}, {"attack": "pruning"}, {"attack": "relearning"}, {"attack": "prompts"}]
    text = said("pass", probe("exact_value"), attacks=attacks)
    assert "after these attacks: relearning, small weights removed and prefixes and roles" in text
    assert "95% confidence" in text and "not a proof of absence" in text


def test_a_pass_without_attacks_says_so() -> None:
    assert "without any attack having been tried" in said("pass", probe("exact_value"))


def test_controls_and_an_unproven_reference_weaken_the_sentence() -> None:
    assert "like never-seen material" in said("pass", probe("exact_value"), reference_kind="controls")
    weak = said("pass", probe("exact_value"), reference_lineage="unproven")
    assert "issuer's word" in weak and "never trained on" not in weak
    assert "never trained on" in said("pass", probe("exact_value"), reference_lineage="proven")


def test_what_only_attacks_bring_back_is_called_suppressed() -> None:
    hidden = (probe("exact_value"), probe("pruning_value", "fail", "robustness"),
              probe("relearned_works", "fail", "robustness"))  # fmt: skip
    assert said("fail", *hidden).startswith("Suppressed, recoverable by small weights removed and relearning")


@pytest.mark.parametrize("plain", ["fail", "inconclusive"])
def test_what_may_answer_plainly_is_never_called_suppressed(plain: str) -> None:
    text = said("fail", probe("exact_value", plain), probe("pruning_value", "fail", "robustness"))
    assert text.startswith("Not achieved")


def test_lost_utility_alone_is_told_as_that() -> None:
    assert "kept too little" in said("fail", probe("exact_value"), probe("utility_retain", "fail", "utility"))


@pytest.mark.parametrize(("verdict", "word"), [("damaged", "Damaged"), ("inconclusive", "nothing is concluded"),
                                               ("bad_input", "could not be judged")])  # fmt: skip
def test_no_other_verdict_claims_forgetting(verdict: str, word: str) -> None:
    text = said(verdict, probe("exact_value", "inconclusive"))
    assert word in text and "never trained" not in text


def test_every_probe_has_its_group() -> None:
    attack_probes = {name for entry in ATTACKS.values() for name in entry.probes}
    for name in MARGINS:
        family = "robustness" if name in attack_probes - {"paraphrase_value"} else "memorisation"
        assert outcomes.group_of(probe(name, family=family)) == ("attacks" if name in attack_probes else "plain")
    for name in (*NAMES, *works_probes(ATTACKS).values()):
        assert outcomes.group_of(probe(name, family="robustness")) == "survivors"
    for name in COMPONENTS:
        assert outcomes.group_of(probe(f"utility_{name}", family="utility")) == "utility"


def test_what_would_decide_is_told_in_facts() -> None:
    document = found("inconclusive", probe("exact_value", "inconclusive", items_needed=1400),
                     probe("multiple_choice", "inconclusive", items_needed=None), probe("membership_loss"))  # fmt: skip
    first, second = outcomes.deciding(document)
    assert first == "Gives the right value: about 1,400 independent facts would decide; 180 were asked."
    assert "no number of further facts" in second


def test_attacks_that_were_not_made_are_told_with_why() -> None:
    document = found("pass", attacks_not_named=["sampling"], attacks_not_applicable={"steering": "no hidden state"})
    assert outcomes.attacks_left_out(document) == [
        ("the removed direction added back", "no hidden state"), ("many sampled answers", "not named by the policy")
    ]  # fmt: skip


def test_only_probes_that_have_a_margin_are_said_to_lie_inside_one() -> None:
    text = said("pass", probe("exact_value"), probe("pruning_value", family="robustness"),
                probe("utility_retain", family="utility"), probe("surviving_facts", "reported"),
                probe("pruning_works", "reported", "robustness"), probe("forget_quality", "reported"))  # fmt: skip
    assert "of all 2 probes that have one" in text
    assert "Probes of what had to stay, above their floors: 1." in text
    assert "above their floors" not in said("pass", probe("exact_value"))


def reworded(plain: int, facts: int = 180, attack: str = "prompts") -> list[dict[str, Any]]:
    runs = {"candidate": plain, "reference": 0}
    return [{"attack": attack, "model": model, "forget_facts": facts, "plain_facts": n} for model, n in runs.items()]


def test_facts_that_an_attack_did_not_fit_around_are_no_part_of_what_it_reached() -> None:
    told = "Facts that were asked plainly within an attack, since its wording does not fit beside them: prefixes and "
    assert f"{told}roles: 12 of 180." in said("pass", probe("exact_value"), attacks=reworded(12))
    assert "asked plainly" not in said("pass", probe("exact_value"), attacks=reworded(0))
    assert "asked plainly" not in said("pass", probe("exact_value"), attacks=[{"attack": "prompts"}])


def test_an_attack_that_fitted_around_no_fact_is_not_called_made() -> None:
    document = found("pass", probe("exact_value"), attacks=[{"attack": "pruning"}, *reworded(180)])
    assert outcomes.attacks_made(document) == ["pruning"]
    assert ("prefixes and roles", "its wording fits beside none of the facts") in outcomes.attacks_left_out(document)
    alone = found("pass", probe("exact_value"), attacks=reworded(180))
    assert "without any attack" in outcomes.verdict_sentence(alone, confidence=0.95)


@pytest.mark.parametrize(("more", "words"), [({"reference_kind": "controls"}, "cannot show what a model without"),
                                             ({"reference_lineage": "proven"}, "the issuer's own record"),
                                             ({"reference_lineage": {"proven": False}}, "issuer's word"),
                                             ({}, "issuer's word")])  # fmt: skip
def test_the_comparison_says_what_it_cannot_show(more: dict[str, Any], words: str) -> None:
    assert words in " ".join(outcomes.comparison_words(found("pass", **more)))


def test_changes_of_thresholds_are_told_in_their_units() -> None:
    words = [change_words({"name": name, "before": before, "after": after, "effect": "easier"})
             for name, before, after in (("margins.exact_value", 0.1, 0.2), ("utility_floor", 0.9, 0.855),
                                         ("attacks", "pruning", None), ("maximum_items", 1000, 900))]  # fmt: skip
    assert words == [
        "Margin of “Gives the right value”: 10 points, then 20 points",
        "Floor of utility: 90%, then 85.5%",
        "Attack left out: small weights removed",
        "Most facts: 1,000, then 900",
    ]


def test_only_what_makes_a_pass_easier_is_marked() -> None:
    changes = [{"name": "utility_floor", "before": 0.9, "after": 0.8, "effect": "easier"},
               {"name": "confidence", "before": 0.9, "after": 0.95, "effect": "harder"},
               {"name": "margins.pruning_value", "before": 0.1, "after": None, "effect": "easier"}]  # fmt: skip
    assert eased(changes) == ["Floor of utility: 90%, then 80%"]


def test_every_threshold_of_the_engine_has_a_title() -> None:
    policy = Policy().to_json()
    names = [n for n, v in policy.items() if not isinstance(v, dict) and n not in ("name", "version")]
    names += [f"relearning.{name}" for name in policy["relearning"]]
    assert len({title(name) for name in names}) == len(names)
    assert set(names) <= set(THRESHOLDS)
