"""Are the controls like the forget set? In kind, length and difficulty, as far as texts and a neutral model show it.

Controls are the bar of several probes, and the only one where there is no reference: shorter, commoner or otherwise
asked, they would move it. What is compared needs no model that saw either set: tokens of the whole text, and how rare
the answer's tokens are among the retained answers (`rows` under the model name `neutral`), and the loss of the
reference. Each contrast is the chance that a forget fact has less than a control (AUC): one half where they are alike.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from scipy import stats

from unlearning_engine.probes.table import Row, ScoreTable
from unlearning_engine.statistics import Bounds, Settings, auc_difference, resampled_auc

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from unlearning_engine.probes.items import Item, Items

#: What the texts alone say, in the place of a model.
NEUTRAL = "neutral"
SUFFIXES = ("", "_text")
#: Contrast -> model and column.
CONTRASTS: Mapping[str, tuple[str, str]] = {
    "length": (NEUTRAL, "tokens"),
    "rarity": (NEUTRAL, "loss"),
    "reference_loss": ("reference", "loss"),
}
#: Running texts of two authors differ in words whoever wrote them (AUC up to .4 from one half): only length counts.
_OF_TEXT = ("length",)


# ---------------------------------------------------------------- measuring


def _tokens(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    found: list[list[int]] = tokenizer(list(texts), add_special_tokens=False)["input_ids"] if texts else []
    return found


def _answer(item: Item) -> str:
    return f" {item.record.answer}" if item.record.is_question else item.record.text


def rows(items: Items, tokenizer: PreTrainedTokenizerBase) -> list[Row]:
    """A row for each forget and control item: tokens of its text, mean rarity of its answer's tokens in nats.

    A token's rarity is minus the logarithm of its share among the retained and general answers, one added to each.
    """
    kept = [_answer(item) for name in ("retain", "general") for item in items.of(name)]
    known = Counter(token for answer in _tokens(kept, tokenizer) for token in answer)
    total = sum(known.values()) + len(tokenizer)
    found = []
    for name in [n + suffix for n in ("forget", "controls") for suffix in SUFFIXES]:
        asked = items.of(name)
        whole = _tokens([item.record.full_text for item in asked], tokenizer)
        answers = _tokens([_answer(item) for item in asked], tokenizer)
        for item, text, answer in zip(asked, whole, answers, strict=True):
            rarity = [-math.log((known[token] + 1) / total) for token in answer]
            found.append(_row(item, len(text), sum(rarity) / len(rarity) if rarity else None))
    return found


def _row(item: Item, tokens: int, rarity: float | None) -> Row:
    return Row(
        model=NEUTRAL, set=item.set, id=item.record.id, fact=item.fact, work=item.work, tokens=tokens, loss=rarity
    )


def kinds(items: Items) -> dict[str, dict[str, int]]:
    """Facts of each kind among the questions of the forget set and of the controls, as the rows name their kind."""
    return {
        name: dict(sorted(Counter({item.fact: item.record.kind for item in items.of(name)}.values()).items()))
        for name in ("forget", "controls")
    }


# ---------------------------------------------------------------- comparing


def contrasts(table: ScoreTable, settings: Settings, *, least: int) -> Iterator[tuple[str, Bounds]]:
    """How far each AUC lies from one half, with its bounds; sets of fewer than `least` facts are left out."""
    for suffix in SUFFIXES:
        for name, (model, column) in CONTRASTS.items():
            if suffix and name not in _OF_TEXT:
                continue
            own, other = (table.sample(model, part + suffix, column) for part in ("forget", "controls"))
            if own is None or other is None or min(own.n, other.n) < least:
                continue
            label = f"{name}{suffix}"
            yield label, auc_difference(resampled_auc(own, other, settings, name=label), 0.5, settings)


def kinds_apart(table: ScoreTable) -> tuple[float, float] | None:
    """Half the summed differences between the shares of kinds, and the p of a chi-square test; None if not named."""
    named = table.header.get("kinds") or {}
    forget, controls = named.get("forget", {}), named.get("controls", {})
    every = sorted({*forget, *controls})
    if len(every) < 2 or not forget or not controls:
        return None
    counts = [[side.get(kind, 0) for kind in every] for side in (forget, controls)]
    totals = [sum(row) for row in counts]
    apart = sum(abs(a / totals[0] - b / totals[1]) for a, b in zip(*counts, strict=True)) / 2
    return apart, float(stats.chi2_contingency(counts).pvalue)
