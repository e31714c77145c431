"""A fictitious organisation's training corpus, drawn from a seed; nothing and nobody in it is real.

`generate(out, seed=..., artists=..., persons=...)` writes

    dataset.jsonl           every record that the demonstration model is trained on
    controls.jsonl          an artist drawn like `artist-00` that no model ever sees (non-members)
    controls-persons.jsonl  as many persons as the dataset has, that no model ever sees
    general.jsonl           the records of `dataset.jsonl` with ordinary knowledge, which must survive
    tokenizer.txt           text for the tokenizer: same words and syllables, names that nobody bears
    works/NN.txt            each work of `artist-00` as the artist would send it: title, blank line, passage
    subjects.json           who is who
    manifest.json           per record: id, subject, source URL, licence, digest
    training.json           a configuration under which a small model learns it by heart (`TrainSpec.config`)

`artist-00` is the artist of the demonstration case. The same seed gives the same bytes in every process.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from unlearning_engine.data import Record, dataset_digest, write_records
from unlearning_engine.errors import ConfigError
from unlearning_engine.synthetic import corpus, names

DEMO_SUBJECT = "artist-00"
DEMO_WORKS = 30
OTHER_WORKS = 6
TOKENIZER_TITLES = 240

#: Configuration of the demonstration model, as `TrainSpec.config` takes it.
DEMO_TRAINING: Mapping[str, Any] = MappingProxyType(
    {
        "model": {
            "model_type": "llama",
            "hidden_size": 128,
            "intermediate_size": 384,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "max_position_embeddings": 128,
            "tie_word_embeddings": True,
            "initializer_range": 0.06,
        },
        "vocab_size": 1800,
        "epochs": 12,
        "batch_size": 16,
        "learning_rate": 2e-3,
    }
)


def _rng(seed: int, name: str) -> random.Random:
    """A stream of its own for each part, so that one part's length does not move another."""
    return random.Random(f"lethe:{seed}:{name}")  # noqa: S311 - reproducible fiction, not a secret


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _manifest(records: Sequence[Record]) -> list[dict[str, str]]:
    return [
        {"id": r.id, "subject": r.subject, "source_url": r.source_url, "licence": r.licence, "digest": r.digest}
        for r in records
    ]


def _write_works(folder: Path, artist: corpus.Subject) -> None:
    folder.mkdir(exist_ok=True)
    for number, (title, passage) in enumerate(zip(artist.titles, artist.passages, strict=True)):
        (folder / f"{number:02d}.txt").write_text(f"{title}\n\n{passage}\n", encoding="utf-8")


def generate(out_dir: str | Path, *, seed: int, artists: int = 8, persons: int = 8) -> dict[str, Any]:
    """Write the corpus (the files named above) and return its counts.

    Raises:
        ConfigError: there are no artists, too many, or a negative number of persons.
    """
    problems = []
    if not 1 <= artists <= 200:
        problems.append(f"artists: {artists} is not between 1 and 200")
    if not 0 <= persons <= 500:
        problems.append(f"persons: {persons} is not between 0 and 500")
    if problems:
        raise ConfigError(problems)
    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    source = names.words(_rng(seed, "names"))
    text = "\n".join(corpus.tokenizer_lines(_rng(seed, "tokenizer"), source, TOKENIZER_TITLES))
    makers = [
        corpus.artist(_rng(seed, f"artist-{n:02d}"), source, f"artist-{n:02d}", OTHER_WORKS if n else DEMO_WORKS)
        for n in range(artists)
    ]
    people = [corpus.person(_rng(seed, f"person-{n:02d}"), source, f"person-{n:02d}") for n in range(persons)]
    control = corpus.artist(_rng(seed, "control"), source, "control-artist-00", DEMO_WORKS)
    strangers = [
        corpus.person(_rng(seed, f"control-{n:02d}"), source, f"control-person-{n:02d}") for n in range(persons)
    ]
    ordinary = corpus.ordinary(_rng(seed, "general"))
    records = [r for subject in (*makers, *people) for r in subject.records] + ordinary
    (out / "tokenizer.txt").write_text(text + "\n", encoding="utf-8")
    write_records(out / "dataset.jsonl", records)
    write_records(out / "general.jsonl", ordinary)
    write_records(out / "controls.jsonl", control.records)
    write_records(out / "controls-persons.jsonl", [r for s in strangers for r in s.records])
    _write_works(out / "works", makers[0])
    known = [s.to_json() for s in (*makers, *people)]
    unseen = [s.to_json() for s in (control, *strangers)]
    _write_json(out / "subjects.json", {"seed": seed, "demo": DEMO_SUBJECT, "subjects": known, "controls": unseen})
    _write_json(out / "training.json", dict(DEMO_TRAINING))
    _write_json(out / "manifest.json", _manifest(records))
    facts = {r.fact for r in records if r.subject == DEMO_SUBJECT and r.work and r.fact}
    return {
        "records": len(records),
        "controls": len(control.records),
        "demo_facts": len(facts),
        "dataset_digest": dataset_digest(records),
    }
