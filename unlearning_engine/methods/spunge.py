"""SPUNGE: split the forget set by an attribute, unlearn each part from the original, merge the results.

Kadhe et al. 2024 (arXiv:2406.11780), merging by TIES (Yadav et al. 2023, arXiv:2306.01708). Any other method does the
unlearning of a part; `methods.unlearn` runs it once for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from unlearning_engine.configs import Checked, number
from unlearning_engine.data import Record
from unlearning_engine.errors import DataError

#: What a forget set may be split by.
ATTRIBUTES = ("subject", "work", "kind", "fact")


@dataclass(frozen=True, kw_only=True)
class Config(Checked):
    """`method` unlearns each part with `settings`. Records are split by the attribute `by` into at most `parts`, each
    with about as many records; of each change the share `density` is kept, `scale` times their merger is applied."""

    method: str = "npo"
    settings: dict[str, Any] = field(default_factory=dict)
    by: str = "subject"
    parts: int = number(4, 2, 1000)
    density: float = number(0.5, 0.0, 1.0)
    scale: float = number(1.0, 0.0, 100.0)

    def conflicts(self) -> list[str]:
        """Words that name nothing."""
        known = self.by in ATTRIBUTES
        return [] if known else [f"by: {self.by!r} is no attribute; one of {', '.join(ATTRIBUTES)}"]


def parts_of(forget: Sequence[Record], config: Config) -> list[list[Record]]:
    """The records by attribute, whole groups together, largest groups dealt first to the smallest part.

    Raises:
        DataError: all records share one value, so that there is nothing to split.
    """
    groups: dict[str, list[Record]] = {}
    for record in forget:
        groups.setdefault(getattr(record, config.by), []).append(record)
    if len(groups) < 2:
        raise DataError(f"spunge: all records have the same {config.by}; split by another attribute or use one method")
    found: list[list[Record]] = [[] for _ in range(min(config.parts, len(groups)))]
    for name in sorted(groups, key=lambda name: (-len(groups[name]), name)):
        min(found, key=len).extend(groups[name])
    return found


class Spunge:
    """See the module. It prepares no run of its own: `methods.unlearn` runs the inner method for each part."""

    name = "spunge"
    Config = Config
