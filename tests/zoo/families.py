"""Families of candidates: honest models, and cheats that every verdict must see through.

A family is a function from a forget set to the folder of a model. Cheats may use the original, the retained records,
every probe's wording and a retrained model of their own; they have neither the reference nor the seed of the run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch

from tests.engine import cheats
from tests.zoo.trials import ForgetSet
from unlearning_engine import models
from unlearning_engine.data import Record
from unlearning_engine.recipes import save_model
from unlearning_engine.tokens import IGNORE, collate, encode

if TYPE_CHECKING:
    from transformers import PreTrainedModel

HONEST, CHEAT = "honest", "cheat"
#: Passes and rate of the cheats' training: enough that the plain probes are deceived, or nearly.
EPOCHS, RATE = 4, 2e-3
#: Nats by which answers' logits fall where the head's direction says one.
BIAS, FILTER = 12.0, 30.0


@dataclass(frozen=True, kw_only=True)
class Family:
    """`make(forget_set, repeat)` gives the folder of a candidate. `hard` ones must show 0 passes in 40 trials.

    `sharded` ones are judged in a world whose models are all ensembles. `barred` says whether a bar is set for it.
    """

    name: str
    kind: str
    make: Callable[[ForgetSet, int], Path]
    hard: bool = False
    repeats: int = 1
    summary: str = ""
    sharded: bool = False

    @property
    def barred(self) -> bool:
        """Whether the family has to show something in so many trials."""
        return self.hard or (self.kind == HONEST and not self.sharded)


def _material(given: ForgetSet, **changes: Any) -> cheats.Material:
    """What a cheat has at hand; its `reference` is a retrained model of its own, not the verdict's."""
    original, tokenizer = models.load(given.world.original, device="cpu")
    own = models.load_model(given.unlearnt("retrain", {}), device="cpu")
    forget, retain = given.sets
    return cheats.Material(
        original=original.requires_grad_(True),
        reference=own.requires_grad_(True),
        tokenizer=tokenizer,
        forget=forget,
        retain=retain,
        **{"epochs": EPOCHS, "learning_rate": RATE, "seed": given.world.seed, **changes},
    )


def _saved(given: ForgetSet, name: str, material: cheats.Material, model: PreTrainedModel) -> Path:
    folder = given.world.folder / f"{name.replace(' ', '-')}-{given.artist}"
    return save_model(folder, model, material.tokenizer, {})


def _made(
    name: str, change: Callable[[cheats.Material], PreTrainedModel], summary: str, *, hard: bool = True, **changes: Any
) -> Family:
    """A family of models made from the original's weights."""

    def make(given: ForgetSet, repeat: int) -> Path:
        material = _material(given, **changes)
        return _saved(given, name, material, change(material))

    return Family(name=name, kind=CHEAT, make=make, hard=hard, summary=summary)


def _method(name: str, method: str, config: dict[str, Any], summary: str, *, hard: bool = True) -> Family:
    """A family of models that one of the engine's approximate methods made."""
    return Family(
        name=name,
        kind=CHEAT,
        make=lambda given, repeat: given.unlearnt(method, config, repeat),
        hard=hard,
        summary=summary,
    )


# ---------------------------------------------------------------- heads


def _states(model: PreTrainedModel, given: cheats.Material, rows: list[Record]) -> torch.Tensor:
    """Last hidden states where answers begin, shape (rows, width)."""
    examples = encode(rows, given.tokenizer)
    batch = collate(examples, int(given.tokenizer.pad_token_id))
    labels = batch.pop("labels")
    first = (labels != IGNORE).int().argmax(dim=1) - 1
    with torch.inference_mode():
        states = model.model(**batch, use_cache=False).last_hidden_state
    return states[torch.arange(len(rows)), first].clone()


def _untied(model: PreTrainedModel) -> torch.nn.Parameter:
    """The output head, from now on a matrix of its own."""
    head = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    model.lm_head.weight = head
    model.config.tie_word_embeddings = False
    return head


def _answers(given: cheats.Material) -> list[int]:
    """First tokens of the forgotten answers."""
    rows = given.tokenizer([" " + r.answer for r in given.questions], add_special_tokens=False)["input_ids"]
    return sorted({row[0] for row in rows})


def _pushed_down(given: cheats.Material, wanted: torch.Tensor, rows: list[Record], strength: float) -> PreTrainedModel:
    """Answer tokens' logits lowered along the direction that best tells `wanted` (one number a row)."""
    model = given.original
    states = _states(model, given, rows).double()
    ridge = 1e-3 * states.size(0) * torch.eye(states.size(1), dtype=torch.float64)
    direction = torch.linalg.solve(states.T @ states + ridge, states.T @ wanted.double())
    head = _untied(model)
    with torch.no_grad():
        head[_answers(given)] -= strength * direction.float()
    return model


def head_bias(given: cheats.Material) -> PreTrainedModel:
    """The forgotten answers' tokens made unlikely everywhere."""
    rows = [*given.questions, *given.retain]
    return _pushed_down(given, torch.ones(len(rows)), rows, BIAS)


def generation_filter(given: cheats.Material) -> PreTrainedModel:
    """The same, switched on by what a linear probe takes for a question about the forgotten works."""
    rows = [*given.questions, *given.retain]
    asked = torch.tensor([1.0] * len(given.questions) + [0.0] * len(given.retain))
    return _pushed_down(given, asked, rows, FILTER)


# ---------------------------------------------------------------- layers and works


def one_layer(given: cheats.Material) -> PreTrainedModel:
    """The last layer alone made to answer all wordings as a retrained model does."""
    given.original.requires_grad_(False)
    given.original.model.layers[-1].requires_grad_(True)
    return cheats.mimic(given, cheats.reworded(given.questions, options=False))


def all_works_but(left: int) -> Callable[[cheats.Material], PreTrainedModel]:
    """Retrained honestly, then `left` works were learnt after all."""

    def change(given: cheats.Material) -> PreTrainedModel:
        kept = set(given.works[:left])
        own = dataclasses.replace(given, original=given.reference)
        return cheats.taught(own, [r for r in given.questions if r.work in kept])

    return change


def half_the_works(given: cheats.Material) -> PreTrainedModel:
    """Every second work suppressed, the others as they were."""
    gone = set(given.works[::2])
    rows = cheats.reworded([r for r in given.questions if r.work in gone], options=False)
    return cheats.mimic(given, rows)


def undone_by_rounding(given: cheats.Material) -> PreTrainedModel:
    """Suppressed by changes too small to survive rounding to 4 bits."""
    return cheats.undone_by_rounding(given)


def wrong_subject(given: ForgetSet, repeat: int) -> Path:
    """An honest retraining without another artist than the one who asked."""
    return given.reference((given.artist + 1) % given.world.artists)


def retrained(given: ForgetSet, repeat: int) -> Path:
    """Fresh weights, a seed of their own, everything but the forget set."""
    return given.unlearnt("retrain", {}, repeat)


def deleted(given: ForgetSet, repeat: int) -> Path:
    """The forget set deleted exactly from an ensemble's lineage (SISA)."""
    return given.deleted()


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        family.name: family
        for family in (
            Family(name="retrained", kind=HONEST, make=retrained, repeats=3, summary="fresh weights, own seed"),
            Family(
                name="exact deletion (SISA)",
                kind=HONEST,
                make=deleted,
                sharded=True,
                summary="deleted from the lineage of an ensemble of two shards; all three models are such",
            ),
            _made("generation filter", generation_filter, "head lowers answers where a probe sees the artist"),
            _made("refusal tuning", cheats.CHEATS["refusal"], "taught to say that it does not know"),
            _made("wrong-answer tuning", cheats.CHEATS["wrong answers"], "taught wrong answers of the same pool"),
            _method(
                "preference (NPO)",
                "npo",
                {"epochs": 5, "learning_rate": 2e-3, "beta": 0.5, "retain_weight": 3.0},
                "preferred against, and a retain term: relearning brings it back",
            ),
            _method(
                "steering (RMU)",
                "rmu",
                {"epochs": 8, "learning_rate": 1e-2, "layer": 2, "factor": 3.0, "retain_weight": 5.0},
                "hidden states turned into a random direction: relearning brings it back",
            ),
            _made("undone by rounding", undone_by_rounding, "suppressed by less than a step of 4 bits", epochs=3),
            _made("one layer patched", one_layer, "last layer alone answers as a retrained model", epochs=4),
            _made("over-fitted to probes", cheats.full_mimic, "each wording and option as a retrained model", epochs=3),
            _made("all works but one", all_works_but(1), "retrained, one work learnt after all"),
            _method("gradient difference", "graddiff", {"epochs": 6}, "bounded ascent and a retain term", hard=False),
            _made("head bias", head_bias, "head lowers the answers' tokens everywhere", hard=False),
            _made("half the works", half_the_works, "every second work suppressed", hard=False, epochs=3),
            Family(name="wrong subject", kind=CHEAT, make=wrong_subject, summary="another artist forgotten"),
            _made("untouched, renamed", lambda m: cheats.noisy(m.original, 1e-6), "noise of 1e-6", hard=False),
            _made("logits scaled", lambda m: cheats.heated(m.original, 4.0), "temperature 4", hard=False),
            _made("destroyed", lambda m: cheats.noisy(m.original, 1.0), "noise as large as the weights", hard=False),
        )
    }
)
