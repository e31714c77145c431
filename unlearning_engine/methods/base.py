"""What an unlearning method is: a configuration, and a way to prepare one run of the training loop.

A method supplies its objective only. Loading, tokenising, adapters, the loop, the watch over what must stay,
checkpoints, saving and digests are common to all; no method imports another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import torch

from unlearning_engine import losses, models, precision
from unlearning_engine.configs import number
from unlearning_engine.data import Record
from unlearning_engine.errors import DataError
from unlearning_engine.tokens import Example, encode
from unlearning_engine.training import LoopConfig, Objective, Step, Supervised, forward

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: Parameters of the models for which learning rates are known: the demonstration's, and the 7B of TOFU and WMDP.
SMALL, LARGE = 657_024, 7_000_000_000
#: What may hold the retained: their cross entropy, or the divergence from the original's answers to them.
RETAIN_LOSSES = ("cross_entropy", "kl")


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a method is given: the model's folder or hub id, and the dataset in two parts."""

    model: Path
    forget: list[Record]
    retain: list[Record]
    seed: int
    device: torch.device


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What a method gives back: a model to train, how, and towards what."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    objective: Objective
    loop: LoopConfig
    seed: int
    #: How a retrained model was made: what the claim "exact by construction" rests on.
    construction: dict[str, Any] | None = None
    #: What is done to the weights before and after they are trained, in place.
    start: Callable[[PreTrainedModel], None] | None = None
    finish: Callable[[PreTrainedModel], None] | None = None


class Method(Protocol):
    """One file, one method. `Config` is a frozen dataclass that checks itself when made."""

    name: str
    Config: type[Any]

    def prepare(self, job: Job, config: Any) -> Prepared:
        """Load or build the model and set up the objective.

        Raises:
            DataError: the model or its recipe is not what the method needs.
        """
        ...


# ---------------------------------------------------------------- configurations


@dataclass(frozen=True, kw_only=True)
class ForgetConfig(LoopConfig):
    """`steps` 0 means as many as `epochs` passes over the forget set.

    `learning_rate` 0 takes the one for the model's size (`rate_for`). `full_sequence` counts prompts too, for a model
    that was trained so. With `lora_rank` only adapters of that rank are trained, scaled by `lora_alpha`
    over the rank, on the linear layers whose names end in one of `lora_targets` (none: all but the output head), and
    merged at the end. `dtype` bfloat16 does the products in that type, over float32 weights (`precision`); the model
    is saved in the type of the original's either way. `gradient_checkpointing` saves memory and costs a second forward
    pass. `watch_looks` (0: none), with `watch_items` rows of each set, and the two shares of utility are the watch's:
    see `frontier`.
    """

    #: Learning rates that suit `SMALL` and `LARGE` models: measured here, and published.
    RATES: ClassVar[tuple[float, float]] = (1e-3, 1e-5)
    learning_rate: float = number(0.0, 0.0, 1.0)
    decay: float = number(0.3, 0.0, 1.0)
    epochs: int = number(8, 1, 10**6)
    steps: int = number(0, 0, 10**9)
    batch_size: int = number(16, 1, 10**5)
    full_sequence: bool = False
    lora_rank: int = number(0, 0, 4096)
    lora_alpha: int = number(16, 1, 10**6)
    lora_targets: list[str] = field(default_factory=list)
    dtype: str = "float32"
    gradient_checkpointing: bool = False
    watch_looks: int = number(6, 0, 10**4)
    watch_items: int = number(40, 1, 10**5)
    # Likelihood of rows that the run does not train on falls further than what the verdict calls utility.
    utility_floor: float = number(0.7, 0.0, 1.0)
    stop_below: float = number(0.3, 0.0, 1.0)

    def conflicts(self) -> list[str]:
        """A stop that would come before the floor, an unknown type, and what the loop finds."""
        late = ["stop_below: above utility_floor; the run would stop at what it may keep"]
        unknown = [f"dtype: {self.dtype!r} is unknown; one of {', '.join(precision.NAMES)}"]
        found = super().conflicts() + (late if self.stop_below > self.utility_floor else [])
        return found + ([] if self.dtype in precision.NAMES else unknown)


def rate_for(parameters: int, rates: tuple[float, float]) -> float:
    """The learning rate for a model of that many parameters: a straight line between two known ones, both axes log."""
    share = math.log(min(max(parameters, SMALL), LARGE) / SMALL) / math.log(LARGE / SMALL)
    return float(rates[0] ** (1 - share) * rates[1] ** share)


@dataclass(frozen=True, kw_only=True)
class PairConfig(ForgetConfig):
    """A batch to forget and one to retain in every step; the loss is the weighted sum of both terms."""

    retain_batch_size: int = number(24, 1, 10**5)
    forget_weight: float = number(1.0, 0.0, 100.0)
    retain_weight: float = number(1.0, 0.0, 1e9)
    retain_loss: str = "cross_entropy"

    def conflicts(self) -> list[str]:
        """An unknown retain loss, and what the loop finds."""
        known = self.retain_loss in RETAIN_LOSSES
        unknown = f"retain_loss: {self.retain_loss!r} is unknown; one of {', '.join(RETAIN_LOSSES)}"
        return super().conflicts() + ([] if known else [unknown])


# ---------------------------------------------------------------- a batch of each set in every step


class Pairs:
    """The batches of both sets, step by step; `total` steps."""

    def __init__(
        self, forget: Sequence[Example], retain: Sequence[Example], pad_id: int, config: PairConfig, seed: int
    ) -> None:
        passes = math.ceil(config.steps * config.batch_size / len(forget)) if config.steps else config.epochs
        self._forget = Supervised(forget, pad_id=pad_id, batch_size=config.batch_size, epochs=passes, seed=seed)
        self.total = config.steps or self._forget.total
        rounds = math.ceil(self.total * config.retain_batch_size / len(retain))
        self._retain = Supervised(
            retain, pad_id=pad_id, batch_size=config.retain_batch_size, epochs=rounds + 1, seed=seed
        )
        self.pad_id, self.examples = pad_id, forget

    def batch(self, number: int) -> tuple[list[Example], list[Example]]:
        """What to forget and what to retain in one step."""
        return self._forget.batch(number), self._retain.batch(number)


class Paired(NamedTuple):
    """The given model with its two sets as batches."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    pairs: Pairs


def load_pairs(job: Job, config: PairConfig, name: str) -> Paired:
    """Load the model that is to forget and cut both sets into batches.

    Raises:
        DataError: there is nothing to retain, or the model cannot be read.
    """
    if not job.retain:
        raise DataError(f"{name}: there is nothing to retain; the method needs a retain set")
    model, tokenizer = models.load(job.model, device=str(job.device))
    limit = models.context_length(model)
    forget, retain = (
        encode(rows, tokenizer, full_sequence=config.full_sequence, max_length=limit)
        for rows in (job.forget, job.retain)
    )
    return Paired(model, tokenizer, Pairs(forget, retain, int(tokenizer.pad_token_id), config, job.seed))


#: The term that drives the forgotten away: of the model, a batch and the step's number, a scalar to be made small.
Away = Callable[["PreTrainedModel", Sequence[Example], int], "Tensor"]


class PairObjective:
    """Weighted sum of a method's own term on the forgotten and of the common one on the retained."""

    def __init__(self, model: PreTrainedModel, pairs: Pairs, config: PairConfig, away: Away) -> None:
        self._pairs, self._config, self._away, self.total = pairs, config, away, pairs.total
        self._original = models.frozen_copy(model) if config.retain_loss == "kl" else None

    def step(self, model: PreTrainedModel, number: int) -> Step:
        """Loss of one batch of each set."""
        forget, retain = self._pairs.batch(number)
        away, kept = self._away(model, forget, number), self._kept(model, retain)
        loss = self._config.forget_weight * away + self._config.retain_weight * kept
        return Step(loss, {"forget_loss": float(away.detach()), "retain_loss": float(kept.detach())})

    def _kept(self, model: PreTrainedModel, retain: Sequence[Example]) -> Tensor:
        logits, labels = forward(model, retain, self._pairs.pad_id)
        if self._original is None:
            return losses.cross_entropy(logits, labels)
        with torch.no_grad():
            before, _ = forward(self._original, retain, self._pairs.pad_id)
        return losses.kl_divergence(logits, before, labels)

    def enough(self, numbers: Mapping[str, float]) -> bool:
        """The steps are few and fixed: the retained loss needs them all to recover."""
        return False


def sequence_sums(
    model: PreTrainedModel, examples: Sequence[Example], pad_id: int, size: int
) -> dict[tuple[str, int], Tensor]:
    """Log probability in nats of each example's counted tokens under the model as it is, by record id and part."""
    found: dict[tuple[str, int], Tensor] = {}
    with torch.no_grad():
        for at in range(0, len(examples), size):
            some = examples[at : at + size]
            sums = losses.sequence_log_probabilities(*forward(model, some, pad_id))
            found |= {(e.record_id, e.part): value for e, value in zip(some, sums, strict=True)}
    return found
