"""Classifiers of rows of numbers, tabular or images, one per shard.

A stage's order of rows is derived from (seed, epoch) and a digest of each row's id, so that removing a row moves no
other. What a scaler learns, it learns inside its shard, from the first slice alone: a record there costs the whole
shard anyway.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from unlearning_engine import models
from unlearning_engine.configs import Checked, build, number
from unlearning_engine.errors import ConfigError, DataError, StorageError
from unlearning_engine.sisa.aggregation import AGGREGATIONS, DEFAULT, Ensemble
from unlearning_engine.sisa.ensembles import write_ensemble
from unlearning_engine.sisa.tables import SUFFIX, Table, concat, read_table, write_table
from unlearning_engine.sisa.workload import Component, Counted, Inputs
from unlearning_engine.training import Step

if TYPE_CHECKING:
    from unlearning_engine.sisa.config import SisaConfig

SCALINGS = ("none", "fixed", "first_slice")
_WEIGHTS, _CONFIG = "model.safetensors", "config.json"


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig(Checked):
    """What only classifiers have.

    Args:
        classes: names, in the order of labels; given, never learnt from data.
        shape: of one row's features: `[600]`, or channels, height and width `[1, 8, 8]`.
        channels: 3x3 convolutions before the hidden layers, each followed by ReLU and, while the image is larger than
            one pixel, 2x2 maximum pooling; needs a shape of three.
        hidden: widths of the fully connected layers between input and classes, with ReLU.
        scaling: "none"; "fixed", (x - `mean`) / `scale` with one number each or one for every feature; "first_slice",
            by mean and standard deviation of each feature in the shard's first slice.
        label_smoothing: share of a label's weight that is spread over all classes. Sums of unsure shards are better
            than sums of shards that are sure of their errors (docs/experiments.md).
    """

    classes: list[str]
    shape: list[int]
    channels: list[int] = field(default_factory=list)
    hidden: list[int] = field(default_factory=lambda: [256])
    scaling: str = "none"
    mean: list[float] = field(default_factory=list)
    scale: list[float] = field(default_factory=list)
    label_smoothing: float = number(0.1, 0.0, 0.999)

    def conflicts(self) -> list[str]:
        """Lists with wrong contents, and scalings without their numbers."""
        found = []
        if not all(isinstance(name, str) for name in self.classes) or len(self.classes) < 2:
            found.append("classes: must be at least two names")
        elif len(set(self.classes)) != len(self.classes):
            found.append("classes: a name is there twice")
        for name in ("shape", "channels", "hidden"):
            if not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in getattr(self, name)):
                found.append(f"{name}: must be positive whole numbers")
        if not self.shape:
            found.append("shape: must not be empty")
        if self.channels and len(self.shape) != 3:
            found.append("channels: need a shape of channels, height and width")
        if self.scaling not in SCALINGS:
            found.append(f"scaling: {self.scaling!r} is unknown; one of {', '.join(SCALINGS)}")
        return found or self._scaling_conflicts()

    def _scaling_conflicts(self) -> list[str]:
        found = []
        for name in ("mean", "scale"):
            numbers = getattr(self, name)
            good = all(isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x) for x in numbers)
            if self.scaling != "fixed" and numbers:
                found.append(f'{name}: is read with scaling "fixed" only')
            elif self.scaling == "fixed" and (len(numbers) not in (1, math.prod(self.shape)) or not good):
                found.append(f"{name}: must be one number, or {math.prod(self.shape)}, one a feature")
            elif name == "scale" and not all(x > 0 for x in numbers):
                found.append("scale: must be positive")
        return found


# ---------------------------------------------------------------- the model


class Network(nn.Module):
    """Scaling, convolutions, hidden layers; `forward` maps (rows, *shape) to logits (rows, classes)."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config = config
        if config.scaling != "none":
            self.register_buffer("mean", torch.zeros(config.shape))
            self.register_buffer("scale", torch.ones(config.shape))
        layers: list[nn.Module] = []
        shape = list(config.shape)
        for channels in config.channels:
            layers += [nn.Conv2d(shape[0], channels, 3, padding=1), nn.ReLU()]
            shape[0] = channels
            if min(shape[1:]) > 1:
                layers.append(nn.MaxPool2d(2))
                shape[1:] = [side // 2 for side in shape[1:]]
        layers.append(nn.Flatten())
        width = math.prod(shape)
        for hidden in config.hidden:
            layers += [nn.Linear(width, hidden), nn.ReLU()]
            width = hidden
        self.layers = nn.Sequential(*layers, nn.Linear(width, len(config.classes)))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Logits of float32 features."""
        if self.config.scaling != "none":
            features = (features - self.mean) / self.scale
        logits: torch.Tensor = self.layers(features)
        return logits

    def set_scaling(self, mean: npt.ArrayLike, scale: npt.ArrayLike) -> None:
        """One number each, or one for every feature."""
        for buffer, values in ((self.mean, mean), (self.scale, scale)):
            numbers = np.broadcast_to(np.asarray(values, np.float32).reshape(-1), (buffer.numel(),))
            buffer.copy_(torch.from_numpy(numbers.reshape(buffer.shape).copy()))


def fit_scaling(table: Table) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Mean and standard deviation of each feature, 1 where it never varies; rows come in the order of their ids."""
    values = table.features.astype(np.float64)
    scale = values.std(axis=0)
    return values.mean(axis=0).astype(np.float32), np.where(scale > 0, scale, 1).astype(np.float32)


# ---------------------------------------------------------------- the objective


def id_digests(ids: Sequence[str]) -> npt.NDArray[np.uint8]:
    """A digest of each id, shape (rows, 16): it stands for the id where order is decided and named."""
    digests = (hashlib.blake2b(name.encode(), digest_size=16, person=b"order").digest() for name in ids)
    return np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(len(ids), 16)


def _mixed(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele et al. 2014): a bijection that leaves no trace of the keys' order."""
    with np.errstate(over="ignore"):  # arithmetic is modulo 2^64
        keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))


class Shuffled:
    """Cross entropy over a table for a number of epochs, each in an order of its own; see `Counted`."""

    def __init__(
        self, table: Table, *, batch_size: int, epochs: float, seed: int, smoothing: float, device: torch.device
    ) -> None:
        if not len(table):
            raise DataError("there is nothing to train on: every record was left out")
        self._names, self._size, self._seed, self._smoothing = id_digests(table.ids), batch_size, seed, smoothing
        self._keys = np.ascontiguousarray(self._names[:, :8]).view("<u8").reshape(-1).astype(np.uint64)
        self._features = torch.from_numpy(table.features).to(device)
        self._labels = torch.from_numpy(table.labels).to(device)
        self._per_epoch = math.ceil(len(table) / batch_size)
        self._epoch: tuple[int, npt.NDArray[np.int64]] = (-1, np.zeros(0, np.int64))
        self.total = max(1, round(epochs * self._per_epoch))

    def order(self, epoch: int) -> npt.NDArray[np.int64]:
        """Positions of all rows in the order of one epoch."""
        if self._epoch[0] != epoch:
            salt = hashlib.blake2b(f"{self._seed}:{epoch}".encode(), digest_size=8, person=b"epoch").digest()
            mixed = _mixed(self._keys ^ np.uint64(int.from_bytes(salt, "little")))
            self._epoch = (epoch, np.argsort(mixed, kind="stable"))
        return self._epoch[1]

    def batch(self, number: int) -> npt.NDArray[np.int64]:
        """Positions of the rows of one step, counted through all epochs."""
        epoch, at = divmod(number, self._per_epoch)
        return self.order(epoch)[at * self._size : (at + 1) * self._size]

    def order_digest(self) -> str:
        """`sha256:<hex>` over batch size and the 16-byte digests of the ids of all steps' rows, in order."""
        state = hashlib.sha256(f"{self._size}\n".encode())
        whole, rest = divmod(self.total, self._per_epoch)
        for epoch in range(whole + bool(rest)):
            order = self.order(epoch)
            state.update(self._names[order if epoch < whole else order[: rest * self._size]].tobytes())
        return "sha256:" + state.hexdigest()

    @property
    def passes(self) -> int:
        """Rows seen in all steps, each as often as it is."""
        whole, rest = divmod(self.total, self._per_epoch)
        return whole * len(self._keys) + rest * self._size  # the rest of an epoch lacks its last batch, the short one

    def step(self, model: nn.Module, number: int) -> Step:
        """Mean cross entropy of the step's batch."""
        at = torch.from_numpy(self.batch(number)).to(self._labels.device)
        logits = model(self._features[at].float())
        return Step(nn.functional.cross_entropy(logits, self._labels[at], label_smoothing=self._smoothing))

    def enough(self, numbers: Mapping[str, float]) -> bool:
        """Never before the last step."""
        return False


# ---------------------------------------------------------------- the workload


class Classifier:
    """See the module and `Workload`."""

    kind = "classifier"
    suffix = SUFFIX
    Config = ClassifierConfig

    def __init__(self, config: ClassifierConfig, common: SisaConfig, inputs: Inputs) -> None:
        if common.aggregation not in ("", *AGGREGATIONS):
            known = ", ".join(AGGREGATIONS)
            raise ConfigError(f"aggregation: {common.aggregation!r} is unknown to classifiers; one of {known}")
        self.config = config
        self.loop, self.epochs, self._batch = common.loop(), float(common.epochs), common.batch_size
        self.aggregation = common.aggregation or DEFAULT
        self._device = models.choose_device(inputs.device)

    def load(self, path: str | Path) -> Table:
        """A table of this shape and these classes."""
        return read_table(path, shape=self.config.shape, classes=len(self.config.classes))

    def write(self, path: Path, rows: Any) -> Path:
        """Safetensors."""
        target = path.with_name(path.name + self.suffix)
        write_table(target, rows)
        return target

    def concat(self, parts: Sequence[Any]) -> Table:
        """All rows of all parts."""
        return concat(parts)

    def facts(self) -> dict[str, Any]:
        """The configuration."""
        return dataclasses.asdict(self.config)

    def components(self, rows: Any) -> list[Component]:
        """The classes, and a scaler that was given: nothing says what its numbers were taken from."""
        found = [
            Component(
                name="classes",
                digest=_digest(self.config.classes),
                saw_records=False,
                note="fixed in the configuration",
            )
        ]
        if self.config.scaling == "fixed":
            digest = _digest([self.config.mean, self.config.scale])
            note = "given in the configuration; what its numbers were taken from is unknown"
            found.append(Component(name="scaler", digest=digest, saw_records=None, note=note))
        return found

    def export(self, root: Path, shards: Sequence[int], target: Path) -> None:
        """A folder that `ensembles.read_ensemble` opens for `predict`."""
        write_ensemble(root, shards, target, aggregation=self.aggregation)

    def save_shared(self, folder: Path) -> None:
        """Shards share nothing that was learnt."""

    def build(self, seed: int, first: Any) -> Network:
        """Fresh weights from the seed, the scaler from the first slice."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = Network(self.config)
        if self.config.scaling == "fixed":
            model.set_scaling(self.config.mean, self.config.scale)
        elif self.config.scaling == "first_slice":
            if not len(first):
                raise DataError('the first slice is empty: scaling "first_slice" has nothing to learn from')
            model.set_scaling(*fit_scaling(first))
        return model.to(self._device)

    def objective(self, rows: Any, *, epochs: float, seed: int) -> Counted:
        """Cross entropy over the rows."""
        return Shuffled(
            rows,
            batch_size=self._batch,
            epochs=epochs,
            seed=seed,
            smoothing=self.config.label_smoothing,
            device=self._device,
        )

    def save(self, folder: Path, model: Any) -> None:
        """model.safetensors with weights and scaler, config.json; `load_model` reads them."""
        state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
        config = {"kind": self.kind, **dataclasses.asdict(model.config)}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            save_file(state, folder / _WEIGHTS)
            (folder / _CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        except (OSError, SafetensorError) as error:
            raise StorageError(f"{folder}: cannot be written ({error}); free space and run the job again") from error


def _digest(value: Any) -> str:
    return "sha256:" + hashlib.sha256(json.dumps(value).encode()).hexdigest()


# ---------------------------------------------------------------- using an ensemble


def load_model(folder: Path) -> Network:
    """A shard's model, in evaluation mode.

    Raises:
        DataError: a file is missing or damaged, or the weights are not of this configuration.
    """
    try:
        config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
        if config.pop("kind") != Classifier.kind:
            raise DataError(f"{folder}: is not a classifier")
        model = Network(build(ClassifierConfig, config))
        model.load_state_dict(load_file(folder / _WEIGHTS))
    except (OSError, ValueError, KeyError, AttributeError, RuntimeError, SafetensorError, ConfigError) as error:
        raise DataError(f"{folder}: is not a readable classifier ({error}); train it again") from error
    return model.eval()


def predict(
    folders: Iterable[Path], features: npt.NDArray[Any], *, aggregation: str = DEFAULT, batch_size: int = 4096
) -> torch.Tensor:
    """Probabilities of the ensemble, shape (rows, classes), 64 bits, with one shard in memory at a time.

    Args:
        folders: of the shards' models, in the order of shards.
        features: shape (rows, *shape).
        aggregation: one of `aggregation.AGGREGATIONS`.

    Raises:
        DataError: no shard, a damaged one, shards of different classes, or features of another shape.
    """
    ensemble, classes = Ensemble(aggregation), None
    for folder in folders:
        logits, names = _ask(folder, features, batch_size)
        classes = classes or names
        if names != classes:
            raise DataError(f"{folder}: has other classes than the shards before it")
        ensemble.add(logits)
    return ensemble.probabilities()


@torch.no_grad()
def _ask(folder: Path, features: npt.NDArray[Any], size: int) -> tuple[torch.Tensor, list[str]]:
    """One shard's logits and its classes; the shard is dropped on return."""
    model = load_model(folder)
    if list(features.shape[1:]) != model.config.shape:
        raise DataError(f"features have shape {list(features.shape[1:])} a row, the model {model.config.shape}")
    rows = torch.from_numpy(features)
    logits = torch.cat([model(rows[at : at + size].float()) for at in range(0, len(rows), size)])
    return logits, model.config.classes
