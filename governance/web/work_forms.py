"""The page on which works are named: files, pasted text, addresses, a website, registry numbers, a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.functional import lazy
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance.clamd import Unreachable
from governance.file_words import words
from governance.registry_numbers import registry_number
from governance.services import uploads
from governance.services.intake import MAX_ITEMS, MAX_TEXT, Item
from governance.services.work_reading import ACCEPTED, WorkFile, item_of, taken_words
from governance.validators import (
    ADDRESS_LENGTH,
    TITLE_LENGTH,
    domain_name,
    no_nul,
    one_line,
    web_address,
)
from governance.web.forms import ManyFiles
from governance.web.work_lists import ListError, items_of_list

#: Of many wrong lines so many are named.
TOLD = 5


class WorkFiles(forms.FileField):
    """Files of works; cleans to those that can be read, and one sentence for each that cannot."""

    widget = ManyFiles

    def clean(self, data: Any, initial: Any = None) -> tuple[list[WorkFile], list[ValidationError]]:
        """Never raises: what can be read is kept even where another file is refused."""
        uploads = data if isinstance(data, list | tuple) else [data] if data else []
        files, errors = [], []
        for upload in uploads:
            file = WorkFile(name=upload.name or "", data=upload.read())
            try:
                item_of(file)
            except ValidationError as error:
                errors.append(error)
            else:
                files.append(file)
        return files, errors


def _lines(label: Any, hint: Any, *, rows: int, limit: int) -> forms.CharField:
    return forms.CharField(
        label=label, help_text=hint, required=False, max_length=limit, validators=[no_nul],
        widget=forms.Textarea(attrs={"rows": rows}),
    )  # fmt: skip


class WorksForm(forms.Form):
    """Any mixture of ways to name works. Fields that are right count even while others are wrong: nothing is lost."""

    files = WorkFiles(  # type: ignore[assignment]
        label=gettext_lazy("Your files"),
        help_text=lazy(taken_words, str)(),
        required=False,
        widget=ManyFiles(attrs={"accept": ACCEPTED}),
    )
    title = forms.CharField(label=gettext_lazy("Title"), required=False, max_length=TITLE_LENGTH, validators=[one_line])
    text = forms.CharField(
        label=gettext_lazy("Text"), required=False, max_length=MAX_TEXT, strip=False, validators=[no_nul],
        help_text=gettext_lazy("The whole work or a passage of it."), widget=forms.Textarea(attrs={"rows": 6}),
    )  # fmt: skip
    addresses = _lines(
        gettext_lazy("Addresses of works on the web"),
        gettext_lazy("One on each line, for example https://example.org/poems/tide"),
        rows=3,
        limit=MAX_ITEMS * ADDRESS_LENGTH,
    )
    domain = forms.CharField(
        label=gettext_lazy("Your own website"),
        help_text=gettext_lazy("All works on it count. Write the domain alone, for example example.org"),
        required=False,
        max_length=253,
    )
    numbers = _lines(
        gettext_lazy("Registry numbers"),
        gettext_lazy("ISBN, ISRC, ISWC or ISCC, one on each line."),
        rows=3,
        limit=MAX_ITEMS * 100,
    )
    table = forms.FileField(
        label=gettext_lazy("A list of works"),
        help_text=format_lazy(
            gettext_lazy(
                "CSV or JSONL, at most {works} works and 2 MB, with the columns title, text, url, number; each work "
                "needs a text, an address or a number."
            ),
            works=MAX_ITEMS,
        ),
        required=False,
        allow_empty_file=True,
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.jsonl,text/csv,application/jsonl"}),
    )

    def section(self, *names: str) -> list[forms.BoundField]:
        """Some of the fields."""
        return [self[name] for name in names]

    #: What the files hold that can be read, even where another answer is wrong: a page cannot keep files.
    readable: Sequence[WorkFile] = ()

    def clean_files(self) -> list[WorkFile]:
        """The files.

        Raises:
            ValidationError: one sentence for each file that cannot be read.
        """
        self.readable, errors = self.cleaned_data["files"]
        if errors:
            raise ValidationError(errors)
        return list(self.readable)

    def clean_addresses(self) -> list[Item]:
        """Each address, checked by itself."""
        lines = _filled(self.cleaned_data["addresses"])
        wrong = [line for line in lines if len(line) > ADDRESS_LENGTH or not _is_address(line)]
        if wrong:
            raise ValidationError(
                [
                    _("“%(line)s” is no whole address; begin with https://") % {"line": line[:80]}
                    for line in wrong[:TOLD]
                ]
            )
        return [Item(form="url", title=line[:TITLE_LENGTH], text=line) for line in lines]

    def clean_domain(self) -> list[Item]:
        """The domain without its address."""
        domain = domain_name(self.cleaned_data["domain"]) if self.cleaned_data["domain"].strip() else ""
        return [Item(form="domain", title=domain, text=domain)] if domain else []

    def clean_numbers(self) -> list[Item]:
        """Each number, in its registry's spelling."""
        found, wrong = [], []
        for line in _filled(self.cleaned_data["numbers"]):
            try:
                found.append(registry_number(line))
            except ValidationError as error:
                wrong.append(error)
        if wrong:
            raise ValidationError(wrong[:TOLD])
        return [Item(form="number", title=str(one), text=str(one)) for one in found]

    def clean_table(self) -> list[Item]:
        """The works of the list."""
        upload = self.cleaned_data["table"]
        if not upload:
            return []
        try:
            _scanned(upload)
            return items_of_list(upload)
        except ListError as error:
            raise ValidationError(error.messages) from error

    def clean(self) -> dict[str, Any]:
        """A text has a title and a title a text."""
        data = super().clean() or {}
        title, text = data.get("title", ""), (data.get("text") or "").strip()
        if text and not title and "title" in data:
            self.add_error("title", _("Give the text its title."))
        if title and not text and "text" in data:
            self.add_error("text", _("Paste a passage of “%(title)s”, or name its address.") % {"title": title})
        return data

    def items(self) -> list[Item]:
        """Every work that was named, files aside; while an answer is wrong, those of the list alone."""
        right = self.is_valid()
        data = self.cleaned_data
        table = data.get("table") or []
        if not right:
            return list(table)
        pasted = [Item(form="text", title=data["title"], text=data["text"])] if data["text"].strip() else []
        return [*pasted, *table, *data["addresses"], *data["domain"], *data["numbers"]]


def _scanned(upload: UploadedFile[Any]) -> None:
    """A list is scanned as every file; it is not kept, so that it cannot wait.

    Raises:
        ListError: the scanner found something, or does not answer.
    """
    try:
        found = uploads.scan(upload.read())
    except Unreachable as error:
        raise ListError(_("The scanner does not answer now, so the list cannot be read. Send it once more.")) from error
    if found:
        raise ListError(words(f"found:{found}"))
    upload.seek(0)


def _filled(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _is_address(line: str) -> bool:
    try:
        web_address(line)
    except ValidationError:
        return False
    return True
