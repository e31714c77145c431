"""The relearning attack teaches some works, asks about others, and admits when it could not teach."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from tests.engine.conftest import ARCHITECTURES, Corpus
from unlearning_engine.attacks.relearning import Split, divide, relearn
from unlearning_engine.data import Record
from unlearning_engine.models import build_model, build_tokenizer, load
from unlearning_engine.policy import Policy
from unlearning_engine.probes.items import Item
from unlearning_engine.progress import silent

POLICY = Policy()


def works(number: int, facts: int = 3) -> list[Item]:
    return [
        Item(record=Record(id=f"w{w}.{f}", prompt="p", answer="a"), set="forget", fact=w * facts + f, work=100 + w)
        for w in range(number)
        for f in range(facts)
    ]


def numbers(items: Sequence[Item]) -> set[int]:
    return {item.work for item in items}


def test_no_work_is_both_taught_and_asked() -> None:
    for split in divide(works(30), share=0.5, rounds=2, seed=1):
        assert not numbers(split.taught) & numbers(split.asked)
        assert len(split.taught) + len(split.asked) == 90


def test_two_rounds_of_a_half_ask_every_fact_once() -> None:
    rounds = divide(works(30), share=0.5, rounds=2, seed=1)
    asked = [item.fact for split in rounds for item in split.asked]
    assert sorted(asked) == list(range(90))


def test_the_draw_depends_on_the_seed_alone() -> None:
    first, again, other = (divide(works(30), share=0.2, rounds=1, seed=s)[0] for s in (1, 1, 2))
    assert numbers(first.taught) == numbers(again.taught)
    assert len(numbers(first.taught)) == 6
    assert numbers(first.taught) != numbers(other.taught)


def test_one_work_cannot_be_divided_and_two_can() -> None:
    assert divide(works(1), share=0.5, rounds=1, seed=0) == []
    (split,) = divide(works(2), share=0.01, rounds=1, seed=0)
    assert (len(numbers(split.taught)), len(numbers(split.asked))) == (1, 1)


def _split(corpus: Corpus) -> Split:
    rows = [r for r in corpus.records if r.is_question]
    items = [Item(record=r, set="forget", fact=n, work=n) for n, r in enumerate(rows)]
    return Split(taught=tuple(items[:6]), asked=tuple(items[6:]))


def test_the_attack_teaches_a_model_that_can_be_taught(corpus: Corpus) -> None:
    tokenizer = build_tokenizer(corpus.text, 400)
    model = build_model(ARCHITECTURES["llama"], tokenizer, seed=1).requires_grad_(False)
    done = relearn(model, tokenizer, _split(corpus), POLICY, seed=1, name="candidate", report=silent)
    assert done.first_loss is not None
    assert done.last_loss is not None
    assert done.last_loss < done.first_loss
    assert (done.taught_works, done.asked_works) == (6, 10)


def test_the_same_seed_attacks_alike(corpus: Corpus, trained: Path) -> None:
    losses = []
    for _ in range(2):
        model, tokenizer = load(trained, device="cpu")
        done = relearn(model, tokenizer, _split(corpus), POLICY, seed=4, name="candidate", report=silent)
        losses.append(done.last_loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_a_model_that_breaks_under_the_attack_is_told_apart_from_one_that_forgot(corpus: Corpus) -> None:
    tokenizer = build_tokenizer(corpus.text, 400)
    model = build_model(ARCHITECTURES["llama"], tokenizer, seed=1)
    with torch.no_grad():
        model.model.norm.weight.fill_(math.inf)
    done = relearn(model, tokenizer, _split(corpus), POLICY, seed=1, name="candidate", report=silent)
    assert done.last_loss is None
