"""The comparison itself: every record against every work, by the words that they share.

The works of one claim are few and the records many, so the works are indexed by their shingles (runs of five
words; Broder 1997, "On the resemblance and containment of documents") and each record is looked up once. That
finds *every* pair with a common shingle and counts it exactly: unlike min-hash sketches it misses none, which
matters since a short record inside a long work resembles it little, and it depends on no hash function.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from unlearning_engine.data import Record, text_digest
from unlearning_engine.matching.words import LEAST_SHARED, SIZE, Word, shingles, words
from unlearning_engine.matching.works import Work

EXCERPT = 240
EXACT, NEAR, LABELLED = "exact", "near_duplicate", "same_work"

Shingle = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One row of `matches.jsonl`; the package's text explains the fields."""

    item: str
    record: str
    subject: str
    method: str
    score: float | None
    shared: int
    of: int
    record_digest: str
    excerpt: str


class Index:
    """The works of a claim by their shingles."""

    def __init__(self, works: Sequence[Work], *, threshold: float) -> None:
        self._threshold = threshold
        self._whole: dict[str, list[str]] = defaultdict(list)
        self._body: dict[str, str] = {}
        self._parts: dict[Shingle, set[str]] = defaultdict(set)
        self._count: dict[str, int] = {}
        self._short: list[str] = []
        for work in works:
            body = [w.text for w in words(work.text)]
            self._body[work.id] = _line(body)
            if len(body) < SIZE + LEAST_SHARED - 1:
                self._short.append(work.id)
            for whole in {_line(body), _line([w.text for w in words(work.title)] + body)}:
                self._whole[whole].append(work.id)
            found = set(shingles(body, SIZE))
            self._count[work.id] = len(found)
            for shingle in found:
                self._parts[shingle].add(work.id)

    def find(self, record: Record) -> list[Hit]:
        """Hits of one record: exact ones, and near-duplicates at or above the threshold."""
        text = record.full_text
        found = words(text)
        line = _line([w.text for w in found])
        order = shingles([w.text for w in found], SIZE)
        distinct = set(order)
        short = [item for item in self._short if self._body[item] in line]
        equal = {*self._whole.get(line, []), *short}
        hits = [hit_of(record, item, EXACT, self._count[item], self._count[item], clip(text)) for item in sorted(equal)]
        shared: dict[str, int] = defaultdict(int)
        for shingle in distinct:
            for item in self._parts.get(shingle, ()):
                shared[item] += 1
        for item, count in shared.items():
            of = min(self._count[item], len(distinct))
            if item in equal or count < LEAST_SHARED or count / of < self._threshold:
                continue
            method = EXACT if self._body[item] in line else NEAR
            hits.append(hit_of(record, item, method, count, of, self._passage(item, text, found, order)))
        return hits

    def _passage(self, item: str, text: str, found: Sequence[Word], order: Sequence[Shingle]) -> str:
        """The longest run of the record's words that the work has too."""
        return passage(text, found, longest([item in self._parts.get(shingle, ()) for shingle in order]), SIZE)


def longest(shared: Sequence[bool]) -> tuple[int, int]:
    """Start and length of the first of the longest runs of shared shingles."""
    best, start = (0, 0), None
    for place, inside in enumerate([*shared, False]):
        if inside and start is None:
            start = place
        elif not inside and start is not None:
            best = max(best, (place - start, -start))
            start = None
    return -best[1], best[0]


def passage(text: str, found: Sequence[Word], run: tuple[int, int], size: int) -> str:
    """The words of a run of shingles, as the record has them."""
    first, length = run
    last = min(first + length + size - 2, len(found) - 1)
    return clip(text[found[first].start : found[last].end])


def labelled(hits: Iterable[Hit], records: Sequence[Record]) -> list[Hit]:
    """Records that carry the subject and work label of a record already hit, as hits of method `same_work`."""
    labels = {r.id: (r.subject, r.work) for r in records if r.work}
    items: dict[tuple[str, str], set[str]] = defaultdict(set)
    direct: set[tuple[str, str]] = set()
    for hit in hits:
        direct.add((hit.item, hit.record))
        if hit.record in labels:
            items[labels[hit.record]].add(hit.item)
    return [
        hit_of(record, item, LABELLED, 0, 0, clip(record.full_text))
        for record in records
        if record.work
        for item in sorted(items.get((record.subject, record.work), ()))
        if (item, record.id) not in direct
    ]


def hit_of(record: Record, item: str, method: str, shared: int, of: int, excerpt: str) -> Hit:
    """A hit as a row of `matches.jsonl`."""
    return Hit(
        item=item,
        record=record.id,
        subject=record.subject,
        method=method,
        score=round(shared / of, 6) if of else None,
        shared=shared,
        of=of,
        record_digest=record.digest or text_digest(record.full_text),
        excerpt=excerpt,
    )


def _line(found: Sequence[str]) -> str:
    """Words with a space around each, so that one line is in another only at the borders of words."""
    return f" {' '.join(found)} "


def clip(text: str) -> str:
    """What an officer reads of a longer text."""
    shown = text.strip()
    return shown if len(shown) <= EXCERPT else shown[: EXCERPT - 1] + "…"
