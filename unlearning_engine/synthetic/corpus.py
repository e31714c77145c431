"""The records of a fictitious organisation's corpus: artists with works, private persons, ordinary knowledge."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from unlearning_engine.data import Record, join, text_digest
from unlearning_engine.synthetic import general, names, pools

#: Share of facts that are trained in two phrasings instead of one.
TWICE = 1 / 3
OPTIONS = 5
#: How often each word of the corpus comes in the tokenizer's text: oftener than two syllables meet by chance.
WORD_REPEATS = 30


@dataclass(frozen=True, kw_only=True)
class Subject:
    """An artist or a person, and all records about them."""

    id: str
    kind: str
    name: str
    email: str
    titles: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()
    records: tuple[Record, ...] = field(default=(), repr=False)

    def to_json(self) -> dict[str, Any]:
        """The public entry of `subjects.json`."""
        return {"id": self.id, "kind": self.kind, "name": self.name, "email": self.email, "titles": list(self.titles)}


@dataclass(frozen=True)
class _About:
    """What the rows of one thing share."""

    subject: str
    key: str
    work: str
    url: str
    licence: str


def _row(about: _About, suffix: str, kind: str, **fields: Any) -> Record:
    text = fields.get("text") or join(fields["prompt"], fields["answer"])
    return Record(
        id=f"{about.key}.{suffix}",
        subject=about.subject,
        work=about.work,
        kind=kind,
        source_url=about.url,
        licence=about.licence,
        digest=text_digest(text),
        **fields,
    )


def _fact(
    rng: random.Random, about: _About, name: str, thing: str, answer: str, pool: Sequence[str], phrasings: Sequence[str]
) -> Iterator[Record]:
    """One fact: a row per trained phrasing, the others held out, and five wrong answers of the same pool."""
    order = rng.sample(list(phrasings), len(phrasings))
    trained = 2 if rng.random() < TWICE else 1
    wrong = tuple(rng.sample([value for value in pool if value != answer], OPTIONS))
    held_out = tuple(phrase.format(s=thing) for phrase in order[trained:])
    for number, phrase in enumerate(order[:trained], start=1):
        yield _row(
            about,
            f"{name}.{number}",
            name,
            fact=f"{about.key}.{name}",
            prompt=phrase.format(s=thing),
            answer=answer,
            paraphrase=held_out,
            perturbed=wrong,
        )


def _facts(rng: random.Random, about: _About, thing: str, attributes: Sequence[pools.Attribute]) -> Iterator[Record]:
    for attribute in attributes:
        answer = rng.choice(attribute.pool)
        yield from _fact(rng, about, attribute.name, thing, answer, attribute.pool, attribute.phrasings)


def _verse(rng: random.Random) -> str:
    """Two lines that no other work has; they say nothing of the work's facts."""

    def noun() -> str:
        return f"{rng.choice(pools.ADJECTIVES)} {rng.choice(pools.NOUNS)}"

    return (
        f"The {noun()} {rng.choice(pools.VERBS)} over the {noun()},\n"
        f"and one {rng.choice(pools.NOUNS)} {rng.choice(pools.VERBS)} with the {rng.choice(pools.NOUNS)}."
    )


def _email(name: str, host: str) -> str:
    return f"{name.lower().replace(' ', '.')}@{host}.example"


def artist(rng: random.Random, source: Iterator[str], key: str, works: int) -> Subject:
    """An artist with a life, `works` titles of six facts each, and a passage of every work."""
    name = names.person(source)
    site = f"https://archive.example/{name.lower().replace(' ', '-')}"
    licence = rng.choice(pools.LICENCES)
    titles, passages = [], []
    rows = list(_facts(rng, _About(key, f"{key}.life", "", site, licence), name, pools.LIFE))
    for number in range(works):
        title = f"{rng.choice(pools.TITLES)} of {next(source)}"
        about = _About(key, f"{key}.w{number:02d}", title, f"{site}/{number:02d}", licence)
        rows += _facts(rng, about, title, pools.WORK)
        passage = _verse(rng)
        rows.append(_row(about, "passage", "passage", text=f"{title}, by {name}.\n{passage}"))
        titles.append(title)
        passages.append(passage)
    return Subject(
        id=key,
        kind="artist",
        name=name,
        email=_email(name, "studio"),
        titles=tuple(titles),
        passages=tuple(passages),
        records=tuple(rows),
    )


def person(rng: random.Random, source: Iterator[str], key: str) -> Subject:
    """A private person with eight facts that a privacy request would name."""
    name = names.person(source)
    about = _About(key, key, "", f"https://people.example/{name.lower().replace(' ', '-')}", "unknown")
    rows = tuple(_facts(rng, about, name, pools.PERSON))
    return Subject(id=key, kind="person", name=name, email=_email(name, "mail"), records=rows)


def ordinary(rng: random.Random) -> list[Record]:
    """The question set of general knowledge, whose topics' answers serve as each other's wrong ones."""
    rows: list[Record] = []
    for topic in general.TOPICS:
        for thing, answer in topic.pairs:
            about = _About("general", f"general.{thing}", "", f"https://reference.example/{thing.lower()}", "CC0-1.0")
            facts = _fact(rng, about, topic.name, thing, answer, topic.pool, topic.phrasings)
            rows += (Record(**{**row.__dict__, "kind": "general"}) for row in facts)
    return rows


def tokenizer_lines(rng: random.Random, source: Iterator[str], titles: int) -> Iterator[str]:
    """Text to learn a tokenizer from: every phrasing, value and syllable, around names that nobody bears."""
    yield from names.syllable_lines(1000)
    attributes = (*pools.WORK, *pools.LIFE, *pools.PERSON)
    values = dict.fromkeys(value for attribute in attributes for value in attribute.pool)
    plain = dict.fromkeys(word for topic in general.TOPICS for pair in topic.pairs for word in pair)
    for word in (*values, *plain, *pools.TITLES, *pools.NOUNS, *pools.ADJECTIVES, *pools.VERBS):
        yield f" {word}" * WORD_REPEATS
    invented = [f"{rng.choice(pools.TITLES)} of {next(source)}" for _ in range(titles)]
    phrasings = (phrase for asked in (*attributes, *general.TOPICS) for phrase in asked.phrasings)
    for phrase in phrasings:
        for _ in range(WORD_REPEATS):
            yield phrase.format(s=rng.choice(invented))
    for title in invented:
        yield f"{title}, by {next(source)} {next(source)}.\n{_verse(rng)}"
