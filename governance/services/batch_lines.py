"""The lines of a batch: JSON objects or rows of a CSV table, each judged by itself."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError

from governance.services.intake import Item
from governance.validators import ADDRESS_LENGTH, TITLE_LENGTH, no_nul, one_line, web_address

#: Format -> content type of its parts.
FORMATS = {"jsonl": "application/x-ndjson", "csv": "text/csv"}
#: A work in a batch is a passage by which it is found, or its address.
MAX_TEXT = 20_000
FIELDS = ("ref", "title", "text", "url")


@dataclass(frozen=True)
class Line:
    """A work, or why the line is none; `ref` is the sender's own number."""

    ref: str
    item: Item | None
    why: str = ""


def lines(data: bytes, format: str) -> Iterator[Line]:
    """Every line of a part that is not blank, in order. Each part of a CSV has its own head."""
    text = data.decode("utf-8-sig", "replace")
    if format == "csv":
        yield from _rows(text)
        return
    for line in text.split("\n"):
        if line.strip():
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                found = None
            yield line_of(found) if isinstance(found, dict) else Line("", None, "This line is no JSON object.")


def count(data: bytes, format: str) -> int:
    """How many lines `lines` will give, without judging them: a part is acknowledged before its works are read."""
    if format == "csv":
        return sum(1 for _line in lines(data, format))
    return sum(1 for line in data.decode("utf-8-sig", "replace").split("\n") if line.strip())


def _rows(text: str) -> Iterator[Line]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            yield line_of({str(name).strip().lower(): value or "" for name, value in row.items() if name})
    except csv.Error as error:
        yield Line("", None, f"The rest of the part cannot be read as CSV: {error}."[:200])


def line_of(found: Mapping[str, Any]) -> Line:
    """One work as it was named."""
    values = {name: found.get(name) or "" for name in FIELDS}
    ref = str(values["ref"])[:100].replace("\x00", "") if isinstance(values["ref"], str | int) else ""
    if not all(isinstance(values[name], str) for name in ("title", "text", "url")):
        return Line(ref, None, "Title, text and url are texts.")
    title, text, url = (str(values[name]).strip() for name in ("title", "text", "url"))
    if bool(text) == bool(url):
        return Line(ref, None, "Name either a text or a url.")
    if "\ufffd" in title + text + url:
        return Line(ref, None, "The line is not UTF-8.")
    if len(text) > MAX_TEXT:
        return Line(ref, None, f"A text has at most {MAX_TEXT:,} characters here; name the address or a passage.")
    if text and not title:
        return Line(ref, None, "Give the work its title.")
    try:
        one_line(title)
        no_nul(text)
        if url:
            web_address(url)
    except ValidationError as error:
        return Line(ref, None, str(error.messages[0]))
    if len(title) > TITLE_LENGTH or len(url) > ADDRESS_LENGTH:
        return Line(ref, None, f"A title has at most {TITLE_LENGTH} characters, an address {ADDRESS_LENGTH}.")
    form = "url" if url else "text"
    return Line(ref, Item(form=form, title=title or url[:TITLE_LENGTH], text=url or text))
