"""The lines of a batch: JSON objects or rows of a CSV table, each judged by itself."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.core.exceptions import ValidationError

from governance.services.intake import Item
from governance.validators import ADDRESS_LENGTH, TITLE_LENGTH, no_nul, one_line, web_address

#: Format -> content type of its parts.
FORMATS = {"jsonl": "application/x-ndjson", "csv": "text/csv"}
#: A work in a batch is a passage by which it is found, or its address.
MAX_TEXT = 20_000
FIELDS = ("ref", "title", "text", "url")


def _(sentence: str) -> str:
    """Marks a reason: it is kept in English, and the page of the batch says it in the reader's language."""
    return sentence


#: The result of a line that passed every check and was refused by the database.
UNTAKEN = _("The database does not take this line as it stands.")
#: JSON can name halves of a character by themselves; no bytes of UTF-8 stand for them.
_HALF = re.compile("[\ud800-\udfff]")
_UNSTORED = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Line:
    """A work, or why the line is none; `ref` is the sender's own number."""

    ref: str
    item: Item | None
    why: str = ""


def lines(data: bytes, format: str, *, skip: int = 0) -> Iterator[Line]:
    """Every line of a part that is not blank, in order, without judging the first `skip`. Each part of a CSV has its
    own head."""
    text = data.decode("utf-8-sig", "replace")
    if format == "csv":
        yield from _rows(text, skip)
        return
    for line in islice(_filled(text), skip, None):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        yield line_of(found) if isinstance(found, dict) else Line("", None, _("This line is no JSON object."))


def _filled(text: str) -> Iterator[str]:
    return (line for line in text.split("\n") if line.strip())


def count(data: bytes, format: str) -> int:
    """How many lines `lines` will give, without judging them: a part is acknowledged before its works are read."""
    text = data.decode("utf-8-sig", "replace")
    return sum(1 for _line in (_filled(text) if format == "jsonl" else _table(text)))


def _rows(text: str, skip: int) -> Iterator[Line]:
    table = _table(text)
    for row in islice(table, skip, None):
        yield Line("", None, row) if isinstance(row, str) else line_of(row)


def _table(text: str) -> Iterator[dict[str, str] | str]:
    """The rows below the head, by its names in lower case; where they can no longer be read, at last why."""
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        for row in reader:
            if row:
                yield dict(zip(names, row, strict=False))
    except csv.Error:
        yield _("The rest of the part cannot be read as CSV: a quotation mark is not closed, or a field is too long.")


def line_of(found: Mapping[str, Any]) -> Line:
    """One work as it was named."""
    values = {name: found.get(name) or "" for name in FIELDS}
    ref = _UNSTORED.sub("", str(values["ref"])[:100]) if isinstance(values["ref"], str | int) else ""
    if not all(isinstance(values[name], str) for name in ("title", "text", "url")):
        return Line(ref, None, _("Title, text and url are texts."))
    title, text, url = (str(values[name]).strip() for name in ("title", "text", "url"))
    if bool(text) == bool(url):
        return Line(ref, None, _("Name either a text or a url."))
    if "\ufffd" in title + text + url:
        return Line(ref, None, _("The line is not UTF-8."))
    if _HALF.search(title + text + url):
        return Line(ref, None, _("The line holds half a character (a lone surrogate), which UTF-8 cannot carry."))
    if len(text) > MAX_TEXT:
        return Line(ref, None, _("A text has at most 20,000 characters here; name the address or a passage."))
    if text and not title:
        return Line(ref, None, _("Give the work its title."))
    try:
        one_line(title)
        no_nul(text + url)
        if url:
            web_address(url)
    except ValidationError as error:
        return Line(ref, None, str(error.messages[0]))
    if len(title) > TITLE_LENGTH or len(url) > ADDRESS_LENGTH:
        return Line(ref, None, _("A title has at most 200 characters, an address 500."))
    form = "url" if url else "text"
    return Line(ref, Item(form=form, title=title or url[:TITLE_LENGTH], text=url or text))
