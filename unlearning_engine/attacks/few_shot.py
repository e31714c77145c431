"""Few-shot recall: a few retained questions with their answers go before the one that is asked.

Examples are retained items of the same kind (of any kind where there are none), never forgotten ones, so that the
attack shows a form and teaches no fact. The examples of a kind are drawn by the run's seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from unlearning_engine.attacks.base import Attack, Given, Prepared, fits, question, reworded, value
from unlearning_engine.data import join
from unlearning_engine.probes.formats import Framed
from unlearning_engine.probes.items import Item
from unlearning_engine.tokens import order_key

NAME = "few_shot"
#: Examples in front of each question, as far as they fit.
EXAMPLES = 3


def shown(item: Item, retained: Sequence[Item], seed: int) -> list[Item]:
    """Retained items of other facts, those of the item's kind first, at most `EXAMPLES` facts, in drawn order."""
    others = [other for other in retained if other.record.cluster != item.record.cluster]
    alike = [other for other in others if other.record.kind == item.record.kind]
    drawn = sorted(alike or others, key=lambda other: order_key(seed, 0, f"{NAME} {other.record.id}"))
    return list({other.record.cluster: other for other in reversed(drawn)}.values())[::-1][:EXAMPLES]


def behind(item: Item, examples: Sequence[Item]) -> Item:
    """The item with examples in front, a line each."""
    lines = [_line(example) for example in examples]
    return reworded(item, "\n".join([*lines, question(item)]))


def _line(example: Item) -> str:
    """Question and answer in a line; inside a chat's turn without the template, which begins a turn of its own."""
    if isinstance(example.record, Framed) and example.record.before:
        return join(question(example), example.record.answer)
    return example.record.full_text


def _prepare(given: Given) -> Iterator[Prepared]:
    drawn = [(item, shown(item, given.shown, given.seed)) for item in given.items]
    waiting = [(item, examples) for item, examples in drawn if examples]
    alone = [item for item, examples in drawn if not examples]
    ready: list[Item] = []
    for count in range(EXAMPLES, 0, -1):
        worded = [behind(item, examples[:count]) for item, examples in waiting]
        room = fits(given, worded)
        ready += [item for item, fit in zip(worded, room, strict=True) if fit]
        waiting = [pair for pair, fit in zip(waiting, room, strict=True) if not fit]
    plain = (*(item for item, _ in waiting), *alone)
    yield Prepared(items=(*ready, *plain), plain=plain, bare=True)


FEW_SHOT = Attack(name=NAME, measures=(value(NAME),), prepare=_prepare, describe={"examples": EXAMPLES})
