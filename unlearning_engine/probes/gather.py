"""Everything that the token-level probes need of one model, from one packed pass and one greedy pass.

A plan is made once and serves every model: each distinct (prompt, answer) is tokenised and scored once, the answers to
one prompt are packed behind it (`tokenwise`), each distinct prompt is continued once (`scorer.greedy`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from unlearning_engine.data import Record
from unlearning_engine.errors import DataError
from unlearning_engine.probes.formats import Format, answer_start, encode_pairs
from unlearning_engine.probes.scorer import greedy
from unlearning_engine.probes.tokenwise import TokenScores, joined, score_tokens
from unlearning_engine.tokens import Example

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: Tokens that a greedy continuation may be longer than the true answer.
SLACK = 8
Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Said:
    """A greedy continuation with what it should have been: tokens and text of both."""

    tokens: tuple[int, ...]
    text: str
    answer: tuple[int, ...]
    truth: str


@dataclass(frozen=True, kw_only=True)
class ItemScores:
    """One item under one model.

    `own` is the right answer (or the running text); `held_out` the same under each reworded prompt, `reworded` the
    reworded answers. `wrong` holds for the prompt and then each reworded prompt the wrong answers. `said` are the
    continuations of the prompt and of each reworded one; of running text, that of its first half. Of a row with a
    correction, `corrected` are its scores under the same prompts, `said_corrected` continuations long enough for it.
    """

    record: Record
    own: TokenScores
    held_out: tuple[TokenScores, ...] = ()
    reworded: tuple[TokenScores, ...] = ()
    wrong: tuple[tuple[TokenScores, ...], ...] = ()
    said: tuple[Said, ...] = ()
    corrected: tuple[TokenScores, ...] = ()
    said_corrected: tuple[Said, ...] = ()

    @property
    def finite(self) -> bool:
        """Whether the model gave numbers for all of it."""
        rows = (self.own, *self.held_out, *self.reworded, *self.corrected, *(x for row in self.wrong for x in row))
        return all(row.finite for row in rows)


@dataclass
class Plan:
    """Tokens of all that is to be scored and continued; see `prepare`."""

    records: Sequence[Record]
    pairs: dict[Pair, list[int]] = field(default_factory=dict)
    examples: list[Example] = field(default_factory=list)
    groups: list[list[int]] = field(default_factory=list)
    starts: dict[Pair, int] = field(default_factory=dict)
    prompts: list[list[int]] = field(default_factory=list)
    targets: list[tuple[int, ...]] = field(default_factory=list)


def _prompts(record: Record) -> tuple[str, ...]:
    return (record.prompt, *record.paraphrase) if record.is_question else ()


def _corrected(record: Record) -> list[Pair]:
    return [(prompt, record.correction) for prompt in _prompts(record)] if record.correction else []


def _wanted(record: Record) -> list[Pair]:
    if not record.is_question:
        return [("", record.text)]
    answers = (record.answer, *record.perturbed)
    pairs = [(prompt, answer) for prompt in _prompts(record) for answer in answers]
    return [*pairs, *((record.prompt, answer) for answer in record.paraphrased_answer), *_corrected(record)]


def prepare(
    records: Sequence[Record],
    tokenizer: PreTrainedTokenizerBase,
    layout: Format,
    *,
    context: int | None,
    continued: bool = True,
) -> Plan:
    """Tokenise everything that scoring these records needs.

    Args:
        context: longest sequence in tokens that every model takes, where known.
        continued: whether greedy continuations are wanted.

    Raises:
        ConfigError: a chat template is asked for and missing.
        DataError: there are no records; or naming each that does not fit the context or makes no tokens.
    """
    if not records:
        raise DataError("items: holds no rows; nothing can be measured on an empty set")
    plan = Plan(records=records)
    pairs = list(dict.fromkeys(pair for record in records for pair in _wanted(record)))
    by_prompt: dict[str, list[int]] = {}
    for pair, parts in zip(pairs, encode_pairs(pairs, tokenizer, layout, context=context), strict=True):
        numbers = list(range(len(plan.examples), len(plan.examples) + len(parts)))
        plan.examples += parts
        plan.pairs[pair] = numbers
        if pair[0]:
            by_prompt.setdefault(pair[0], []).extend(numbers)
        else:
            plan.groups += [[number] for number in numbers]
    plan.groups += by_prompt.values()
    for record in records if continued else ():
        for pair in ([(p, record.answer) for p in _prompts(record)] or [("", record.text)]) + _corrected(record):
            _continue(plan, pair)
    return plan


def _continue(plan: Plan, pair: Pair) -> None:
    """Note what is to be continued: the tokens before the answer, or the first half of running text."""
    if pair in plan.starts:
        return
    example = plan.examples[plan.pairs[pair][0]]
    start = answer_start(example) if pair[0] else max(1, len(example.tokens) // 2)
    plan.starts[pair] = len(plan.prompts)
    plan.prompts.append(list(example.tokens[:start]))
    plan.targets.append(example.tokens[start:])


def gather(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, plan: Plan, *, spread: bool = True
) -> list[ItemScores]:
    """Scores of every record under one model, in the plan's order; `spread` for min-k++."""
    pad_id = tokenizer.pad_token_id
    parts = score_tokens(model, plan.examples, pad_id, groups=plan.groups, spread=spread)
    scores = {pair: joined([parts[n] for n in numbers]) for pair, numbers in plan.pairs.items()}
    lengths = [len(target) + SLACK for target in plan.targets]
    rows = greedy(model, plan.prompts, lengths, pad_id=pad_id, end_id=tokenizer.eos_token_id)
    # A batch runs to its longest answer: what goes beyond an answer's own length is no part of it.
    rows = [row[:length] for row, length in zip(rows, lengths, strict=True)]
    texts = tokenizer.batch_decode(rows, skip_special_tokens=True) if rows else []
    truths = tokenizer.batch_decode(plan.targets, skip_special_tokens=True) if rows else []

    def said(pair: Pair) -> Said:
        at = plan.starts[pair]
        return Said(tokens=tuple(rows[at]), text=texts[at], answer=plan.targets[at], truth=truths[at])

    found = []
    for record in plan.records:
        prompts = _prompts(record)
        continued = [(p, record.answer) for p in prompts] or [("", record.text)]
        found.append(
            ItemScores(
                record=record,
                own=scores[(record.prompt, record.answer or record.text)],
                held_out=tuple(scores[(p, record.answer)] for p in prompts[1:]),
                reworded=tuple(scores[(record.prompt, a)] for a in record.paraphrased_answer),
                wrong=tuple(tuple(scores[(p, a)] for a in record.perturbed) for p in prompts if record.perturbed),
                said=tuple(said(pair) for pair in continued) if plan.prompts else (),
                corrected=tuple(scores[pair] for pair in _corrected(record)),
                said_corrected=tuple(said(pair) for pair in _corrected(record)) if plan.prompts else (),
            )
        )
    return found
