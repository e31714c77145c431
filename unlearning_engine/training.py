"""The one training loop: AdamW, a trapezoid schedule, checkpoints, resume, stop rules.

Everything that trains goes through `run`: it is given an `Objective`, which says how many steps there are
and what the loss of each step is. The same objective, configuration, seed and number of threads give the
same weights, bit for bit, whether or not the run was killed and resumed in between.

Progress is told to `report` (see `progress`): `{"event": "progress", "stage", "step", "total", "loss",
"learning_rate", ...}` and `{"event": "warning", "stage", "message"}`.
"""

from __future__ import annotations

import hashlib
import inspect
import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch

from unlearning_engine import checkpoints, losses, precision, together
from unlearning_engine.configs import Checked, number
from unlearning_engine.errors import DataError, DeviceError, DivergenceError
from unlearning_engine.progress import Report, silent
from unlearning_engine.tokens import IGNORE, Example, batches, collate

if TYPE_CHECKING:
    from transformers import PreTrainedModel


#: Time between checkpoints, in times of what writing one takes.
CHECKPOINT_SHARE = 20


@dataclass(frozen=True, kw_only=True)
class LoopConfig(Checked):
    """Hyper-parameters of the loop; `warmup` and `decay` are shares of all steps.

    Each update takes the mean gradient of `accumulate` of the objective's steps. That is the gradient of one batch as
    large as all of them where the loss is a mean over sequences and the batches have equally many, or a mean over
    tokens and they have equally many counted tokens; else rows of a short batch count for more. Checkpoints are made
    every `checkpoint_every` updates (0: never). With `checkpoint_seconds`, not before so much time has gone by since
    the last one, nor `CHECKPOINT_SHARE` times what writing that one took.
    """

    learning_rate: float = number(3e-3, 0.0, 1.0)
    warmup: float = number(0.05, 0.0, 1.0)
    decay: float = number(0.5, 0.0, 1.0)
    weight_decay: float = number(0.0, 0.0, 1.0)
    clip: float = number(1.0, 1e-6, 1e6)
    accumulate: int = number(1, 1, 10**4)
    checkpoint_every: int = number(100, 0, 10**9)
    checkpoint_seconds: float = number(0.0, 0.0, 1e9)

    def conflicts(self) -> list[str]:
        """Warm-up and decay must not overlap."""
        return ["warmup + decay: more than all steps"] if self.warmup + self.decay > 1 else []


@dataclass(frozen=True)
class Step:
    """Loss of one step, as a scalar to differentiate, and numbers worth reporting beside it."""

    loss: torch.Tensor
    numbers: Mapping[str, float] = field(default_factory=dict)


class Objective(Protocol):
    """What a method supplies: how many steps, the loss of each, and when enough is enough."""

    total: int

    def step(self, model: Any, number: int) -> Step:
        """The loss of step `number` (from 0); it depends on nothing but the model, the number and the seed."""
        ...

    def enough(self, numbers: Mapping[str, float]) -> bool:
        """Stop rule, asked after each step with that step's numbers."""
        ...


class Watcher(Protocol):
    """Who looks at the model between steps and may end the run; see `frontier`."""

    def begin(self, model: Any) -> None:
        """Look at the model before the first step."""
        ...

    def resume(self, facts: Mapping[str, Any]) -> None:
        """Go on from what `facts` gave."""
        ...

    def facts(self) -> dict[str, Any]:
        """What a checkpoint keeps, as JSON."""
        ...

    def due(self, done: int, total: int) -> bool:
        """Whether to look after `done` of `total` steps."""
        ...

    def look(self, model: Any, done: int) -> bool:
        """One look; True ends the run."""
        ...


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended."""

    steps: int
    loss: float
    resumed_from: int
    stopped_early: bool
    threads: int


# ---------------------------------------------------------------- one step's numbers


def learning_rate(config: LoopConfig, step: int, total: int) -> float:
    """Trapezoid: linear up over the first share of steps, flat, linear down to nothing over the last share."""
    rising, falling = config.warmup * total, config.decay * total
    up = (step + 1) / rising if rising >= 1 else 1.0
    down = (total - step) / falling if falling >= 1 else 1.0
    return config.learning_rate * min(1.0, up, down)


def forward(model: PreTrainedModel, examples: Sequence[Example], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and labels of a batch, from the position before the first counted label on.

    Leaving out the prompts' logits saves most of the output head's work. Shapes (batch, kept, vocabulary)
    and (batch, kept).
    """
    batch = {name: value.to(model.device) for name, value in collate(examples, pad_id).items()}
    labels = batch.pop("labels")
    first = min(next((at for at, mark in enumerate(e.labels) if mark != IGNORE), 1) for e in examples)
    kept = labels.size(1) - max(first - 1, 0)
    with precision.products(model.device):
        if _keeps_logits(type(model)):
            return model(**batch, logits_to_keep=kept, use_cache=False).logits, labels[:, -kept:]
        return model(**batch, use_cache=False).logits[:, -kept:], labels[:, -kept:]


def _keeps_logits(kind: type) -> bool:
    return "logits_to_keep" in inspect.signature(kind.forward).parameters  # type: ignore[attr-defined]


class Supervised:
    """Cross entropy over examples for a number of epochs: training, retraining and relearning.

    `epochs` may be a fraction: the last one is then cut off after its share of batches.
    """

    def __init__(self, examples: Sequence[Example], *, pad_id: int, batch_size: int, epochs: float, seed: int) -> None:
        if not examples:
            raise DataError("there is nothing to train on: every record was left out")
        self._examples, self._pad, self._size, self._seed = examples, pad_id, batch_size, seed
        self._per_epoch = math.ceil(len(examples) / batch_size)
        self._epoch: tuple[int, list[list[Example]]] = (-1, [])
        self.total = max(1, round(epochs * self._per_epoch))

    def order_digest(self) -> str:
        """`sha256:<hex>` over the record ids of every batch, in the order of training."""
        state = hashlib.sha256()
        for step in range(self.total):
            state.update("".join(f"{e.record_id}\t{e.part}\n" for e in self.batch(step)).encode() + b"\n")
        return "sha256:" + state.hexdigest()

    @property
    def passes(self) -> int:
        """Examples seen in all steps, each as often as it is."""
        whole, rest = divmod(self.total, self._per_epoch)
        return whole * len(self._examples) + sum(len(self.batch(whole * self._per_epoch + at)) for at in range(rest))

    def batch(self, number: int) -> list[Example]:
        """The batch of one step, counted through all epochs."""
        epoch, at = divmod(number, self._per_epoch)
        if self._epoch[0] != epoch:
            self._epoch = (epoch, batches(self._examples, self._size, seed=self._seed, epoch=epoch))
        return self._epoch[1][at]

    def step(self, model: PreTrainedModel, number: int) -> Step:
        """Mean cross entropy of the step's batch."""
        return Step(losses.cross_entropy(*forward(model, self.batch(number), self._pad)))

    def enough(self, numbers: Mapping[str, float]) -> bool:
        """Never before the last step."""
        return False


# ---------------------------------------------------------------- the loop


class _Run:
    """State of one run of the loop."""

    def __init__(
        self,
        model: torch.nn.Module,
        objective: Objective,
        config: LoopConfig,
        folder: Path | None,
        identity: str,
        watch: Watcher | None,
        seed: int,
    ) -> None:
        self.seed = seed
        self.model, self.objective, self.config, self.folder, self.identity = model, objective, config, folder, identity
        self.watch, self.total = watch, math.ceil(objective.total / config.accumulate)
        self.optimiser = torch.optim.AdamW(
            [p for p in model.parameters() if p.requires_grad],
            lr=config.learning_rate,
            betas=(0.9, 0.95),
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.last_good: Path | None = None
        self.due = time.monotonic() + config.checkpoint_seconds

    def resume(self, warn: Callable[[str], None], fresh: Callable[[Any], None] | None) -> int:
        """Restore the newest whole checkpoint of this very job and return the step to go on with; or begin afresh."""
        with together.in_turn():
            facts = self.restored(warn)
        if not facts:
            if self.watch:
                self.watch.begin(self.model.eval())
                self.model.train()
            if fresh:
                fresh(self.model)
            return 0
        torch.set_num_threads(int(facts["threads"]))  # another number would add in another order: other bits
        if self.watch:
            self.watch.resume(facts["watch"])
        step = int(facts["step"])
        self.last_good = checkpoints.place(self.folder, step) if self.folder else None
        return step

    def restored(self, warn: Callable[[str], None]) -> dict[str, Any]:
        """Facts of the checkpoint that weights and moments were taken from; empty without one."""
        found = checkpoints.newest(self.folder, warn) if self.folder else None
        if not found:
            return {}
        if found[0].get("identity") != self.identity:
            raise DataError(f"{self.folder}: holds checkpoints of another job; use another folder or delete them")
        checkpoints.restore(self.model, self.optimiser, found[1])
        return found[0]

    def begin(self, start: Path) -> None:
        """Weights and moments of an earlier training's end."""
        checkpoints.restore(self.model, self.optimiser, checkpoints.read(start)[1])

    def save(self, done: int) -> None:
        """Checkpoint after `done` steps, if it is time for one."""
        every = self.config.checkpoint_every
        started = time.monotonic()
        regular = self.folder and every and done % every == 0 and done < self.total
        if self.folder and regular and together.agreed(started >= self.due):
            self.last_good = checkpoints.write(self.folder, done, self.model, self.optimiser, self.facts())
            if self.config.checkpoint_seconds:
                now = time.monotonic()
                self.due = now + max(self.config.checkpoint_seconds, CHECKPOINT_SHARE * (now - started))

    def tell(self, report: Report, stage: str, number: int, numbers: Mapping[str, float], *, stopped: bool) -> None:
        """Report a step now and then, and the last one always."""
        done, total = number + 1, self.total
        if stopped or done % max(1, total // 50) == 0 or done == total:
            rate = learning_rate(self.config, number, total)
            where = {"stage": stage, "step": done, "total": total}
            report({"event": "progress", **where, "learning_rate": rate, **numbers})

    def facts(self) -> dict[str, object]:
        """What a checkpoint says of itself."""
        watched = {"watch": self.watch.facts()} if self.watch else {}
        return {"identity": self.identity, "threads": torch.get_num_threads(), **watched}

    def train(self, begun: int, report: Report, stage: str) -> tuple[float, int, bool]:
        """Every update from `begun` on; the last loss, the updates done, and whether the run stopped early."""
        loss, done, stopped = math.nan, begun, False
        for update in range(begun, self.total):
            loss, numbers = self.step(update)
            done = update + 1
            stopped = self.objective.enough({"loss": loss, **numbers})
            if self.watch and (stopped or self.watch.due(done, self.total)):
                stopped = self.watch.look(self.model, done) or stopped
            self.tell(report, stage, update, {"loss": loss, **numbers}, stopped=stopped)
            if stopped:
                break
            self.save(done)
        return loss, done, stopped

    def gradient(self, number: int) -> tuple[float, dict[str, float]]:
        """Mean loss, numbers and gradient of an update's steps; the gradient is left at the first bad loss.

        Of several processes each takes its steps; one without a step of its own goes along with the last.
        """
        first, loss = number * self.config.accumulate, 0.0
        parts = min(self.config.accumulate, self.objective.total - first)
        numbers: dict[str, float] = {}
        for at in range(first, first + parts, together.size()):
            mine = min(at + together.rank(), first + parts - 1)
            counted = mine == at + together.rank()
            step = self.objective.step(self.model, mine)
            share = step.loss / parts if parts > 1 else step.loss
            found = {name: value / parts for name, value in step.numbers.items()}
            found = together.total({"": float(share.detach()), **found}, counted=counted)
            loss += found.pop("")
            if not math.isfinite(loss):
                break
            together.backward(share, counted=counted)
            for name, value in found.items():
                numbers[name] = numbers.get(name, 0.0) + value
        return loss, numbers

    def not_finite(self) -> list[str]:
        """Names of the first weights that hold NaN or infinity."""
        named = self.model.named_parameters()
        bad = (name for name, values in named if not together.whole(torch.isfinite(values).all()))
        return list(itertools.islice(bad, 5))

    def step(self, number: int) -> tuple[float, dict[str, float]]:
        """One update; nothing is changed where loss or gradient are not finite."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.config, number, self.total)
        self.optimiser.zero_grad(set_to_none=True)
        together.seed(self.seed, number)
        loss, numbers = self.gradient(number)
        together.share_gradients(self.model.parameters())
        if math.isfinite(loss):
            norm = together.whole(torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip))
            if torch.isfinite(norm):
                self.optimiser.step()
                return loss, numbers
        if number == 0 and (bad := self.not_finite()):
            raise DivergenceError(f"the model's weights are not finite numbers ({', '.join(bad)}); restore the model")
        kept = f"the last good checkpoint is {self.last_good}" if self.last_good else "no checkpoint was made yet"
        raise DivergenceError(
            f"step {number}: the loss is {loss} or its gradient is not finite; {kept}; lower the learning rate"
        )


def run(
    model: torch.nn.Module,
    objective: Objective,
    config: LoopConfig,
    *,
    seed: int,
    report: Report = silent,
    stage: str = "train",
    folder: Path | None = None,
    identity: str = "",
    start: Path | None = None,
    finish: Path | None = None,
    watch: Watcher | None = None,
    fresh: Callable[[Any], None] | None = None,
) -> Outcome:
    """Train `model` in place and leave it in evaluation mode.

    Args:
        folder: where checkpoints go and from where a killed run is resumed.
        identity: digest of everything that decides the result; a checkpoint of another identity is refused.
        start: checkpoint to begin with: its weights and optimiser moments; random numbers begin with `seed`.
        finish: where the state after the last step is kept, for a training that goes on from it.
        watch: looks at the model between steps and may end the run.
        fresh: changes the model of a run that goes on from no checkpoint, after the watch's first look.

    Raises:
        DivergenceError: loss or gradient became NaN or infinite, or the model's weights were; the last good checkpoint
            stays.
        DataError: the checkpoints are of another job.
        DeviceError: the device ran out of memory.
    """
    state = _Run(model, objective, config, folder, identity, watch, seed)
    if start:
        state.begin(start)
    torch.manual_seed(seed)
    model.train()
    begun = state.resume(lambda message: report({"event": "warning", "stage": stage, "message": message}), fresh)
    try:
        loss, done, stopped = state.train(begun, report, stage)
        if finish:
            checkpoints.write_at(finish, model, state.optimiser, {**state.facts(), "step": done})
    except torch.OutOfMemoryError as error:
        raise DeviceError(f"{stage}: the device ran out of memory ({error}); use a smaller batch_size") from error
    finally:
        model.eval()
    return Outcome(steps=done, loss=loss, resumed_from=begun, stopped_early=stopped, threads=torch.get_num_threads())
