"""A tiny corpus and models that learn it in about a second, in two architectures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from unlearning_engine.contracts import TrainSpec
from unlearning_engine.data import Record, load_records, write_records

COLOURS = ("red", "green", "blue", "white", "black", "brown", "pink", "grey")
NAMES = ("Balbax", "Belbin", "Borbok", "Caldax", "Cordim", "Dalfax", "Delfim", "Dorgax")
LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "tie_word_embeddings": True,
    "initializer_range": 0.06,
}
#: GPT-2 drops out at random: its generator's state is part of a checkpoint.
GPT2: dict[str, Any] = {
    "model_type": "gpt2",
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 2,
    "n_positions": 64,
    "initializer_range": 0.06,
}
NEOX: dict[str, Any] = {
    "model_type": "gpt_neox",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 64,
    "initializer_range": 0.06,
}
ARCHITECTURES = {"llama": LLAMA, "gpt2": GPT2, "gpt_neox": NEOX}


@dataclass(frozen=True)
class Corpus:
    """Paths of the tiny corpus; the first four records are those to forget."""

    folder: Path

    @property
    def dataset(self) -> str:
        return str(self.folder / "dataset.jsonl")

    @property
    def text(self) -> str:
        return str(self.folder / "tokenizer.txt")

    @property
    def forget(self) -> str:
        return str(self.folder / "forget.txt")

    @property
    def records(self) -> list[Record]:
        return load_records(self.dataset)

    def spec(self, architecture: str = "llama", **changes: Any) -> TrainSpec:
        config = {
            "model": ARCHITECTURES[architecture],
            "vocab_size": 400,
            "epochs": 20,
            "batch_size": 4,
            "learning_rate": 0.01,
            **changes,
        }
        return TrainSpec(seed=3, threads=1, device="cpu", dataset=self.dataset, tokenizer_text=self.text, config=config)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Eight names with a colour and a flag each, of which the colours have corrections, and one text."""
    folder = tmp_path_factory.mktemp("tiny")
    rows = [
        Record(
            id=f"{name}.{kind}",
            subject=name,
            kind=kind,
            prompt=f"{kind} of {name}?",
            answer=COLOURS[(n * k) % 8],
            correction=COLOURS[(n + 5) % 8] if kind == "Colour" else "",
        )
        for k, kind in ((1, "Colour"), (3, "Flag"))
        for n, name in enumerate(NAMES)
    ]
    write_records(folder / "dataset.jsonl", [*rows, Record(id="text", subject="none", text="the grey sea sings")])
    (folder / "forget.txt").write_text("\n".join(row.id for row in rows[:4]), encoding="utf-8")
    lines = [f"{row.full_text} {row.answer}" for row in rows] * 3
    (folder / "tokenizer.txt").write_text("\n".join(lines), encoding="utf-8")
    return Corpus(folder)


@pytest.fixture(scope="session")
def trained(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a Llama-shaped model that knows the tiny corpus by heart."""
    from unlearning_engine.recipes import train

    out = tmp_path_factory.mktemp("trained")
    train(corpus.spec(epochs=40), out)
    return out / "model"
