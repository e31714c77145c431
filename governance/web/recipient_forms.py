"""Forms about recipients: a notice for one case, an answer, somebody who received a dataset."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from governance.forms_renderer import DateField
from governance.models import Case, Dataset, Recipient, RecipientNotice, Subscription
from governance.policies import Actor
from governance.services import catalogue, recipients
from governance.validators import one_line
from governance.web.staff_forms import CaseForm

HOW = [
    ("send", gettext_lazy("Send it: by webhook or e-mail, where one is on record")),
    ("post", gettext_lazy("They were told by post")),
    ("phone", gettext_lazy("They were told by telephone")),
    ("other", gettext_lazy("They were told in another way")),
    ("excuse", gettext_lazy("They cannot be told: impossible, or a disproportionate effort (legal only)")),
]


class RecipientNoticeForm(CaseForm):
    """One recipient, how they are told, and the words."""

    recipient = forms.ModelChoiceField(label=gettext_lazy("Recipient"), queryset=Recipient.objects.none())
    how = forms.ChoiceField(label=gettext_lazy("How"), choices=HOW)
    day = forms.DateField(
        label=gettext_lazy("When they were told"), required=False, widget=DateField,
        help_text=gettext_lazy("Empty: today."),
    )  # fmt: skip
    text = forms.CharField(
        label=gettext_lazy("What they are told, or the reasons why not"),
        widget=forms.Textarea(attrs={"rows": 8}), max_length=8000,
        help_text=gettext_lazy("Names records by id and no person. Reasons stand in the report."),
    )  # fmt: skip

    def __init__(self, case: Case, *args: Any, **kwargs: Any) -> None:
        super().__init__(case, *args, **kwargs)
        left = recipients.open_recipients(case)
        field: Any = self.fields["recipient"]
        field.queryset = Recipient.objects.filter(pk__in=[one.pk for one in left])
        field.label_from_instance = lambda r: f"{r.name}: {recipients.what_of(r).partition(' (')[0]}"
        if left:
            field.initial = left[0].pk
            self.fields["text"].initial = recipients.draft(case, left[0])


class AnswerForm(forms.Form):
    """What a recipient answered."""

    notice = forms.ModelChoiceField(label=gettext_lazy("Recipient"), queryset=RecipientNotice.objects.none())
    note = forms.CharField(
        label=gettext_lazy("What they answered"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = RecipientNotice.objects.filter(told_at__isnull=False, acknowledged_at=None)
        field: Any = self.fields["notice"]
        field.queryset = rows.select_related("recipient", "case")
        field.label_from_instance = lambda n: f"{n.recipient.name}, {n.case.number}"


class DatasetRecipientForm(forms.Form):
    """Another organisation that received a dataset."""

    dataset = forms.ModelChoiceField(label=gettext_lazy("Dataset"), queryset=Dataset.objects.order_by("name"))
    name = forms.CharField(label=gettext_lazy("Recipient"), max_length=120, validators=[one_line])
    received_on = forms.DateField(label=gettext_lazy("Received"), widget=DateField)
    email = forms.EmailField(label=gettext_lazy("E-mail address for notices"), required=False)
    subscription = forms.ModelChoiceField(
        label=gettext_lazy("Webhook for notices"), required=False,
        queryset=Subscription.objects.filter(removed_at=None),
    )  # fmt: skip

    def save(self, actor: Actor) -> Recipient:
        """Register."""
        return catalogue.recipient_register(**self.cleaned_data, actor=actor)
