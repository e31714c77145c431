"""A list of works as CSV or JSONL: one work a line, each line judged by itself."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

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
    text = decode(upload.read())
    if text is None or not text.strip():
        raise ListError(_("“%(name)s” holds no list. Save it as UTF-8 text, then choose it again.") % {"name": name})
    rows = _json_lines(text) if PurePath(name).suffix.lower() in {".jsonl", ".ndjson", ".json"} else _csv_lines(text)
    items, wrong = [], []
    for number, row in rows:
        try:
            items.append(_item(row))
        except ValidationError as error:
            wrong.append(_("Line %(n)d: %(why)s") % {"n": number, "why": error.messages[0]})
        if len(items) > MAX_ITEMS:
            raise ListError(_("The list has more than %(n)d works; send it in parts.") % {"n": MAX_ITEMS})
    if wrong:
        raise ListError(*wrong[:TOLD])
    return items


def _csv_lines(text: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    try:
        dialect: Any = csv.Sniffer().sniff(text[:4096], delimiters=",;\t")
    except csv.Error:
        dialect = csv.excel
    reader = csv.DictReader(io.StringIO(text), dialect=dialect)
    try:
        for row in reader:
            yield reader.line_num, {str(key).strip().lower(): str(value or "") for key, value in row.items()}
    except csv.Error as error:
        raise ListError(_("Line %(n)d: %(why)s") % {"n": reader.line_num, "why": error}) from error


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
