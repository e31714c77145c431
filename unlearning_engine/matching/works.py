"""The works of a claim: rows of id, title and text, or a folder of plain text files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from unlearning_engine.data import raise_all
from unlearning_engine.errors import DataError
from unlearning_engine.matching.words import words


@dataclass(frozen=True)
class Work:
    """One work as the claimant sent it."""

    id: str
    title: str
    text: str


def load_works(path: str | Path) -> list[Work]:
    """Read works: JSONL rows `{"id", "title", "text"}`, or a folder of `.txt` files (first line: the title).

    Raises:
        DataError: naming every row that is malformed, repeats an id, or has no word to compare; or no work at all.
    """
    source = Path(path)
    works: list[Work] = []
    problems: list[str] = []
    for place, found in _from_folder(source) if source.is_dir() else _from_rows(source):
        if isinstance(found, str):
            problems.append(f"{place}: {found}")
        elif any(found.id == other.id for other in works):
            problems.append(f"{place}: id {found.id!r} is used twice")
        elif not words(found.text):
            problems.append(f"{place}: work {found.id!r} has no words; give its text, or leave it out")
        else:
            works.append(found)
    if not works and not problems:
        problems.append(f"{source}: holds no works")
    raise_all(problems)
    return works


def _from_folder(folder: Path) -> Iterator[tuple[str, Work | str]]:
    for path in sorted(folder.glob("*.txt")):
        try:
            title, _, text = path.read_text(encoding="utf-8").partition("\n")
        except UnicodeDecodeError as error:
            yield path.name, f"is not UTF-8 text ({error})"
        else:
            yield path.name, Work(path.stem, title.strip(), text.strip())


def _from_rows(path: Path) -> Iterator[tuple[str, Work | str]]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield f"{path.name}:{number}", _row(line)


def _row(line: bytes) -> Work | str:
    try:
        row = json.loads(line)
    except ValueError as error:
        return f"is not JSON ({error})"
    if not isinstance(row, dict):
        return "must be a JSON object"
    wrong = [n for n in ("id", "title", "text") if not isinstance(row.get(n, "" if n == "title" else None), str)]
    if wrong:
        return f"{', '.join(wrong)} must be given as text"
    return Work(row["id"], row.get("title", ""), row["text"]) if row["id"] else "id is empty"
