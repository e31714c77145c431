"""Throughput of the token-level probes on the demonstration's model, against scoring item by item, in one run.

`python -m pytest tests/bench/test_probe_throughput.py -s` prints CPU milliseconds an answer and the ratios. Item by
item is what open-unlearning's metrics do with a batch of one, whole logits at every position; they make a pass for
each metric, here one pass serves all of them, which is kinder to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from unlearning_engine.data import load_records
from unlearning_engine.models import build_model, build_tokenizer
from unlearning_engine.probes.formats import Format
from unlearning_engine.probes.gather import gather, prepare
from unlearning_engine.probes.scorer import losses
from unlearning_engine.probes.tokenwise import score_tokens
from unlearning_engine.synthetic import DEMO_TRAINING, generate
from unlearning_engine.tokens import IGNORE

pytestmark = pytest.mark.bench
ITEMS = 500


def cpu(work: Callable[[], Any]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def one_by_one(model: Any, examples: Any) -> None:
    with torch.inference_mode():
        for example in examples:
            labels = torch.tensor([example.labels])
            logits = model(torch.tensor([example.tokens]), use_cache=False).logits
            log_p = logits[:, :-1].log_softmax(-1)
            kept = labels[:, 1:] != IGNORE
            chosen = log_p.gather(2, labels[:, 1:].clamp(min=0)[..., None])[..., 0][kept]
            p = log_p[kept].exp()
            mean = (p * log_p[kept]).sum(-1)
            ((chosen - mean) / (p * (log_p[kept] - mean[:, None]) ** 2).sum(-1).sqrt()).tolist()
            (log_p.argmax(-1) == labels[:, 1:])[kept].tolist()


def test_throughput_of_token_level_probes(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    generate(tmp_path, seed=5)
    records = [r for r in load_records(tmp_path / "dataset.jsonl") if r.is_question and r.perturbed][:ITEMS]
    tokenizer = build_tokenizer(tmp_path / "tokenizer.txt", int(DEMO_TRAINING["vocab_size"]))
    model = build_model(DEMO_TRAINING["model"], tokenizer, seed=1)
    pad = tokenizer.pad_token_id
    plan = prepare(records, tokenizer, Format(), context=128)
    score_tokens(model, plan.examples[:50], pad)
    rows, n = {}, len(plan.examples)
    rows["item by item, all logits"] = cpu(lambda: one_by_one(model, plan.examples))
    rows["sorted batches, tail of the head (verify's scorer)"] = cpu(lambda: losses(model, plan.examples, pad))
    rows["sorted batches, head on answer tokens"] = cpu(lambda: score_tokens(model, plan.examples, pad, spread=True))
    rows["answers packed behind their prompt"] = cpu(
        lambda: score_tokens(model, plan.examples, pad, groups=plan.groups, spread=True)
    )
    everything = cpu(lambda: gather(model, tokenizer, prepare(records, tokenizer, Format(), context=128)))
    base = rows["item by item, all logits"]
    size = sum(p.numel() for p in model.parameters())
    print(f"\n{size} parameters, {len(records)} items, {n} answers")  # noqa: T201 - the bench's output
    for name, seconds in rows.items():
        print(f"{name:55s} {1000 * seconds / n:6.2f} ms an answer {base / seconds:5.1f} x")  # noqa: T201
    print(f"all of it with tokenising and greedy answers: {everything:.1f} CPU s")  # noqa: T201
    assert base / rows["answers packed behind their prompt"] >= 3
