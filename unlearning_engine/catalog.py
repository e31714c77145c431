"""What the engine offers, as data: methods with their guarantees, attacks, and the default verification policy.

Standard library only, so that a web process can read it without importing torch.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from unlearning_engine.contracts import Guarantee


@dataclass(frozen=True, kw_only=True)
class MethodEntry:
    """One unlearning method as the planner and the reader of a report see it. `defaults` are its main settings, those
    of its configuration; a learning rate of 0 follows from the model's size."""

    name: str
    title: str
    guarantee: Guarantee
    needs: tuple[str, ...]
    paper: str
    summary: str
    defaults: Mapping[str, Any] = field(default_factory=dict)


METHODS: Mapping[str, MethodEntry] = types.MappingProxyType(
    {
        entry.name: entry
        for entry in (
            MethodEntry(
                name="ascent",
                title="Gradient ascent",
                guarantee=Guarantee.APPROXIMATE,
                needs=("forget set", "weights"),
                paper="Jang et al. 2023 (arXiv:2210.01504)",
                summary="Raises the loss on the forget set until it reaches a bound; nothing holds the rest.",
                defaults={"epochs": 8, "batch_size": 16, "learning_rate": 0.0, "bound": 3.0},
            ),
            MethodEntry(
                name="graddiff",
                title="Gradient ascent with a retain term",
                guarantee=Guarantee.APPROXIMATE,
                needs=("forget set", "retain set", "weights"),
                paper="Maini et al. 2024, TOFU (arXiv:2401.06121)",
                summary="Raises the loss on the forget set, bounded, while it holds the loss on the retain set.",
                defaults={
                    "epochs": 8,
                    "batch_size": 16,
                    "retain_batch_size": 24,
                    "learning_rate": 0.0,
                    "bound": 3.0,
                    "forget_weight": 0.3,
                },
            ),
            MethodEntry(
                name="npo",
                title="Negative preference optimisation",
                guarantee=Guarantee.APPROXIMATE,
                needs=("forget set", "retain set", "weights"),
                paper="Zhang et al. 2024, NPO (arXiv:2404.05868)",
                summary="Prefers against the forgotten answers, measured by the original, while it holds the retained.",
                defaults={"epochs": 8, "batch_size": 16, "retain_batch_size": 24, "learning_rate": 0.0, "beta": 0.1},
            ),
            MethodEntry(
                name="simnpo",
                title="Simple negative preference optimisation",
                guarantee=Guarantee.APPROXIMATE,
                needs=("forget set", "retain set", "weights"),
                paper="Fan et al. 2024, SimNPO (arXiv:2410.07163)",
                summary="Prefers against the forgotten answers per token, without the original as a measure.",
                defaults={
                    "epochs": 8,
                    "batch_size": 16,
                    "retain_batch_size": 24,
                    "learning_rate": 0.0,
                    "beta": 2.5,
                    "delta": 0.0,
                },
            ),
            MethodEntry(
                name="altpo",
                title="Alternate preference optimisation",
                guarantee=Guarantee.APPROXIMATE,
                needs=("forget set", "retain set", "weights"),
                paper="Mekala et al. 2024, AltPO (arXiv:2409.13474)",
                summary="Prefers another plausible answer to the forgotten one, while it holds the retained.",
                defaults={
                    "epochs": 8,
                    "batch_size": 16,
                    "retain_batch_size": 24,
                    "learning_rate": 0.0,
                    "beta": 0.1,
                    "alternates": 4,
                },
            ),
            MethodEntry(
                name="relabel",
                title="Relabelling",
                guarantee=Guarantee.APPROXIMATE,
                needs=("forget set", "retain set", "weights"),
                paper="after Graves et al. 2021, amnesiac unlearning (arXiv:2010.10981), and TOFU (arXiv:2401.06121)",
                summary="Drives the forgotten answers away and teaches others in their place, up to a bound.",
                defaults={
                    "epochs": 4,
                    "batch_size": 12,
                    "retain_batch_size": 20,
                    "learning_rate": 0.0,
                    "bound": 3.5,
                    "forget_weight": 0.2,
                    "other_weight": 0.25,
                    "alternates": 2,
                },
            ),
            MethodEntry(
                name="rmu",
                title="Representation steering (RMU)",
                guarantee=Guarantee.APPROXIMATE,
                needs=("forget set", "retain set", "weights"),
                paper="Li et al. 2024, WMDP (arXiv:2403.03218)",
                summary="Turns hidden states of the forget set into one random direction; it hides, relearning shows.",
                defaults={
                    "epochs": 8,
                    "batch_size": 16,
                    "retain_batch_size": 24,
                    "learning_rate": 0.0,
                    "layer": 0,
                    "factor": 5.0,
                    "retain_weight": 100.0,
                },
            ),
            MethodEntry(
                name="task_vector",
                title="Task-vector negation",
                guarantee=Guarantee.APPROXIMATE,
                needs=("forget set", "weights"),
                paper="Ilharco et al. 2023 (arXiv:2212.04089)",
                summary="Learns the forget set further and walks the other way; nothing holds the rest.",
                defaults={"epochs": 8, "batch_size": 16, "learning_rate": 0.0, "scale": 1.5},
            ),
            MethodEntry(
                name="undo",
                title="Perturbing and learning again (UNDO)",
                guarantee=Guarantee.APPROXIMATE,
                needs=("training set", "weights"),
                paper="Lee et al. 2025, UNDO (arXiv:2506.06278)",
                summary="Mixes fresh weights into the model and teaches it the retained set again; the rest is lost.",
                defaults={"epochs": 7, "batch_size": 24, "learning_rate": 0.0, "noise": 0.7},
            ),
            MethodEntry(
                name="correct",
                title="Correction of false or outdated facts",
                guarantee=Guarantee.APPROXIMATE,
                needs=("forget set", "corrections", "retain set", "weights"),
                paper="Zhang et al. 2024, NPO (arXiv:2404.05868), with the corrected answers' cross entropy",
                summary="Prefers against the old answers and teaches the new ones, while it holds the retained.",
                defaults={
                    "epochs": 8,
                    "batch_size": 16,
                    "retain_batch_size": 24,
                    "learning_rate": 0.0,
                    "beta": 0.1,
                    "old_weight": 0.03,
                },
            ),
            MethodEntry(
                name="spunge",
                title="Split, unlearn, then merge (SPUNGE)",
                guarantee=Guarantee.APPROXIMATE,
                needs=("forget set", "retain set", "weights"),
                paper="Kadhe et al. 2024, SPUNGE (arXiv:2406.11780)",
                summary="Splits the forget set by an attribute, unlearns each part by another method, merges by TIES.",
                defaults={"method": "npo", "by": "subject", "parts": 4, "density": 0.5},
            ),
            MethodEntry(
                name="newton",
                title="Certified Newton step on a linear head",
                guarantee=Guarantee.CERTIFIED,
                needs=("forget set", "surrogate or retain set", "linear head"),
                paper="Basaran et al. 2025 (arXiv:2506.06486)",
                summary="One Newton step away from the rows, and noise that hides what is left; strongly convex heads.",
            ),
            MethodEntry(
                name="sisa",
                title="Deletion from a sharded, sliced training (SISA)",
                guarantee=Guarantee.EXACT,
                needs=("lineage",),
                paper="Bourtoule et al. 2021, Machine Unlearning (arXiv:1912.03817)",
                summary="Trains each affected shard again from the checkpoint before its earliest affected slice.",
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


@dataclass(frozen=True, kw_only=True)
class AttackEntry:
    """One attack as a policy names it and the reader of a report sees it. `probes` must pass where it is named."""

    name: str
    title: str
    probes: tuple[str, ...]
    paper: str
    summary: str


#: The standard set of attacks; `attacks.standard` carries them out.
ATTACKS: Mapping[str, AttackEntry] = types.MappingProxyType(
    {
        entry.name: entry
        for entry in (
            AttackEntry(
                name="relearning",
                title="Relearning some works, asked about the others",
                probes=("relearning_value", "relearning_choice", "relearning_rank"),
                paper="Deeb and Roger 2024 (arXiv:2410.08827)",
                summary="Teaches half of the works again and asks about the other half, then the other way round.",
            ),
            AttackEntry(
                name="paraphrase",
                title="Held-out wordings",
                probes=("paraphrase_value",),
                paper="Lynch et al. 2024 (arXiv:2402.16835)",
                summary="Asks in wordings that no model was trained on.",
            ),
            AttackEntry(
                name="quantisation_int8",
                title="Weights rounded to 8 bits",
                probes=("quantisation_int8_value", "quantisation_int8_choice"),
                paper="Zhang et al. 2024 (arXiv:2410.16454)",
                summary="Rounds the linear weights to the nearest of 255 levels per group of 128.",
            ),
            AttackEntry(
                name="quantisation_4bit",
                title="Weights rounded to 4 bits",
                probes=("quantisation_4bit_value", "quantisation_4bit_choice"),
                paper="Zhang et al. 2024 (arXiv:2410.16454)",
                summary="Rounds the linear weights to the nearest of 15 levels per group of 128.",
            ),
            AttackEntry(
                name="pruning",
                title="The smallest weights removed",
                probes=("pruning_value", "pruning_choice"),
                paper="Han et al. 2015 (arXiv:1506.02626)",
                summary="Sets the 30% of the linear weights that are smallest to zero.",
            ),
            AttackEntry(
                name="prompts",
                title="Prefixes and roles",
                probes=("prompts_value",),
                paper="Lynch et al. 2024 (arXiv:2402.16835)",
                summary="Asks behind a prefix, with a beginning of the answer, or in a role; any hit counts.",
            ),
            AttackEntry(
                name="few_shot",
                title="Retained examples in front",
                probes=("few_shot_value",),
                paper="Brown et al. 2020 (arXiv:2005.14165)",
                summary="Puts three retained questions of the same kind with their answers before each question.",
            ),
            AttackEntry(
                name="sampling",
                title="Many tries at a temperature",
                probes=("sampling_value",),
                paper="Scholten et al. 2024 (arXiv:2410.03523)",
                summary="Samples 16 answers to each question at temperature 1; any hit counts.",
            ),
            AttackEntry(
                name="finetuning",
                title="Trained on unrelated text",
                probes=("finetuning_value", "finetuning_choice"),
                paper="Qi et al. 2024 (arXiv:2310.03693)",
                summary="Trains on retained questions for two passes and asks about the forgotten.",
            ),
            AttackEntry(
                name="steering",
                title="The removed direction added back",
                probes=("steering_value", "steering_choice"),
                paper="Seyitoglu et al. 2024 (arXiv:2411.02631)",
                summary="Adds the difference from the original's hidden states at the layer where that helps most.",
            ),
        )
    }
)

#: The margin of every probe that can decide, on the probe's own scale. A policy holds those of the attacks it names.
MARGINS: Mapping[str, float] = types.MappingProxyType(
    {
        "exact_value": 0.10,
        "answer_probability": 0.10,
        "multiple_choice": 0.10,
        "verbatim_text": 0.10,
        "membership_loss": 0.10,
        **{probe: 0.10 for attack in ATTACKS.values() for probe in attack.probes},
        # From a half, not from a sixth, to one: the same step is a larger share of the way.
        "relearning_rank": 0.08,
    }
)
_ATTACK_PROBES = frozenset(probe for attack in ATTACKS.values() for probe in attack.probes)


def gating(attacks: Iterable[str]) -> tuple[str, ...]:
    """Names of the probes that a model must pass where these attacks are named: the plain ones and the attacks'."""
    plain = tuple(name for name in MARGINS if name not in _ATTACK_PROBES)
    return (*plain, *(probe for name in attacks for probe in ATTACKS[name].probes))


#: Attacks of the default policy. What the others cost and what their absence leaves open stands in docs/attacks.md.
_DEFAULT_ATTACKS = (
    "relearning",
    "paraphrase",
    "quantisation_int8",
    "quantisation_4bit",
    "pruning",
    "prompts",
    "few_shot",
    "steering",
)

#: The default policy; `verdict.Policy` checks it and `verdict` explains the tests. Margins are absolute, on the scale
#: of each probe. Its digest is recorded in the ledger before a run, so that no threshold can follow a result.
DEFAULT_POLICY: Mapping[str, Any] = types.MappingProxyType(
    {
        "name": "lethe-default",
        "version": 3,
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
        "attacks": list(_DEFAULT_ATTACKS),
        "margins": {name: MARGINS[name] for name in gating(_DEFAULT_ATTACKS)},
        "forget_quality_alpha": 0.01,
        # A single work or fact that stayed: below this p (unadjusted) never a pass.
        "survivor_alpha": 0.01,
        # Share of the distance between two trainings, measured on never-seen controls, that a copy stays below.
        "copy_below": 0.25,
        # Median correlation of weight matrices from which on a reference is no training of its own.
        "kinship_limit": 0.10,
        # How far the chance that a forget fact is longer (rarer, harder) than a control may lie from one half.
        "balance_limit": 0.20,
        # Shares of what the model beside it learns from the attack, and keeps under it: below them the attack failed.
        "attack_floor": 0.80,
        "attack_kept_floor": 0.50,
        # What the candidate keeps of what the model beside it can do: each component, and all items together.
        "utility_floor": 0.90,
        "pooled_utility_floor": 0.95,
        "damaged_below": 0.60,
        "required_utility": ["retain", "neighbours", "general"],
        "relearning": {"share": 0.5, "rounds": 2, "epochs": 5, "learning_rate": 1e-3, "batch_size": 8},
    }
)

#: Policies by name. The thorough one names every attack of the catalogue; there is none that names fewer, since each
#: that is left out lets a kind of hiding pass (docs/attacks.md).
POLICIES: Mapping[str, Mapping[str, Any]] = types.MappingProxyType(
    {
        policy["name"]: policy
        for policy in (
            DEFAULT_POLICY,
            types.MappingProxyType(
                {
                    **DEFAULT_POLICY,
                    "name": "lethe-thorough",
                    "attacks": list(ATTACKS),
                    "margins": {name: MARGINS[name] for name in gating(ATTACKS)},
                }
            ),
        )
    }
)
