"""Time and memory of one step beside the same loss in transformers' Trainer: 12 layers, 8M parameters, same batches.

Ratios of medians over interleaved rounds, each in a fresh process, after a first step that is not counted.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.bench

LAYERS, ROUNDS, STEPS, FORGET, RETAIN = 12, 5, 6, 16, 24
MODEL: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 224,
    "intermediate_size": 640,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 7,
    "num_key_value_heads": 7,
    "max_position_embeddings": 128,
    "tie_word_embeddings": True,
}


def build(folder: Path) -> tuple[Any, Any, list[Any], list[Any]]:
    """Model, tokenizer and examples of both sets."""
    import torch

    from unlearning_engine import models
    from unlearning_engine.data import load_records
    from unlearning_engine.synthetic import generate
    from unlearning_engine.tokens import encode

    torch.set_num_threads(1)
    if not (folder / "dataset.jsonl").is_file():
        generate(folder, seed=5)
    tokenizer = models.build_tokenizer(folder / "tokenizer.txt", 1800)
    model = models.build_model(MODEL, tokenizer, 1)
    rows = load_records(folder / "dataset.jsonl")
    forget = encode([r for r in rows if r.subject == "artist-00"], tokenizer, max_length=128)
    retain = encode([r for r in rows if r.subject != "artist-00"], tokenizer, max_length=128)
    return model, tokenizer, forget, retain


def ours(folder: Path, method: str, steps: int) -> float:
    """Seconds of `steps` steps of the engine's loop."""
    from unlearning_engine import adapters, losses
    from unlearning_engine.methods import METHODS, base, rmu
    from unlearning_engine.training import forward, run

    model, tokenizer, forget, retain = build(folder)
    config = METHODS[method].Config(steps=steps, learning_rate=1e-4, checkpoint_every=0)
    pairs = base.Pairs(forget, retain, int(tokenizer.pad_token_id), config, 1)
    if method == "rmu":
        layer = LAYERS // 2
        objective: Any = rmu.RMU(model, layer, pairs, config, 1)
        model.requires_grad_(False)
        for block in adapters.blocks(model)[layer - 3 : layer]:
            for matrix in rmu.trained(block, []):
                matrix.weight.requires_grad_(True)
    else:
        away = lambda now, batch, _: losses.bounded_ascent(*forward(now, batch, pairs.pad_id), config.bound)  # noqa: E731
        objective = base.PairObjective(model, pairs, config, away)
    started = time.process_time()
    run(model, objective, config, seed=1)
    return time.process_time() - started


def trainers(folder: Path, steps: int) -> float:
    """Seconds of `steps` steps of the same loss in transformers' Trainer, as open-unlearning writes it."""
    import torch
    from torch.utils.data import Dataset
    from transformers import Trainer, TrainingArguments

    from unlearning_engine.methods import base
    from unlearning_engine.methods.graddiff import Config
    from unlearning_engine.tokens import collate

    model, tokenizer, forget, retain = build(folder)
    pad = int(tokenizer.pad_token_id)
    pairs = base.Pairs(forget, retain, pad, Config(steps=steps), 1)
    batches = [{"forget": collate(a, pad), "retain": collate(b, pad)} for a, b in map(pairs.batch, range(steps))]

    class Steps(Dataset):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return steps

        def __getitem__(self, number: int) -> dict[str, Any]:
            return batches[number]

    class Difference(Trainer):
        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any) -> Any:
            away = -model(**inputs["forget"]).loss.clamp(max=3.0)
            return 0.3 * away + model(**inputs["retain"]).loss

        def get_train_dataloader(self) -> Iterator[Any]:
            return torch.utils.data.DataLoader(Steps(), batch_size=None)  # type: ignore[return-value]

    arguments = TrainingArguments(
        output_dir=str(folder / "trainer"),
        max_steps=steps,
        learning_rate=1e-4,
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        logging_steps=10**9,
        remove_unused_columns=False,
    )
    started = time.process_time()
    Difference(model=model, args=arguments).train()
    return time.process_time() - started


def alone(folder: Path, what: str) -> dict[str, float]:
    """One run in a process of its own: CPU seconds a step and MiB of memory that the steps added."""
    code = (
        "import json,resource,sys; from pathlib import Path; from tests.bench import test_method_steps as t;"
        "f=Path(sys.argv[1]); w=sys.argv[2]; t.build(f);"
        "go=(lambda n: t.trainers(f,n)) if w=='trainer' else (lambda n: t.ours(f,w,n)); go(1);"
        "before=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; s=go(t.STEPS);"
        "print(json.dumps({'step': s/t.STEPS, 'peak': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024}))"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), what], capture_output=True, text=True, check=True, env=environment
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_step_costs_no_more_than_the_trainers(tmp_path: Path) -> None:
    table: dict[str, list[dict[str, float]]] = {name: [] for name in ("trainer", "graddiff", "rmu")}
    for _ in range(ROUNDS):
        for name, found in table.items():
            found.append(alone(tmp_path, name))
    step = {name: statistics.median(r["step"] for r in found) for name, found in table.items()}
    peak = {name: statistics.median(r["peak"] for r in found) for name, found in table.items()}
    for name in table:
        print(  # noqa: T201 - a table is what the bench is for
            f"{name:10s} {step[name]:.3f} CPU s a step ({step[name] / step['trainer']:.2f} of the Trainer's), "
            f"peak {peak[name]:.0f} MiB"
        )
    print(f"rmu / graddiff: {step['rmu'] / step['graddiff']:.2f}")  # noqa: T201
    assert step["graddiff"] <= step["trainer"] and peak["graddiff"] <= peak["trainer"]
    assert step["rmu"] <= 0.6 * step["graddiff"]
