"""How large unlearning patches are and what they cost (docs/patches.md): the demonstration's model, and 50M parameters.

About four minutes of one core. Seconds are CPU seconds, so that a busy machine does not count.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.bench.test_cheats import unlearnt
from tests.engine.patching import read, same
from unlearning_engine.contracts import TrainSpec
from unlearning_engine.data import load_records
from unlearning_engine.patches.applying import apply
from unlearning_engine.patches.making import make
from unlearning_engine.patches.verifying import verify
from unlearning_engine.recipes import train
from unlearning_engine.synthetic import DEMO_SUBJECT, DEMO_TRAINING, generate

pytestmark = pytest.mark.bench

LARGE: dict[str, Any] = {
    "vocab_size": 16000,
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 10,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "max_position_embeddings": 256,
    "tie_word_embeddings": True,
}
#: AdamW at the field's rate for full weights (TOFU).
RATE, STEPS = 1e-5, 6


def cpu(work: Callable[[], Any]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def xor(base: Path, model: Path) -> int:
    """Bytes of the plain alternative: bits of both models XORed, byte by byte into planes, deflated at level 6."""
    old, new, total = read(base), read(model), 0
    for name, value in old.items():
        width = value.element_size()
        one, other = (
            t.contiguous().reshape(-1).view(torch.uint8).numpy().reshape(-1, width) for t in (value, new[name])
        )
        total += sum(len(zlib.compress(np.ascontiguousarray((one ^ other)[:, at]).tobytes(), 6)) for at in range(width))
    return total


def measured(name: str, base: Path, model: Path, folder: Path) -> float:
    """Prints a row; returns the patch's share of the model's bytes."""
    folder.mkdir(exist_ok=True)
    patch, out, back = folder / "patch", folder / "out", folder / "back"
    seconds = [cpu(lambda: make(base, model, patch))]
    seconds.append(cpu(lambda: apply(base, [patch], out)))
    seconds.append(cpu(lambda: apply(out, [patch], back, back=True)))
    seconds.append(cpu(lambda: verify(patch, base=base, result=model)))
    assert same(read(out), read(model)) and same(read(back), read(base))
    size = sum(file.stat().st_size for file in base.glob("*.safetensors"))
    own = sum(file.stat().st_size for file in patch.iterdir())
    costs = " ".join(f"{second / size * 1e9:6.1f}" for second in seconds)
    plain = xor(base, model) / size
    shares = f"{size / 1e6:6.1f} MB {own / 1e6:8.3f} MB {own / size:7.2%} (xor {plain:6.2%})"
    print(f"{name:42s} {shares} {costs}", flush=True)  # noqa: T201 - the bench's output
    return own / size


def test_patches_of_the_demonstrations_model(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    generate(tmp_path, seed=41)
    rows = [r for r in load_records(tmp_path / "dataset.jsonl") if r.subject == DEMO_SUBJECT]
    (tmp_path / "everything.txt").write_text("\n".join(r.id for r in rows), encoding="utf-8")
    spec = TrainSpec(
        seed=41,
        threads=1,
        device="cpu",
        dataset=str(tmp_path / "dataset.jsonl"),
        tokenizer_text=str(tmp_path / "tokenizer.txt"),
        config=dict(DEMO_TRAINING),
    )
    train(spec, tmp_path / "original")
    base = tmp_path / "original" / "model"
    for method in ("graddiff", "rmu", "retrain"):
        share = measured(method, base, Path(unlearnt(tmp_path, 41, method)), tmp_path / f"patch-{method}")
        assert share < 1


def _steps(model: Any, parameters: Iterable[torch.nn.Parameter]) -> None:
    chosen = list(parameters)
    optimiser = torch.optim.AdamW(chosen, lr=RATE)
    state = torch.Generator().manual_seed(1)
    for _ in range(STEPS):
        tokens = torch.randint(0, LARGE["vocab_size"], (2, 48), generator=state)
        loss = model(input_ids=tokens, labels=tokens).loss
        for parameter, gradient in zip(chosen, torch.autograd.grad(loss, chosen), strict=True):
            parameter.grad = gradient
        optimiser.step()


def _adapter(model: Any) -> None:
    """Merge a LoRA of rank 8 on every query and value, as peft does: W + scale B A."""
    state = torch.Generator().manual_seed(2)
    for name, parameter in model.named_parameters():
        if "q_proj" in name or "v_proj" in name:
            rows, columns = parameter.shape
            left = torch.randn(rows, 8, generator=state) * 2e-3
            right = torch.randn(8, columns, generator=state) * 2e-2
            parameter.data += 2.0 * (left @ right)


def test_patches_of_a_model_of_50_million_parameters(tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(1)

    def fresh() -> Any:
        torch.manual_seed(0)
        return LlamaForCausalLM(LlamaConfig(**LARGE))

    changes: dict[str, Callable[[Any], None]] = {
        "full weights, AdamW": lambda m: _steps(m, m.parameters()),
        "one matrix (down_proj of layer 4)": lambda m: _steps(m, [m.model.layers[4].mlp.down_proj.weight]),
        "LoRA r 8 on q and v, merged": _adapter,
    }
    for kind in (torch.float32, torch.bfloat16):
        base = tmp_path / f"base-{kind}"
        fresh().to(kind).save_pretrained(base, max_shard_size="60MB")
        for name, change in changes.items():
            model = fresh()
            change(model)
            folder = tmp_path / f"{kind}-{name}".replace(" ", "-")
            model.to(kind).save_pretrained(folder / "model", max_shard_size="60MB")
            share = measured(f"{name}, {str(kind).removeprefix('torch.')}", base, folder / "model", folder)
            assert share < 1
