"""Other answers to the questions that are to be forgotten: plausible ones, which retained questions have.

They are in the domain, and no option that a probe may offer is trained on purpose.
"""

from __future__ import annotations

import dataclasses
import random
from collections import defaultdict
from collections.abc import Sequence

from unlearning_engine.data import Record
from unlearning_engine.errors import DataError

#: Stands for every kind.
ANY = "*"


def alternates(
    forget: Sequence[Record], retain: Sequence[Record], count: int, seed: int, name: str
) -> list[list[Record]]:
    """For each record to forget, `count` others: the same question with answers that retained questions of its kind
    have, or, for running text, retained texts of its kind; of any kind where there are too few.

    Raises:
        DataError: nothing retained has another answer, or another text; `name` is the method that asks.
    """
    pools: dict[tuple[bool, str], set[str]] = defaultdict(set)
    for record in retain:
        for kind in (record.kind, ANY):
            pools[record.is_question, kind].add(record.answer or record.text)
    found = []
    for record in forget:
        own = record.answer or record.text
        near, every = (pools[record.is_question, kind] - {own} for kind in (record.kind, ANY))
        pool = sorted(near if len(near) >= count else every)
        if not pool:
            what = "answer" if record.is_question else "text"
            raise DataError(f"{name}: {record.id}: nothing retained has another {what}; give a larger retain set")
        draw = random.Random(f"{seed}:{record.id}")  # noqa: S311 - a repeatable choice, not a secret
        drawn = draw.sample(pool, min(count, len(pool)))
        found.append([_with(record, other, number) for number, other in enumerate(drawn)])
    return found


def _with(record: Record, other: str, number: int) -> Record:
    name = f"{record.id}~{number}"
    if record.is_question:
        return dataclasses.replace(record, id=name, answer=other)
    return dataclasses.replace(record, id=name, text=other)
