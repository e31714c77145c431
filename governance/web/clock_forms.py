"""Forms about the clocks of a case: another law beside the first, or the end of one that does not apply."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from governance.clocks import laws_for
from governance.models import Case, CaseClock
from governance.web.staff_forms import PLACE_HINT, CaseForm, clean_place, reason_field


class AddLawForm(CaseForm):
    """One more law, why it applies, and by whose calendar it counts."""

    law = forms.ChoiceField(label=gettext_lazy("Law"))
    because = reason_field(
        gettext_lazy("Why it applies as well"),
        gettext_lazy("Entered in the case for good; write nothing about a person."),
        rows=2,
    )
    place = forms.CharField(
        label=gettext_lazy("Whose public holidays count"), help_text=PLACE_HINT, required=False, max_length=24
    )

    def __init__(self, case: Case, *args: Any, **kwargs: Any) -> None:
        super().__init__(case, *args, **kwargs)
        choices = [(law.code, f"{law.title} ({law.article.split(';')[0]})") for law in laws_for(case.kind)]
        self.fields["law"].choices = choices  # type: ignore[attr-defined]

    def clean_place(self) -> str:
        """A place that is known, or none."""
        return clean_place(self.cleaned_data["place"])


class EndLawForm(CaseForm):
    """Which clock does not belong here, and why."""

    clock = forms.ModelChoiceField(label=gettext_lazy("Law"), queryset=CaseClock.objects.none())
    because = reason_field(
        gettext_lazy("Why it does not apply"),
        gettext_lazy("Entered in the case for good; write nothing about a person."),
        rows=2,
    )

    def __init__(self, case: Case, *args: Any, **kwargs: Any) -> None:
        super().__init__(case, *args, **kwargs)
        beside = case.clocks.filter(ended_at=None).exclude(law=case.law)
        self.fields["clock"].queryset = beside  # type: ignore[attr-defined]
