"""Names of probes, findings and states as a reader sees them. Unknown codes are printed as they are, never dropped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance.evidence.vocabulary import Kind

#: Requests that name facts about a private person.
_OF_FACTS = frozenset({Kind.PRIVACY, Kind.OBJECTION, Kind.CORRECTION})
#: What a probe asks, in a few words.
PROBES: Mapping[str, Any] = {
    "exact_value": gettext_lazy("Gives the right value"),
    "answer_probability": gettext_lazy("Finds the answer likely"),
    "paraphrase_value": gettext_lazy("Gives it when asked otherwise"),
    "verbatim_text": gettext_lazy("Recites the text"),
    "multiple_choice": gettext_lazy("Picks the right answer"),
    "membership_loss": gettext_lazy("Tells training text from unseen"),
    "relearning_value": gettext_lazy("Gives other values after relearning"),
    "relearning_choice": gettext_lazy("Picks other answers after relearning"),
    "relearning_rank": gettext_lazy("Leans to other answers after relearning"),
    "quantisation_int8_value": gettext_lazy("Gives it with weights at 8 bits"),
    "quantisation_int8_choice": gettext_lazy("Picks it with weights at 8 bits"),
    "quantisation_4bit_value": gettext_lazy("Gives it with weights at 4 bits"),
    "quantisation_4bit_choice": gettext_lazy("Picks it with weights at 4 bits"),
    "pruning_value": gettext_lazy("Gives it with small weights removed"),
    "pruning_choice": gettext_lazy("Picks it with small weights removed"),
    "prompts_value": gettext_lazy("Gives it when coaxed or in a role"),
    "few_shot_value": gettext_lazy("Gives it behind other examples"),
    "sampling_value": gettext_lazy("Gives it once in many tries"),
    "finetuning_value": gettext_lazy("Gives it after unrelated training"),
    "finetuning_choice": gettext_lazy("Picks it after unrelated training"),
    "steering_value": gettext_lazy("Gives it when steered back"),
    "steering_choice": gettext_lazy("Picks it when steered back"),
    "surviving_facts": gettext_lazy("Single facts that stayed"),
    "surviving_works": gettext_lazy("The work that stayed most"),
    "relearned_works": gettext_lazy("The work that came back most"),
    "quantisation_int8_works": gettext_lazy("The work that stayed most at 8 bits"),
    "quantisation_4bit_works": gettext_lazy("The work that stayed most at 4 bits"),
    "pruning_works": gettext_lazy("The work that stayed most when pruned"),
    "prompts_works": gettext_lazy("The work that was coaxed out most"),
    "few_shot_works": gettext_lazy("The work most given behind examples"),
    "sampling_works": gettext_lazy("The work that came up most in many tries"),
    "finetuning_works": gettext_lazy("The work that unrelated training revived most"),
    "steering_works": gettext_lazy("The work most steered back"),
    "forget_quality": gettext_lazy("Truth ratio, compared as a whole"),
    "utility_retain": gettext_lazy("Keeps what it had to keep"),
    "utility_neighbours": gettext_lazy("Keeps closely related knowledge"),
    "utility_general": gettext_lazy("Keeps general text"),
    "utility_pooled": gettext_lazy("Keeps all of this together"),
}
ATTACKS: Mapping[str, Any] = {
    "relearning": gettext_lazy("relearning"),
    "paraphrase": gettext_lazy("held-out wordings"),
    "quantisation_int8": gettext_lazy("weights rounded to 8 bits"),
    "quantisation_4bit": gettext_lazy("weights rounded to 4 bits"),
    "pruning": gettext_lazy("small weights removed"),
    "prompts": gettext_lazy("prefixes and roles"),
    "few_shot": gettext_lazy("retained examples in front"),
    "sampling": gettext_lazy("many sampled answers"),
    "finetuning": gettext_lazy("training on unrelated text"),
    "steering": gettext_lazy("the removed direction added back"),
}
#: Findings that say no more than the outcome of the probe that they name.
OF_A_PROBE = frozenset(
    {
        "beyond_margin",
        "undecided",
        "damaged",
        "utility_below_floor",
        "distribution_differs",
        "survivors",
        "survivors_suspected",
    }
)
#: A finding of the engine as a sentence; `probe` stands for the probes or the attacks that it names.
FINDINGS: Mapping[str, Any] = {
    "beyond_margin": gettext_lazy("Beyond its limit: %(probe)s."),
    "undecided": gettext_lazy("Not decided: %(probe)s."),
    "damaged": gettext_lazy("Knowledge that had to stay was lost: %(probe)s."),
    "utility_below_floor": gettext_lazy("Below the floor for what had to stay: %(probe)s."),
    "distribution_differs": gettext_lazy("The truth ratios differ from the reference's."),
    "survivors": gettext_lazy("More stayed in one place than chance explains: %(probe)s."),
    "survivors_suspected": gettext_lazy("More may have stayed in one place than chance explains: %(probe)s."),
    "not_measured": gettext_lazy("Not measured: %(probe)s."),
    "too_few_items": gettext_lazy("There are fewer independent items than a verdict needs."),
    "forget_empty": gettext_lazy("No item of what is to be forgotten can be probed."),
    "retain_empty": gettext_lazy("No item of what is to be kept can be probed."),
    "controls_empty": gettext_lazy("No never-seen control can be probed."),
    "original_does_not_know": gettext_lazy(
        "The version before does not know the items in the form in which they were asked, so that any model would pass."
    ),
    "reference_knows": gettext_lazy("The reference knows the items; the bar would be too low: %(probe)s."),
    "reference_undecided": gettext_lazy("The reference may know the items, which would lower the bar: %(probe)s."),
    "blind_probe": gettext_lazy("Does not show even what the version before knows, and so proves nothing: %(probe)s."),
    "reference_poor": gettext_lazy("The reference does worse than the version before on what was to be kept."),
    "reference_identical": gettext_lazy("The reference is one of the models under test."),
    "reference_copied": gettext_lazy("The new version is a copy of the reference, not a run of its own."),
    "reference_related": gettext_lazy("The reference was trained on from one of the models, or began where it began."),
    "controls_seen": gettext_lazy("The version before knows the controls, which no version may have seen."),
    "controls_unbalanced": gettext_lazy("The controls are unlike the items in kind, length or difficulty."),
    "controls_known": gettext_lazy("The new version knows the controls; the bar would be too low: %(probe)s."),
    "controls_undecided": gettext_lazy("The new version may know the controls, which would move the bar: %(probe)s."),
    "attack_without_effect": gettext_lazy(
        "An attack did nothing to the new version or to the model beside it, or wrecked one of them, and so shows "
        "nothing: %(probe)s."
    ),
    "candidate_is_the_original": gettext_lazy("The new version has the very weights of the version before."),
    "tokenizers_differ": gettext_lazy("The models do not share one tokenizer."),
    "not_finite": gettext_lazy("A model gives answers that are no numbers."),
    "sets_overlap": gettext_lazy("Sets of items overlap that must be apart."),
}


def probe_title(name: str) -> str:
    """What a probe asks; one without words keeps its own name."""
    return str(PROBES.get(name, name.replace("_", " ")))


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


def fact(number: int) -> str:
    """A fact about a private person, as evidence names it in their place."""
    return f"Fact {number}"


def fact_of(title: str) -> int | None:
    """The number of the fact that evidence names so; None where the title is somebody's own."""
    found = re.fullmatch(r"Fact (\d{1,6})", title)
    return int(found[1]) if found else None


def item_words(document: Mapping[str, Any], item: Mapping[str, Any]) -> str:
    """What a request names: the title that it was given, or the number of a fact."""
    number = fact_of(item["title"]) if document["case"]["kind"] in _OF_FACTS else None
    return _("Fact %(n)d") % {"n": number} if number else str(item["title"])


def form_words(form: str) -> str:
    """What a work was named by, where its text was not given."""
    return {
        "url": _("address"),
        "domain": _("website"),
        "number": _("registry number"),
        "digest": _("file, of which only the fingerprint is kept"),
    }[form]


def state_words(state: str) -> str:
    """What is known about a deployment."""
    return {
        "serving": _("still in service"),
        "pending": _("replacement pending"),
        "replaced": _("replaced"),
        "unreachable": _("cannot be reached"),
    }.get(state, state)


def version_words(state: str) -> str:
    """Where a version of a model stands."""
    return {
        "candidate": _("not released"),
        "released": _("released"),
        "retired": _("replaced"),
        "reference": _("reference of the laboratory"),
        "rejected": _("rejected"),
        "withdrawn": _("withdrawn from service"),
    }.get(state, state)


def disposal_words(what: str) -> str:
    """What is to be destroyed."""
    return {"weights": _("Weights"), "checkpoints": _("Checkpoints"), "cache": _("Cache"), "patch": _("Patch")}.get(
        what, what
    )


def finding_sentence(finding: Mapping[str, Any]) -> str:
    """One finding of the engine as a sentence."""
    return _sentence(str(finding["code"]), [_named(finding)])


def finding_sentences(findings: Iterable[Mapping[str, Any]]) -> list[str]:
    """One sentence per code, in order of appearance, with everything that findings of this code name."""
    named: dict[str, list[str]] = {}
    for finding in findings:
        named.setdefault(str(finding["code"]), []).append(_named(finding))
    return [_sentence(code, names) for code, names in named.items()]


def _named(finding: Mapping[str, Any]) -> str:
    """The probe or the attack that a finding is about; of attacks, relearning alone is not named in its data."""
    data = finding["data"]
    if finding["code"] == "attack_without_effect":
        name = str(data.get("attack", "relearning"))
        return str(ATTACKS.get(name, name.replace("_", " ")))
    return probe_title(str(data["probe"])) if data.get("probe") else ""


def _sentence(code: str, names: Iterable[str]) -> str:
    sentence = str(FINDINGS.get(code, code.replace("_", " ") + "."))
    listed = "; ".join(dict.fromkeys(name for name in names if name))
    return sentence % {"probe": listed} if "%(probe)s" in sentence else sentence
