"""Representation steering (RMU): hidden states of what is to be forgotten are turned into one random direction.

Li et al. 2024, WMDP (arXiv:2403.03218): at layer l, ||h - c u||^2 on the forget set, u drawn uniformly from [0, 1) and
normalised, plus alpha ||h - h_frozen||^2 on the retained; only the last matrix of the feed-forward part of layers
l-2 to l is trained, and a forward pass ends at layer l. Here c is by default adaptive (Dang et al. 2025,
arXiv:2408.06223): `factor` times the norm of the frozen state at each token, so that no scale has to be found by
hand. Errors are means over hidden units and counted tokens. The method hides rather than forgets: of all here,
relearning brings back the most (docs/experiments.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from unlearning_engine import adapters, losses, models, precision, together
from unlearning_engine.configs import number
from unlearning_engine.errors import DataError
from unlearning_engine.methods.base import Job, PairConfig, Pairs, Prepared, load_pairs
from unlearning_engine.tokens import Example, collate
from unlearning_engine.training import Step

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: Layers below the steered one whose matrices are trained with it, and the paper's place of that layer: 7 of 32.
BELOW, PLACE = 2, 7 / 32


@dataclass(frozen=True, kw_only=True)
class Config(PairConfig):
    """`layer` counts from 1; 0 takes the paper's share of the depth. `coefficient` above 0 is a fixed c in place of
    `factor` times the frozen norm. `retain_weight` is alpha. `matrices` are the ends of the names of what is trained in
    the steered layer and the two below it, such as `mlp.down_proj`; none means the last of each layer."""

    RATES = (1e-3, 5e-5)
    layer: int = number(0, 0, 10**4)
    factor: float = number(5.0, 0.0, 1e4)
    coefficient: float = number(0.0, 0.0, 1e6)
    matrices: list[str] = field(default_factory=list)
    retain_weight: float = number(100.0, 0.0, 1e9)

    def conflicts(self) -> list[str]:
        """The retained are held where their states were, by no other term."""
        other = ["retain_loss: rmu holds hidden states; leave it out"] if self.retain_loss != "cross_entropy" else []
        return super().conflicts() + other


def trained(block: nn.Module, ends: Sequence[str]) -> list[Any]:
    """The linear layers of a block that are trained: the named ones, or the last, in which the feed-forward part ends.

    Raises:
        ConfigError: the block has no such layer; with the candidates.
        DataError: it has no linear layer at all.
    """
    found = adapters.chosen(block, ends, "spec.config.matrices") if ends else adapters.linear(block)
    if not found:
        raise DataError("rmu: a layer of the model has no linear part; use another method")
    return list(found.values())[0 if ends else -1 :]


class _Reached(Exception):  # noqa: N818 - not an error: the pass has come as far as it need
    """The layer at which a forward pass ends."""


def states(model: PreTrainedModel, layer: int, examples: Sequence[Example], pad_id: int) -> tuple[Tensor, Tensor]:
    """Hidden states behind `layer` (from 1), shape (batch, length, width), and the mask of real tokens.

    No layer above is computed, but where several processes share the weights: a layer gives its part back at the end of
    the whole pass. The layers above then work on what leads to no gradient.
    """
    batch = {name: value.to(model.device) for name, value in collate(examples, pad_id).items() if name != "labels"}

    seen: list[Tensor] = []

    def stop(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        seen.append(output[0] if isinstance(output, tuple) else output)
        if not together.joined():
            raise _Reached
        loose = seen[0].detach()
        return (loose, *output[1:]) if isinstance(output, tuple) else loose

    hook = adapters.blocks(model)[layer - 1].register_forward_hook(stop)
    try:
        with precision.products(model.device):
            model(**batch, use_cache=False)
    except _Reached:
        pass
    finally:
        hook.remove()
    if not seen:
        raise DataError(f"rmu: layer {layer} of the model is never run; name another")
    return seen[0], batch["attention_mask"].bool()


def direction(width: int, seed: int) -> Tensor:
    """u: uniform on [0, 1), of length one, shape (width,), drawn from `seed` alone."""
    drawn = torch.rand(width, generator=torch.Generator().manual_seed(seed))
    return nn.functional.normalize(drawn, dim=0)


class RMU:
    """One batch to steer away and one to hold in every step; a frozen copy of the model says where both were."""

    def __init__(self, model: PreTrainedModel, layer: int, pairs: Pairs, config: Config, seed: int) -> None:
        self._pairs, self._config, self.total, self._layer = pairs, config, pairs.total, layer
        self._frozen = models.frozen_copy(model)
        self._direction = direction(int(model.config.hidden_size), seed).to(model.device)

    def _target(self, before: Tensor) -> Tensor:
        fixed = self._config.coefficient
        return (fixed or self._config.factor * before.norm(dim=-1, keepdim=True)) * self._direction

    def _before(self, batch: Sequence[Example]) -> Tensor:
        with torch.no_grad():
            return states(self._frozen, self._layer, batch, self._pairs.pad_id)[0]

    def step(self, model: PreTrainedModel, number: int) -> Step:
        """Distance of the forgotten from their target, and weighted distance of the retained from where they were."""
        forget, retain = self._pairs.batch(number)
        steered, asked = states(model, self._layer, forget, self._pairs.pad_id)
        held, kept = states(model, self._layer, retain, self._pairs.pad_id)
        away = losses.state_distance(steered, self._target(self._before(forget)).expand_as(steered), asked)
        near = losses.state_distance(held, self._before(retain), kept)
        loss = away + self._config.retain_weight * near
        return Step(loss, {"forget_loss": float(away.detach()), "retain_loss": float(near.detach())})

    def enough(self, numbers: Mapping[str, float]) -> bool:
        """The steps are few and fixed."""
        return False


class RMUMethod:
    """See the module."""

    name = "rmu"
    Config = Config

    def prepare(self, job: Job, config: Any) -> Prepared:
        """The given model with all but a few matrices frozen, and its two sets as tokens.

        Raises:
            DataError: the model has no such layer, or a layer no such matrix.
        """
        model, tokenizer, pairs = load_pairs(job, config, self.name)
        found = adapters.blocks(model)
        if not 0 <= config.layer <= len(found) or not found:
            raise DataError(f"rmu: the model has {len(found)} layers and no layer {config.layer}; name one it has")
        layer = config.layer or max(1, round(PLACE * len(found)))
        objective = RMU(model, layer, pairs, config, job.seed)
        model.requires_grad_(False)
        for block in found[max(0, layer - 1 - BELOW) : layer]:
            for matrix in trained(block, config.matrices):
                matrix.weight.requires_grad_(True)
        return Prepared(model=model, tokenizer=tokenizer, objective=objective, loop=config, seed=job.seed)
