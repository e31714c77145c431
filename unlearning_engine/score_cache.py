"""Scores that were measured before, by digest: a second candidate does not measure original and reference again.

What one model scored depends on its weights and tokenizer, on the original's (an attack may use it), on the items, the
seed, the measuring part of the policy, the engine's code, the libraries and the device. All of it makes the name of the
file, so that a changed byte finds nothing. Each model is stored as soon as it is measured, which also lets a run that
was killed go on. Margins and levels are no part of it: they change verdicts, not scores.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from unlearning_engine.contracts import SCORE_CACHE, canonical, digest
from unlearning_engine.errors import DataError
from unlearning_engine.policy import Policy
from unlearning_engine.probes.items import Item
from unlearning_engine.probes.table import Row, ScoreTable, read_scores, write_scores

#: Fields of a policy that decide what is measured and how.
_MEASURING = ("paraphrases", "answer_slack", "relearning")
_CODE = (
    "attacks/*.py",
    "data.py",
    "losses.py",
    "models.py",
    "probes/*.py",
    "sisa/modeling.py",
    "tokens.py",
    "training.py",
    "verification.py",
)


@cache
def code_digest() -> str:
    """`sha256:<hex>` over the modules that decide a score."""
    root = Path(__file__).parent
    state = hashlib.sha256()
    for path in sorted(path for pattern in _CODE for path in root.glob(pattern)):
        state.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    return "sha256:" + state.hexdigest()


def key(
    name: str,
    models: Mapping[str, Mapping[str, str]],
    items: Sequence[Item],
    policy: Policy,
    attacks: Sequence[str],
    **settings: Any,
) -> str:
    """Name of what one model scores.

    Args:
        name: the model's part, candidate, original or reference.
        models: identities of all models, as a table's header holds them.
        attacks: those of the policy that are carried out on these models.
        settings: seed, device, threads and versions.
    """
    rows = [dataclasses.asdict(item) for item in items]
    return digest(
        {
            "name": name,
            "model": models[name],
            "original": models["original"],
            "with_reference": "reference" in models,
            "items": hashlib.sha256(canonical(rows)).hexdigest(),
            "policy": {field: policy.to_json()[field] for field in _MEASURING},
            "attacks": list(attacks),
            "code": code_digest(),
            **settings,
        }
    )


@dataclass(frozen=True)
class ScoreCache:
    """A folder of tables of scores, one a model, named by `key`."""

    folder: Path

    @classmethod
    def from_environment(cls) -> ScoreCache | None:
        """The cache that the environment names, if it names one."""
        folder = os.environ.get(SCORE_CACHE, "")
        return cls(Path(folder)) if folder else None

    def _path(self, name: str) -> Path:
        return self.folder / f"{name.removeprefix('sha256:')}.jsonl"

    def get(self, name: str) -> ScoreTable | None:
        """Rows, and under `attacks` of the header what was done; None where nothing was kept.

        Raises:
            DataError: the file is damaged, or is not what its name says.
        """
        path = self._path(name)
        if not path.is_file():
            return None
        table = read_scores(path)
        if table.header.get("key") != name:
            raise DataError(f"{path}: is not what its name says; delete it")
        return table

    def put(self, name: str, rows: Sequence[Row], attacks: Sequence[Mapping[str, Any]]) -> None:
        """Keep what one model scored, in one piece."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_scores(self._path(name), {"key": name, "attacks": list(attacks)}, rows)
