"""How often the search for works errs: made-up works, changed as copies are changed, put before the engine's index.

    python -m tests.bench.matching_errors [--works 400] [--seed 1] [--publish]

Prints a table; `--publish` writes docs/matching.json, which every report's appendix reads. The texts come from a small
grammar with stock phrases, so that two of them share runs of words as two articles do. Nothing in them is real.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.zoo.tables import CONFIDENCE, clopper_pearson
from unlearning_engine.contracts import MatchSpec
from unlearning_engine.data import Record
from unlearning_engine.matching.print_search import PrintIndex
from unlearning_engine.matching.prints import fingerprint
from unlearning_engine.matching.search import Index
from unlearning_engine.matching.words import SCHEME
from unlearning_engine.matching.works import Work

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "docs" / "matching.json"
THRESHOLD = float(MatchSpec.__dataclass_fields__["near_threshold"].default)
#: Words of a text.
SHORTEST, LONGEST = 80, 600
KEY = b"made-up texts, made-up key"
TEXTS, PRINTS, BOTH = "works themselves", "fingerprints", "works and fingerprints alike"
NOT_TRIED = ("translations", "pictures, sound and film", "texts in other languages than English",
             "rewriting by a language model", "searches by title or address alone",
             "labels that a data set gives itself")  # fmt: skip


def _listed(words: str) -> list[str]:
    return [" ".join(word.split()) for word in words.split(",")]


#: Words and phrases of the grammar: subjects, verbs, things, places, times, stock phrases, joints.
NOUNS = _listed("""river, harbour, lantern, orchard, winter, letter, engine, market, window, garden, captain, teacher,
    village, bridge, island, library, painter, soldier, mirror, kitchen, forest, journey, machine, neighbour, festival,
    doctor, candle, railway, mountain, archive, daughter, brother, stranger, committee, newspaper, factory, painting""")
ADJECTIVES = _listed("""old, quiet, broken, narrow, distant, bright, heavy, forgotten, careful, northern, wooden,
    silver, early, late""")
VERBS = _listed("""crossed, watched, repaired, remembered, followed, described, carried, sold, painted, opened, closed,
    measured, avoided, answered, counted, promised, visited, defended""")
PLACES = _listed("""near the old mill, at the edge of town, behind the station, under the stone bridge, in the upper
    valley, by the western gate, on the second floor, across the frozen lake, beside the empty chapel""")
TIMES = _listed("""in the early spring, after the long war, before the rain came, on the last day of the year, for many
    years, every other morning, once the bells had stopped, without a single word""")
STOCK = _listed("""as far as anyone could tell, at the end of the day, it goes without saying that, for what it is
    worth, in one way or another, as a matter of fact, needless to say""")
JOINTS = _listed("and, but, because, while, although, so that, until")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
TWINS = str.maketrans({"a": "\u0430", "e": "\u0435", "o": "\u043e", "c": "\u0441", "p": "\u0440"})


def sentence(rng: random.Random) -> str:
    """One sentence of 12 to 35 words."""

    def clause() -> str:
        who, what = rng.choice(NOUNS), rng.choice(NOUNS)
        told = f"the {rng.choice(ADJECTIVES)} {who} {rng.choice(VERBS)} the {rng.choice(ADJECTIVES)} {what}"
        return " ".join([told, *rng.sample((rng.choice(PLACES), rng.choice(TIMES)), rng.randint(1, 2))])

    parts = [clause(), *(f"{rng.choice(JOINTS)} {clause()}" for _ in range(rng.randint(0, 1)))]
    opened = f"{rng.choice(STOCK)} {' '.join(parts)}" if rng.random() < 0.3 else " ".join(parts)
    return opened[:1].upper() + opened[1:] + "."


def text(rng: random.Random, words: int) -> str:
    """Sentences until there are so many words."""
    made: list[str] = []
    while sum(len(one.split()) for one in made) < words:
        made.append(sentence(rng))
    return " ".join(made)


def page(rng: random.Random, inside: str, words: int = 200) -> str:
    """The passage within a page of others."""
    return f"{text(rng, words // 2)}\n\n{inside}\n\n{text(rng, words // 2)}"


def replaced(rng: random.Random, work: str, every: int) -> str:
    """One word in so many is another word."""
    return " ".join(rng.choice(NOUNS) if rng.randrange(every) == 0 else word for word in work.split())


def passage(rng: random.Random, work: str, length: int) -> str:
    """So many words of the work, one after the other."""
    words = work.split()
    start = rng.randrange(max(1, len(words) - length))
    return " ".join(words[start : start + length])


def mistyped(rng: random.Random, work: str) -> str:
    """One letter in fifty is another letter."""
    return _relettered(rng, work, lambda c: rng.choice(LETTERS.replace(c.lower(), "")))


def lookalike(rng: random.Random, work: str) -> str:
    """One letter in fifty, of those that have one, is a Cyrillic one of the same look."""
    return _relettered(rng, work, lambda c: c.translate(TWINS), only={chr(code) for code in TWINS})


def _relettered(rng: random.Random, work: str, other: Callable[[str], str], only: set[str] | None = None) -> str:
    """Exactly one letter in fifty of the whole work is another, drawn from those that may be (by default all)."""
    letters = [place for place, c in enumerate(work) if c.isalpha()]
    may = [place for place in letters if only is None or work[place] in only]
    chosen = set(rng.sample(may, len(letters) // 50))
    return "".join(other(c) if place in chosen else c for place, c in enumerate(work))


def shuffled(rng: random.Random, work: str) -> str:
    """The sentences in another order."""
    parts = re.split(r"(?<=\.) ", work)
    rng.shuffle(parts)
    return " ".join(parts)


def dressed(rng: random.Random, work: str) -> str:
    """Capitals, accents, punctuation and line breaks are others; every word is the same."""
    told = work.replace(".", " ... ").replace("e", "\u00e9")
    return "\n".join(part.upper() if rng.random() < 0.5 else part for part in told.split("  "))


def hyphenated(_rng: random.Random, work: str) -> str:
    """Every word of six letters or more is parted at the end of a line."""
    return re.sub(r"\b(\w{3})(\w{3,})\b", r"\1-\n\2", work)


#: What is done to a work, in the words of the report.
CHANGES: Mapping[str, Callable[[random.Random, str], str]] = {
    "nothing": lambda _rng, work: work,
    "case, accents, punctuation and line breaks changed": dressed,
    "whole work within a longer page": lambda rng, work: page(rng, work, 400),
    "first half only": lambda _rng, work: " ".join(work.split()[: len(work.split()) // 2]),
    "passage of 60 words by itself": lambda rng, work: passage(rng, work, 60),
    "passage of 12 words by itself": lambda rng, work: passage(rng, work, 12),
    "passage of 60 words within a page of others": lambda rng, work: page(rng, passage(rng, work, 60)),
    "passage of 12 words within a page of others": lambda rng, work: page(rng, passage(rng, work, 12)),
    "sentences in another order": shuffled,
    "1 word in 20 replaced": lambda rng, work: replaced(rng, work, 20),
    "1 word in 10 replaced": lambda rng, work: replaced(rng, work, 10),
    "1 word in 5 replaced": lambda rng, work: replaced(rng, work, 5),
    "1 word in 2 replaced, as in a paraphrase": lambda rng, work: replaced(rng, work, 2),
    "1 letter in 50 mistyped": mistyped,
    "letters replaced by ones that look alike, 1 in 50": lookalike,
    "every word of 6 letters or more hyphenated at a line's end": hyphenated,
}
#: A text of somebody else, beside a work: in the words of the report, the work's own text, and the other's.
Pair = tuple[str, str]
OTHERS: Mapping[str, Callable[[random.Random, int], Pair]] = {
    "text of the same kind by another": lambda rng, n: (text(rng, n), text(rng, n)),
    "text with two stock sentences in common": lambda rng, n: _sharing(rng, n, 2),
    "text that quotes the same third work": lambda rng, n: _quoting(rng, n),
}


def _sharing(rng: random.Random, words: int, sentences: int) -> Pair:
    common = [sentence(rng) for _ in range(sentences)]
    return " ".join([text(rng, words), *common]), " ".join([*common, text(rng, words)])


def _quoting(rng: random.Random, words: int) -> Pair:
    quoted = passage(rng, text(rng, 90), 60)
    return f"{text(rng, words)} {quoted}", f"{quoted} {text(rng, words)}"


def length(rng: random.Random) -> int:
    """Words of a text, most of them short."""
    return round(SHORTEST * (LONGEST / SHORTEST) ** rng.random())


def record(name: str, told: str) -> Record:
    """A row of a data set that holds nothing but this text."""
    return Record(id=name, prompt="", answer="", text=told, subject="", work="")


def searches(works: Sequence[Work]) -> Mapping[str, Index | PrintIndex]:
    """Both ways of searching for these works."""
    prints = [one for one in (fingerprint(work.id, work.text, KEY) for work in works) if one]
    return {TEXTS: Index(works, threshold=THRESHOLD), PRINTS: PrintIndex(prints, KEY, threshold=THRESHOLD)}


def misses(seed: int, count: int) -> Iterator[dict[str, Any]]:
    """A row for each change and way: how many of the changed works were not found."""
    rng = random.Random(f"works:{seed}")  # noqa: S311 - reproducible fiction, not a secret
    works = [Work(id=f"w{n}", title="", text=text(rng, length(rng))) for n in range(count)]
    ways = searches(works)
    for what, change in CHANGES.items():
        rng = random.Random(f"{what}:{seed}")  # noqa: S311
        changed = [(work.id, record(work.id, change(rng, work.text))) for work in works]
        for way, index in ways.items():
            missed = sum(all(hit.item != name for hit in index.find(row)) for name, row in changed)
            yield _row(way, what, count, "missed", missed)


def matches(seed: int, count: int) -> Iterator[dict[str, Any]]:
    """A row for each kind of text by others and way: how many were found for a work that they are not."""
    for what, pair in OTHERS.items():
        rng = random.Random(f"{what}:{seed}")  # noqa: S311
        pairs = [pair(rng, length(rng)) for _ in range(count)]
        ways = searches([Work(id=f"w{n}", title="", text=own) for n, (own, _other) in enumerate(pairs)])
        rows = [record(f"r{n}", other) for n, (_own, other) in enumerate(pairs)]
        for way, index in ways.items():
            yield _row(way, what, count, "matched", sum(bool(index.find(row)) for row in rows))


def _row(way: str, what: str, trials: int, name: str, hits: int) -> dict[str, Any]:
    low, high = (round(bound, 6) for bound in clopper_pearson(hits, trials))
    return {"way": way, "what": what, "trials": trials, name: hits, "low": low, "high": high}


def alike(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row where both ways found the same, else one each."""
    found: list[dict[str, Any]] = []
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        same = {**first, "way": ""} == {**second, "way": ""}
        found += [{**first, "way": BOTH}] if same else [first, second]
    return found


def code_digest() -> str:
    """Of what was measured and of what measured it."""
    state = hashlib.sha256()
    for path in [*sorted((ROOT / "unlearning_engine" / "matching").glob("*.py")), Path(__file__)]:
        state.update(path.read_bytes())
    return f"sha256:{state.hexdigest()}"


def measure(seed: int, works: int) -> dict[str, Any]:
    """The whole measurement, as docs/matching.json holds it."""
    return {
        "seed": seed, "works": works, "words": [SHORTEST, LONGEST], "scheme": SCHEME, "threshold": THRESHOLD,
        "confidence": CONFIDENCE, "code_digest": code_digest(), "misses": alike(list(misses(seed, works))),
        "matches": alike(list(matches(seed, works))), "not_tried": list(NOT_TRIED),
    }  # fmt: skip


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--works", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--publish", action="store_true", help="write docs/matching.json")
    chosen = parser.parse_args()
    found = measure(chosen.seed, chosen.works)
    for one in (*found["misses"], *found["matches"]):
        hits = one.get("missed", one.get("matched"))
        bounds = f"({one['low']:.4f} to {one['high']:.4f})"
        sys.stdout.write(f"{hits:>5} of {one['trials']} {bounds}  {one['way']}: {one['what']}\n")
    if chosen.publish:
        PUBLISHED.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
