"""Labels cover the answer alone, batches are padded, and no record's place depends on another record."""

from __future__ import annotations

import pytest

from tests.engine.conftest import Corpus
from unlearning_engine import models
from unlearning_engine.data import Record
from unlearning_engine.errors import DataError
from unlearning_engine.tokens import IGNORE, Example, batches, collate, encode, encode_prompts, order_key


@pytest.fixture(scope="module")
def tokenizer(corpus: Corpus):  # type: ignore[no-untyped-def]
    return models.build_tokenizer(corpus.text, 400)


QUESTION = Record(id="q", prompt="Colour of Balbax?", answer="red")


def shown(tokenizer, example: Example) -> str:  # type: ignore[no-untyped-def]
    return str(tokenizer.decode([t for t in example.labels if t != IGNORE]))


def test_labels_are_the_answer_and_the_end(tokenizer) -> None:  # type: ignore[no-untyped-def]
    (example,) = encode([QUESTION], tokenizer)
    assert shown(tokenizer, example) == " red</s>"
    assert tokenizer.decode(example.tokens) == "<s>Colour of Balbax? red</s>"


def test_texts_and_full_sequences_count_whole(tokenizer) -> None:  # type: ignore[no-untyped-def]
    (text,) = encode([Record(id="t", text="Colour of é")], tokenizer)
    (whole,) = encode([QUESTION], tokenizer, full_sequence=True)
    assert shown(tokenizer, text) == "Colour of é</s>"
    assert shown(tokenizer, whole) == "Colour of Balbax? red</s>"


def test_a_prompt_alone_is_the_beginning_of_prompt_and_answer(tokenizer) -> None:  # type: ignore[no-untyped-def]
    (prompt,) = encode_prompts([QUESTION.prompt], tokenizer)
    (example,) = encode([QUESTION], tokenizer)
    assert list(example.tokens[: len(prompt)]) == prompt
    assert example.labels[len(prompt)] != IGNORE and example.labels[len(prompt) - 1] == IGNORE


def test_long_texts_are_cut_into_windows_and_long_questions_refused(tokenizer) -> None:  # type: ignore[no-untyped-def]
    text = Record(id="t", text="Colour of Balbax " * 5)
    parts = encode([text], tokenizer, max_length=6)
    (whole,) = encode([text], tokenizer)
    assert [p.part for p in parts] == list(range(len(parts))) and len(parts) > 1
    assert tuple(t for p in parts for t in p.tokens) == whole.tokens
    with pytest.raises(DataError, match="'q'.*do not fit in 4"):
        encode([QUESTION], tokenizer, max_length=4)


def test_padding_counts_in_no_loss() -> None:
    rows = [
        Example(record_id="a", tokens=(1, 2, 3), labels=(IGNORE, 2, 3)),
        Example(record_id="b", tokens=(4,), labels=(4,)),
    ]
    right = collate(rows, 0)
    assert right["input_ids"].tolist() == [[1, 2, 3], [4, 0, 0]]
    assert right["labels"].tolist() == [[IGNORE, 2, 3], [4, IGNORE, IGNORE]]
    assert right["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert collate(rows, 0, side="left")["input_ids"].tolist() == [[1, 2, 3], [0, 0, 4]]


def examples(count: int) -> list[Example]:
    return [Example(record_id=f"r{n}", tokens=(1,) * (1 + n % 7), labels=(1,) * (1 + n % 7)) for n in range(count)]


def test_every_record_comes_once_an_epoch_in_an_order_of_seed_and_epoch_only() -> None:
    rows = examples(50)
    one = batches(rows, 8, seed=1, epoch=0)
    assert one == batches(rows[::-1], 8, seed=1, epoch=0)
    assert sorted(e.record_id for b in one for e in b) == sorted(e.record_id for e in rows)
    assert one != batches(rows, 8, seed=1, epoch=1) and one != batches(rows, 8, seed=2, epoch=0)
    assert len(one) == 7 and all(len(b) <= 8 for b in one)


def test_removing_a_record_moves_no_other() -> None:
    rows = examples(40)
    names = [e.record_id for e in rows]
    for epoch in range(3):
        order = sorted(names, key=lambda name: order_key(5, epoch, name))
        fewer = sorted((n for n in names if n != "r7"), key=lambda name: order_key(5, epoch, name))
        assert [n for n in order if n != "r7"] == fewer
    with_it = batches(rows, 1, seed=5, epoch=0, window=1)
    without = batches([e for e in rows if e.record_id != "r7"], 1, seed=5, epoch=0, window=1)
    assert [b for b in with_it if b[0].record_id != "r7"] == without
