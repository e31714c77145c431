"""Thresholds of a verification policy, and what changes between two policies, in words for page and report.

What is marked `desk` stands on pages of staff alone and is not translated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_lazy as desk

from governance.evidence.numerals import number, percent
from governance.evidence.wording import ATTACKS, probe_title

Change = Mapping[str, Any]
#: Threshold -> (title, what it means in a sentence). Shares are printed in per cent.
THRESHOLDS: Mapping[str, tuple[Any, Any]] = {
    "confidence": (gettext_lazy("Confidence"), desk("Of the one-sided bounds that decide.")),
    "resamples": (gettext_lazy("Resamples"), desk("How often facts are drawn again for an interval.")),
    "minimum_items": (
        gettext_lazy("Least facts"), desk("With fewer independent forgotten facts nothing passes.")),
    "minimum_utility_items": (
        gettext_lazy("Least items of utility"), desk("The same for each component of what must stay.")),
    "minimum_works": (
        gettext_lazy("Least works"), desk("With fewer works, facts are resampled instead of works.")),
    "maximum_items": (gettext_lazy("Most facts"), desk("Of a larger set so many are drawn.")),
    "maximum_utility_items": (
        gettext_lazy("Most items of utility"), desk("The same for each component of what must stay.")),
    "paraphrases": (gettext_lazy("Held-out wordings"), desk("How many of each question are tried.")),
    "answer_slack": (
        gettext_lazy("Slack of an answer"), desk("Tokens that an answer may be longer than the true one.")),
    "forget_quality_alpha": (
        gettext_lazy("Level of the truth ratio test"), desk("Below this p the answers as a whole differ.")),
    "survivor_alpha": (
        gettext_lazy("Level for single survivors"),
        desk("Below this p one work or fact that stayed keeps a model from passing.")),
    "copy_below": (
        gettext_lazy("Distance of a copy"),
        desk("Below it the new version is taken for a copy of the reference.")),
    "kinship_limit": (
        gettext_lazy("Kinship of a reference"),
        desk("Correlation of weights from which on a reference is no training of its own.")),
    "balance_limit": (
        gettext_lazy("Balance of the controls"),
        desk("How unlike the controls may be to the items in length, rarity or difficulty.")),
    "attack_floor": (
        gettext_lazy("Least effect of an attack"), desk("Below it the attack failed, and shows nothing.")),
    "attack_kept_floor": (
        gettext_lazy("Least left by an attack"),
        desk("Below it the attack wrecked the model, and shows nothing.")),
    "utility_floor": (gettext_lazy("Floor of utility"), desk("What each component must keep.")),
    "pooled_utility_floor": (
        gettext_lazy("Floor of utility, all together"), desk("What all items together must keep.")),
    "damaged_below": (gettext_lazy("Damaged below"), desk("A component below it makes the model damaged.")),
    "relearning.share": (gettext_lazy("Relearning: share taught"), desk("Of the works, in each round.")),
    "relearning.rounds": (gettext_lazy("Relearning: rounds"), desk("How often other works are taught.")),
    "relearning.epochs": (gettext_lazy("Relearning: passes"), desk("Over the works that are taught.")),
    "relearning.learning_rate": (gettext_lazy("Relearning: learning rate"), desk("Of these passes.")),
    "relearning.batch_size": (gettext_lazy("Relearning: batch"), desk("Items in a step of these passes.")),
    "attacks": (gettext_lazy("Attack"), desk("Attacks that a model must withstand.")),
    "required_utility": (gettext_lazy("Required part of utility"), desk("What must be measured to pass.")),
}  # fmt: skip
COMPONENTS: Mapping[str, Any] = {
    "retain": gettext_lazy("what had to stay"),
    "neighbours": gettext_lazy("closely related knowledge"),
    "general": gettext_lazy("general text"),
}
#: Thresholds that are shares, printed in per cent.
SHARES = frozenset(
    {"confidence", "utility_floor", "pooled_utility_floor", "damaged_below", "attack_floor", "attack_kept_floor",
     "relearning.share", "copy_below"}
)  # fmt: skip
EFFECTS: Mapping[str, Any] = {
    "easier": desk("easier to pass"),
    "harder": desk("harder to pass"),
    "either": desk("works both ways"),
}


def title(name: str) -> str:
    """A threshold as people call it."""
    if name.startswith("margins."):
        return _("Margin of “%(probe)s”") % {"probe": probe_title(name.removeprefix("margins."))}
    return str(THRESHOLDS[name][0]) if name in THRESHOLDS else name.replace("_", " ").replace(".", ": ").capitalize()


def value_words(name: str, value: Any) -> str:
    """A value in the unit of its threshold."""
    if name.startswith("margins."):
        return _("%(n)s points") % {"n": _number(value * 100)}
    if name in SHARES:
        return percent(value, _decimals(value * 100))
    if isinstance(value, str):
        return str(ATTACKS.get(value) or COMPONENTS.get(value) or value)
    return _number(value)


def _number(value: float) -> str:
    return number(value, _decimals(value))


def _decimals(value: float) -> int:
    """As many as the number has, six at most."""
    return len(f"{value:.6f}".rstrip("0").partition(".")[2])


def change_words(change: Change) -> str:
    """`Margin of “Gives the right value”: 10 points, then 20 points`."""
    name, before, after = change["name"], change["before"], change["after"]
    if name in ("attacks", "required_utility"):
        text = _("%(what)s left out: %(name)s") if after is None else _("%(what)s added: %(name)s")
        return text % {"what": title(name), "name": value_words(name, before if after is None else after)}
    if before is None or after is None:
        text = _("%(what)s goes with its attack") if after is None else _("%(what)s comes with its attack: %(value)s")
        return text % {"what": title(name), "value": "" if after is None else value_words(name, after)}
    return _("%(what)s: %(before)s, then %(after)s") % {
        "what": title(name), "before": value_words(name, before), "after": value_words(name, after)}  # fmt: skip


def eased(changes: Iterable[Change]) -> list[str]:
    """The changes that make passing easier, in words; margins that go with an attack are told by the attack."""
    return [
        change_words(change)
        for change in changes
        if change["effect"] == "easier" and not (change["name"].startswith("margins.") and change["after"] is None)
    ]
