"""Relabelling: other answers are taught where the forgotten one is driven away, and the end token is no part of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from tests.engine.conftest import Corpus
from tests.engine.test_methods import loss, parts, spec
from unlearning_engine import losses, models
from unlearning_engine.data import Record
from unlearning_engine.errors import DataError
from unlearning_engine.methods import METHODS, unlearn
from unlearning_engine.methods.alternates import alternates
from unlearning_engine.methods.base import Job
from unlearning_engine.methods.relabel import without_end
from unlearning_engine.tokens import IGNORE, Example, encode
from unlearning_engine.training import forward


def question(name: str, answer: str, kind: str = "") -> Record:
    return Record(id=name, prompt=f"What of {name}?", answer=answer, kind=kind)


# ---------------------------------------------------------------- other answers


def test_other_answers_are_of_the_kind_and_never_the_forgotten_one() -> None:
    retain = [question(f"r{n}", answer, "town") for n, answer in enumerate(("Oak", "Elm", "Ash", "Yew"))]
    retain.append(question("r9", "1979", "year"))
    for seed in range(20):
        (drawn,) = alternates([question("f", "Oak", "town")], retain, 2, seed, "relabel")
        assert [r.id for r in drawn] == ["f~0", "f~1"] and {r.prompt for r in drawn} == {"What of f?"}
        assert {r.answer for r in drawn} < {"Elm", "Ash", "Yew"} and drawn[0].answer != drawn[1].answer
    assert alternates([question("f", "Oak")], retain, 2, 1, "x") == alternates(
        [question("f", "Oak")], retain, 2, 1, "x"
    )


def test_a_kind_with_too_few_answers_takes_them_from_any_kind() -> None:
    retain = [question("r0", "Oak", "town"), question("r1", "1979", "year"), question("r2", "1980", "year")]
    (drawn,) = alternates([question("f", "Elm", "town")], retain, 2, 1, "relabel")
    assert {r.answer for r in drawn} <= {"Oak", "1979", "1980"} and len(drawn) == 2


def test_a_question_without_any_other_answer_is_refused() -> None:
    with pytest.raises(DataError, match="relabel: f: nothing retained has another answer"):
        alternates([question("f", "Oak")], [question("r", "Oak")], 2, 1, "relabel")


# ---------------------------------------------------------------- the end token


def test_only_the_end_of_an_answer_is_left_out() -> None:
    def left(*labels: int) -> tuple[int, ...]:
        return without_end(Example(record_id="a", tokens=labels, labels=labels), 2).labels

    assert left(IGNORE, 7, 8, 2) == (IGNORE, 7, 8, IGNORE)
    assert left(IGNORE, 7, 2, 8) == (IGNORE, 7, 2, 8), "a window's last token is no end"
    assert left(IGNORE, IGNORE, 2) == (IGNORE, IGNORE, 2), "nothing else would count"


# ---------------------------------------------------------------- the loss and the run


def test_the_loss_is_worked_out_by_hand(corpus: Corpus, trained: Path) -> None:
    forget, retain = parts(corpus)
    job = Job(model=trained, forget=forget, retain=retain, seed=5, device=torch.device("cpu"))
    weights = {"forget_weight": 0.5, "other_weight": 0.25, "bound": 2.0}
    config = METHODS["relabel"].Config(batch_size=4, retain_batch_size=len(retain), **weights)
    made = METHODS["relabel"].prepare(job, config)
    pad, end = int(made.tokenizer.pad_token_id), made.tokenizer.eos_token_id
    with torch.no_grad():
        step = made.objective.step(made.model, 1)
        own = [without_end(e, end) for e in encode(forget, made.tokenizer)]
        others = alternates(forget, retain, 2, 5, "relabel")
        taught = encode([rows[1] for rows in others], made.tokenizer)
        driven = -losses.sequence_losses(*forward(made.model, own, pad)).clamp(max=2.0).mean()
        learnt = losses.sequence_losses(*forward(made.model, taught, pad)).mean()
        kept = losses.cross_entropy(*forward(made.model, encode(retain, made.tokenizer), pad))
    assert float(step.loss) == pytest.approx(float(0.5 * (driven + 0.25 * learnt) + kept), abs=1e-5)


def test_the_other_answers_become_likelier_and_the_forgotten_one_goes(
    corpus: Corpus, trained: Path, tmp_path: Path
) -> None:
    forget, retain = parts(corpus)
    others = [r for rows in alternates(forget, retain, 2, 5, "relabel") for r in rows]
    unlearn(spec(corpus, trained, "relabel"), tmp_path)
    assert loss(tmp_path / "model", forget) > 1.5 * loss(tmp_path / "model", others)
    assert loss(tmp_path / "model", others) < loss(trained, others)


def test_running_text_is_driven_away_without_another_in_its_place(
    corpus: Corpus, trained: Path, tmp_path: Path
) -> None:
    forget, retain = parts(corpus)
    texts = [dataclasses.replace(r, text=r.full_text, prompt="", answer="") for r in forget]
    job = Job(model=trained, forget=texts, retain=retain, seed=5, device=torch.device("cpu"))
    config = METHODS["relabel"].Config(batch_size=4)
    made = METHODS["relabel"].prepare(job, config)
    found = made.objective.step(made.model, 0).numbers["forget_loss"]
    pad, end = int(made.tokenizer.pad_token_id), made.tokenizer.eos_token_id
    own = [without_end(e, end) for e in encode(texts, made.tokenizer, max_length=models.context_length(made.model))]
    with torch.no_grad():
        assert found == pytest.approx(float(losses.bounded_ascent(*forward(made.model, own, pad), config.bound)))
