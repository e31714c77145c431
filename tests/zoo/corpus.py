"""A micro corpus that a small model learns by heart in seconds: a few artists of equal size, and ordinary knowledge.

Each artist is one forget set; the others are then its neighbours. Works, facts, phrasings and wrong answers come from
`unlearning_engine.synthetic`; lives and verses are left out, so the probe of running text is not measured here.
"""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlearning_engine.data import Record, write_records
from unlearning_engine.synthetic import corpus, names

#: Forget sets of one corpus, and works of each: six facts a work.
ARTISTS, WORKS = 3, 30
TITLES = 60

#: What a model of the zoo is; as `TrainSpec.config`.
TRAINING: dict[str, Any] = {
    "model": {
        "model_type": "llama",
        "hidden_size": 64,
        "intermediate_size": 192,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "max_position_embeddings": 128,
        "tie_word_embeddings": True,
        "initializer_range": 0.15,
    },
    "vocab_size": 1800,
    "epochs": 16,
    "batch_size": 32,
    "learning_rate": 5e-3,
    "checkpoint_every": 0,
}

#: The same as an ensemble: two shards of two slices each, subjects kept together. A shard sees half of the rows.
SHARDED: dict[str, Any] = {**TRAINING, "epochs": 24, "shards": 2, "slices": 2, "group": "subject"}


@dataclass(frozen=True)
class Files:
    """Where a corpus lies."""

    folder: Path

    @property
    def dataset(self) -> str:
        return str(self.folder / "dataset.jsonl")

    @property
    def controls(self) -> str:
        return str(self.folder / "controls.jsonl")

    @property
    def text(self) -> str:
        return str(self.folder / "tokenizer.txt")

    def forget_ids(self, artist: int) -> str:
        return str(self.folder / f"forget-{artist}.txt")


def _works(rng: random.Random, source: Any, key: str, works: int) -> list[Record]:
    """The questions about an artist's works."""
    return [r for r in corpus.artist(rng, source, key, works).records if r.work and r.is_question]


def write(folder: Path, seed: int, *, artists: int = ARTISTS, works: int = WORKS, scattered: bool = False) -> Files:
    """Write the corpus of one seed; the same seed gives the same bytes.

    Scattered, ordinary knowledge is nobody's: row by row it falls into all shards, and no deletion empties one.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def stream(name: str) -> random.Random:
        return random.Random(f"zoo:{seed}:{name}")  # noqa: S311 - reproducible fiction, not a secret

    files = Files(folder)
    source = names.words(stream("names"))
    lines = corpus.tokenizer_lines(stream("tokenizer"), source, TITLES)
    Path(files.text).write_text("\n".join(lines) + "\n", encoding="utf-8")
    subjects = [_works(stream(f"artist {n}"), source, f"artist-{n}", works) for n in range(artists)]
    control = _works(stream("control"), source, "control", works)
    ordinary = corpus.ordinary(stream("general"))
    if scattered:
        ordinary = [dataclasses.replace(r, subject="") for r in ordinary]
    write_records(files.dataset, [*(r for rows in subjects for r in rows), *ordinary])
    write_records(files.controls, control)
    for number, rows in enumerate(subjects):
        Path(files.forget_ids(number)).write_text("\n".join(r.id for r in rows) + "\n", encoding="utf-8")
    return files
