"""Finding a claimant's works, or their fingerprints (`prints`), among a dataset's records.

`match` writes `matches.jsonl`, one hit a line, best first within each work:

    item            id of the work
    record          id of the record; `subject` and `record_digest` are the dataset's own
    method          exact           all words of the work in their order, whatever case, accents, punctuation and
                                    white space: the record is the work, or holds the whole of it
                    near_duplicate  a passage shared: `shared` of the `of` shingles of the shorter text
                    same_work       no shared text, but the dataset itself labels the record with the subject and
                                    work of a record found above (questions about the work, for instance)
    score           shared / of, between the threshold and 1; null for same_work
    excerpt         what an officer reads: the longest shared passage, else the record's beginning

Hits by label are hits of their own and never counted as matched text: whether a label is right, and whether
the claim covers such records, is for the officer to decide. No torch.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from unlearning_engine.contracts import MatchSpec
from unlearning_engine.data import load_records
from unlearning_engine.errors import ConfigError
from unlearning_engine.matching import print_search
from unlearning_engine.matching.prints import PRINT_SCHEME
from unlearning_engine.matching.search import EXACT, LABELLED, NEAR, Hit, Index, labelled
from unlearning_engine.matching.words import SCHEME
from unlearning_engine.matching.works import load_works
from unlearning_engine.progress import Report

MATCHES = "matches.jsonl"
_STEP = 500


def match(spec: MatchSpec, out: Path, report: Report) -> dict[str, Any]:
    """Write `matches.jsonl` and return counts, the threshold and the scheme of comparison.

    Raises:
        ConfigError: the threshold is not above 0 and at most 1.
        DataError: naming every bad row of the works or the dataset, and works without a word.
    """
    if not 0 < spec.near_threshold <= 1:
        raise ConfigError(f"spec.near_threshold: {spec.near_threshold} must be above 0 and at most 1")
    index, names = _index(spec)
    records = load_records(spec.dataset)
    hits: list[Hit] = []
    for number, record in enumerate(records, start=1):
        hits.extend(index.find(record))
        if number % _STEP == 0 or number == len(records):
            report({"event": "progress", "stage": "match", "step": number, "total": len(records), "hits": len(hits)})
    hits.extend(labelled(hits, records))
    _write(out / MATCHES, _ordered(hits, names))
    counts = Counter(hit.method for hit in hits)
    return {
        "works": len(names),
        "works_found": len({hit.item for hit in hits}),
        "records": len(records),
        "records_hit": len({hit.record for hit in hits}),
        "hits": {method: counts.get(method, 0) for method in (EXACT, NEAR, LABELLED)},
        "near_threshold": spec.near_threshold,
        "scheme": PRINT_SCHEME if spec.fingerprints else SCHEME,
    }


def _index(spec: MatchSpec) -> tuple[Index | print_search.PrintIndex, list[str]]:
    if spec.fingerprints:
        known = print_search.load(spec.fingerprints, threshold=spec.near_threshold)
        return known, known.names
    works = load_works(spec.works)
    return Index(works, threshold=spec.near_threshold), [work.id for work in works]


def _ordered(hits: Iterable[Hit], works: Sequence[str]) -> list[Hit]:
    place = {name: number for number, name in enumerate(works)}
    return sorted(hits, key=lambda h: (place[h.item], -1.0 if h.score is None else -h.score - 1, h.method, h.record))


def _write(path: Path, hits: Iterable[Hit]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for hit in hits:
            out.write(json.dumps(asdict(hit), ensure_ascii=False) + "\n")
