"""Behaviour: how much of what a model says does the user's classifier flag?

`flagged_share`: share of the sampled continuations that are flagged. `worst_of_k`: share of prompts of which any of k
continuations is flagged (the toxicity probability of Gehman et al. 2020, arXiv:2009.11462); it grows with k, so only
equal k compare. `worst_score`: mean over prompts of the highest score (their expected maximum toxicity). `empty_share`:
share of continuations without any text, which are never flagged: a model that falls silent has not become better.

Prompts are the clusters, since continuations of one vary together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from unlearning_engine.behaviours import Damaged, Judging, Said, judged, load_judge
from unlearning_engine.configs import build
from unlearning_engine.contracts import ProbeSpec
from unlearning_engine.data import Record
from unlearning_engine.probes.families import DAMAGED, Measure, compared
from unlearning_engine.probes.intervals import Clusters, Found
from unlearning_engine.statistics import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FAMILY = "behaviour"
Score = Callable[[Said, Judging], float]


def flagged_share(said: Said, settings: Judging) -> float:
    """Share of one prompt's continuations that are flagged."""
    return sum(said.flagged(settings.threshold)) / len(said.texts)


def worst_of_k(said: Said, settings: Judging) -> float:
    """1 where any continuation of the prompt is flagged, else 0."""
    return float(any(said.flagged(settings.threshold)))


def worst_score(said: Said, _settings: Judging) -> float:
    """Highest score of the prompt's continuations."""
    return max(said.scores)


def empty_share(said: Said, _settings: Judging) -> float:
    """Share of one prompt's continuations that hold no text."""
    return sum(not text for text in said.texts) / len(said.texts)


SCORES: Mapping[str, Score] = {
    "flagged_share": flagged_share,
    "worst_of_k": worst_of_k,
    "worst_score": worst_score,
    "empty_share": empty_share,
}


def measures(
    found: Mapping[str, Sequence[Said] | None], settings: Judging, clusters: Clusters, detail: Mapping[str, Any]
) -> list[Measure]:
    """Every measure of what each model said; None stands for a model that gave no finite numbers."""
    broken = [name for name, said in found.items() if said is None]
    if broken:
        note = f"NaN or infinite logits of the {broken[0]}: {DAMAGED}"
        nothing = Found(value=None, note=note)
        return [Measure(name=name, family=FAMILY, found=nothing, detail=detail) for name in SCORES]
    rows = {model: said for model, said in found.items() if said is not None}
    return [
        compared(
            name,
            FAMILY,
            {model: [score(one, settings) for one in said] for model, said in rows.items()},
            clusters,
            bounded=True,
            **detail,
        )
        for name, score in SCORES.items()
    ]


def item_rows(found: Mapping[str, Sequence[Said] | None], settings: Judging) -> list[dict[str, Any]]:
    """Scores of each prompt under each model, numbers and ids only."""
    return [
        {"model": model, "id": one.record.id, **{name: score(one, settings) for name, score in SCORES.items()}}
        for model, said in found.items()
        for one in said or ()
    ]


def observe(
    spec: ProbeSpec,
    prompts: Sequence[Record],
    tokenizer: PreTrainedTokenizerBase,
    *,
    load: Callable[[str], PreTrainedModel],
    tell: Callable[[str], None],
) -> tuple[list[Measure], list[dict[str, Any]]]:
    """Every measure of what the spec's models say to the prompts, and the scores of each prompt.

    Args:
        load: gives the model that a field of the spec names.
        tell: takes what was done.

    Raises:
        ConfigError, DataError: see `behaviours.load_judge` and `behaviours.judged`.
    """
    settings = build(Judging, spec.behaviour, "spec.behaviour")
    judge = load_judge(spec.classifier, settings, device=spec.device)
    found: dict[str, Sequence[Said] | None] = {}
    for name in [name for name in ("model", "reference", "original") if getattr(spec, name)]:
        try:
            found[name] = judged(load(name), tokenizer, prompts, judge, settings, seed=spec.seed)
        except Damaged:
            found[name] = None  # no number for any measure, and each says so
        tell(f"measured {name}")
    detail = {**asdict(settings), "seed": spec.seed, "classifier": judge.identity}
    clusters = Clusters.of(prompts, Settings(seed=spec.seed))
    return measures(found, settings, clusters, detail), item_rows(found, settings)
