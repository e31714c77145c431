"""One forget set of one corpus, and how a candidate for it is judged.

The verdict sees what `verification.verify` would show it: the same items, measured by the same session, judged by the
same function. Original and reference are measured once for all candidates of a forget set instead of once for each.
"""

from __future__ import annotations

import dataclasses
import gc
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.zoo import corpus
from unlearning_engine import models, verification
from unlearning_engine.attacks import standard
from unlearning_engine.contracts import TrainSpec, UnlearnSpec, VerifySpec
from unlearning_engine.data import Record, load_ids, load_records, split
from unlearning_engine.fitness import preconditions
from unlearning_engine.identities import identity
from unlearning_engine.methods import unlearn
from unlearning_engine.policy import Policy
from unlearning_engine.probes.items import collect
from unlearning_engine.probes.table import Row, ScoreTable
from unlearning_engine.progress import silent
from unlearning_engine.recipes import MODEL, train
from unlearning_engine.verdict import Verdict, judge

#: The reference's seed is the corpus's plus this; retrained candidates count from the second.
REFERENCE_SEED, CANDIDATE_SEED = 1000, 5000
#: Findings of a verdict that are kept.
SHOWN = 6


@dataclass(frozen=True)
class World:
    """A corpus and the model that learnt all of it: one model, or with the method `sisa` an ensemble of shards."""

    folder: Path
    seed: int
    artists: int = corpus.ARTISTS
    works: int = corpus.WORKS
    method: str = ""

    @cached_property
    def files(self) -> corpus.Files:
        """The corpus, written when first asked for."""
        size = {"artists": self.artists, "works": self.works}
        return corpus.write(self.folder / "corpus", self.seed, **size, scattered=bool(self.method))

    @cached_property
    def records(self) -> list[Record]:
        """Everything that the original learns."""
        return load_records(self.files.dataset)

    @cached_property
    def original(self) -> Path:
        """The model's folder; trained when first asked for."""
        return self.trained("original", self.seed, "")

    def trained(self, name: str, seed: int, exclude: str) -> Path:
        """A model trained from fresh weights on all records but the excluded; one that lies there is taken."""
        out = self.folder / name
        if not (out / MODEL).is_dir():
            spec = TrainSpec(
                seed=seed,
                threads=1,
                device="cpu",
                dataset=self.files.dataset,
                tokenizer_text=self.files.text,
                exclude_ids=exclude,
                method=self.method,
                config=corpus.SHARDED if self.method else corpus.TRAINING,
            )
            train(spec, out)
        return out / MODEL

    def forgetting(self, artist: int) -> ForgetSet:
        """One of its forget sets."""
        return ForgetSet(world=self, artist=artist)

    def sharded(self) -> World:
        """The same corpus, where original, reference and candidate are ensembles."""
        return dataclasses.replace(self, folder=self.folder / "sharded", method="sisa")


@dataclass
class ForgetSet:
    """A corpus, and the artist who is to be forgotten."""

    world: World
    artist: int
    _bar: dict[str, tuple[list[Row], list[dict[str, Any]]]] = field(default_factory=dict)
    _session: Any = None

    @cached_property
    def sets(self) -> tuple[list[Record], list[Record]]:
        """What is to be forgotten and what is to be retained."""
        return split(self.world.records, load_ids(self.world.files.forget_ids(self.artist)))

    def reference(self, artist: int | None = None) -> Path:
        """Trained without this artist (or another), under a seed of its own."""
        number = self.artist if artist is None else artist
        name, seed = f"reference-{number}", self.world.seed + REFERENCE_SEED + number
        return self.world.trained(name, seed, self.world.files.forget_ids(number))

    def unlearnt(self, method: str, config: dict[str, Any], repeat: int = 0) -> Path:
        """What one of the engine's methods makes of the original."""
        out = self.world.folder / f"{method}-{self.artist}-{repeat}"
        if not (out / MODEL).is_dir():
            spec = UnlearnSpec(
                seed=self.world.seed + CANDIDATE_SEED + 100 * self.artist + repeat,
                threads=1,
                device="cpu",
                method=method,
                model=str(self.world.original),
                dataset=self.world.files.dataset,
                forget_ids=self.world.files.forget_ids(self.artist),
                config={"checkpoint_every": 0, **config},
            )
            unlearn(spec, out)
        return out / MODEL

    def deleted(self) -> Path:
        """What deleting the forget set exactly from the original's lineage leaves; needs a sharded world."""
        out = self.world.folder / f"deleted-{self.artist}"
        if not (out / MODEL).is_dir():
            spec = UnlearnSpec(
                seed=self.world.seed,
                threads=1,
                device="cpu",
                method=self.world.method,
                lineage=str(self.world.original.parent),
                forget_ids=self.world.files.forget_ids(self.artist),
            )
            unlearn(spec, out)
        return out / MODEL

    def spec(self, candidate: Path, policy: Policy) -> VerifySpec:
        """The question to the verdict."""
        return VerifySpec(
            seed=self.world.seed,
            threads=1,
            device="cpu",
            candidate=str(candidate),
            original=str(self.world.original),
            reference=str(self.reference()),
            dataset=self.world.files.dataset,
            forget_ids=self.world.files.forget_ids(self.artist),
            controls=self.world.files.controls,
            policy=policy.to_json(),
        )

    def table(self, candidate: Path, policy: Policy) -> ScoreTable:
        """The scores of candidate, original and reference."""
        spec = self.spec(candidate, policy)
        refs = {"candidate": spec.candidate, "original": spec.original, "reference": spec.reference}
        if self._session is None:
            models.choose_threads(1)
            tokenizer = models.load_tokenizer(self.world.original)
            self._session = verification._Session(
                spec=spec, policy=policy, items=collect(spec, policy), tokenizer=tokenizer, report=silent
            )
        identities = {name: identity(ref, models.load_tokenizer(ref)) for name, ref in refs.items()}
        header = verification._header(spec, self._session.items, identities)
        if preconditions(header):
            return ScoreTable(header=header)
        self._session.left_out = standard.not_applicable(policy.attacks, identities)
        bar = [self._kept(name, spec) for name in ("original", "reference")]
        parts = [self._measured("candidate", spec), *bar]
        header["attacks"] = [attack for _, attacks in parts for attack in attacks]
        return ScoreTable(header=header, rows=tuple(row for rows, _ in parts for row in rows))

    def _measured(self, name: str, spec: VerifySpec) -> tuple[list[Row], list[dict[str, Any]]]:
        session = dataclasses.replace(self._session, spec=spec, rows=[], attacks=[])
        session.measure(name)
        return session.rows, session.attacks

    def _kept(self, name: str, spec: VerifySpec) -> tuple[list[Row], list[dict[str, Any]]]:
        if name not in self._bar:
            self._bar[name] = self._measured(name, spec)
            gc.collect()
            gc.freeze()  # the engine collects before every model: what stays need not be looked through each time
        return self._bar[name]

    def judged(self, candidate: Path, policy: Policy) -> Verdict:
        """The verdict on one candidate."""
        return judge(self.table(candidate, policy), policy)


def shown(verdict: Verdict) -> list[str]:
    """The verdict's first findings in a few words each."""
    found = []
    for finding in verdict.findings[:SHOWN]:
        about = finding.data.get("probe") or finding.data.get("attack") or finding.data.get("component") or ""
        found.append(f"{finding.outcome}: {finding.code} {about}".strip())
    return found


def clock() -> float:
    """CPU seconds of this process."""
    return time.process_time()
