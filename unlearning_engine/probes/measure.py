"""From a model and items to rows of scores. The texts are tokenised once, whatever the number of models."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from unlearning_engine.data import Record
from unlearning_engine.probes.formats import Framed
from unlearning_engine.probes.items import Item
from unlearning_engine.probes.scorer import Loss, greedy, losses
from unlearning_engine.probes.table import Row
from unlearning_engine.tokens import IGNORE, Example, encode, encode_prompts

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: Sets whose items are asked in held-out words, too, and offered wrong answers.
ASKED = ("forget", "controls")
#: Two options whose losses differ by less, in nats per token, are tied: arithmetic is no knowledge.
TIE = 1e-5


def plain(text: str) -> str:
    """A text as it is compared: Unicode-normal, lower case, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def holds(said: str, answer: str) -> bool:
    """Whether a continuation holds the exact value, as whole words wherever it stands."""
    value = plain(answer).strip(" .!?\"'") or plain(answer)
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", plain(said)) is not None


def rank_first(right: float, wrong: Sequence[float]) -> float:
    """1 where the right answer's loss is the lowest; a tie at the top is shared."""
    if any(loss < right - TIE for loss in wrong):
        return 0.0
    return 1 / (1 + sum(loss <= right + TIE for loss in wrong))


def rank_among(right: float, wrong: Sequence[float]) -> float:
    """Share of the wrong answers with a higher loss than the right one, ties counted half: 0.5 knows nothing."""
    return sum(0.5 if abs(loss - right) <= TIE else float(loss > right) for loss in wrong) / len(wrong)


@dataclass
class Plan:
    """What to compute: each distinct (prompt, answer) and each distinct prompt once."""

    items: Sequence[Item]
    paraphrases: int
    full: bool
    bare: bool = False
    pairs: dict[tuple[str, str], int] = field(default_factory=dict)
    prompts: dict[str, int] = field(default_factory=dict)
    examples: list[Example] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    starts: list[list[int]] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)

    def held_out(self, item: Item) -> tuple[str, ...]:
        """Prompts never trained on, for sets that are asked in them."""
        return item.record.paraphrase[: self.paraphrases] if item.set in ASKED and not self.bare else ()

    def offered(self, item: Item) -> tuple[str, ...]:
        """Wrong answers, for sets that are offered them."""
        return item.record.perturbed if item.set in ASKED and not self.bare else ()


def prepare(
    items: Sequence[Item],
    tokenizer: PreTrainedTokenizerBase,
    *,
    paraphrases: int,
    slack: int,
    context: int | None,
    full: bool = True,
    bare: bool = False,
) -> Plan:
    """Tokenise everything that scoring these items needs.

    Args:
        paraphrases: held-out prompts per item.
        slack: tokens that a greedy answer may be longer than the true one.
        full: False leaves out the greedy answers to held-out prompts (after an attack).
        bare: True leaves out held-out prompts and wrong answers.

    Raises:
        DataError: naming every item that does not fit the context or whose answer has no tokens.
    """
    plan = Plan(items=items, paraphrases=paraphrases, full=full, bare=bare)
    wanted: dict[str, int] = {}
    answers_of = list(dict.fromkeys(item.record.answer for item in items if item.record.is_question))
    lengths = {a: len(row) for a, row in zip(answers_of, encode_prompts(answers_of, tokenizer), strict=True)}
    for item in items:
        record, held_out = item.record, plan.held_out(item)
        answers = (record.answer or record.text, *plan.offered(item))
        for prompt in (record.prompt, *held_out):
            for answer in answers:
                plan.pairs.setdefault((prompt, answer), len(plan.pairs))
        for prompt in (record.prompt, *(held_out if full else ())) if record.is_question else ():
            plan.prompts.setdefault(prompt, len(plan.prompts))
            wanted[prompt] = max(wanted.get(prompt, 0), lengths[record.answer] + slack)
    _encode(plan, tokenizer, context)
    plan.starts = encode_prompts(list(plan.prompts), tokenizer)
    plan.lengths = [wanted[prompt] for prompt in plan.prompts]
    return plan


def _encode(plan: Plan, tokenizer: PreTrainedTokenizerBase, context: int | None) -> None:
    """Examples of all pairs. The end token is no part of an answer: whether a model stops is not what it knows."""
    kind = Framed if any(isinstance(item.record, Framed) for item in plan.items) else Record
    records = [
        kind(id=str(n), prompt=prompt, answer=answer) if prompt else Record(id=str(n), text=answer)
        for (prompt, answer), n in plan.pairs.items()
    ]
    for example in encode(records, tokenizer, max_length=context):
        labels = example.labels
        if labels[-1] == tokenizer.eos_token_id:
            labels = (*labels[:-1], IGNORE)
        if any(label != IGNORE for label in labels[1:]):
            plan.examples.append(Example(record_id=example.record_id, tokens=example.tokens, labels=labels))
            plan.owners.append(int(example.record_id))


def _joined(plan: Plan, parts: Sequence[Loss]) -> list[Loss]:
    """One loss a pair: windows of a long text are added up."""
    sums = [[0.0, 0, 0] for _ in plan.pairs]
    for owner, part in zip(plan.owners, parts, strict=True):
        sums[owner][0] += part.total
        sums[owner][1] += part.tokens
        sums[owner][2] += part.hits
    return [Loss(total=total, tokens=int(tokens), hits=int(hits)) for total, tokens, hits in sums]


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _row(item: Item, plan: Plan, loss_of: Callable[[str, str], Loss], says: Callable[[str], str], where: Row) -> Row:
    record, held_out = item.record, plan.held_out(item)
    base: dict[str, Any] = {
        "model": where.model,
        "attack": where.attack,
        "set": item.set,
        "id": record.id,
        "near": item.near,
    }
    base |= {"fact": item.fact, "work": item.work}
    own = loss_of(record.prompt, record.answer or record.text)
    offered = plan.offered(item)
    scored = {p: [loss_of(p, a) for a in (record.answer, *offered)] for p in (record.prompt, *held_out) if offered}
    if not all(loss.finite for loss in (own, *(x for row in scored.values() for x in row))):
        return Row(**base, finite=0)
    base |= {"tokens": own.tokens, "loss": own.mean, "prob": math.exp(-own.mean)}
    if not record.is_question:
        return Row(**base, match=own.hits / own.tokens)
    ranks = {p: rank_first(row[0].mean, [x.mean for x in row[1:]]) for p, row in scored.items()}
    truths = {p: row[0].mean - sum(x.mean for x in row[1:]) / (len(row) - 1) for p, row in scored.items()}
    return Row(
        **base,
        exact=float(holds(says(record.prompt), record.answer)),
        exact_paraphrase=_mean([float(holds(says(p), record.answer)) for p in held_out]) if plan.full else None,
        choice=ranks.get(record.prompt),
        choice_paraphrase=_mean([ranks[p] for p in held_out if p in ranks]),
        rank=_mean([rank_among(row[0].mean, [x.mean for x in row[1:]]) for row in scored.values()]),
        chance=1 / (1 + len(offered)) if offered else None,
        truth=_mean([truths[p] for p in (held_out or (record.prompt,)) if p in truths]),
    )


def measure(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, plan: Plan, *, name: str, attack: str = ""
) -> list[Row]:
    """Score a model on a plan's items, one row each in their order. A row that is not finite holds no numbers."""
    if not plan.items:
        return []
    pad_id, end_id = tokenizer.pad_token_id, tokenizer.eos_token_id
    found = _joined(plan, losses(model, plan.examples, pad_id))
    said = greedy(model, plan.starts, plan.lengths, pad_id=pad_id, end_id=end_id)
    texts = tokenizer.batch_decode(said, skip_special_tokens=True)
    where = Row(model=name, set="", id="", fact=0, work=0, attack=attack)
    return [
        _row(
            item,
            plan,
            loss_of=lambda prompt, answer: found[plan.pairs[prompt, answer]],
            says=lambda prompt: texts[plan.prompts[prompt]],
            where=where,
        )
        for item in plan.items
    ]
