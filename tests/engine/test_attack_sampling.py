"""Many tries at a temperature: any hit counts, the same seed draws the same, the model's own settings do not."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import GenerationConfig

from tests.engine.conftest import Corpus
from unlearning_engine.attacks.base import Given, Prepared
from unlearning_engine.attacks.sampling import SAMPLING, TRIES, sampled
from unlearning_engine.models import build_model, load
from unlearning_engine.probes.items import Item


def asked(corpus: Corpus, folder: Path, **changes: float) -> tuple[Given, Prepared]:
    rows = [r for r in corpus.records if r.is_question]
    items = [Item(record=r, set="forget", fact=n, work=n) for n, r in enumerate(rows)]
    model, tokenizer = load(folder, device="cpu")
    given = Given(model=model, tokenizer=tokenizer, items=items, seed=5)
    return given, Prepared(items=tuple(items), bare=True, tries=int(changes.get("tries", 4)), temperature=changes["at"])


def hits(given: Given, prepared: Prepared) -> list[float | None]:
    return [row.exact for row in sampled(given, prepared, name="candidate")]


def test_a_model_that_knows_hits_in_every_item(corpus: Corpus, trained: Path) -> None:
    given, prepared = asked(corpus, trained, at=1.0)
    rows = sampled(given, prepared, name="candidate")
    assert sum(row.exact or 0 for row in rows) >= 15
    assert [(row.attack, row.id) for row in rows] == [("sampling", item.record.id) for item in prepared.items]


def test_the_same_seed_draws_the_same_and_leaves_the_global_generator_alone(corpus: Corpus, trained: Path) -> None:
    given, prepared = asked(corpus, trained, at=4.0)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    assert hits(given, prepared) == hits(given, prepared)
    assert torch.equal(state, torch.get_rng_state())


def test_more_tries_hit_more_often(corpus: Corpus, trained: Path) -> None:
    found = [sum(x or 0 for x in hits(*asked(corpus, trained, at=5.0, tries=tries))) for tries in (1, 30)]
    assert found[0] < found[1]


def test_a_model_cannot_forbid_itself_an_answer(corpus: Corpus, trained: Path) -> None:
    given, prepared = asked(corpus, trained, at=1.0)
    given.model.generation_config = GenerationConfig(suppress_tokens=list(range(3, 300)), max_new_tokens=1)
    assert sum(x or 0 for x in hits(given, prepared)) >= 15


def test_a_model_of_random_weights_hits_rarely(corpus: Corpus, trained: Path) -> None:
    given, prepared = asked(corpus, trained, at=1.0)
    fresh = build_model(given.model.config.to_dict(), given.tokenizer, seed=9)
    given = Given(model=fresh, tokenizer=given.tokenizer, items=given.items, seed=5)
    assert sum(x or 0 for x in hits(given, prepared)) <= 4


def test_the_attack_asks_everything_as_often_as_it_says(corpus: Corpus, trained: Path) -> None:
    given, _ = asked(corpus, trained, at=1.0)
    assert SAMPLING.prepare is not None
    (step,) = SAMPLING.prepare(given)
    assert (step.tries, step.items) == (TRIES, tuple(given.items))
