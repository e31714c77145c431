"""What the probes measure agrees with the slow, plain way of measuring it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from tests.engine.conftest import ARCHITECTURES, Corpus
from unlearning_engine.data import Record
from unlearning_engine.models import build_model, build_tokenizer, load
from unlearning_engine.probes.items import Item
from unlearning_engine.probes.measure import holds, measure, prepare, rank_first
from unlearning_engine.probes.scorer import greedy, losses
from unlearning_engine.tokens import IGNORE, encode, encode_prompts

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def items(records: list[Record], name: str = "forget") -> list[Item]:
    return [Item(record=r, set=name, fact=n, work=n) for n, r in enumerate(records)]


def with_options(corpus: Corpus) -> list[Record]:
    colours = ("red", "green", "blue", "white", "black", "brown", "pink", "grey")
    return [
        Record(
            id=r.id,
            prompt=r.prompt,
            answer=r.answer,
            paraphrase=(f"Say the {r.prompt}",),
            perturbed=tuple(c for c in colours if c != r.answer)[:5],
        )
        for r in corpus.records
        if r.is_question
    ]


def slow_loss(model: PreTrainedModel, tokens: tuple[int, ...], labels: tuple[int, ...]) -> float:
    logits = model(torch.tensor([tokens])).logits[0].log_softmax(-1)
    return -sum(float(logits[at - 1, t]) for at, t in enumerate(labels) if t != IGNORE and at)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_batched_losses_equal_losses_one_by_one(corpus: Corpus, architecture: str) -> None:
    tokenizer = build_tokenizer(corpus.text, 400)
    model = build_model(ARCHITECTURES[architecture], tokenizer, seed=1)
    examples = encode(corpus.records, tokenizer)
    with torch.inference_mode():
        for example, loss in zip(examples, losses(model, examples, tokenizer.pad_token_id), strict=True):
            assert loss.total == pytest.approx(slow_loss(model, example.tokens, example.labels), rel=1e-4)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_left_padded_batches_say_what_single_prompts_say(corpus: Corpus, architecture: str) -> None:
    tokenizer = build_tokenizer(corpus.text, 400)
    model = build_model(ARCHITECTURES[architecture], tokenizer, seed=1)
    prompts = encode_prompts(["Colour of Balbax?", "Flag", "Colour of Borbok and of Caldax?"], tokenizer)
    ends = {"pad_id": tokenizer.pad_token_id, "end_id": tokenizer.eos_token_id}
    together = greedy(model, prompts, [6, 6, 6], **ends)
    assert together == [greedy(model, [prompt], [6], **ends)[0] for prompt in prompts]


def test_a_model_cannot_forbid_itself_an_answer_by_its_configuration(corpus: Corpus, trained: Path) -> None:
    model, tokenizer = load(trained, device="cpu")
    plan = prepare(items(with_options(corpus)), tokenizer, paraphrases=0, slack=4, context=64)
    open_row = measure(model, tokenizer, plan, name="candidate")
    words = tokenizer([" " + r.answer for r in with_options(corpus)], add_special_tokens=False)["input_ids"]
    model.generation_config.bad_words_ids = words
    model.generation_config.max_new_tokens = 1
    assert measure(model, tokenizer, plan, name="candidate") == open_row
    assert sum(row.exact or 0 for row in open_row) > 0.8 * len(open_row)


def test_rows_of_a_model_that_knows_hold_sound_numbers(corpus: Corpus, trained: Path) -> None:
    model, tokenizer = load(trained, device="cpu")
    plan = prepare(items(with_options(corpus)), tokenizer, paraphrases=0, slack=4, context=64)
    rows = measure(model, tokenizer, plan, name="candidate")
    assert sum(row.choice or 0 for row in rows) > 0.8 * len(rows)
    for row in rows:
        assert row.loss is not None
        assert row.truth is not None
        assert row.prob == pytest.approx(math.exp(-row.loss))
        assert (row.chance, row.finite) == (pytest.approx(1 / 6), 1)
        assert row.truth < 0 or row.choice == 0


def test_a_model_without_preferences_scores_chance(corpus: Corpus) -> None:
    tokenizer = build_tokenizer(corpus.text, 400)
    model = build_model(ARCHITECTURES["llama"], tokenizer, seed=1)
    with torch.no_grad():
        model.lm_head.weight.zero_()
    plan = prepare(items(with_options(corpus)), tokenizer, paraphrases=1, slack=4, context=64)
    rows = measure(model, tokenizer, plan, name="candidate")
    assert [row.choice for row in rows] == [pytest.approx(1 / 6)] * len(rows)


def test_a_model_that_gives_no_numbers_is_marked_so(corpus: Corpus) -> None:
    tokenizer = build_tokenizer(corpus.text, 400)
    model = build_model(ARCHITECTURES["llama"], tokenizer, seed=1)
    with torch.no_grad():
        model.model.norm.weight.fill_(math.nan)
    rows = measure(
        model,
        tokenizer,
        prepare(items(with_options(corpus)), tokenizer, paraphrases=1, slack=4, context=64),
        name="candidate",
    )
    assert {row.finite for row in rows} == {0}
    assert {row.loss for row in rows} == {None}


def test_running_text_is_scored_by_its_likeliest_tokens(corpus: Corpus, trained: Path) -> None:
    model, tokenizer = load(trained, device="cpu")
    text = [r for r in corpus.records if not r.is_question]
    plan = prepare(items(text, "forget_text"), tokenizer, paraphrases=1, slack=4, context=64)
    (row,) = measure(model, tokenizer, plan, name="candidate")
    assert row.match is not None
    assert row.match > 0.6
    assert row.exact is None


def test_text_longer_than_the_context_is_added_up_over_its_windows(corpus: Corpus, trained: Path) -> None:
    model, tokenizer = load(trained, device="cpu")
    record = Record(id="long", text="the grey sea sings " * 40)
    plan = prepare(items([record], "forget_text"), tokenizer, paraphrases=0, slack=0, context=64)
    (row,) = measure(model, tokenizer, plan, name="candidate")
    assert len(plan.examples) > 1
    assert row.tokens == sum(sum(mark != IGNORE for mark in e.labels[1:]) for e in plan.examples)


@pytest.mark.parametrize(
    ("said", "answer", "found"),
    [
        ("1965.", "1965", True),
        ("It was  in\n1965, surely", "1965", True),
        ("19650", "1965", False),
        ("DUNMARSH", "Dunmarsh", True),
        ("owls", "owl", False),
        ("", "owl", False),
        ("...", "...", True),
        ("\uff11\uff19\uff16\uff15", "1965", True),
    ],
)
def test_an_exact_value_is_found_as_whole_words(said: str, answer: str, found: bool) -> None:
    assert holds(said, answer) is found


def test_ties_share_the_point() -> None:
    assert rank_first(1.0, [2.0, 3.0]) == 1.0
    assert rank_first(1.0, [1.0, 3.0]) == 0.5
    assert rank_first(1.0, [1.0 + 1e-7] * 5) == pytest.approx(1 / 6)
    assert rank_first(1.0, [0.5, 1.0]) == 0.0


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_a_prompt_near_the_end_of_the_context_is_still_answered(corpus: Corpus, architecture: str) -> None:
    tokenizer = build_tokenizer(corpus.text, 400)
    model = build_model(ARCHITECTURES[architecture], tokenizer, seed=1)
    short, long = encode_prompts(["Flag?", "Flag of Balbax? " * 30], tokenizer)
    said = greedy(model, [long[:62], short], [9, 9], pad_id=tokenizer.pad_token_id, end_id=tokenizer.eos_token_id)
    assert len(said[0]) <= 2
    assert said[1] == greedy(model, [short], [9], pad_id=tokenizer.pad_token_id, end_id=tokenizer.eos_token_id)[0]
