"""Cases of another system, from a CSV file: checked whole before anything is filed, and never filed twice.

Columns: `external` (its number there), `kind`, `law`, `received_on` (ISO date), `name`, `email`, `title`, `text`;
optional `place` (`IE`, `DE-BY`), `language`, `replacement`. Lines with one `external` are works of one case.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from governance.clocks import place_of, rows
from governance.errors import GovernanceError, Unfit
from governance.kinds import rule
from governance.models import Case, Channel, Kind
from governance.policies import Actor, Permission, demand
from governance.services import intake
from governance.validators import NAME_LENGTH, TITLE_LENGTH, no_nul, one_line

NEEDED = ("external", "kind", "law", "received_on", "name", "email", "title", "text")
OPTIONAL = ("place", "language", "replacement")
MAX_LINES, MAX_SAID = 20_000, 40
EXTERNAL_LENGTH = 60
#: What was received in an earlier year is a slip of the pen.
OLDEST = 1990


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line that holds: its number in the file and its columns."""

    number: int
    columns: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.columns.get(name, "")


@dataclass(frozen=True, kw_only=True)
class Imported:
    """Numbers of the cases that were filed, and how many the house had already."""

    filed: tuple[str, ...]
    known: int


def cases_import(*, data: bytes, actor: Actor, tell: bool = False, dry: bool = False) -> Imported:
    """File every case of the file that the house does not have yet, each in a transaction of its own.

    `tell` sends each claimant a receipt; an import is silent otherwise, since the other system has written before. What
    was filed before a fault stays, and the same file goes on from there.

    Raises:
        NotAllowed: the policy refuses the actor.
        Unfit: every problem of the file, each with its line; nothing is filed then.
    """
    demand(actor, Permission.ENTER_CASE)
    groups = _groups(_lines(data))
    known = set(Case.objects.filter(external__in=list(groups)).values_list("external", flat=True))
    new = {name: lines for name, lines in groups.items() if name not in known}
    if dry:
        return Imported(filed=tuple(new), known=len(known))
    filed: list[str] = []
    for lines in new.values():
        try:
            filed.append(_file(lines, actor, tell))
        except GovernanceError as error:
            done = f"{len(filed)} of {len(new)} cases were filed before; the same file goes on from there."
            told = [f"Line {lines[0].number}: {problem}" for problem in error.messages]
            raise Unfit([*told, done]) from error
    return Imported(filed=tuple(filed), known=len(known))


def _file(lines: list[Line], actor: Actor, tell: bool) -> str:
    first = lines[0]
    kind = Kind(first["kind"])
    items = [
        intake.Item(form=rule(kind).form, title=line["title"], text=line["text"], replacement=line["replacement"])
        for line in lines
    ]
    return intake.case_file(
        kind=kind,
        law=first["law"],
        name=first["name"],
        email=first["email"],
        items=items,
        actor=actor,
        channel=Channel.IMPORT,
        received_on=date.fromisoformat(first["received_on"]),
        language=first["language"],
        place=first["place"],
        external=first["external"],
        tell=tell,
    ).number


def _lines(data: bytes) -> list[Line]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unfit(
            f"The file is not UTF-8 (byte {error.start:,}); save it as CSV with UTF-8 and try again."
        ) from error
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in reader.fieldnames or []]
        if missing := [name for name in NEEDED if name not in header]:
            raise Unfit(f"Columns are missing: {', '.join(missing)}. The first line names them.")
        if unknown := [name for name in header if name not in (*NEEDED, *OPTIONAL)]:
            raise Unfit(f"Columns are unknown: {', '.join(unknown)}. Known: {', '.join((*NEEDED, *OPTIONAL))}.")
        reader.fieldnames = header
        lines = [
            Line(number=reader.line_num, columns={name: (value or "").strip() for name, value in row.items() if name})
            for row in reader
        ]
    except csv.Error as error:
        raise Unfit(f"Line {reader.line_num} is no CSV: {error}.") from error
    if not lines:
        raise Unfit("The file holds no case below its first line.")
    if len(lines) > MAX_LINES:
        raise Unfit(f"{len(lines):,} lines; split the file into parts of at most {MAX_LINES:,}.")
    return lines


def _groups(lines: list[Line]) -> dict[str, list[Line]]:
    """Lines of one case together, in the order of the file.

    Raises:
        Unfit: every problem with its line, the first forty of them.
    """
    problems = [f"Line {line.number}: {problem}" for line in lines for problem in _problems(line)]
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line["external"], []).append(line)
    for of_one in groups.values():
        problems += [
            f"Line {line.number}: {name} differs from line {of_one[0].number} of the same case."
            for line in of_one[1:]
            for name in ("kind", "law", "received_on", "name", "email", "place", "language")
            if line[name] != of_one[0][name]
        ]
    if not problems:
        for of_one in groups.values():
            problems += [f"Line {of_one[0].number}: {problem}" for problem in _refused(of_one)]
    if problems:
        more = [f"… and {len(problems) - MAX_SAID} more."] if len(problems) > MAX_SAID else []
        raise Unfit([*problems[:MAX_SAID], *more])
    return groups


def _problems(line: Line) -> Iterator[str]:
    for name in ("external", "name", "email", "title", "text"):
        if not line[name]:
            yield f"{name} is empty."
    if line["kind"] not in Kind.values:
        yield f"kind {line['kind'][:20]!r} is unknown; one of {', '.join(Kind.values)}."
    for name, limit in (("external", EXTERNAL_LENGTH), ("name", NAME_LENGTH), ("title", TITLE_LENGTH)):
        if len(line[name]) > limit:
            yield f"{name} is longer than {limit} characters."
    checks = (("external", one_line), ("email", validate_email), ("name", one_line), ("title", one_line),
              ("text", no_nul), ("replacement", no_nul))  # fmt: skip
    for name, check in checks:
        try:
            if line[name]:
                check(line[name])
        except ValidationError as error:
            yield f"{name}: {error.messages[0]}"
    try:
        if date.fromisoformat(line["received_on"]).year < OLDEST:
            yield f"received_on lies before {OLDEST}."
    except ValueError:
        yield f"received_on {line['received_on'][:20]!r} is no date such as 2026-03-31."
    try:
        if line["place"]:
            place_of(line["place"])
    except Unfit as error:
        yield f"place: {error}"


def _refused(lines: list[Line]) -> list[str]:
    """What the intake would refuse, before anything is filed."""
    first = lines[0]
    kind, received = Kind(first["kind"]), date.fromisoformat(first["received_on"])
    items = [
        intake.Item(form="", title=line["title"], text=line["text"], replacement=line["replacement"]) for line in lines
    ]
    if problems := intake.problems_of(kind, first["law"], items, received):
        return problems
    try:
        rows.begin(Case(kind=kind, law=first["law"]), received=received, because="", place=first["place"])
    except Unfit as error:
        return list(error.messages)
    return []
