"""Forms for everybody: the artist's opt-out, the private person's request, the check of a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance.clocks import laws_for
from governance.forms_renderer import ChoiceCards
from governance.models import Kind
from governance.services.intake import MAX_ITEMS, MAX_TEXT, Item
from governance.validators import (
    ADDRESS_LENGTH,
    NAME_LENGTH,
    TITLE_LENGTH,
    no_nul,
    one_line,
    tidy,
    web_address,
)
from governance.web.uploads import REPORT_BYTES, size_words, text_of, title_of


class ManyFiles(forms.ClearableFileInput):
    """Several files at once."""

    allow_multiple_selected = True


class TextFiles(forms.FileField):
    """Plain text files; cleans to (title, text) pairs and names every file that is refused."""

    widget = ManyFiles

    def clean(self, data: Any, initial: Any = None) -> list[tuple[str, str]]:
        """Each file's title and text.

        Raises:
            ValidationError: one sentence per file that cannot be read.
        """
        uploads: Sequence[UploadedFile[Any]] = data if isinstance(data, list | tuple) else [data] if data else []
        texts, errors = [], []
        for upload in uploads:
            try:
                texts.append((title_of(upload), text_of(upload)))
            except ValidationError as error:
                errors.append(error)
        if errors:
            raise ValidationError(errors)
        return texts


class PersonForm(forms.Form):
    """Who asks."""

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
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={
            "required": gettext_lazy("Needed, so that we can answer."),
            "invalid": gettext_lazy("Write a whole address, for example name@example.org"),
        },
    )

    def kept(self) -> dict[str, Any]:
        """What was typed, as initial values of another form: for a page that asks for more before it checks."""
        return {name: self.data.get(name, "") for name in self.fields}


class OptOutForm(PersonForm):
    """An artist's opt-out: works as pasted text, as files and as addresses, and a declaration.

    `works` pairs of title and text stand in the form; empty pairs are ignored.
    """

    addresses = forms.CharField(
        label=gettext_lazy("Addresses of works on the web"),
        help_text=gettext_lazy("One on each line, for example https://example.org/poems/tide"),
        required=False,
        max_length=MAX_ITEMS * ADDRESS_LENGTH,
        validators=[no_nul],
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    files = TextFiles(  # type: ignore[assignment]
        label=gettext_lazy("Text files"),
        help_text=gettext_lazy("Plain text, .txt or .md, at most 2 MB each and 20 MB in all. You may choose several."),
        required=False,
        widget=ManyFiles(attrs={"accept": ".txt,.md,text/plain,text/markdown"}),
    )
    declared = forms.BooleanField(
        label=gettext_lazy("I declare that these works are mine, or that I act for whoever holds the rights in them."),
        error_messages={"required": gettext_lazy("Tick the declaration, or let the holder of the rights file this.")},
    )

    def __init__(self, *args: Any, works: int = 1, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.works = max(1, min(works, MAX_ITEMS))
        for number in range(1, self.works + 1):
            self.fields[f"title_{number}"] = forms.CharField(
                label=_("Title of work %(n)d") % {"n": number}, required=False, max_length=TITLE_LENGTH,
                validators=[one_line],
            )  # fmt: skip
            self.fields[f"text_{number}"] = forms.CharField(
                label=_("Text of work %(n)d") % {"n": number}, required=False, max_length=MAX_TEXT, strip=False,
                help_text=_("The whole work or a passage of it."), validators=[no_nul],
                widget=forms.Textarea(attrs={"rows": 6}),
            )  # fmt: skip
        self.order_fields(["name", "email", *self._work_names(), "files", "addresses", "declared"])

    def _work_names(self) -> list[str]:
        return [f"{part}_{n}" for n in range(1, self.works + 1) for part in ("title", "text")]

    def person(self) -> list[forms.BoundField]:
        """The fields about who asks."""
        return [self["name"], self["email"]]

    def groups(self) -> Iterator[tuple[int, list[forms.BoundField]]]:
        """Each work's number and its two fields."""
        for number in range(1, self.works + 1):
            yield number, [self[f"title_{number}"], self[f"text_{number}"]]

    def clean_addresses(self) -> list[str]:
        """The addresses, each checked by itself."""
        lines = [line.strip() for line in self.cleaned_data["addresses"].splitlines() if line.strip()]
        wrong = [line for line in lines if len(line) > ADDRESS_LENGTH or not _is_address(line)]
        if wrong:
            raise ValidationError(
                [_("“%(line)s” is no whole address; begin with https://") % {"line": line[:80]} for line in wrong[:5]]
            )
        return lines

    def clean(self) -> dict[str, Any]:
        """A text has a title and a title a text; something is named at all."""
        data = super().clean() or {}
        for number in range(1, self.works + 1):
            title, text = data.get(f"title_{number}", ""), (data.get(f"text_{number}") or "").strip()
            if text and not title and f"title_{number}" in data:
                self.add_error(f"title_{number}", _("Give work %(n)d its title.") % {"n": number})
            if title and not text and f"text_{number}" in data:
                self.add_error(
                    f"text_{number}",
                    _("Paste a passage of “%(title)s”, or name its address below.") % {"title": title},
                )
        if not self.errors and not self.items():
            self.add_error("text_1", _("Name at least one work: paste a text, choose a file or write an address."))
        return data

    def items(self) -> list[Item]:
        """Every work that was named."""
        data = self.cleaned_data
        pasted = [
            Item(form="text", title=data[f"title_{n}"], text=data[f"text_{n}"])
            for n in range(1, self.works + 1)
            if data.get(f"text_{n}", "").strip()
        ]
        files = [Item(form="file", title=title, text=text) for title, text in data.get("files") or []]
        addresses = [Item(form="url", title=line[:TITLE_LENGTH], text=line) for line in data.get("addresses") or []]
        return [*pasted, *files, *addresses]

    def chosen_files(self) -> list[str]:
        """Names of the files that came along: a page cannot keep them, so it says so."""
        return [tidy(upload.name or "") for upload in cast(Any, self.files).getlist("files")]


def _is_address(line: str) -> bool:
    try:
        web_address(line)
    except ValidationError:
        return False
    return True


class PrivacyForm(PersonForm):
    """A private person's request: which facts, under which law."""

    kind = Kind.PRIVACY
    facts = forms.CharField(
        label=gettext_lazy("Which facts?"),
        help_text=gettext_lazy("One on each line, as a whole sentence: “… lives at 4 Mill Lane in Ardry.”"),
        max_length=MAX_ITEMS * 1000,
        validators=[no_nul],
        widget=forms.Textarea(attrs={"rows": 6}),
        error_messages={"required": gettext_lazy("Write at least one fact that the model should no longer know.")},
    )
    law = forms.ChoiceField(
        label=gettext_lazy("Which law applies where you live?"),
        help_text=gettext_lazy("It sets by when we must answer. If you are not sure, choose the law of your country."),
        error_messages={"required": gettext_lazy("Choose the law; it sets by when we must answer.")},
        widget=ChoiceCards(),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        laws = laws_for(self.kind)
        field = cast(forms.ChoiceField, self.fields["law"])
        field.choices = [(law.code, LAW_NAMES.get(law.code, law.title)) for law in laws]
        cast(ChoiceCards, field.widget).notes = {law.code: law.ground(self.kind) for law in laws}

    def clean_facts(self) -> list[str]:
        """One fact a line."""
        lines = [line.strip() for line in self.cleaned_data["facts"].splitlines() if line.strip()]
        if len(lines) > MAX_ITEMS:
            raise ValidationError(
                _("%(n)d facts in one request; write at most %(limit)d at a time.")
                % {"n": len(lines), "limit": MAX_ITEMS}
            )
        return lines

    def items(self) -> list[Item]:
        """Every fact."""
        facts = self.cleaned_data["facts"]
        return [
            Item(form="fact", title=_("Fact %(n)d") % {"n": number}, text=fact) for number, fact in enumerate(facts, 1)
        ]


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
    """A PDF to check."""

    file = forms.FileField(
        label=gettext_lazy("The report"),
        help_text=gettext_lazy("A PDF of at most 25 MB."),
        widget=forms.ClearableFileInput(attrs={"accept": ".pdf,application/pdf"}),
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
