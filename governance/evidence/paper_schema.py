"""The document `lethe-paper/1`: what a letter, a statement or a register is printed from (`paper-1.schema.json`)."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import jsonschema

SCHEMA: Final = "lethe-paper/1"
Document = Mapping[str, Any]


@functools.cache
def validator() -> jsonschema.Draft202012Validator:
    """Of the schema beside this file."""
    schema = json.loads(Path(__file__).with_name("paper-1.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def incoherent(document: Document) -> Iterator[str]:
    """Figures that cannot be true, one sentence each with its place."""
    if document["report"]["kind"] != "statement":
        return
    content = document["content"]
    if content["start"] > content["end"]:
        yield f"content.end: {content['end']} lies before {content['start']}"
    for place, one in enumerate(content["figures"]):
        here = f"content.figures.{place} ({one['code']})"
        for value, whole in (("value", "of"), ("before", "before_of")):
            if one["unit"] != "days" and one[value] is not None and one[whole] is not None and one[value] > one[whole]:
                yield f"{here}: {one[value]:g} of {one[whole]:g} cannot be"
        if any(one[name] is not None and one[name] < 0 for name in ("value", "of", "before", "before_of")):
            yield f"{here}: less than nothing"
        if None not in (one["low"], one["value"], one["high"]) and not one["low"] <= one["value"] <= one["high"]:
            yield f"{here}: the value lies outside of its own bounds"
    for place, one in enumerate(content["tables"]):
        for row in one["rows"]:
            if len(row["values"]) != len(one["columns"]):
                where = f"content.tables.{place} ({one['code']}), {row['key']}"
                yield f"{where}: {len(row['values'])} numbers for {len(one['columns'])} columns"
