"""Exact unlearning of a language model: what forgetting one author costs, and what the ensemble still knows.

`python -m pytest tests/bench/test_sisa_language.py -s` prints the tables of docs/exact-unlearning.md, section
"Language models". Everything is measured in one run: costs are CPU seconds and counted sample passes, both as ratios.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from unlearning_engine import models, synthetic
from unlearning_engine.contracts import TrainSpec, UnlearnSpec
from unlearning_engine.data import Record, load_records
from unlearning_engine.placement import Cost, Place, Placement, deletion_cost
from unlearning_engine.probes.scorer import greedy
from unlearning_engine.progress import silent
from unlearning_engine.sisa import building, deleting
from unlearning_engine.sisa.lineage import Lineage
from unlearning_engine.sisa.modeling import AGGREGATIONS
from unlearning_engine.tokens import encode_prompts

SHARDS, SLICES, SEED, CORPUS_SEED, SUBJECTS = 4, 2, 0, 5, 40
LONGEST_ANSWER = 14


def config() -> dict[str, Any]:
    """The demonstration's training, with a loss on prompts too."""
    return {
        **synthetic.DEMO_TRAINING,
        "kind": "language",
        "shards": SHARDS,
        "slices": SLICES,
        "group": "subject",
        "full_sequence": True,
    }


@dataclass(frozen=True)
class Measured:
    """CPU seconds and what the engine reported."""

    seconds: float
    facts: dict[str, Any]


class World:
    """The corpus, and lineages made from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        synthetic.generate(folder, seed=CORPUS_SEED, artists=SUBJECTS, persons=SUBJECTS)
        self.records = load_records(folder / "dataset.jsonl")
        self.controls = load_records(folder / "controls.jsonl")
        self.placement = Placement(shards=SHARDS, slices=SLICES, seed=SEED, group="subject")

    def places(self, subject: str) -> list[Place]:
        return [self.placement.place(r.id, r.subject) for r in self.records if r.subject == subject]

    def cost(self, counts: Sequence[Sequence[int]], subject: str) -> Cost:
        return deletion_cost(counts, config()["epochs"], [self.places(subject)])

    def train(self, name: str, **changes: Any) -> Measured:
        spec = TrainSpec(
            seed=SEED,
            threads=1,
            device="cpu",
            method="sisa",
            dataset=str(self.folder / "dataset.jsonl"),
            tokenizer_text=str(self.folder / "tokenizer.txt"),
            config={**config(), **changes},
        )
        started = time.process_time()
        return Measured(facts=building.train(spec, self.folder / name, silent), seconds=time.process_time() - started)

    def forget(self, subject: str) -> Measured:
        ids = self.folder / f"{subject}.txt"
        ids.write_text("\n".join(r.id for r in self.records if r.subject == subject), encoding="utf-8")
        spec = UnlearnSpec(
            seed=SEED,
            threads=1,
            device="cpu",
            method="sisa",
            lineage=str(self.folder / "all"),
            forget_ids=str(ids),
        )
        started = time.process_time()
        facts = deleting.unlearn(spec, self.folder / f"without-{subject}", silent)
        return Measured(facts=facts, seconds=time.process_time() - started)


def hits(model: Any, tokenizer: Any, records: Sequence[Record]) -> list[bool]:
    """For each question, whether the greedy answer begins with the exact value."""
    asked = [r for r in records if r.is_question]
    prompts = encode_prompts([r.prompt for r in asked], tokenizer)
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    found = greedy(model, prompts, [LONGEST_ANSWER] * len(prompts), pad_id=pad, end_id=end)
    return [tokenizer.decode(row).strip() == r.answer for row, r in zip(found, asked, strict=True)]


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("language"))


@pytest.fixture(scope="module")
def trained(world: World) -> Measured:
    return world.train("all")


def authors(world: World) -> dict[Place, list[str]]:
    """The authors in each place."""
    found: dict[Place, list[str]] = {}
    for subject in sorted({r.subject for r in world.records if r.subject.startswith("artist-")}):
        found.setdefault(world.places(subject)[0], []).append(subject)
    return dict(sorted(found.items()))


@pytest.mark.bench
def test_the_ensemble_knows_what_its_shards_learned(world: World, trained: Measured) -> None:
    model, tokenizer = models.load(world.folder / "all" / "model", device="cpu")
    table = {}
    for aggregation in AGGREGATIONS:
        model.config.aggregation = aggregation
        started = time.process_time()
        table[aggregation] = (mean(hits(model, tokenizer, world.records)), time.process_time() - started)
    whole = world.train("monolith", shards=1, slices=1)
    single, _ = models.load(world.folder / "monolith" / "model", device="cpu")
    started = time.process_time()
    table["one model, no shards"] = (mean(hits(single, tokenizer, world.records)), time.process_time() - started)
    print(f"\n{len(world.records)} records; training: SISA {trained.seconds:.1f} s, one model {whole.seconds:.1f} s")  # noqa: T201
    for name, (value, seconds) in table.items():
        print(f"{name:24s} exact-value hit {value:.4f}, answering {seconds:5.1f} CPU s")  # noqa: T201
    assert table["posterior"][0] >= 0.95


@dataclass(frozen=True)
class Forgotten:
    """One author's deletion: its cost, and exact-value hits afterwards."""

    cost: Cost
    done: Measured
    gone: list[bool]
    rest: list[bool]
    unseen: list[bool]


def forgotten(world: World, subject: str, counts: Sequence[Sequence[int]]) -> Forgotten:
    done = world.forget(subject)
    model, tokenizer = models.load(world.folder / f"without-{subject}" / "model", device="cpu")
    return Forgotten(
        cost=world.cost(counts, subject),
        done=done,
        gone=hits(model, tokenizer, [r for r in world.records if r.subject == subject]),
        rest=hits(model, tokenizer, [r for r in world.records if r.subject != subject]),
        unseen=hits(model, tokenizer, world.controls),
    )


@pytest.mark.bench
def test_forgetting_an_author_costs_a_quarter_of_training(world: World, trained: Measured) -> None:
    """One author drawn at random in each place, weighted by how many authors lie there: the mean over all authors."""
    counts = Lineage(world.folder / "all").meta.counts
    print(f"\nrecords by shard and slice {counts}")  # noqa: T201
    found: list[tuple[int, Forgotten]] = []
    for place, subjects in authors(world).items():
        subject = random.Random(SEED).choice(subjects)
        one = forgotten(world, subject, counts)
        found.append((len(subjects), one))
        passes, whole = one.done.facts["passes"], trained.facts["passes"]
        print(  # noqa: T201
            f"shard {place.shard + 1}, slice {place.slice + 1} ({len(subjects):2d} authors): {subject} "
            f"{one.done.seconds:5.1f} CPU s = {trained.seconds / one.done.seconds:.2f}x, {passes:5d} passes = "
            f"{whole / passes:.2f}x, analytic {one.cost.lineage / one.cost.passes:.2f}x; "
            f"hit {mean(one.gone):.3f}, rest {mean(one.rest):.4f}"
        )
        assert passes == pytest.approx(one.cost.passes, rel=0.1)
    seconds = trained.seconds / weighted([(n, one.done.seconds) for n, one in found])
    passes = trained.facts["passes"] / weighted([(n, one.done.facts["passes"]) for n, one in found])
    analytic = found[0][1].cost.lineage / weighted([(n, one.cost.passes) for n, one in found])
    gone, unseen = [h for _, one in found for h in one.gone], [h for _, one in found for h in one.unseen]
    rest = mean([mean(one.rest) for _, one in found])
    print(f"mean author: {seconds:.2f}x in CPU seconds, {passes:.2f}x in passes, analytic {analytic:.2f}x")  # noqa: T201
    print(  # noqa: T201
        f"exact-value hit: forgotten {mean(gone):.4f} (n {len(gone)}), never seen {mean(unseen):.4f} "
        f"(n {len(unseen)}), the rest {rest:.4f}"
    )
    assert min(seconds, passes) >= 4
    assert rest >= 0.95
    assert mean(gone) <= mean(unseen) + 0.05


def weighted(values: Sequence[tuple[int, float]]) -> float:
    return sum(n * value for n, value in values) / sum(n for n, _ in values)
