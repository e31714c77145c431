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

#: The default policy; `verdict.Policy` checks it and `verdict` explains the tests. Margins are absolute, on the scale
#: of each probe. Its digest is recorded in the ledger before a run, so that no threshold can follow a result.
DEFAULT_POLICY: Mapping[str, Any] = types.MappingProxyType(
    {
        "name": "lethe-default",
        "version": 1,
        "confidence": 0.95,
        "resamples": 2000,
        # Fewer independent forget facts than this are never a pass; the same for each component of utility.
        "minimum_items": 80,
        "minimum_utility_items": 30,
        # With fewer works than this, facts are resampled instead of works.
        "minimum_works": 12,
        # Of a larger set, this many facts are drawn by the run's seed: forget and controls; each component of utility.
        "maximum_items": 1000,
        "maximum_utility_items": 160,
        # Held-out wordings of a prompt that are tried, and tokens that a greedy answer may be longer than the true one.
        "paraphrases": 2,
        "answer_slack": 8,
        "margins": {
            "exact_value": 0.10,
            "answer_probability": 0.10,
            "paraphrase_value": 0.10,
            "multiple_choice": 0.10,
            "verbatim_text": 0.10,
            "membership_loss": 0.10,
            "relearning_value": 0.10,
            "relearning_choice": 0.10,
            # From a half, not from a sixth, to one: the same step is a larger share of the way.
            "relearning_rank": 0.08,
        },
        "forget_quality_alpha": 0.01,
        # A single work or fact that stayed: below this p (unadjusted) never a pass.
        "survivor_alpha": 0.01,
        # Share of the distance between two trainings, measured on never-seen controls, that a copy stays below.
        "copy_below": 0.25,
        # Shares of what the model beside it learns from the attack, and keeps under it: below them the attack failed.
        "attack_floor": 0.80,
        "attack_kept_floor": 0.50,
        "utility_floor": 0.90,
        "damaged_below": 0.60,
        "required_utility": ["retain", "neighbours", "general"],
        "relearning": {"share": 0.5, "rounds": 2, "epochs": 5, "learning_rate": 1e-3, "batch_size": 8},
    }
)
