"""From finished trials to the confusion matrix: counts and exact bounds a family, as JSON and as a table."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scipy import stats

from tests.zoo.families import FAMILIES, HONEST
from unlearning_engine.contracts import Outcome

OUTCOMES = [str(o) for o in (Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.FAIL, Outcome.DAMAGED, Outcome.BAD_INPUT)]
BEGIN, END = "<!-- zoo: begin -->", "<!-- zoo: end -->"
CONFIDENCE = 0.95


def clopper_pearson(hits: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Exact two-sided interval of a share (Clopper and Pearson 1934)."""
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else float(stats.beta.ppf(tail, hits, n - hits + 1))
    high = 1.0 if hits == n else float(stats.beta.ppf(1 - tail, hits + 1, n - hits))
    return low, high


def upper_bound(hits: int, n: int, confidence: float = CONFIDENCE) -> float:
    """Exact one-sided upper bound of a share."""
    return 1.0 if hits == n else float(stats.beta.ppf(confidence, hits + 1, n - hits))


def counted(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry a family, in the order of `FAMILIES`: trials, forget sets, outcomes, bounds, first evidence."""
    found = []
    by_family: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_family.setdefault(row["family"], []).append(row)
    for family in FAMILIES.values():
        own = by_family.get(family.name, [])
        if not own:
            continue
        outcomes = Counter(row["verdict"] for row in own)
        n = len(own)
        entry: dict[str, Any] = {
            "family": family.name,
            "kind": family.kind,
            "summary": family.summary,
            "trials": n,
            "forget_sets": len({(row["seed"], row["artist"]) for row in own}),
            "corpora": len({row["seed"] for row in own}),
            "outcomes": {name: outcomes.get(name, 0) for name in OUTCOMES},
            "evidence": dict(Counter(row["findings"][0] for row in own if row["findings"]).most_common(3)),
        }
        if family.kind == HONEST:
            entry["intervals"] = {name: clopper_pearson(outcomes.get(name, 0), n) for name in OUTCOMES}
        else:
            entry["pass_at_most"] = upper_bound(outcomes.get(Outcome.PASS, 0), n)
        found.append(entry)
    return found


def table(entries: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table of the entries."""
    lines = [
        "| Family | trials (forget sets) | pass | inconclusive | fail | damaged | bad input | bound |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for entry in entries:
        cells = " | ".join(str(entry["outcomes"][name]) for name in OUTCOMES)
        if entry["kind"] == HONEST:
            low, high = entry["intervals"][str(Outcome.PASS)]
            fails = entry["intervals"][str(Outcome.FAIL)][1]
            bound = f"pass {low:.1%} to {high:.1%}, fail at most {fails:.1%}"
        else:
            bound = f"pass at most {entry['pass_at_most']:.1%}"
        lines.append(f"| {entry['family']} | {entry['trials']} ({entry['forget_sets']}) | {cells} | {bound} |")
    return "\n".join(lines)


def publish(folder: Path, head: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> None:
    """Write `zoo.json` and, between its marks, the table in `verdict-power.md`."""
    text = json.dumps({**head, "families": list(entries)}, indent=1) + "\n"
    (folder / "zoo.json").write_text(text, encoding="utf-8")
    page = folder / "verdict-power.md"
    old = page.read_text(encoding="utf-8")
    before, rest = old.split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{table(entries)}\n{END}{after}", encoding="utf-8")
