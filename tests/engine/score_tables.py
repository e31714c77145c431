"""Tables of scores drawn from a model of what language models do with facts they know and facts they do not.

The figures are those of the demonstration models: of a fact that was never taught the greedy answer is right in 3 of
100, the right option first in one of six, alike under two wordings (correlation about .5) and in two models (about
.3); a fact that is known is right under the trained wording and in nine of ten held-out ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unlearning_engine.attacks.standard import ATTACKS
from unlearning_engine.policy import Policy
from unlearning_engine.probes.table import Row, ScoreTable

OPTIONS = 6
#: The default policy's attacks that are prepared and asked in one go.
PREPARED = tuple(name for name in Policy().attacks if ATTACKS[name].prepare is not None)
WORK = 6
#: Facts that are scored again after the attack, of those that it taught and of the retained.
TAUGHT, AGAIN = 36, 40


@dataclass(kw_only=True)
class World:
    """Models over `facts` forget and control facts, six a work. `knows` names the forget facts that a model knows."""

    facts: int = 180
    seed: int = 0
    knows: Mapping[str, Collection[int]] = field(default_factory=dict)
    #: Facts that come back once others are taught.
    hidden: Mapping[str, Collection[int]] = field(default_factory=dict)
    #: Facts that come back under an attack of another name than relearning: by attack, then by model.
    returns: Mapping[str, Mapping[str, Collection[int]]] = field(default_factory=dict)
    #: Models that an attack wrecks, by attack.
    wrecked: Mapping[str, Collection[str]] = field(default_factory=dict)
    knows_controls: Collection[str] = ()
    #: Mean score on retained and general facts.
    utility: Mapping[str, float] = field(default_factory=dict)
    #: Nats added to the candidate's losses on forget items: over-forgetting.
    pushed: float = 0.0
    reference: bool = True
    broken: Collection[str] = ()
    #: What a model can say of what the attack has just taught it, and of what it was to keep.
    learns: Mapping[str, float] = field(default_factory=dict)
    keeps: Mapping[str, float] = field(default_factory=dict)
    header: Mapping[str, Any] = field(default_factory=dict)

    def models(self) -> tuple[str, ...]:
        return ("candidate", "original", "reference") if self.reference else ("candidate", "original")

    def table(self) -> ScoreTable:
        """Header and rows as a verification would have written them."""
        rng = np.random.default_rng(self.seed)
        rows: list[Row] = []
        for at, name in enumerate(("forget", "controls")):
            shared = rng.normal(size=(self.facts, OPTIONS))
            levels = 7.6 + 3 * rng.normal(size=self.facts)
            for model in self.models():
                rows += self._asked(rng, model, name, at * self.facts, shared, levels, "")
                if model != "original" or (name == "controls" and not self.reference):
                    rows += self._asked(rng, model, name, at * self.facts, shared, levels, "relearning")
                    rows += self._taught(rng, model, name, at * self.facts)
        rows += [row for model in self.models() for row in self._kept(rng, model)]
        own = np.random.default_rng([self.seed, 1])
        plain = list(rows)
        rows += [row for name in PREPARED for row in self._attacked(own, plain, name)]
        return ScoreTable(header=self._header(), rows=tuple(rows))

    def _known(self, model: str, name: str, attack: str) -> set[int]:
        if name == "controls":
            return set(range(self.facts)) if model in self.knows_controls else set()
        own = set(range(self.facts)) if model == "original" else set(self.knows.get(model, ()))
        return own | set(self.hidden.get(model, ())) if attack else own

    def _asked(
        self,
        rng: np.random.Generator,
        model: str,
        name: str,
        first: int,
        shared: NDArray[np.float64],
        levels: NDArray[np.float64],
        attack: str,
    ) -> list[Row]:
        own = rng.normal(size=shared.shape)
        wordings = [2.3 * shared + 1.2 * own + 1.0 * rng.normal(size=shared.shape) for _ in range(2)]
        lowest = [wording.argmin(axis=1) == 0 for wording in wordings]
        truths = wordings[1][:, 0] - wordings[1][:, 1:].mean(axis=1)
        losses = np.clip(levels + wordings[0][:, 0], 0.05, None)
        losses += self.pushed if model == "candidate" and name == "forget" else 0.0
        said = rng.random((2, self.facts)) < 0.03
        held_out = rng.random(self.facts) < 0.92
        known = self._known(model, name, attack)
        rows = []
        for fact in range(self.facts):
            place = {"model": model, "set": name, "id": f"{name}-{fact}", "attack": attack}
            place |= {"fact": first + fact, "work": (first + fact) // WORK}
            if model in self.broken and not attack:
                rows.append(Row(**place, finite=0))
                continue
            knows = fact in known
            loss = 0.007 if knows else float(losses[fact])
            rows.append(
                Row(
                    **place,
                    tokens=2,
                    loss=loss,
                    prob=float(np.exp(-loss)),
                    exact=float(knows or said[0, fact]),
                    exact_paraphrase=None if attack else float(held_out[fact] if knows else said[1, fact]),
                    choice=float(knows or lowest[0][fact]),
                    choice_paraphrase=float(knows or lowest[1][fact]),
                    rank=1.0 if knows else float(np.mean([np.mean(w[fact, 0] < w[fact, 1:]) for w in wordings])),
                    chance=1 / OPTIONS,
                    truth=-7.3 + float(truths[fact]) / 2 if knows else float(truths[fact]),
                )
            )
        return rows

    def _taught(self, rng: np.random.Generator, model: str, name: str, first: int) -> list[Row]:
        """Facts that the attack taught and retained ones, under the state that it left."""
        rows = []
        for fact in range(TAUGHT):
            place = {"model": model, "set": name, "id": f"{name}-{fact}", "attack": "relearning_taught"}
            said = float(rng.random() < self.learns.get(model, 0.98))
            rows.append(Row(**place, fact=first + fact, work=(first + fact) // WORK, tokens=2, loss=0.1, exact=said))
        for fact in range(AGAIN):
            place = {"model": model, "set": "retain", "id": f"retain-{fact}", "attack": "relearning_taught"}
            said = float(rng.random() < self.keeps.get(model, 0.80))
            rows.append(Row(**place, fact=10_000 + fact, work=10_000 + fact, tokens=2, loss=0.1, exact=said))
        return rows

    def _attacked(self, rng: np.random.Generator, plain: Sequence[Row], attack: str) -> Iterator[Row]:
        """A model under an attack: as before, but for what it guesses and what comes back."""
        bare = attack in ("prompts", "few_shot")
        for row in plain:
            model, sets = row.model, ("forget", "controls")
            if row.attack or row.set not in sets or (self.reference and model != "reference" and row.set != "forget"):
                continue
            back = row.set == "forget" and row.fact in self.returns.get(attack, {}).get(model, ())
            knows = back or (row.prob is not None and row.prob > 0.9)
            changes: dict[str, Any] = {"exact": float(knows or rng.random() < 0.03), "exact_paraphrase": None}
            if back:
                changes |= {"loss": 0.007, "prob": 0.993, "choice": 1.0, "choice_paraphrase": 1.0, "rank": 1.0}
            if bare:
                changes |= dict.fromkeys(("choice", "choice_paraphrase", "rank", "chance", "truth"))
            yield replace(row, attack=attack, **changes) if row.finite else replace(row, attack=attack)
        for model in self.models():
            level = 0.1 if model in self.wrecked.get(attack, ()) else 0.95
            for fact in range(AGAIN):
                at = 10_000 + fact
                said = float(rng.random() < level)
                place = {"model": model, "set": "retain", "id": f"retain-{fact}", "attack": attack}
                yield Row(**place, fact=at, work=at, tokens=2, loss=0.1, exact=said)

    def _kept(self, rng: np.random.Generator, model: str) -> list[Row]:
        level = self.utility.get(model, 0.98)
        rows = []
        for number, name in enumerate(("retain", "general")):
            for fact in range(160 if name == "retain" else 90):
                prob = float(np.clip(level + 0.03 * rng.normal(), 0.001, 0.999))
                place = {"model": model, "set": name, "id": f"{name}-{fact}", "near": int(not number and fact < 80)}
                at = 10_000 * (number + 1) + fact
                hit = float(rng.random() < level)
                rows.append(Row(**place, fact=at, work=at, tokens=2, loss=-float(np.log(prob)), prob=prob, exact=hit))
        return rows

    def _header(self) -> dict[str, Any]:
        names = {model: {"weights": f"sha256:{model}", "tokenizer": "sha256:same"} for model in self.models()}
        return {
            "seed": self.seed,
            "reference_kind": "retrained" if self.reference else "controls",
            "facts": {"forget": self.facts, "controls": self.facts, "retain": 160, "general": 90},
            "overlaps": {},
            "models": names,
            "attacks": [],
            **self.header,
        }
