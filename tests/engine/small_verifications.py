"""A verification of tiny models on a handful of items: it runs whole in seconds, and its verdict proves nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.engine.conftest import COLOURS, LLAMA
from unlearning_engine.contracts import VerifySpec
from unlearning_engine.data import Record, write_records
from unlearning_engine.models import build_model, build_tokenizer
from unlearning_engine.progress import silent
from unlearning_engine.recipes import save_model
from unlearning_engine.verification import VERIFICATION, verify

#: The cheap part of every kind of pass: plain, relearning, a change of weights, prompts, steering.
POLICY = {
    "resamples": 200,
    "paraphrases": 1,
    "attacks": ["relearning", "pruning", "prompts", "few_shot", "steering"],
    "relearning": {"rounds": 1, "epochs": 1},
}
CHAT = (
    "{% for m in messages %}<user>{{ m['content'] }}</user>{% endfor %}{% if add_generation_prompt %}<bot>{% endif %}"
)


@dataclass(frozen=True)
class Small:
    """Files of items and three untrained models."""

    folder: Path

    def spec(self, **changes: Any) -> VerifySpec:
        files = {name: str(self.folder / f"{name}.jsonl") for name in ("forget", "retain", "general", "controls")}
        models = {name: str(self.folder / name) for name in ("candidate", "original", "reference")}
        spec = VerifySpec(seed=1, threads=1, device="cpu", policy=POLICY, **files, **models)
        return replace(spec, **changes)

    def verify(self, out: str, **changes: Any) -> dict[str, Any]:
        """Run it; returns `verification.json`."""
        verify(self.spec(**changes), self.folder / out, silent)
        found: dict[str, Any] = json.loads((self.folder / out / VERIFICATION).read_text(encoding="utf-8"))
        return found


def _rows(name: str, works: int) -> list[Record]:
    return [
        Record(
            id=f"{name}.{n}.{k}",
            subject=name,
            work=f"{name} {n}",
            kind=kind,
            prompt=f"{kind} of {name} {n}?",
            paraphrase=(f"Which {kind} has {name} {n}?",),
            answer=COLOURS[(n + k) % 8],
            perturbed=(COLOURS[(n + k + 1) % 8], COLOURS[(n + k + 3) % 8]),
        )
        for n in range(works)
        for k, kind in enumerate(("Colour", "Flag"))
    ]


def small(folder: Path, *, chat: bool = False, models: bool = True) -> Small:
    """Write items and models into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    sets = {"forget": 6, "controls": 5, "retain": 6, "general": 3}
    rows = {name: _rows(name, works) for name, works in sets.items()}
    for name, records in rows.items():
        write_records(folder / f"{name}.jsonl", records)
    lines = [r.full_text for records in rows.values() for r in records]
    (folder / "tokenizer.txt").write_text("\n".join(lines), encoding="utf-8")
    tokenizer = build_tokenizer(folder / "tokenizer.txt", 400)
    if chat:
        tokenizer.chat_template = CHAT
    for seed, name in enumerate(("candidate", "original", "reference") if models else ()):
        config = {**LLAMA, "max_position_embeddings": 128}
        save_model(folder / f"{name}.job", build_model(config, tokenizer, seed), tokenizer, {"seed": seed}).rename(
            folder / name
        )
    return Small(folder)
