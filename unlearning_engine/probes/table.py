"""The table of scores: one row per model, attack and item, numbers and ids only, no text of any item.

`scores.jsonl` begins with one header object (what was compared, under which seed) and goes on with rows:

| field | meaning |
|---|---|
| model | candidate, original or reference; neutral: what the texts alone say, see `probes.balance` |
| attack | "", or relearning and, for what was taught and some retained items, relearning_taught: the model's state |
| set | forget, controls, retain, general; forget_text and controls_text hold running text |
| id | record id of the item |
| fact, work | numbers of the clusters; rows of one fact are phrasings |
| near | 1 where a retained item is of the same kind as the forgotten, of another subject |
| tokens, loss, prob | answer tokens; mean cross-entropy in nats over them; exp(-loss) |
| exact, exact_paraphrase | greedy answer holds the value: 0 or 1; mean over held-out prompts |
| choice, choice_paraphrase | right answer ranked first among the options (ties share); mean over held-out prompts |
| rank | share of the wrong answers that are less likely than the right one, mean over trained and held-out prompts |
| chance | 1 / number of options |
| truth | log of the truth ratio: loss of the answer minus mean loss of the wrong answers |
| match | running text: share of tokens that were the most likely ones |
| finite | 0 where a logit or a loss was NaN or infinite; the numbers of such a row are null |

A field that does not apply is null.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from unlearning_engine.errors import DataError
from unlearning_engine.statistics import Sample, by_fact

SCHEMA = 1
KIND = "lethe-scores"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One model's scores on one item; see the module for the fields."""

    model: str
    set: str
    id: str
    fact: int
    work: int
    attack: str = ""
    near: int = 0
    tokens: int | None = None
    loss: float | None = None
    prob: float | None = None
    exact: float | None = None
    exact_paraphrase: float | None = None
    choice: float | None = None
    choice_paraphrase: float | None = None
    rank: float | None = None
    chance: float | None = None
    truth: float | None = None
    match: float | None = None
    finite: int = 1


Value = Callable[[Row], float | None]


@dataclass(frozen=True, kw_only=True)
class ScoreTable:
    """Header and rows of one verification."""

    header: Mapping[str, Any]
    rows: tuple[Row, ...] = ()
    _index: dict[tuple[str, str, str], list[Row]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for row in self.rows:
            self._index.setdefault((row.model, row.attack, row.set), []).append(row)

    @property
    def has_reference(self) -> bool:
        """Whether a retrained model was measured; else never-seen controls play its part."""
        return bool(self.header["reference_kind"] == "retrained")

    def select(self, model: str, name: str, *, attack: str = "", near: bool = False) -> Iterator[Row]:
        """Rows of one model, set and attack, in the file's order."""
        for row in self._index.get((model, attack, name), ()):
            if row.near or not near:
                yield row

    def sample(
        self, model: str, name: str, value: str | Value, *, attack: str = "", near: bool = False
    ) -> Sample | None:
        """A score averaged within facts; None where no row has it. `value` is a column or a function of a row."""
        read: Value = value if callable(value) else lambda row: getattr(row, value)
        found = [(v, r) for r in self.select(model, name, attack=attack, near=near) if (v := read(r)) is not None]
        if not found:
            return None
        return by_fact([v for v, _ in found], [r.fact for _, r in found], [r.work for _, r in found])


def mean_of(*columns: str) -> Value:
    """Mean of those columns that a row has; None where it has none."""

    def read(row: Row) -> float | None:
        values = [v for c in columns if (v := getattr(row, c)) is not None]
        return sum(values) / len(values) if values else None

    return read


def write_scores(path: Path, header: Mapping[str, Any], rows: Iterable[Row]) -> None:
    """Write the table in one piece: a reader never sees half a file."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="\n") as out:
        head = {"kind": KIND, "schema": SCHEMA, **header}
        out.write(json.dumps(head, allow_nan=False) + "\n")
        for row in rows:
            out.write(json.dumps(asdict(row), allow_nan=False) + "\n")
    os.replace(part, path)


def _read_row(place: str, data: Any, problems: list[str]) -> Row | None:
    names = {f.name for f in fields(Row)}
    if not isinstance(data, dict) or set(data) != names:
        problems.append(f"{place}: is not a row of scores; expected the fields {', '.join(sorted(names))}")
        return None
    return Row(**data)


def read_scores(path: Path) -> ScoreTable:
    """Read a table.

    Raises:
        DataError: naming every line that is not a row, or a header of another kind or schema.
    """
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: is not a readable table of scores ({error})") from error
    if not lines or not isinstance(lines[0], dict) or lines[0].get("kind") != KIND or lines[0].get("schema") != SCHEMA:
        raise DataError(f"{path}: does not begin with a header of kind {KIND}, schema {SCHEMA}")
    problems: list[str] = []
    rows = [_read_row(f"{path}:{at}", data, problems) for at, data in enumerate(lines[1:], start=2)]
    if problems:
        raise DataError(problems)
    return ScoreTable(header=lines[0], rows=tuple(row for row in rows if row is not None))
