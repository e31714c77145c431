"""The items of a verification: read, divided into sets, checked for overlap, numbered and, where too many, drawn.

Questions are probed for knowledge; running text of the forget set (a verse, a passage) for verbatim recall. Facts
count once however many phrasings they have, and facts of one work form a cluster. Rows that share a wording with the
same answer are one fact whatever they are called: rows written twice bring no power.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unlearning_engine.contracts import VerifySpec
from unlearning_engine.data import Record, leave_out, load_ids, load_records, raise_all, split
from unlearning_engine.policy import Policy
from unlearning_engine.tokens import order_key

#: Kind of a dataset's records that count as general ability where no file of their own is given.
GENERAL = "general"
#: At most this many shared ids are named in a finding.
SHOWN = 10
#: Facts of a set that are scored again after an attack.
FEW = 40


@dataclass(frozen=True, kw_only=True)
class Item:
    """A record in its set, with the numbers of its fact and work; `near` marks a neighbour among the retained."""

    record: Record
    set: str
    fact: int
    work: int
    near: int = 0


@dataclass(frozen=True, kw_only=True)
class Items:
    """All items of a verification. `facts` counts independent facts a set; `overlaps` is empty when all is well."""

    items: tuple[Item, ...]
    facts: Mapping[str, int]
    overlaps: Mapping[str, Mapping[str, Any]]

    def of(self, name: str) -> list[Item]:
        """Items of one set."""
        return [item for item in self.items if item.set == name]

    def few(self, name: str) -> list[Item]:
        """Questions of the first facts of a set, by a keyed hash of the fact."""
        asked = [item for item in self.of(name) if item.record.is_question]
        order = sorted({item.record.cluster for item in asked}, key=lambda cluster: order_key(0, 0, cluster))
        chosen = set(order[:FEW])
        return [item for item in asked if item.record.cluster in chosen]


def sets_of(spec: VerifySpec) -> dict[str, list[Record]]:
    """All records of a verification, by set, before any are drawn; raises DataError where a file cannot be read."""
    controls = load_records(spec.controls)
    if spec.dataset and spec.forget_ids:
        ids = load_ids(spec.forget_ids)
        forget, retain = split(leave_out(load_records(spec.dataset), spec.exclude_ids, keep=ids), ids)
    else:
        forget = load_records(spec.forget)
        retain = load_records(spec.retain)
    general = load_records(spec.general) if spec.general else [r for r in retain if r.kind == GENERAL]
    known = {r.id for r in general}
    retain = [r for r in retain if r.id not in known]
    sets = {"forget": forget, "retain": retain, "controls": controls, "general": general}
    return {name: merged(records) for name, records in sets.items()}


def _wordings(record: Record) -> Iterator[str]:
    """Letters and digits of every wording of a row, with its answer."""
    texts = [record.full_text, *(f"{prompt} {record.answer}" for prompt in record.paraphrase)]
    for text in texts:
        yield " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())) or text


def merged(records: Sequence[Record]) -> list[Record]:
    """The records, those under one fact that share a wording with its answer: the fact that came first names it.

    Names of facts are joined like sets (union-find), so that a chain of shared wordings is one fact, too.
    """
    heads: dict[str, str] = {}

    def head(name: str) -> str:
        while heads.get(name, name) != name:
            name = heads[name]
        return name

    owners: dict[str, str] = {}
    for record in records:
        for wording in _wordings(record):
            first, own = head(owners.setdefault(wording, record.cluster)), head(record.cluster)
            if first != own:
                heads[own] = first
    joined = {r.cluster: head(r.cluster) for r in records}
    return [r if joined[r.cluster] == r.cluster else dataclasses.replace(r, fact=joined[r.cluster]) for r in records]


def _keys(records: Iterable[Record]) -> dict[str, str]:
    """What identifies a record's content, each with the record's id: id, fact and normalised text."""
    found: dict[str, str] = {}
    for record in records:
        text = " ".join(record.full_text.casefold().split())
        found |= {f"id:{record.id}": record.id, f"text:{text}": record.id}
        if record.fact:
            found[f"fact:{record.fact}"] = record.id
    return found


def overlaps(sets: Mapping[str, Sequence[Record]]) -> dict[str, dict[str, Any]]:
    """Sets that share an id, a fact or a text with the forget set, and training data among the controls."""
    keys = {name: _keys(records) for name, records in sets.items()}
    pairs = (("forget", "retain"), ("forget", "controls"), ("forget", "general"), ("controls", "retain"))
    found = {}
    for one, other in pairs:
        shared = sorted({keys[one][key] for key in keys[one].keys() & keys[other].keys()})
        if shared:
            found[f"{one}/{other}"] = {"records": len(shared), "ids": shared[:SHOWN]}
    return found


def _drawn(records: Sequence[Record], facts: int, seed: int) -> list[Record]:
    """The records of at most `facts` facts, drawn by a keyed hash, in their old order."""
    names = sorted({r.cluster for r in records}, key=lambda name: order_key(seed, 0, name))[:facts]
    kept = set(names)
    return [r for r in records if r.cluster in kept]


def _retained(retain: Sequence[Record], forget: Sequence[Record], most: int, seed: int) -> list[tuple[Record, int]]:
    """Neighbours and others, up to half of `most` each (more where the other half is short of facts)."""
    kinds, subjects = {r.kind for r in forget}, {r.subject for r in forget if r.subject}
    near = [r for r in retain if r.kind in kinds and r.subject not in subjects]
    named = {r.id for r in near}
    far = [r for r in retain if r.id not in named]
    few_far, few_near = len({r.cluster for r in far}), len({r.cluster for r in near})
    near_facts = min(few_near, max(most // 2, most - few_far))
    chosen = {r.id: 1 for r in _drawn(near, near_facts, seed)}
    chosen |= {r.id: 0 for r in _drawn(far, most - near_facts, seed)}
    return [(r, chosen[r.id]) for r in retain if r.id in chosen]


def _placed(sets: Mapping[str, Sequence[Record]], policy: Policy, seed: int) -> list[tuple[str, Record, int]]:
    """Every record to score with its set's name and whether it is a neighbour."""
    placed: list[tuple[str, Record, int]] = []
    for name in ("forget", "controls"):
        questions = [r for r in sets[name] if r.is_question]
        texts = [r for r in sets[name] if not r.is_question]
        placed += [(name, r, 0) for r in _drawn(questions, policy.maximum_items, seed)]
        placed += [(f"{name}_text", r, 0) for r in _drawn(texts, policy.maximum_items, seed)]
    most = policy.maximum_utility_items
    placed += [("retain", r, near) for r, near in _retained(sets["retain"], sets["forget"], most, seed)]
    placed += [("general", r, 0) for r in _drawn(sets["general"], most, seed)]
    return placed


def _numbered(placed: Sequence[tuple[str, Record, int]]) -> list[Item]:
    """Numbers for facts and works in order of first appearance; a record without a work is a work of its own."""
    facts: dict[tuple[str, str], int] = {}
    works: dict[tuple[str, ...], int] = {}
    items = []
    for name, record, near in placed:
        fact = facts.setdefault((name, record.cluster), len(facts))
        key = (name, record.subject, record.work) if record.work else (name, record.subject, record.cluster, "")
        items.append(Item(record=record, set=name, fact=fact, work=works.setdefault(key, len(works)), near=near))
    return items


def _problems(sets: Mapping[str, Sequence[Record]]) -> list[str]:
    """Wrong answers and held-out wordings go with every question or with none: else whoever left them out chose items.

    Wrong answers go with every row, held-out wordings with every fact. Where none has any, the probes that need them
    are not measured, and nothing passes that they gate.
    """
    asked = [(name, r) for name in ("forget", "controls") for r in sets[name] if r.is_question]
    reworded = {(name, r.cluster) for name, r in asked if r.paraphrase}
    lacking = [
        ("no wrong answers (perturbed)", [(name, r) for name, r in asked if not r.perturbed]),
        ("no held-out wording (paraphrase)", [(n, r) for n, r in asked if (n, r.cluster) not in reworded]),
    ]
    return [
        f"{name} record {r.id!r}: has {what}, though others have; give every one some, or none"
        for what, rows in lacking
        if len(rows) < len(asked)
        for name, r in rows
    ]


def collect(spec: VerifySpec, policy: Policy) -> Items:
    """Read, check and number the items of a verification.

    Raises:
        DataError: a file cannot be read, or only some of the forgotten and control facts have wrong answers, or
            held-out wordings.
    """
    sets = sets_of(spec)
    raise_all(_problems(sets))
    items = _numbered(_placed(sets, policy, spec.seed))
    names = dict.fromkeys(("forget", "retain", "controls", "general", *(i.set for i in items)))
    facts = {name: len({i.fact for i in items if i.set == name}) for name in names}
    return Items(items=tuple(items), facts=facts, overlaps=overlaps(sets))
