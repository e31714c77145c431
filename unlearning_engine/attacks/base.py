"""What an attack is: a name, a description for reports, the probes it leads to, and a way to prepare model or prompts.

An attack is prepared on a model that is loaded for it alone and may be changed in place; what it yields is asked at
once, in the state that the model is in at that moment. Every attack runs over candidate, original and reference (or
never-seen controls) with the same seed: an attack teaches, guesses and breaks things, and only what it brings beyond
the bar is knowledge. Nothing here imports torch before an attack runs: a verdict is recomputed without it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from unlearning_engine.probes.compare import Measure
from unlearning_engine.probes.formats import Framed
from unlearning_engine.probes.items import Item
from unlearning_engine.probes.table import Row, mean_of

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FAMILY = "robustness"


@dataclass(frozen=True, kw_only=True)
class Given:
    """What an attacker has.

    `items` are to be brought back or, as controls, were never there; `retained` are asked too after a change of
    weights, to see whether it left the model whole; `shown` are all retained questions, which may be shown or trained
    on. `slack` counts the tokens that an answer may be longer than the true one. `original` loads the model from
    before the unlearning.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    items: Sequence[Item]
    retained: Sequence[Item] = ()
    shown: Sequence[Item] = ()
    seed: int = 0
    slack: int = 8
    original: Callable[[], PreTrainedModel] | None = None


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What to ask next: an item may come in several wordings, each an `Item` under the same id.

    `bare` leaves out held-out wordings and wrong answers. `tries` above 0 samples that often at `temperature`
    instead of asking greedily. Of an attack that rewords, `plain` are those of `items` that it fits around in no
    wording, so that they are asked as they stand; None of one that asks everything as it stands.
    """

    items: tuple[Item, ...]
    plain: tuple[Item, ...] | None = None
    bare: bool = False
    tries: int = 0
    temperature: float = 1.0


Prepare = Callable[[Given], Iterator[Prepared]]


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One attack of the standard set.

    `describe` gives plain numbers for reports. `prepare` is None where another pass measures the attack's probes
    (relearning has rounds of its own, held-out paraphrases are asked with the trained wordings). `one_stream`: it acts
    on hidden states, of which an ensemble has a row for each shard and none of its own.
    """

    name: str
    measures: tuple[Measure, ...]
    prepare: Prepare | None = None
    changes_weights: bool = False
    needs_original: bool = False
    one_stream: bool = False
    describe: dict[str, int | float | str] = field(default_factory=dict)


def value(name: str) -> Measure:
    """The probe `NAME_value`: share of facts whose exact value is given under the attack."""
    return Measure(name=f"{name}_value", family=FAMILY, value="exact", attack=name)


def choice(name: str) -> Measure:
    """The probe `NAME_choice`: share of facts whose right answer ranks first under the attack."""
    return Measure(name=f"{name}_choice", family=FAMILY, value=mean_of("choice", "choice_paraphrase"), attack=name)


# ---------------------------------------------------------------- weights


def linear_weights(model: PreTrainedModel) -> Iterator[tuple[str, Tensor]]:
    """Weights of the linear layers as views of shape (outputs, inputs), the output head left out.

    The head is as a rule tied to the embedding, which neither quantisation nor pruning touches in practice either.
    An ensemble has no head of its own, but each of its shards has one.
    """
    from torch import nn
    from transformers import PreTrainedModel
    from transformers.pytorch_utils import Conv1D

    models = [module for module in model.modules() if isinstance(module, PreTrainedModel)]
    heads = [head for one in models if (head := one.get_output_embeddings()) is not None]
    for name, module in model.named_modules():
        if any(module is head for head in heads):
            continue
        if isinstance(module, nn.Linear):
            yield name, module.weight.data
        elif isinstance(module, Conv1D):  # GPT-2 keeps (inputs, outputs)
            yield name, module.weight.data.T


# ---------------------------------------------------------------- prompts


def question(item: Item) -> str:
    """An item's prompt without a chat template or joining text around it."""
    return item.record.question if isinstance(item.record, Framed) else item.record.prompt


def reworded(item: Item, prompt: str) -> Item:
    """The item under another prompt, in the same format; id, fact and work stay."""
    if isinstance(item.record, Framed):
        prompt = item.record.ask(prompt)
    return dataclasses.replace(item, record=dataclasses.replace(item.record, prompt=prompt, digest=""))


def fits(given: Given, items: Sequence[Item]) -> list[bool]:
    """Whether prompt, answer and slack of each item fit into the model's context."""
    from unlearning_engine.models import context_length

    context = context_length(given.model)
    if context is None or not items:
        return [True] * len(items)
    rows = given.tokenizer([item.record.full_text for item in items])["input_ids"]
    return [len(row) + 1 + given.slack <= context for row in rows]


def fact_counts(items: Sequence[Item], plain: Sequence[Item]) -> dict[str, int]:
    """How many facts to be forgotten were asked, and how many of them in none but their plain wording."""
    left = {(item.set, item.record.id) for item in plain}
    forget = [item for item in items if item.set == "forget"]
    reworded = {item.fact for item in forget if (item.set, item.record.id) not in left}
    asked = {item.fact for item in forget}
    return {"forget_facts": len(asked), "plain_facts": len(asked - reworded)}


def best(rows: Sequence[Row]) -> list[Row]:
    """One row per item: what the luckiest of its wordings brought. A row that is not finite stays so."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row.set, row.id), []).append(row)
    return [_best(group) for group in found.values()]


def _best(group: Sequence[Row]) -> Row:
    if len(group) == 1:
        return group[0]
    if broken := next((row for row in group if not row.finite), None):
        return broken
    likely = min(group, key=lambda row: row.loss if row.loss is not None else float("inf"))
    return dataclasses.replace(likely, exact=max(row.exact or 0.0 for row in group))
