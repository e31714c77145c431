"""What an unlearning method is: a configuration, and a way to prepare one run of the training loop.

A method supplies its objective only. Loading, tokenising, the loop, checkpoints, saving and digests are
common to all; no method imports another.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from unlearning_engine.data import Record
from unlearning_engine.training import LoopConfig, Objective

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
