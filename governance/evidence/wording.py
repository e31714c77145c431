"""Names of probes, findings and states as a reader sees them. Unknown codes are printed as they are, never dropped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _


def probe_title(name: str) -> str:
    """What a probe asks, in a few words."""
    return {
        "exact_value": _("Gives the right value"),
        "answer_probability": _("Finds the answer likely"),
        "paraphrase_value": _("Gives it when asked otherwise"),
        "verbatim_text": _("Recites the text"),
        "multiple_choice": _("Picks the right answer"),
        "membership_loss": _("Tells training text from unseen"),
        "relearning_value": _("Gives other values after relearning"),
        "relearning_choice": _("Picks other answers after relearning"),
        "relearning_rank": _("Leans to other answers after relearning"),
        "surviving_facts": _("Single facts that stayed"),
        "surviving_works": _("The work that stayed most"),
        "relearned_works": _("The work that came back most"),
        "forget_quality": _("Truth ratio, compared as a whole"),
        "utility_retain": _("Keeps what it had to keep"),
        "utility_neighbours": _("Keeps closely related knowledge"),
        "utility_general": _("Keeps general text"),
    }.get(name, name.replace("_", " "))


def outcome_word(outcome: str) -> str:
    """One word per outcome of a probe or a plan."""
    return {
        "pass": _("Pass"),
        "fail": _("Fail"),
        "inconclusive": _("Inconclusive"),
        "damaged": _("Damaged"),
        "bad_input": _("Input unfit"),
        "reported": _("Reported only"),
        "none": _("Not verified"),
    }.get(outcome, outcome)


def guarantee_words(guarantee: str) -> str:
    """What a method promises at best."""
    return {
        "exact": _("by construction"),
        "certified": _("certified"),
        "approximate": _("approximate"),
    }.get(guarantee, guarantee)


def match_words(method: str) -> str:
    """How a record was matched. Not the word "exact": it is kept for guarantees."""
    return {
        "exact": _("verbatim copy"),
        "near_duplicate": _("near-duplicate"),
        "same_work": _("same work by the data set's own label"),
    }.get(method, method)


def state_words(state: str) -> str:
    """What is known about a deployment."""
    return {
        "serving": _("still in service"),
        "pending": _("replacement pending"),
        "replaced": _("replaced"),
        "unreachable": _("cannot be reached"),
    }.get(state, state)


def disposal_words(what: str) -> str:
    """What is to be destroyed."""
    return {"weights": _("Weights"), "checkpoints": _("Checkpoints"), "cache": _("Cache")}.get(what, what)


def finding_sentence(finding: Mapping[str, Any]) -> str:
    """One finding of the engine as a sentence."""
    data = finding["data"]
    probe = probe_title(str(data["probe"])) if data.get("probe") else ""
    sentence = {
        "beyond_margin": _("Beyond its limit: %(probe)s."),
        "undecided": _("Not decided: %(probe)s."),
        "damaged": _("Knowledge that had to stay was lost: %(probe)s."),
        "utility_below_floor": _("Below the floor for what had to stay: %(probe)s."),
        "distribution_differs": _("The truth ratios differ from the reference's."),
        "not_measured": _("Not measured: %(probe)s."),
        "too_few_items": _("Too few independent items to decide."),
        "original_does_not_know": _("The version before does not know the items, so that any model would pass."),
        "reference_knows": _("The reference knows the items; the bar would be too low: %(probe)s."),
        "reference_identical": _("The reference is one of the models under test."),
        "tokenizers_differ": _("The models do not share one tokenizer."),
        "candidate_is_the_original": _("The weights are those of the version before."),
        "not_finite": _("The model gives numbers that are not finite."),
        "sets_overlap": _("Two of the sets of items overlap."),
    }.get(str(finding["code"]), str(finding["code"]).replace("_", " ") + ".")
    return sentence % {"probe": probe} if "%(probe)s" in sentence else sentence
