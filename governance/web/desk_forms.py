"""Forms of what the desk does beside the step that is due: assign, note, declare, hold."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from governance.models import Case, User
from governance.selectors.queue import officers
from governance.services.news import newest
from governance.services.notes import MAX_TEXT
from governance.validators import no_nul
from governance.web.staff_forms import CaseForm, ShownForm, reason_field


class AssignForm(CaseForm):
    """Whose desk the case goes to."""

    officer = forms.ModelChoiceField(
        label=gettext_lazy("Officer"), queryset=User.objects.none(), required=False, empty_label=gettext_lazy("nobody")
    )

    def __init__(self, case: Case, *args: Any, **kwargs: Any) -> None:
        super().__init__(case, *args, **kwargs)
        known = [user.pk for user in officers()]
        rows = User.objects.filter(pk__in=known).order_by("last_name", "first_name", "email")
        self.fields["officer"].queryset = rows  # type: ignore[attr-defined]
        self.fields["officer"].initial = case.officer_id


class NoteForm(CaseForm):
    """A remark for colleagues."""

    text = forms.CharField(
        label=gettext_lazy("Note"),
        help_text=gettext_lazy("Read by legal officers and approvers. Never deleted; it can be struck."),
        max_length=MAX_TEXT,
        validators=[no_nul],
        widget=forms.Textarea(attrs={"rows": 4, "data-key": "c"}),
    )


class StrikeForm(CaseForm):
    """Which note was wrong."""

    note = forms.IntegerField(widget=forms.HiddenInput)


class SeenForm(CaseForm):
    """How far the page went on which somebody read what the claimant wrote or sent."""

    upto = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, case: Case, *args: Any, **kwargs: Any) -> None:
        super().__init__(case, *args, **kwargs)
        if not self.is_bound:
            self.fields["upto"].initial = newest(case)


class InterestForm(CaseForm):
    """What somebody has to do with the case."""

    what = reason_field(
        gettext_lazy("What you have to do with the case"),
        gettext_lazy("You then decide nothing in it any more. It cannot be taken back."),
        rows=3,
    )


class HoldForm(CaseForm):
    """Why nothing may be deleted, or why that ends."""

    reason = reason_field(gettext_lazy("Reason"), gettext_lazy("Sealed; read by legal officers and approvers."), rows=3)


class LiftForm(HoldForm):
    """First signature under lifting a hold."""


class LiftEndForm(ShownForm):
    """The hold stays: a second person says why, or whoever asked takes it back."""

    reason = reason_field(
        gettext_lazy("Why it stays"), gettext_lazy("Kept as an internal note."), required=False, rows=3
    )
