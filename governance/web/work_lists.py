"""A list of works as CSV or JSONL: one work a line, each line judged by itself."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.registry_numbers import registry_number
from governance.services.intake import MAX_ITEMS, Item
from governance.services.work_reading import TEXT_BYTES, decode, size_words
from governance.validators import ADDRESS_LENGTH, TITLE_LENGTH, tidy, web_address

TOLD = 5


class ListError(Exception):
    """What is wrong with a list: one sentence for each of its first wrong lines."""

    def __init__(self, *messages: str) -> None:
        super().__init__(*messages)
        self.messages = list(messages)


def items_of_list(upload: UploadedFile[Any]) -> list[Item]:
    """The works of a list.

    Raises:
        ListError: the file cannot be read, or lines of it name no work.
    """
    name = tidy(upload.name or "")
    if (upload.size or 0) > TEXT_BYTES:
        limit = {"name": name, "size": size_words(upload.size or 0), "limit": size_words(TEXT_BYTES)}
        raise ListError(_("“%(name)s” has %(size)s; a list may have %(limit)s. Split it.") % limit)
    text = _text_of(name, upload.read())
    rows = _json_lines(text) if PurePath(name).suffix.lower() in {".jsonl", ".ndjson", ".json"} else _csv_lines(text)
    items: list[Item] = []
    wrong: list[str] = []
    works = 0
    for number, row in rows:
        works += 1
        try:
            item = _item(row)
        except ValidationError as error:
            wrong.append(_("Line %(n)d: %(why)s") % {"n": number, "why": error.messages[0]})
        else:
            items += [item] if len(items) < MAX_ITEMS else []
    if problems := [*_too_many(works), *_refused(wrong)]:
        raise ListError(*problems)
    return items


def _text_of(name: str, data: bytes) -> str:
    text = decode(data)
    if data.startswith(b"PK"):
        problem = _("“%(name)s” is a workbook or an archive. Save the table as “CSV UTF-8”, then choose that file.")
    elif text is None:
        problem = _("“%(name)s” is not written in UTF-8. Save it as “CSV UTF-8”, then choose it again.")
    elif not text.strip():
        empty = _("“%(name)s” is empty: 0 bytes. Choose the file again.")
        problem = _("“%(name)s” holds no text.") if data else empty
    else:
        return text
    raise ListError(problem % {"name": name})


def _too_many(works: int) -> list[str]:
    """Where a request cannot take them all: into how many lists they go."""
    if works <= MAX_ITEMS:
        return []
    told = {"works": number_format(works, force_grouping=True), "n": MAX_ITEMS, "lists": -(-works // MAX_ITEMS)}
    return [
        _("The list names %(works)s works; one request takes at most %(n)s. Split it into %(lists)s lists, and file a "
          "request with each.") % told
    ]  # fmt: skip


def _refused(wrong: Sequence[str]) -> list[str]:
    """The first wrong lines, each with its reason, below how many there are."""
    if not wrong:
        return []
    head = ngettext(
        "%(n)s line of the list is wrong, so nothing of it was taken. Put it right, then choose the list again.",
        "%(n)s lines of the list are wrong, so nothing of it was taken. Put them right, then choose the list again.",
        len(wrong),
    ) % {"n": number_format(len(wrong), force_grouping=True)}
    more = len(wrong) - TOLD
    rest = ngettext("And %(n)s more line.", "And %(n)s more lines.", more) % {"n": more} if more > 0 else ""
    return [head, *wrong[:TOLD], *([rest] if rest else [])]


def _csv_lines(text: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    try:
        dialect: Any = csv.Sniffer().sniff(text[:4096], delimiters=",;\t")
    except csv.Error:
        dialect = csv.excel
    reader = csv.DictReader(io.StringIO(text), dialect=dialect)
    named = [str(name).strip().lower() for name in reader.fieldnames or ()]
    if not {"text", "url", "number"} & set(named):
        first = ", ".join(named)[:80]
        raise ListError(
            _("The first line of the list names the columns: title, text, url, number. Yours begins with “%(line)s”.")
            % {"line": first}
        )
    try:
        for row in reader:
            yield reader.line_num, {str(key).strip().lower(): str(value or "") for key, value in row.items()}
    except csv.Error as error:
        why = _("a quotation mark is not closed, or a field is too long.")
        raise ListError(_("Line %(n)d: %(why)s") % {"n": reader.line_num, "why": why}) from error


def _json_lines(text: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise ListError(_("Line %(n)d: %(why)s") % {"n": number, "why": _("this is no JSON object.")})
        yield number, {str(key).strip().lower(): str(value) for key, value in row.items() if value is not None}


def _item(row: Mapping[str, str]) -> Item:
    title, text = tidy(row.get("title", ""))[:TITLE_LENGTH], row.get("text", "")
    url, number = row.get("url", "").strip(), row.get("number", "").strip()
    if "\x00" in text:
        raise ValidationError(_("the text holds a NUL character."))
    if text.strip():
        return Item(form="text", title=title or text.strip()[:60], text=text)
    if url:
        web_address(url)
        if len(url) > ADDRESS_LENGTH:
            raise ValidationError(_("the address is too long."))
        return Item(form="url", title=title or url[:TITLE_LENGTH], text=url)
    if number:
        found = str(registry_number(number))
        return Item(form="number", title=title or found, text=found)
    raise ValidationError(_("it has no text, no address and no number."))
