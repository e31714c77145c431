"""What an unlearning method is: a configuration, and a way to prepare one run of the training loop.

A method supplies its objective only. Loading, tokenising, the loop, checkpoints, saving and digests are
common to all; no method imports another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from unlearning_engine import models
from unlearning_engine.configs import number
from unlearning_engine.data import Record
from unlearning_engine.errors import DataError
from unlearning_engine.tokens import Example, encode
from unlearning_engine.training import LoopConfig, Objective, Supervised

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


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


# ---------------------------------------------------------------- a batch of each set in every step


@dataclass(frozen=True, kw_only=True)
class PairConfig(LoopConfig):
    """`steps` 0 means as many as `epochs` passes over the forget set.

    The defaults suit models of about a million parameters (docs/experiments.md). `full_sequence` counts prompts too,
    for a model that was trained so.
    """

    learning_rate: float = number(1e-3, 0.0, 1.0)
    decay: float = number(0.3, 0.0, 1.0)
    epochs: int = number(8, 1, 10**6)
    steps: int = number(0, 0, 10**9)
    batch_size: int = number(16, 1, 10**5)
    retain_batch_size: int = number(24, 1, 10**5)
    full_sequence: bool = False


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
