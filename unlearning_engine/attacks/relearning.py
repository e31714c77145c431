"""Relearning: teach a few of the forgotten works again and ask about the others (Lynch et al. 2024; RTT, Deeb and
Roger 2024).

Hidden knowledge of the *other* works comes back with the taught ones; knowledge that is gone does not. What
teaching alone brings (style, the pool of answers) is measured on the reference, or on control works that no model
ever saw, under the same attack with the same seed. Half of the works are taught and the other half asked, then the
other way round: the more is taught, the more comes back, and every fact is asked once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from unlearning_engine.attacks.base import Attack
from unlearning_engine.errors import DivergenceError
from unlearning_engine.probes import robustness
from unlearning_engine.probes.items import Item
from unlearning_engine.progress import Report
from unlearning_engine.tokens import encode, order_key

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from unlearning_engine.policy import Policy

NAME = "relearning"
#: The same state of a model, scored on what it was taught and on some retained items: did the attack work at all?
TAUGHT = "relearning_taught"
#: Works are needed on both sides: one to teach, and enough facts of others to ask.
FEWEST_WORKS = 2
#: `verification` runs its rounds: they need fresh weights each, and what was taught is asked as well.
RELEARNING = Attack(name=NAME, measures=robustness.MEASURES, changes_weights=True)


@dataclass(frozen=True, kw_only=True)
class Split:
    """Items to teach and items of other works to ask."""

    taught: tuple[Item, ...]
    asked: tuple[Item, ...]


@dataclass(frozen=True, kw_only=True)
class Attacked:
    """How one attack went: works and facts on both sides, steps, last loss (None where training diverged)."""

    model: str
    set: str
    taught_works: int
    taught_facts: int
    asked_works: int
    asked_facts: int
    steps: int
    first_loss: float | None
    last_loss: float | None

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


def divide(items: Sequence[Item], *, share: float, rounds: int, seed: int) -> list[Split]:
    """Draw a share of the works to teach, another in each round, by a keyed hash of the work's number.

    Two rounds of a half ask every fact once, and each time of a model that was taught none of its work. Empty where
    there are too few works.
    """
    order = list(dict.fromkeys(item.work for item in items))
    rank = {number: at for at, number in enumerate(order)}
    if len(order) < FEWEST_WORKS:
        return []
    drawn = sorted(order, key=lambda work: order_key(seed, 0, f"work {rank[work]}"))
    size = min(len(order) - 1, max(1, round(share * len(order))))
    parts = [{drawn[(at * size + i) % len(drawn)] for i in range(size)} for at in range(rounds)]
    return [
        Split(taught=tuple(i for i in items if i.work in part), asked=tuple(i for i in items if i.work not in part))
        for part in parts
    ]


def relearn(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    split: Split,
    policy: Policy,
    *,
    seed: int,
    name: str,
    report: Report,
) -> Attacked:
    """Fine-tune `model` in place on the taught items; it is of no other use afterwards.

    A model on which training diverges is no proof of forgetting: the outcome says so with a last loss of None,
    and the probes of this attack count as not measured.
    """
    from unlearning_engine.training import LoopConfig, Supervised, run

    config = policy.relearning
    examples = encode([item.record for item in split.taught], tokenizer)
    objective = Supervised(
        examples,
        pad_id=tokenizer.pad_token_id,
        batch_size=int(config["batch_size"]),
        epochs=int(config["epochs"]),
        seed=seed,
    )
    loop = LoopConfig(learning_rate=float(config["learning_rate"]), warmup=0.0, decay=0.0)
    seen: list[float] = []
    model.requires_grad_(True)
    try:
        run(model, objective, loop, seed=seed, report=_keeping(report, seen), stage=f"{NAME} {name}")
        last: float | None = seen[-1]
    except DivergenceError:
        last = None

    def count(items: Sequence[Item], key: Callable[[Item], int]) -> int:
        return len({key(item) for item in items})

    return Attacked(
        model=name,
        set=split.taught[0].set,
        taught_works=count(split.taught, lambda i: i.work),
        taught_facts=count(split.taught, lambda i: i.fact),
        asked_works=count(split.asked, lambda i: i.work),
        asked_facts=count(split.asked, lambda i: i.fact),
        steps=objective.total,
        first_loss=seen[0] if seen else None,
        last_loss=last if last is None or math.isfinite(last) else None,
    )


def _keeping(report: Report, seen: list[float]) -> Report:
    def tell(event: dict[str, Any]) -> None:
        if "loss" in event:
            seen.append(float(event["loss"]))
        report(event)

    return tell
