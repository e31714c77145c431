"""A proof of the ledger as a picture: a tree from the entry up to the root, drawn here, with a table behind it.

For auditors, and for everybody who has a report checked. The picture shows what the numbers prove and no more.
"""

from __future__ import annotations

from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from governance.evidence.proof_steps import Range, Step, Steps

Context = dict[str, Any]
WIDTH, BOX, TALL, ROW, EDGE = 560, 240, 38, 62, 8
LEFT, MIDDLE, RIGHT = 10, (WIDTH - BOX) // 2, WIDTH - BOX - 10


def inclusion(steps: Steps, size: int) -> Context:
    """The picture of a proof that an entry is in the ledger of `size` entries."""
    index = _n(steps.begin[0])
    sentence = _(
        "Entry %(index)s, joined with %(hashes)d hashes on its way up, gives the root of the ledger's %(size)s entries."
    ) % {"index": index, "hashes": len(steps.steps), "size": _n(size)}
    return _drawn(steps, sentence, _("Entry %(index)s") % {"index": index})


def consistency(steps: Steps, old: int, new: int) -> Context:
    """The picture of a proof that the ledger of `new` entries begins with that of `old`."""
    sentence = _(
        "The same hashes give the root of %(old)s entries and, with what was added, the root of %(new)s entries."
    ) % {"old": _n(old), "new": _n(new)}
    return _drawn(steps, sentence, _span(steps.begin))


def _drawn(steps: Steps, sentence: str, begin: str) -> Context:
    """Nodes and lines for the SVG, from the bottom up, and the rows of the table."""
    height = len(steps.steps) * ROW + TALL + 2 * EDGE
    nodes, lines = [], []
    hashed, words, kind = steps.first, begin, "begin"
    for row, step in enumerate(steps.steps):
        y = height - EDGE - TALL - row * ROW
        mine, other = (RIGHT, LEFT) if step.left else (LEFT, RIGHT)
        nodes.append(_node(mine, y, words, hashed, kind))
        nodes.append(_node(other, y, _joined(step), step.given, "older" if step.older else "given"))
        parent = _place(steps.steps, row + 1)
        lines += [{"x1": x + BOX // 2, "y1": y, "x2": parent + BOX // 2, "y2": y - ROW + TALL} for x in (mine, other)]
        hashed, words, kind = step.after, _span(step.reach), "path"
    nodes.append(_node(MIDDLE, EDGE, _("Root: %(span)s") % {"span": _span(_all(steps))}, steps.root, "root"))
    return {
        "sentence": sentence, "width": WIDTH, "height": height,
        "wide": f"{WIDTH / 16:g}", "tall": f"{height / 16:g}", "nodes": nodes, "lines": lines,
        "columns": [_("Step"), _("Joined with"), _("Side"), _("Hash that the proof gives"), _("What comes out")],
        "rows": [_row(number, step) for number, step in enumerate(steps.steps, 1)],
        "begin": {"label": begin, "hash": steps.first.hex()},
    }  # fmt: skip


def _place(steps: tuple[Step, ...], row: int) -> int:
    """Where the node of a row stands: on the side that the next hash leaves free; the root in the middle."""
    return MIDDLE if row == len(steps) else RIGHT if steps[row].left else LEFT


def _all(steps: Steps) -> Range:
    return steps.steps[-1].reach if steps.steps else steps.begin


def _node(x: int, y: int, words: str, hashed: bytes, kind: str) -> Context:
    short = f"{hashed.hex()[:8]} … {hashed.hex()[-8:]}"
    return {"x": x, "y": y, "middle": x + BOX // 2, "first": y + 15, "second": y + 31, "words": words, "hash": short,
            "kind": kind, "width": BOX, "height": TALL}  # fmt: skip


def _row(number: int, step: Step) -> list[Any]:
    return [
        number,
        _joined(step),
        _("left") if step.left else _("right"),
        {"digest": step.given.hex()},
        {"digest": step.after.hex(), "note": _span(step.reach)},
    ]


def _joined(step: Step) -> str:
    """The entries that come in; in words too whether the older ledger had them, since a fill alone says it to few."""
    return _("%(entries)s, older") % {"entries": _span(step.over)} if step.older else _span(step.over)


def _span(over: Range) -> str:
    first, last = over[0], over[1] - 1
    if first == last:
        return _("entry %(index)s") % {"index": _n(first)}
    return _("entries %(first)s to %(last)s") % {"first": _n(first), "last": _n(last)}


def _n(number: int) -> str:
    return str(number_format(number, force_grouping=True))
