"""What is asked once for many cases."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance.clocks import LAWS
from governance.forms_renderer import ChoiceCards
from governance.kinds import KINDS
from governance.models import Case, Decision, User
from governance.selectors.queue import officers
from governance.services import codes
from governance.services.decision import Proposal
from governance.web.staff_forms import reason_field


class NothingForm(forms.Form):
    """Nothing to fill in: the button says it all."""


class OfficerForm(forms.Form):
    """Whose desk the cases go to."""

    officer = forms.ModelChoiceField(
        label=gettext_lazy("Officer"),
        queryset=User.objects.none(),
        required=False,
        empty_label=gettext_lazy("nobody: back to the unassigned"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = [user.pk for user in officers()]
        rows = User.objects.filter(pk__in=known).order_by("last_name", "first_name", "email")
        self.fields["officer"].queryset = rows  # type: ignore[attr-defined]


class QuestionForm(forms.Form):
    """One question, put to the claimant of each case."""

    question = reason_field(gettext_lazy("Question"), gettext_lazy("Each claimant reads it in a letter of their own."))
    pauses_clock = forms.BooleanField(
        label=gettext_lazy("Identity is in doubt: the clock pauses where the case's law knows that pause"),
        required=False,
    )


def _exceptions() -> list[tuple[str, str]]:
    """Every code that some law knows, once; whether it fits a case is judged per case."""
    found = {one.code: f"{one.citation}: {one.words}" for rule in KINDS.values() for one in rule.exceptions}
    return [("", _("none: the records are erased")), *sorted(found.items(), key=lambda pair: pair[1])]


class SameDecisionForm(forms.Form):
    """One proposal for all hits of all chosen cases; a second person approves each case."""

    choice = forms.ChoiceField(
        label=gettext_lazy("For all hits of each case"),
        choices=Decision.Choice.choices,
        initial=Decision.Choice.ERASE,
        widget=ChoiceCards(cards=False),
    )
    exception = forms.ChoiceField(
        label=gettext_lazy("What stands against erasure"),
        help_text=gettext_lazy("A code that a case's law does not know is refused for that case."),
        required=False,
    )
    reason = reason_field(
        gettext_lazy("Reasons, in your own words"),
        gettext_lazy("Needed where a record is not erased. The claimants read them."),
        required=False,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["exception"].choices = _exceptions()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """What is not erased has reasons, and a refusal a code."""
        data = super().clean() or {}
        erases = data.get("choice") == Decision.Choice.ERASE
        if not erases and not (data.get("reason") or "").strip():
            self.add_error("reason", _("Write why the records are not erased: the claimants read it."))
        if data.get("choice") == Decision.Choice.REFUSE and not data.get("exception"):
            self.add_error("exception", _("Choose what stands against erasure."))
        if erases and data.get("exception"):
            self.add_error("exception", _("What is erased has no exception."))
        return data

    def proposals(self, case: Case) -> dict[int, Proposal]:
        """The proposal for each hit of a case, on the ground of its law or with the citation of the exception."""
        data = self.cleaned_data
        against = next((one for one in codes.exceptions(case) if one.code == data["exception"]), None)
        proposal = Proposal(
            choice=Decision.Choice(data["choice"]),
            ground=against.citation if against else LAWS[case.law].ground(case.kind),
            reason=data["reason"],
            exception=data["exception"],
        )
        return dict.fromkeys(case.matches.values_list("pk", flat=True), proposal)
