"""Perturb the weights, then learn the retained set again: what is not taught again is gone, not hidden.

After Lee et al. 2025, "Distillation robustifies unlearning" (UNDO, arXiv:2506.06278): each matrix becomes (1 - noise)
w + noise w_fresh, w_fresh drawn as the architecture draws its first weights, and the model is trained on the retained
set. The paper distils an already suppressed teacher on unlabelled text; here the retained set itself teaches, and the
original's distribution over the retained answers may help (`teacher_weight`). More noise forgets more and costs more
passes until what is to stay is back: noise 1 is retraining with the old norms. Nothing of the forget set is read.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from unlearning_engine import losses, models
from unlearning_engine.configs import number
from unlearning_engine.errors import DataError
from unlearning_engine.methods.base import ForgetConfig, Job, Prepared
from unlearning_engine.tokens import Example, encode
from unlearning_engine.training import Step, Supervised, forward

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, kw_only=True)
class Config(ForgetConfig):
    """`noise` 0 to 1 is how much of each matrix is fresh; `epochs` are passes over the retained set."""

    RATES = (2e-3, 1e-4)
    noise: float = number(0.7, 0.0, 1.0)
    teacher_weight: float = number(0.0, 0.0, 100.0)
    decay: float = number(0.5, 0.0, 1.0)
    epochs: int = number(7, 1, 10**6)
    batch_size: int = number(24, 1, 10**5)
    # The model begins useless on purpose: there is nothing to stop for.
    stop_below: float = number(0.0, 0.0, 1.0)

    def conflicts(self) -> list[str]:
        """Every weight is perturbed, so every weight has to learn."""
        return super().conflicts() + (["lora_rank: undo trains every weight; leave it out"] if self.lora_rank else [])


def perturb(model: PreTrainedModel, noise: float, seed: int) -> None:
    """Mix fresh weights into every matrix, in place; norms and biases stay."""
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = AutoModelForCausalLM.from_config(model.config, dtype=torch.float32, trust_remote_code=False)
    drawn = dict(fresh.named_parameters())
    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.dim() > 1:
                value.lerp_(drawn[name].to(value), noise)


class Relearning:
    """The retained set's cross entropy, and the divergence from the original's answers to it."""

    def __init__(self, examples: list[Example], pad_id: int, config: Config, seed: int, teacher: Any) -> None:
        self._pad, self._config, self._teacher = pad_id, config, teacher
        self._batches = Supervised(
            examples, pad_id=pad_id, batch_size=config.batch_size, epochs=config.epochs, seed=seed
        )
        self.total = config.steps or self._batches.total

    def step(self, model: PreTrainedModel, number: int) -> Step:
        """Loss of one retained batch."""
        batch: Sequence[Example] = self._batches.batch(number)
        logits, labels = forward(model, batch, self._pad)
        learnt = losses.cross_entropy(logits, labels)
        if self._teacher is None:
            return Step(learnt, {"retain_loss": float(learnt.detach())})
        with torch.no_grad():
            before, _ = forward(self._teacher, batch, self._pad)
        loss = learnt + self._config.teacher_weight * losses.kl_divergence(logits, before, labels)
        return Step(loss, {"retain_loss": float(learnt.detach())})

    def enough(self, numbers: Mapping[str, float]) -> bool:
        """The schedule needs all its steps."""
        return False


class UndoMethod:
    """See the module."""

    name = "undo"
    Config = Config
    #: What is watched and not taught would be lost with the rest: the watch looks at rows that are taught.
    spares_watched = False

    def prepare(self, job: Job, config: Any) -> Prepared:
        """The given model with noise in its weights, and the retained set as tokens.

        Raises:
            DataError: there is nothing to retain.
        """
        if not job.retain:
            raise DataError("undo: there is nothing to retain; the method needs the retained part of the training set")
        model, tokenizer = models.load(job.model, device=str(job.device))
        limit, pad = models.context_length(model), int(tokenizer.pad_token_id)
        examples = encode(job.retain, tokenizer, full_sequence=config.full_sequence, max_length=limit)
        teacher = copy.deepcopy(model).requires_grad_(False) if config.teacher_weight else None
        return Prepared(
            model=model,
            tokenizer=tokenizer,
            objective=Relearning(examples, pad, config, job.seed, teacher),
            loop=config,
            seed=job.seed,
            start=lambda original: perturb(original, config.noise, job.seed),
        )
