"""The form that proposes other thresholds: one field per threshold of the policy in force, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance import dispatch
from governance.evidence import policy_words
from governance.evidence.wording import probe_title
from governance.forms_renderer import CheckCards
from governance.web.staff_forms import reason_field

_LISTS = ("attacks", "required_utility")
_NAMES = ("name", "version")
#: Between a group and its threshold in a field's name; a dot would end it in templates.
_DOT = "__"


def _flat(policy: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Name (with a dot inside a group) and value of every number of a policy; every attack's margin among them."""
    for name, value in policy.items():
        if name == "margins":
            every = {**dispatch.MARGINS, **value}
            yield from ((f"margins.{probe}", margin) for probe, margin in every.items())
        elif isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", one) for inner, one in value.items())
        elif name not in (*_LISTS, *_NAMES):
            yield name, value


def _effect_hint(name: str, value: float) -> str:
    """Which way the threshold points, as the comparison of policies will tell it."""
    before, after = _nested(name, value), _nested(name, value + 1)
    effect = dispatch.policy_changes(before, after)[0].effect
    return {
        "easier": _("A higher value makes a pass easier."),
        "harder": _("A lower value makes a pass easier."),
        "either": _("A change works both ways."),
    }[effect]


def _nested(name: str, value: Any) -> dict[str, Any]:
    group, _sep, inner = name.partition(".")
    return {group: {inner: value}} if inner else {group: value}


class PolicyForm(forms.Form):
    """Every threshold as it is, to be changed where it should change."""

    reason = reason_field(
        gettext_lazy("Why the thresholds change"),
        gettext_lazy(
            "The second person reads it, and so does every auditor. Each report that is eased by it prints it."
        ),
    )

    def __init__(self, policy: Mapping[str, Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.policy = policy
        self.fields["attacks"] = forms.MultipleChoiceField(
            label=_("Attacks that a model must withstand"), initial=list(policy["attacks"]), required=False,
            help_text=_("Leaving one out makes a pass easier."),
            choices=[(name, entry.title) for name, entry in dispatch.ATTACKS.items()],
            widget=CheckCards(cards=False, notes={name: entry.summary for name, entry in dispatch.ATTACKS.items()}),
        )  # fmt: skip
        self.fields["required_utility"] = forms.MultipleChoiceField(
            label=_("What must be measured of what stays"), initial=list(policy["required_utility"]), required=False,
            help_text=_("Leaving one out makes a pass easier."),
            choices=[(name, str(words).capitalize()) for name, words in policy_words.COMPONENTS.items()],
            widget=CheckCards(cards=False),
        )  # fmt: skip
        for name, value in _flat(policy):
            self.fields[name.replace(".", _DOT)] = _field(name, value)

    def part(self, *starts: str) -> list[Any]:
        """The bound fields whose names begin so."""
        return [self[name] for name in self.fields if name.startswith(starts)]

    def rest(self) -> list[Any]:
        """The bound fields of single numbers."""
        single = [name for name in self.fields if _DOT not in name and name not in (*_LISTS, "reason")]
        return [self[name] for name in single]

    def thresholds(self) -> dict[str, Any]:
        """The whole policy as it was filled in; margins of attacks that are not named are left out."""
        data = self.cleaned_data
        found = {**self.policy, **{name: list(data[name]) for name in _LISTS}}
        for name, _value in _flat(self.policy):
            group, _sep, inner = name.partition(".")
            value = data[name.replace(".", _DOT)]
            if inner:
                found[group] = {**found[group], inner: value}
            else:
                found[group] = value
        unnamed = {p for name, entry in dispatch.ATTACKS.items() if name not in data["attacks"] for p in entry.probes}
        found["margins"] = {probe: margin for probe, margin in found["margins"].items() if probe not in unnamed}
        return found


def _field(name: str, value: Any) -> forms.Field:
    label = probe_title(name.removeprefix("margins.")) if name.startswith("margins.") else policy_words.title(name)
    meaning = policy_words.THRESHOLDS.get(name, ("", ""))[1]
    hint = f"{meaning} {_effect_hint(name, value)}".strip()
    if isinstance(value, int):
        return forms.IntegerField(label=label, initial=value, help_text=hint)
    widget = forms.NumberInput(attrs={"step": "any"})
    return forms.FloatField(label=label, initial=value, help_text=hint, widget=widget)


class ReturnForm(forms.Form):
    """Why a proposal goes back."""

    reason = reason_field(gettext_lazy("Why it goes back"), rows=3)
