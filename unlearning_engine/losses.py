"""Losses as pure functions over padded batches; only tokens with a label count.

Shapes: logits (batch, length, vocabulary), labels (batch, length) with `IGNORE` where nothing counts. The
logits at one position predict the label at the next, as in transformers.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from unlearning_engine.tokens import IGNORE


def token_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy in nats of each predicted token, shape (batch, length - 1); 0 where no label counts."""
    shifted = logits[:, :-1].float()
    flat = functional.cross_entropy(
        shifted.reshape(-1, shifted.size(-1)), labels[:, 1:].reshape(-1), ignore_index=IGNORE, reduction="none"
    )
    return flat.view(labels.size(0), -1)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross entropy in nats over all counted tokens of the batch."""
    return token_losses(logits, labels).sum() / (labels[:, 1:] != IGNORE).sum().clamp(min=1)


def sequence_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross entropy in nats over the counted tokens of each sequence, shape (batch,)."""
    counted = (labels[:, 1:] != IGNORE).sum(dim=1).clamp(min=1)
    return token_losses(logits, labels).sum(dim=1) / counted


def bounded_ascent(logits: Tensor, labels: Tensor, bound: float) -> Tensor:
    """Minus the mean sequence loss, each sequence's loss cut off at `bound` nats.

    A sequence past the bound has no gradient: unbounded ascent destroys the model (Maini et al. 2024, TOFU).
    """
    return -sequence_losses(logits, labels).clamp(max=bound).mean()


def kl_divergence(logits: Tensor, frozen: Tensor, labels: Tensor) -> Tensor:
    """Mean KL(frozen || model) in nats over the counted tokens; `frozen` are logits of the same shape."""
    counted = labels[:, 1:] != IGNORE
    ours = functional.log_softmax(logits[:, :-1].float(), dim=-1)
    theirs = functional.log_softmax(frozen[:, :-1].float(), dim=-1)
    per_token = functional.kl_div(ours, theirs, log_target=True, reduction="none").sum(dim=-1)
    return torch.where(counted, per_token, 0.0).sum() / counted.sum().clamp(min=1)


def sequence_log_probabilities(logits: Tensor, labels: Tensor) -> Tensor:
    """Log probability in nats of each sequence's counted tokens together (a sum, not a mean), shape (batch,)."""
    return -token_losses(logits, labels).sum(dim=1)


def negative_preference(now: Tensor, before: Tensor, beta: float) -> Tensor:
    """Mean of (-2/beta) log sigma(-beta [now - before]) (NPO, Zhang et al. 2024).

    `now` and `before` are log probabilities of sequences under the model and its original, shape (batch,).
    """
    return -2 / beta * functional.logsigmoid(-beta * (now - before)).mean()


def preference(chosen: Tensor, rejected: Tensor, beta: float) -> Tensor:
    """Mean of (-2/beta) log sigma(beta [chosen - rejected]) (DPO, Rafailov et al. 2023, scaled as NPO is).

    Both are gains in log probability of a sequence over the original model, shape (batch,).
    """
    return -2 / beta * functional.logsigmoid(beta * (chosen - rejected)).mean()


def simple_negative_preference(means: Tensor, beta: float, delta: float) -> Tensor:
    """Mean of (-2/beta) log sigma(beta [means - delta]) (SimNPO, Fan et al. 2024).

    `means` are mean cross entropies of sequences, shape (batch,).
    """
    return -2 / beta * functional.logsigmoid(beta * (means - delta)).mean()


def state_distance(states: Tensor, targets: Tensor, counted: Tensor) -> Tensor:
    """Mean squared difference over hidden units and counted tokens (RMU, Li et al. 2024).

    Shapes: states and targets (batch, length, width), counted (batch, length) of bool.
    """
    return functional.mse_loss(states[counted].float(), targets[counted].float())
