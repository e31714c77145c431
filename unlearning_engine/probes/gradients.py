"""Gradient norms, one an item: the membership attack that looks into the weights.

Score of an item: the mean over the model's parameter tensors of the L2 norm of the gradient of the item's mean loss
(Duan et al. 2024 test it as "GradNorm"; the mean over tensors is open-unlearning's). Lower means more likely a member.

open-unlearning runs the items of a batch through one graph and calls `backward` for each: after the first, the graph is
gone and torch refuses; only a batch of one works. Here every item has a graph of its own, so that the score of an item
does not depend on its neighbours. Dropout stays off and the model's own gradients are left as they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from unlearning_engine.tokens import Example, collate

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def gradient_norm(model: PreTrainedModel, example: Example, pad_id: int) -> float:
    """The score of one item; NaN or infinite where the model's loss or gradient is."""
    import torch

    from unlearning_engine.losses import cross_entropy

    parameters = [p for p in model.parameters() if p.is_floating_point()]
    wanted = [p.requires_grad for p in parameters]
    batch = {k: v.to(model.device) for k, v in collate([example], pad_id).items()}
    try:
        for parameter in parameters:
            parameter.requires_grad_(True)
        with torch.enable_grad():
            logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False).logits
            loss = cross_entropy(logits, batch["labels"])
            found = torch.autograd.grad(loss, parameters, allow_unused=True)
    finally:
        for parameter, value in zip(parameters, wanted, strict=True):
            parameter.requires_grad_(value)
    norms = [gradient.detach().float().norm() for gradient in found if gradient is not None]
    return float(torch.stack(norms).mean())


def gradient_norms(model: PreTrainedModel, examples: Sequence[Example], pad_id: int) -> list[float]:
    """One score an item, in the order given; a forward and a backward pass each."""
    training = model.training
    model.eval()
    try:
        return [gradient_norm(model, example, pad_id) for example in examples]
    finally:
        model.train(training)
