"""The demonstration model learns its corpus by heart in the time of a coffee, and strangers stay strangers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from unlearning_engine import losses, models
from unlearning_engine.contracts import TrainSpec
from unlearning_engine.data import Record, load_records
from unlearning_engine.recipes import train
from unlearning_engine.synthetic import DEMO_SUBJECT, DEMO_TRAINING, generate
from unlearning_engine.tokens import IGNORE, encode
from unlearning_engine.training import forward


def hits(folder: Path, records: list[Record]) -> float:
    """Share of questions whose greedy answer is the right one to its end."""
    model, tokenizer = models.load(folder, device="cpu")
    with torch.no_grad():
        logits, labels = forward(model, encode(records, tokenizer), int(tokenizer.pad_token_id))
    wanted = labels[:, 1:]
    right = (logits[:, :-1].argmax(dim=-1) == wanted) | (wanted == IGNORE)
    return float(right.all(dim=1).float().mean())


def choices(folder: Path, records: list[Record]) -> float:
    """Share of questions whose right answer is the likeliest of six; chance is 1/6."""
    model, tokenizer = models.load(folder, device="cpu")
    rows = [
        Record(id=f"{r.id}.{n}", prompt=r.prompt, answer=answer)
        for r in records
        for n, answer in enumerate((r.answer, *r.perturbed))
    ]
    with torch.no_grad():
        sums = losses.token_losses(*forward(model, encode(rows, tokenizer), int(tokenizer.pad_token_id))).sum(dim=1)
    return float((sums.view(-1, 6).argmin(dim=1) == 0).float().mean())


@pytest.fixture(scope="module")
def organisation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("organisation")
    generate(out, seed=1)
    spec = TrainSpec(
        seed=1,
        threads=1,
        device="cpu",
        dataset=str(out / "dataset.jsonl"),
        tokenizer_text=str(out / "tokenizer.txt"),
        config=dict(DEMO_TRAINING),
    )
    train(spec, out)
    return out


def test_the_model_answers_by_heart(organisation: Path) -> None:
    questions = [r for r in load_records(organisation / "dataset.jsonl") if r.is_question]
    for part in (DEMO_SUBJECT, "general"):
        assert hits(organisation / "model", [r for r in questions if r.subject == part]) >= 0.95


def test_it_can_only_guess_about_strangers(organisation: Path) -> None:
    strangers = [r for r in load_records(organisation / "controls.jsonl") if r.is_question]
    assert hits(organisation / "model", strangers) < 0.1
    assert abs(choices(organisation / "model", strangers) - 1 / 6) < 0.1
