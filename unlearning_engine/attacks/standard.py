"""The standard set of attacks, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from unlearning_engine.attacks import (
    few_shot,
    finetuning,
    paraphrase,
    prompts,
    pruning,
    quantisation,
    relearning,
    sampling,
    steering,
)
from unlearning_engine.attacks.base import Attack
from unlearning_engine.probes.compare import Measure

ATTACKS: Mapping[str, Attack] = MappingProxyType(
    {
        attack.name: attack
        for attack in (
            relearning.RELEARNING,
            paraphrase.PARAPHRASE,
            quantisation.INT8,
            quantisation.FOUR_BIT,
            pruning.PRUNING,
            prompts.PROMPTS,
            few_shot.FEW_SHOT,
            sampling.SAMPLING,
            finetuning.FINETUNING,
            steering.STEERING,
        )
    }
)

#: Architectures that are several models side by side.
ENSEMBLES = frozenset({"lethe_sisa"})


def not_applicable(names: Iterable[str], models: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Which of these attacks cannot be made on these models (of a table's header), each with the reason.

    Only where every model is an ensemble: a candidate that became one by unlearning leaves the attack unmeasured, which
    is no pass.
    """
    if not models or any(model.get("architecture") not in ENSEMBLES for model in models.values()):
        return {}
    reason = "all models are ensembles of shards, which have no hidden state of their own"
    return {name: reason for name in names if ATTACKS[name].one_stream}


def measures(names: Iterable[str]) -> tuple[Measure, ...]:
    """The probes that these attacks lead to, in their order."""
    return tuple(measure for name in names for measure in ATTACKS[name].measures)


def works_probes(names: Iterable[str]) -> dict[str, str]:
    """Attacks after which the work that came back most is tested, with the name of that probe."""
    return {name: f"{name}_works" for name in names if ATTACKS[name].prepare is not None}
