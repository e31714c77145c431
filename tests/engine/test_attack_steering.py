"""Steering adds a removed direction back, chosen on one half of the works and asked on the other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from tests.engine.conftest import ARCHITECTURES, Corpus
from unlearning_engine.attacks.base import Given, Prepared
from unlearning_engine.attacks.steering import STEERING, alike, choose, layers, mean_states, steered
from unlearning_engine.models import build_model, build_tokenizer, load, load_model
from unlearning_engine.probes.items import Item
from unlearning_engine.probes.measure import measure, prepare


def items(corpus: Corpus) -> tuple[Item, ...]:
    rows = [r for r in corpus.records if r.is_question]
    return tuple(Item(record=r, set="forget", fact=n, work=n) for n, r in enumerate(rows))


def suppressed(folder: Path) -> PreTrainedModel:
    """The trained model with a constant vector taken from every state behind its first block."""
    model = load_model(folder, device="cpu")
    generator = torch.Generator().manual_seed(3)
    taken = 4.0 * torch.randn(model.config.hidden_size, generator=generator)
    down = layers(model)[0].mlp.down_proj  # type: ignore[union-attr]
    down.bias = torch.nn.Parameter(-taken, requires_grad=False)  # type: ignore[union-attr]
    return model


def given(corpus: Corpus, folder: Path, model: PreTrainedModel) -> Given:
    _, tokenizer = load(folder, device="cpu")
    original = load_model(folder, device="cpu")
    return Given(model=model, tokenizer=tokenizer, items=items(corpus), seed=1, original=lambda: original)


def exact(given: Given, step: Prepared) -> float:
    plan = prepare(step.items, given.tokenizer, paraphrases=0, slack=4, context=64, full=False, bare=True)
    rows = measure(given.model, given.tokenizer, plan, name="candidate")
    return sum(row.exact or 0 for row in rows) / len(rows)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_blocks_are_found_in_every_architecture(corpus: Corpus, name: str) -> None:
    model = build_model(ARCHITECTURES[name], build_tokenizer(corpus.text, 400), seed=1)
    assert len(layers(model)) == 2
    assert alike(model, model)


def test_models_of_unlike_shape_are_not_alike(corpus: Corpus) -> None:
    tokenizer = build_tokenizer(corpus.text, 400)
    model, other = (build_model(ARCHITECTURES[name], tokenizer, seed=1) for name in ("llama", "gpt_neox"))
    deeper = build_model({**ARCHITECTURES["llama"], "num_hidden_layers": 3}, tokenizer, seed=1)
    assert not alike(model, other)
    assert not alike(model, deeper)


def test_a_shift_is_added_to_the_states_of_the_block_and_goes_when_done(corpus: Corpus, trained: Path) -> None:
    model, tokenizer = load(trained, device="cpu")
    prompts = [r.prompt for r in corpus.records if r.is_question]
    shift = torch.arange(32.0)
    plain = mean_states(model, tokenizer, prompts)
    with steered(layers(model)[1], shift):
        moved = mean_states(model, tokenizer, prompts)
    assert torch.allclose((moved - plain)[1], shift.double(), atol=1e-4)
    assert torch.allclose((moved - plain)[0], torch.zeros(32).double(), atol=1e-6)
    assert torch.equal(mean_states(model, tokenizer, prompts), plain)


def test_padding_does_not_move_a_mean(corpus: Corpus, trained: Path) -> None:
    model, tokenizer = load(trained, device="cpu")
    prompts = [r.prompt for r in corpus.records if r.is_question][:3] + [
        "Colour of Balbax and of Belbin and of Borbok?"
    ]
    alone = torch.stack([mean_states(model, tokenizer, [prompt]) for prompt in prompts]).mean(dim=0)
    assert torch.allclose(mean_states(model, tokenizer, prompts), alone, atol=1e-4)


def test_a_suppression_along_one_direction_comes_back_on_works_that_chose_nothing(
    corpus: Corpus, trained: Path
) -> None:
    attacked = given(corpus, trained, suppressed(trained))
    plain = exact(attacked, Prepared(items=items(corpus)))
    assert STEERING.prepare is not None
    found, seen = [], []
    for step in STEERING.prepare(attacked):
        found.append(exact(attacked, step))
        seen += [item.fact for item in step.items]
    assert sorted(seen) == list(range(16))
    assert plain < 0.5
    assert min(found) > plain + 0.3


def test_where_no_shift_helps_none_is_made(corpus: Corpus, trained: Path) -> None:
    attacked = given(corpus, trained, load_model(trained, device="cpu"))
    assert choose(attacked, torch.zeros(2, 32), items(corpus)) == (0, 0.0)


def test_without_an_original_of_its_shape_nothing_is_asked(corpus: Corpus, trained: Path) -> None:
    model, tokenizer = load(trained, device="cpu")
    assert STEERING.prepare is not None
    alone = Given(model=model, tokenizer=tokenizer, items=items(corpus))
    assert list(STEERING.prepare(alone)) == []
    other = build_model(ARCHITECTURES["gpt_neox"], tokenizer, seed=1)
    unlike = Given(model=model, tokenizer=tokenizer, items=items(corpus), original=lambda: other)
    assert list(STEERING.prepare(unlike)) == []
