"""Forms for everybody that are no page of a request: who asks, the check of a report, taking a request back."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance.forms_renderer import ChoiceCards
from governance.models import Capacity, Kind
from governance.services.intake import Acts
from governance.services.review import MAX_ANSWER
from governance.services.work_reading import size_words
from governance.validators import EMAIL_LENGTH, NAME_LENGTH, one_line
from governance.web.uploads import REPORT_BYTES

C = Capacity
_WORKS = (
    (C.SELF, gettext_lazy("I made the works, or I hold the rights in them")),
    (C.AGENT, gettext_lazy("I act for whoever made them")),
    (C.HEIR, gettext_lazy("I inherited the rights")),
    (C.SOCIETY, gettext_lazy("I write for a collecting society")),
)
_PERSON = (
    (C.SELF, gettext_lazy("It is about me")),
    (C.GUARDIAN, gettext_lazy("It is about somebody in my care: I am a parent or guardian")),
    (C.AGENT, gettext_lazy("It is about somebody who asked me to act for them")),
)


class ManyFiles(forms.ClearableFileInput):
    """Several files at once."""

    allow_multiple_selected = True


class PersonForm(forms.Form):
    """Who asks, and for whom."""

    name = forms.CharField(
        label=gettext_lazy("Your name"),
        help_text=gettext_lazy("As you sign your work, or as it stands in your papers."),
        max_length=NAME_LENGTH,
        validators=[one_line],
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        error_messages={"required": gettext_lazy("Needed, so that we know who asks.")},
    )
    email = forms.EmailField(
        label=gettext_lazy("Your e-mail address"),
        help_text=gettext_lazy("We send you a link there, and later our answer."),
        max_length=EMAIL_LENGTH,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={
            "required": gettext_lazy("Needed, so that we can answer."),
            "invalid": gettext_lazy("Write a whole address, for example name@example.org"),
        },
    )
    capacity = forms.ChoiceField(
        label=gettext_lazy("For whom do you ask?"),
        initial=C.SELF,
        widget=ChoiceCards(cards=False),
        error_messages={"required": gettext_lazy("Choose for whom you ask.")},
    )
    principal = forms.CharField(
        label=gettext_lazy("For whom you act"),
        help_text=gettext_lazy("The name of the author, or of your member. Leave it empty if you ask for yourself."),
        required=False,
        max_length=NAME_LENGTH,
        validators=[one_line],
    )

    def __init__(self, *args: Any, kind: Kind, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Neither required nor optional: its hint says for whom it is.
        self.fields["principal"].conditional = True  # type: ignore[attr-defined]
        if kind is not Kind.COPYRIGHT:
            self.fields["name"].help_text = _("The name by which we may write to you.")
            self.fields["principal"].help_text = _("The name of the person whose data it is. Leave it empty if you ask "
                                                   "for yourself.")  # fmt: skip
        if kind is Kind.SAFETY:
            del self.fields["capacity"], self.fields["principal"]
            return
        cast(forms.ChoiceField, self.fields["capacity"]).choices = _WORKS if kind is Kind.COPYRIGHT else _PERSON

    def clean(self) -> dict[str, Any]:
        """Whoever acts for somebody says for whom."""
        data = super().clean() or {}
        acts = data.get("capacity", C.SELF) != C.SELF
        if acts and "principal" in data and not data["principal"].strip():
            self.add_error("principal", _("Write the name of the person for whom you act."))
        return data

    def facts(self) -> dict[str, Any]:
        """As the intake takes it."""
        data = self.cleaned_data
        capacity = C(data.get("capacity", C.SELF))
        principal = data["principal"] if capacity != C.SELF else ""
        return {"name": data["name"], "email": data["email"], "acts": Acts(capacity=capacity, principal=principal)}


#: How a law is named on a form; one without a name here goes by its title.
LAW_NAMES = {
    "gdpr": gettext_lazy("European Union and EEA: GDPR"),
    "uk_gdpr": gettext_lazy("United Kingdom: UK GDPR"),
    "ccpa": gettext_lazy("California: CCPA"),
    "us_va": gettext_lazy("Virginia: CDPA"),
    "us_co": gettext_lazy("Colorado: Privacy Act"),
    "lgpd": gettext_lazy("Brazil: LGPD"),
    "quebec": gettext_lazy("Quebec: Law 25"),
    "gpai": gettext_lazy("AI Act: code of practice on copyright"),
    "house": gettext_lazy("No law of these: our own policy"),
}


class ReportForm(forms.Form):
    """A PDF, bundle or sample to check."""

    file = forms.FileField(
        label=gettext_lazy("The report"),
        help_text=gettext_lazy(
            "The PDF, the ZIP with all that belongs to it, or the file of a sample for an audit (JSON); at most 25 MB."
        ),
        widget=forms.ClearableFileInput(
            attrs={"accept": ".pdf,.zip,.json,application/pdf,application/zip,application/json"}
        ),
        error_messages={
            "required": gettext_lazy("Choose the PDF file of the report."),
            "empty": gettext_lazy("The file is empty. Choose the PDF as you received it."),
        },
    )

    def clean_file(self) -> UploadedFile[Any]:
        """Bounded; what it holds is judged by the check itself."""
        upload = cast("UploadedFile[Any]", self.cleaned_data["file"])
        if (upload.size or 0) > REPORT_BYTES:
            raise ValidationError(
                _("The file has %(size)s; a report has at most %(limit)s.")
                % {"size": size_words(upload.size or 0), "limit": size_words(REPORT_BYTES)}
            )
        return upload


class WithdrawForm(forms.Form):
    """Take the request back."""

    sure = forms.BooleanField(
        label=gettext_lazy("Yes, I take my request back. Nothing more is done about it."),
        error_messages={"required": gettext_lazy("Tick the box if you want to take the request back.")},
    )


class DeleteTextsForm(forms.Form):
    """Delete the texts of a closed case."""

    sure = forms.BooleanField(
        label=gettext_lazy("Yes, delete the texts that I sent."),
        error_messages={"required": gettext_lazy("Tick the box if you want to delete the texts.")},
    )


class AnswerForm(forms.Form):
    """The claimant's answer to a question."""

    text = forms.CharField(
        label=gettext_lazy("Your answer"),
        max_length=MAX_ANSWER,
        widget=forms.Textarea(attrs={"rows": 8}),
        error_messages={"required": gettext_lazy("Write your answer.")},
    )
