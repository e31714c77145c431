"""The verb `verify`: measure candidate, original and reference once, and judge once.

Writes `scores.jsonl` (every number, see `probes.table`) and `verification.json`. The verdict is computed from the
scores file alone, by the function that `recompute` gives to an auditor: what can be recomputed is what was judged.
"""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import importlib.metadata
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearning_engine import looks
from unlearning_engine.attacks import standard
from unlearning_engine.contracts import VerifySpec, digest
from unlearning_engine.data import dataset_digest
from unlearning_engine.errors import DivergenceError
from unlearning_engine.fitness import preconditions
from unlearning_engine.identities import identity
from unlearning_engine.kinship import kinship
from unlearning_engine.policy import Policy
from unlearning_engine.probes import balance
from unlearning_engine.probes.items import sets_of
from unlearning_engine.probes.table import Row, read_scores, write_scores
from unlearning_engine.provenance import reference_lineage
from unlearning_engine.score_cache import ScoreCache
from unlearning_engine.verdict import judge

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from unlearning_engine.attacks.base import Attack, Prepare
    from unlearning_engine.attacks.relearning import Split
    from unlearning_engine.probes.formats import Format
    from unlearning_engine.probes.items import Item, Items
    from unlearning_engine.probes.measure import Plan
    from unlearning_engine.progress import Report

SCHEMA = 1
SCORES, VERIFICATION = "scores.jsonl", "verification.json"
_LIBRARIES = ("torch", "transformers", "tokenizers", "numpy", "scipy")


# ---------------------------------------------------------------- judging


def recompute(scores_path: str | Path, policy: Policy | dict[str, Any]) -> dict[str, Any]:
    """Verdict, findings and probes from a scores file and a policy alone; needs neither models nor torch.

    Raises:
        DataError: the file is not a table of scores.
        ConfigError: the policy is wrong.
    """
    rules = policy if isinstance(policy, Policy) else Policy.from_json(policy)
    table = read_scores(Path(scores_path))
    verdict = judge(table, rules)
    lineage = table.header.get("reference_lineage") or {}
    return {
        "verdict": str(verdict.outcome),
        "findings": [asdict(finding) for finding in verdict.findings],
        "reference_kind": table.header["reference_kind"],
        "probes": [asdict(probe) for probe in verdict.probes],
        "facts": table.header["facts"],
        "models": table.header["models"],
        "attacks": table.header["attacks"],
        "attacks_not_named": [name for name in standard.ATTACKS if name not in rules.attacks],
        "attacks_not_applicable": standard.not_applicable(rules.attacks, table.header["models"]),
        "reference_lineage": lineage.get("status"),
        "reference_lineage_reason": lineage.get("reason"),
        "format": table.header.get("format", {"join": None, "chat": False}),
        "seed": table.header["seed"],
        "policy": rules.to_json(),
        "policy_digest": rules.digest,
    }


# ---------------------------------------------------------------- measuring


def _refs(spec: VerifySpec) -> dict[str, str]:
    named = {"candidate": spec.candidate, "original": spec.original, "reference": spec.reference}
    return {name: ref for name, ref in named.items() if ref}


@dataclass
class _Session:
    """One verification while it measures."""

    spec: VerifySpec
    policy: Policy
    items: Items
    tokenizer: PreTrainedTokenizerBase
    report: Report
    rows: list[Row] = field(default_factory=list)
    attacks: list[dict[str, Any]] = field(default_factory=list)
    plans: dict[object, Plan] = field(default_factory=dict)
    done: int = 0
    total: int = 0
    #: Attacks of the policy that cannot be made on these models.
    left_out: Collection[str] = ()
    #: Where what was measured before is kept, and who the models are.
    cache: ScoreCache | None = None
    models: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def tell(self, stage: str) -> None:
        self.done += 1
        self.report({"event": "progress", "stage": stage, "step": self.done, "total": self.total})

    def load(self, name: str) -> PreTrainedModel:
        """The model of that name; DataError where it has no rows for what the tokenizer makes."""
        from unlearning_engine.models import load_model
        from unlearning_engine.probing import check_tokenizer

        gc.collect()
        model = load_model(_refs(self.spec)[name], device=self.spec.device)
        check_tokenizer(model, self.tokenizer, name)
        return model

    def _scored(
        self, model: PreTrainedModel, items: Sequence[Item], name: str, attack: str = "", *, bare: bool = False
    ) -> list[Row]:
        from unlearning_engine.models import context_length
        from unlearning_engine.probes.measure import measure, prepare

        context = context_length(model)
        asked = tuple((item.set, item.record.id, item.record.prompt) for item in items)
        key = (asked, context, bool(attack), bare)
        if key not in self.plans:
            self.plans[key] = prepare(
                items,
                self.tokenizer,
                paraphrases=self.policy.paraphrases,
                slack=self.policy.answer_slack,
                context=context,
                full=not attack,
                bare=bare,
            )
        return measure(model, self.tokenizer, self.plans[key], name=name, attack=attack)

    def measure(self, name: str) -> None:
        """Score one model and attack it, or take what was kept of the very same measurement."""
        if self.cache is None:
            return self._measure(name)
        key = self._key(name)
        if (kept := self.cache.get(key)) is not None:
            self.rows += kept.rows
            self.attacks += kept.header["attacks"]
            self.done += self._steps(name) - 1
            return self.tell(f"recalled {name}")
        rows, attacks = len(self.rows), len(self.attacks)
        self._measure(name)
        self.cache.put(key, self.rows[rows:], self.attacks[attacks:])
        return None

    def _key(self, name: str) -> str:
        import torch

        from unlearning_engine.models import choose_device
        from unlearning_engine.score_cache import key as key_of

        device = choose_device(self.spec.device)
        attacks = [attack for attack in self.policy.attacks if attack not in self.left_out]
        settings = {"seed": self.spec.seed, "device": device.type, "threads": torch.get_num_threads()}
        return key_of(
            name, self.models, self.items.items, self.policy, attacks, **settings, versions=_versions(), schema=SCHEMA
        )

    def _measure(self, name: str) -> None:
        """Score one model, then attack it; whatever changes weights gets them loaded afresh."""
        model = self.load(name)
        plain = self._scored(model, self.items.items, name)
        self.rows += plain
        if name == "original":
            self.rows += balance.rows(self.items, self.tokenizer)
        self.tell(f"measured {name}")
        for attack, prepare in self.prepared() if all(row.finite for row in plain) else ():
            self._prepared(model, name, attack, prepare)
            if attack.changes_weights:
                model = self.load(name)
            self.tell(f"attacked {name} ({attack.name})")
        for target in self.targets(name):
            for split in self._splits(name, target):
                self._relearn(model, name, split)
                model = self.load(name)
            self.tell(f"attacked {name} (relearning, {target})")

    def steps(self) -> int:
        """How often `tell` is called, all models together."""
        return sum(self._steps(name) for name in _refs(self.spec))

    def _steps(self, name: str) -> int:
        return 1 + len(self.prepared()) + len(self.targets(name))

    def prepared(self) -> list[tuple[Attack, Prepare]]:
        """The policy's attacks that are prepared and asked in one go."""
        attacks = (standard.ATTACKS[name] for name in self.policy.attacks if name not in self.left_out)
        return [(attack, attack.prepare) for attack in attacks if attack.prepare is not None]

    def _prepared(self, model: PreTrainedModel, name: str, attack: Attack, prepare: Prepare) -> None:
        """Attack over the forgotten, and the controls where they show whether a bar is honest."""
        from unlearning_engine.attacks.base import Given, best, fact_counts
        from unlearning_engine.attacks.sampling import sampled

        sets = ("forget",) if self.spec.reference and name != "reference" else ("forget", "controls")
        items = [item for target in sets for item in self.items.of(target)]
        given = Given(
            model=model,
            tokenizer=self.tokenizer,
            items=items,
            retained=self.items.few("retain"),
            shown=[item for item in self.items.of("retain") if item.record.is_question],
            seed=self.spec.seed,
            slack=self.policy.answer_slack,
            original=lambda: self.load("original"),
        )
        asked: set[int] = set()
        counts: dict[str, int] = {}
        try:
            for step in prepare(given):
                if step.tries:
                    self.rows += sampled(given, step, name=name)
                else:
                    self.rows += best(self._scored(model, step.items, name, attack.name, bare=step.bare))
                asked |= {item.fact for item in step.items}
                counts = counts if step.plain is None else fact_counts(step.items, step.plain)
        except DivergenceError:
            self.rows += [_unmeasured(item, name, attack.name) for item in items]
        facts = len(asked & {item.fact for item in items})
        self.attacks.append({"attack": attack.name, "model": name, "asked_facts": facts, **counts, **attack.describe})

    def targets(self, name: str) -> tuple[str, ...]:
        """Sets that a model is taught again: those of the candidate, and those that show whether its bar is honest.

        The reference's controls show what it hides; the original's show what a candidate hides of the controls.
        """
        if "relearning" not in self.policy.attacks:
            return ()
        if name == "original":
            return () if self.spec.reference else ("controls",)
        return ("forget",) if name == "candidate" and self.spec.reference else ("forget", "controls")

    def _splits(self, name: str, target: str) -> list[Split]:
        """Rounds of the attack. One is enough to see whether a reference hides more than it does of the controls."""
        from unlearning_engine.attacks.relearning import divide

        config = self.policy.relearning
        share, rounds = float(config["share"]), int(config["rounds"])
        rounds = 1 if (name, target) == ("reference", "controls") else rounds
        return divide(self.items.of(target), share=share, rounds=rounds, seed=self.spec.seed)

    def _relearn(self, model: PreTrainedModel, name: str, split: Split) -> None:
        from unlearning_engine.attacks.relearning import NAME, TAUGHT, relearn

        outcome = relearn(model, self.tokenizer, split, self.policy, seed=self.spec.seed, name=name, report=self.report)
        self.attacks.append({"attack": NAME, **outcome.to_json()})
        if outcome.last_loss is not None:
            self.rows += self._scored(model, split.asked, name, NAME)
            self.rows += self._scored(model, [*split.taught, *self.items.few("retain")], name, TAUGHT, bare=True)
        else:  # the whole attack counts as not measured, not only this round
            self.rows += [_unmeasured(item, name, NAME) for item in split.asked]


def _unmeasured(item: Item, name: str, attack: str) -> Row:
    return Row(model=name, attack=attack, finite=0, set=item.set, id=item.record.id, fact=item.fact, work=item.work)


def _header(spec: VerifySpec, items: Items, models: dict[str, dict[str, str]]) -> dict[str, Any]:
    return {
        "seed": spec.seed,
        "reference_kind": "retrained" if spec.reference else "controls",
        "facts": dict(items.facts),
        "overlaps": {name: dict(data) for name, data in items.overlaps.items()},
        "models": models,
        "format": {"join": spec.join or None, "chat": spec.chat},
        "kinds": balance.kinds(items),
        "kinship": _kinship(spec),
        "reference_lineage": reference_lineage(spec),
        "attacks": [],
    }


def _kinship(spec: VerifySpec) -> dict[str, float]:
    """How alike the reference's weights are to those of the other models, where they can be laid side by side."""
    refs = _refs(spec)
    reference = refs.pop("reference", None)
    found = {name: kinship(ref, reference) for name, ref in refs.items()} if reference else {}
    return {name: value for name, value in found.items() if value is not None}


def _versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}


def _write_json(path: Path, value: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(part, path)


def _summary(found: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    told = ("verdict", "reference_kind", "policy_digest", "facts", "earlier_runs")
    yield from ((key, found[key]) for key in told)
    yield "findings", [{"code": f["code"], "outcome": f["outcome"], **f["data"]} for f in found["findings"]]
    for probe in found["probes"]:
        yield probe["name"], {"value": probe["candidate"]["value"], "outcome": probe["outcome"]}


def _in_format(items: Items, layout: Format, tokenizer: PreTrainedTokenizerBase) -> Items:
    """The items with their records put into the user's format."""
    from unlearning_engine.probes.formats import framed

    asked = (dataclasses.replace(item, record=framed(item.record, layout, tokenizer)) for item in items.items)
    return dataclasses.replace(items, items=tuple(asked))


def _run(spec: VerifySpec, models: Mapping[str, Mapping[str, str]], policy: Policy) -> dict[str, Any]:
    """What names a run in the register of runs."""
    candidate = {name: models["candidate"][name] for name in ("config", "weights")}
    items = dataset_digest(sets_of(spec)["forget"])
    return {"candidate": digest(candidate), "items": items, "seed": spec.seed, "policy_digest": policy.digest}


def verify(spec: VerifySpec, out: Path, report: Report, *, recorded: bool = True) -> dict[str, Any]:
    """Measure and judge once; leave `scores.jsonl` and `verification.json` in `out` and return a summary.

    An audit is no second look: it is not `recorded` (see `looks`). What is wrong with the question itself (overlapping
    sets, an original that does not know the items, a reference that is one of the other models, unlike tokenizers) is
    the verdict "bad input", not an error.

    Raises:
        ConfigError: the policy is wrong. DataError: an item, a model or a tokenizer cannot be read.
    """
    from unlearning_engine.models import choose_threads, load_tokenizer
    from unlearning_engine.probes.formats import Format
    from unlearning_engine.probes.items import collect

    policy = Policy.from_json(spec.policy)
    choose_threads(spec.threads)
    layout = Format(join=spec.join or None, chat=spec.chat)
    items = collect(spec, policy)
    tokenizers = {name: load_tokenizer(ref) for name, ref in _refs(spec).items()}
    models = {name: identity(ref, tokenizers[name]) for name, ref in _refs(spec).items()}
    items = _in_format(items, layout, tokenizers["original"])
    run = _run(spec, models, policy)
    earlier = looks.begin(out, run) if recorded else []
    header = _header(spec, items, models)
    session = _Session(spec=spec, policy=policy, items=items, tokenizer=tokenizers["original"], report=report)
    session.left_out = standard.not_applicable(policy.attacks, models)
    session.cache, session.models = ScoreCache.from_environment(), models
    if not preconditions(header):
        session.total = session.steps()
        for name in models:
            session.measure(name)
        header["attacks"] = session.attacks
    out.mkdir(parents=True, exist_ok=True)
    write_scores(out / SCORES, header, session.rows)
    scores = (out / SCORES).read_bytes()
    found = {
        "schema": SCHEMA,
        **recompute(out / SCORES, policy),
        "scores": {"file": SCORES, "digest": "sha256:" + hashlib.sha256(scores).hexdigest(), "rows": len(session.rows)},
        "versions": _versions(),
        "earlier_runs": earlier,
    }
    _write_json(out / VERIFICATION, found)
    if recorded:
        looks.end(out, run, found["verdict"])
    return dict(_summary(found))
