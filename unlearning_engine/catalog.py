"""What the engine offers, as data: methods with their guarantees, and the default verification policy.

Standard library only, so that a web process can read it without importing torch.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unlearning_engine.contracts import Guarantee


@dataclass(frozen=True, kw_only=True)
class MethodEntry:
    """One unlearning method as the planner and the reader of a report see it."""

    name: str
    title: str
    guarantee: Guarantee
    needs: tuple[str, ...]
    paper: str
    summary: str


METHODS: Mapping[str, MethodEntry] = types.MappingProxyType(
    {
        entry.name: entry
        for entry in (
            MethodEntry(
                name="graddiff",
                title="Gradient ascent with a retain term",
                guarantee=Guarantee.APPROXIMATE,
                needs=("forget set", "retain set", "weights"),
                paper="Maini et al. 2024, TOFU (arXiv:2401.06121)",
                summary="Raises the loss on the forget set, bounded, while it holds the loss on the retain set.",
            ),
            MethodEntry(
                name="retrain",
                title="Retraining without the forget set",
                guarantee=Guarantee.EXACT,
                needs=("training set", "training recipe"),
                paper="Bourtoule et al. 2021, Machine Unlearning (arXiv:1912.03817)",
                summary="Trains a new model from fresh weights, with its own seed, on everything but the forget set.",
            ),
        )
    }
)

#: The order in which plans are tried when nobody chooses otherwise: cheapest first, retraining last.
LADDER: tuple[str, ...] = ("graddiff", "retrain")

#: The default policy. Margins are absolute, on the scale of each probe; `verdict` explains the tests.
#: Its digest is recorded in the ledger before a run, so that no threshold can follow a result.
DEFAULT_POLICY: Mapping[str, Any] = types.MappingProxyType(
    {
        "name": "lethe-default",
        "version": 1,
        "confidence": 0.95,
        "minimum_items": 80,
        "resamples": 2000,
        "margins": {
            "exact_value": 0.10,
            "answer_probability": 0.10,
            "multiple_choice": 0.10,
            "membership_loss": 0.10,
            "relearning": 0.10,
        },
        "forget_quality_alpha": 0.01,
        "utility_floor": 0.90,
        "damaged_below": 0.60,
        "relearning": {"share": 0.2, "epochs": 3, "learning_rate": 1e-3},
    }
)
