"""Retraining without the forget set: exact by construction (Bourtoule et al. 2021, arXiv:1912.03817).

Fresh weights, drawn from a seed of its own, are trained by the recipe that lies in the model's folder on
the retained records alone. Neither the weights to be replaced nor any reference model are read, only the
configuration and the tokenizer.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from unlearning_engine import models
from unlearning_engine.configs import Checked, build, number
from unlearning_engine.errors import DataError
from unlearning_engine.methods.base import Job, Prepared
from unlearning_engine.recipes import TrainConfig, check_memory, read_recipe, supervised, tokenizer_digest


@dataclass(frozen=True, kw_only=True)
class Config(Checked):
    """`epochs` 0 takes the recipe's number; `checkpoint_every` -1 likewise, 0 never."""

    epochs: int = number(0, 0, 10**6)
    checkpoint_every: int = number(-1, -1, 10**9)


def own_seed(seed: int) -> int:
    """A seed that no training uses by chance: a keyed hash of the job's seed, below 2**31."""
    return int.from_bytes(hashlib.blake2b(f"{seed}".encode(), key=b"retrain", digest_size=4).digest()) >> 1


class Retrain:
    """See the module."""

    name = "retrain"
    Config = Config

    def prepare(self, job: Job, config: Any) -> Prepared:
        """Fresh weights and the recipe's objective on the retained records."""
        recipe = read_recipe(job.model)
        expected = recipe.get("tokenizer_digest")
        if expected != tokenizer_digest(job.model):
            raise DataError(f"{job.model}: the tokenizer is not the one of the recipe; restore the model's folder")
        plan = dict(recipe["config"])
        if config.epochs:
            plan["epochs"] = config.epochs
        if config.checkpoint_every >= 0:
            plan["checkpoint_every"] = config.checkpoint_every
        training = build(TrainConfig, plan, f"{job.model}/recipe.json config")
        tokenizer = models.load_tokenizer(job.model)
        seed = own_seed(job.seed)
        check_memory(training, tokenizer, job.retain, job.device)
        model = models.build_model(training.model, tokenizer, seed).to(job.device)
        objective = supervised(job.retain, training, model, tokenizer, seed)
        made = {
            "fresh_weights": True,
            "records_left_out": len(job.forget),
            # Counted when the tokenizer was made; a recipe that does not say is no proof.
            "tokenizer_independent": recipe.get("tokenizer_shared_records") == 0,
        }
        return Prepared(
            model=model, tokenizer=tokenizer, objective=objective, loop=training.loop(), seed=seed, construction=made
        )
