"""What SISA trains, behind one interface: language models, adapters over a frozen base, classifiers.

A workload knows how to read rows, build a fresh model from a seed, say what one stage trains on, and save a
shard's weights. It never decides order, schedule or seeds: these come from `stages`.

A class of workload has a `Config` (a `Checked` frozen dataclass of the fields that only this kind has) and is
made as `Kind(config, common, inputs)`: `common` is the `SisaConfig`, `inputs` the files of the spec.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from unlearning_engine.training import LoopConfig, Objective

if TYPE_CHECKING:
    import torch

#: How the note of a component begins of which somebody only says what it saw.
DECLARED = "declared"


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Files beside the data: text to learn a tokenizer from (or a saved tokenizer), a frozen base; empty: none."""

    tokenizer_text: str = ""
    tokenizer: str = ""
    base: str = ""
    device: str = "auto"


class Rows(Protocol):
    """Records in any storage, addressed by position; ids are unique."""

    @property
    def ids(self) -> Sequence[str]:
        """Id of each row."""
        ...

    @property
    def subjects(self) -> Sequence[str]:
        """Subject of each row, empty where it has none."""
        ...

    @property
    def likelihoods(self) -> Sequence[float]:
        """Likelihood, 0 to 1, that somebody asks for the row's deletion; 0 where unknown."""
        ...

    def digests(self) -> list[str]:
        """Hex SHA-256 of what each row teaches, without its id and subject."""
        ...

    def take(self, positions: Sequence[int]) -> Rows:
        """These rows, in this order."""
        ...

    def __len__(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Component:
    """Something that learned, or could have: a tokenizer, a frozen base, a scaler, a list of classes.

    `saw_records` None means unknown: the claim shrinks as if it had seen them.
    """

    name: str
    digest: str
    saw_records: bool | None
    note: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


class Counted(Objective, Protocol):
    """An objective whose order of records can be named."""

    def order_digest(self) -> str:
        """`sha256:<hex>` over the ids of every batch of the whole stage, in order."""
        ...

    @property
    def passes(self) -> int:
        """Sample passes of the whole stage: rows times epochs, as trained."""
        ...


class Workload(Protocol):
    """One kind of training; made from a checked configuration by `workloads.workload`."""

    kind: str
    #: Of a file of rows, such as `.jsonl`.
    suffix: str
    #: The loop's configuration, the same in every stage.
    loop: LoopConfig
    epochs: float

    def load(self, path: str | Path) -> Rows:
        """Read and check a dataset. Raises DataError naming every bad row."""
        ...

    def write(self, path: Path, rows: Rows) -> Path:
        """Keep rows in the lineage, at `path` plus the workload's `suffix`, which `load` reads; returns the file."""
        ...

    def concat(self, parts: Sequence[Rows]) -> Rows:
        """The rows of all parts, one after the other."""
        ...

    def facts(self) -> dict[str, Any]:
        """What decides the weights beside data and seed, as JSON: architecture, hyper-parameters, digests."""
        ...

    def components(self, rows: Rows) -> list[Component]:
        """Everything that learned outside the shards, and whether it saw any of these rows."""
        ...

    def export(self, root: Path, shards: Sequence[int], target: Path) -> None:
        """Write the model that is served, made from these shards of the lineage at `root`, in place of `target`."""
        ...

    def save_shared(self, folder: Path) -> None:
        """Write what all shards share (a tokenizer) below the lineage's folder; `Inputs` name it when it is read."""
        ...

    def build(self, seed: int, first: Rows) -> torch.nn.Module:
        """A fresh model, its weights from `seed` alone. `first` are the shard's first slice's rows (for a scaler)."""
        ...

    def objective(self, rows: Rows, *, epochs: float, seed: int) -> Counted:
        """What a stage trains on: all rows up to its slice. `epochs` may be a fraction: then the last is cut."""
        ...

    def save(self, folder: Path, model: torch.nn.Module) -> None:
        """Write a shard's final weights as safetensors, with what is needed to load them."""
        ...
