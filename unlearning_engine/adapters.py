"""Linear layers by name, and low-rank adapters over them (LoRA, Hu et al. 2021, arXiv:2106.09685), through peft.

No architecture is known by name: layers are found by what they are, and a name that does not exist is answered with
those that do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unlearning_engine.errors import ConfigError

if TYPE_CHECKING:
    from torch.nn import Module
    from transformers import PreTrainedModel

#: Candidates that an error lists.
SHOWN = 20


def linear(part: Module) -> dict[str, Any]:
    """Every linear layer below `part` by its name, in the order in which they were made."""
    from torch.nn import Linear
    from transformers.pytorch_utils import Conv1D

    return {name: module for name, module in part.named_modules() if isinstance(module, Linear | Conv1D)}


def blocks(model: PreTrainedModel) -> list[Module]:
    """The decoder's layers, found as the list that is as long as the configuration says; empty where there is none."""
    from torch.nn import ModuleList

    depth = getattr(model.config, "num_hidden_layers", 0)
    lists = (m for m in model.modules() if isinstance(m, ModuleList) and len(m) == depth)
    return list(next(lists, ()))


def chosen(part: Module, ends: Sequence[str], field: str) -> dict[str, Any]:
    """The linear layers whose names end in one of `ends`, whole words between dots.

    Raises:
        ConfigError: for each end that no layer has, with the candidates.
    """
    every = linear(part)
    found = {name: module for name, module in every.items() if any(f".{name}".endswith(f".{end}") for end in ends)}
    lost = [end for end in ends if not any(f".{name}".endswith(f".{end}") for name in every)]
    if lost:
        known = list(dict.fromkeys(_without_numbers(name) for name in every))
        listed = ", ".join(known[:SHOWN]) + (" ..." if len(known) > SHOWN else "")
        raise ConfigError([f"{field}: the model has no linear layer {end!r}; it has {listed}" for end in lost])
    return found


def _without_numbers(name: str) -> str:
    """`layers.3.mlp.up_proj` as `mlp.up_proj`: what all layers of the kind have in common."""
    words = name.split(".")
    after = max((at for at, word in enumerate(words) if word.isdigit()), default=-1)
    return ".".join(words[after + 1 :])


def inject(model: PreTrainedModel, *, rank: int, alpha: int, ends: Sequence[str], seed: int) -> None:
    """Put adapters over linear layers, in place; from then on only they are trained.

    Where a method has frozen some weights, adapters go over the linear layers that it left free; else over those that
    `ends` names, or all but the output head.

    Raises:
        ConfigError: a named layer does not exist, or shares its weights with the embedding.
    """
    import torch
    from peft import LoraConfig, inject_adapter_in_model

    named = chosen(model, ends, "spec.config.lora_targets") if ends else linear(model)
    shared = {id(model.get_input_embeddings().weight)}
    tied = [name for name, module in named.items() if id(module.weight) in shared]
    if tied and ends:
        raise ConfigError(f"spec.config.lora_targets: {tied[0]} shares its weights with the embedding; leave it out")
    head = model.get_output_embeddings()
    free = [name for name, module in named.items() if module.weight.requires_grad and (module is not head or ends)]
    if not free:
        raise ConfigError("spec.config.lora_targets: none of these layers is trained by the method; leave it out")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=alpha, target_modules=free), model)
    for name, value in model.named_parameters():
        value.requires_grad_("lora_" in name)


def merge(model: PreTrainedModel) -> None:
    """Add what the adapters learnt to the weights below them and take them away, in place."""
    import torch
    from peft.tuners.lora import LoraLayer

    from unlearning_engine import together

    for name, layer in list(model.named_modules()):
        if isinstance(layer, LoraLayer):
            adapted: Any = layer  # each kind of layer has its own way to say what was learnt
            own = adapted.get_base_layer()
            with torch.no_grad():
                for adapter in adapted.active_adapters:
                    together.add(own.weight, adapted.get_delta_weight(adapter))
            parent, _, last = name.rpartition(".")
            setattr(model.get_submodule(parent), last, own)
    model.requires_grad_(True)
