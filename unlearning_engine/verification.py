"""The verb `verify`: measure candidate, original and reference once, and judge once.

Writes `scores.jsonl` (every number, see `probes.table`) and `verification.json`. The verdict is computed from the
scores file alone, by the function that `recompute` gives to an auditor: what can be recomputed is what was judged.
"""

from __future__ import annotations

import gc
import hashlib
import importlib.metadata
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearning_engine.contracts import VerifySpec
from unlearning_engine.fitness import preconditions
from unlearning_engine.policy import Policy
from unlearning_engine.probes.table import Row, read_scores, write_scores
from unlearning_engine.verdict import judge

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from unlearning_engine.attacks.relearning import Split
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
    return {
        "verdict": str(verdict.outcome),
        "findings": [asdict(finding) for finding in verdict.findings],
        "reference_kind": table.header["reference_kind"],
        "probes": [asdict(probe) for probe in verdict.probes],
        "facts": table.header["facts"],
        "models": table.header["models"],
        "attacks": table.header["attacks"],
        "seed": table.header["seed"],
        "policy": rules.to_json(),
        "policy_digest": rules.digest,
    }


# ---------------------------------------------------------------- measuring


def _identity(folder: str, tokenizer: PreTrainedTokenizerBase) -> dict[str, str]:
    """Digests of a model's weights and of what its tokenizer does; padding and truncation settings do not count."""
    from unlearning_engine.models import weights_digest

    if tokenizer.is_fast:
        inner = json.loads(tokenizer.backend_tokenizer.to_str())
        inner = {k: v for k, v in inner.items() if k not in ("padding", "truncation")}
    else:
        inner = tokenizer.get_vocab()
    marks = [tokenizer.bos_token_id, tokenizer.eos_token_id]
    state = json.dumps([type(tokenizer).__name__ if not tokenizer.is_fast else "", inner, marks], sort_keys=True)
    return {"weights": weights_digest(folder), "tokenizer": "sha256:" + hashlib.sha256(state.encode()).hexdigest()}


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

    def tell(self, stage: str) -> None:
        self.done += 1
        self.report({"event": "progress", "stage": stage, "step": self.done, "total": self.total})

    def load(self, name: str) -> PreTrainedModel:
        from unlearning_engine.models import load_model

        gc.collect()
        return load_model(_refs(self.spec)[name], device=self.spec.device)

    def _score(
        self, model: PreTrainedModel, items: Sequence[Item], name: str, attack: str = "", *, bare: bool = False
    ) -> None:
        from unlearning_engine.models import context_length
        from unlearning_engine.probes.measure import measure, prepare

        context = context_length(model)
        key = (tuple((item.set, item.record.id) for item in items), context, bool(attack), bare)
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
        self.rows += measure(model, self.tokenizer, self.plans[key], name=name, attack=attack)

    def measure(self, name: str) -> None:
        """Score one model, then attack it, each round and target with weights loaded afresh."""
        model = self.load(name)
        self._score(model, self.items.items, name)
        self.tell(f"measured {name}")
        for target in self.targets(name):
            for split in self._splits(name, target):
                self._attack(model, name, split)
                model = self.load(name)
            self.tell(f"attacked {name} ({target})")

    def targets(self, name: str) -> tuple[str, ...]:
        """Sets under which a model is attacked: those of the candidate, and those that show whether its bar is honest.

        The reference's controls show what it hides; the original's show what a candidate hides of the controls.
        """
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

    def _attack(self, model: PreTrainedModel, name: str, split: Split) -> None:
        from unlearning_engine.attacks.relearning import NAME, TAUGHT, relearn

        outcome = relearn(model, self.tokenizer, split, self.policy, seed=self.spec.seed, name=name, report=self.report)
        self.attacks.append({"attack": NAME, **outcome.to_json()})
        if outcome.last_loss is not None:
            self._score(model, split.asked, name, NAME)
            self._score(model, [*split.taught, *self.items.few("retain")], name, TAUGHT, bare=True)
        else:  # the whole attack counts as not measured, not only this round
            self.rows += [
                Row(model=name, attack=NAME, finite=0, set=i.set, id=i.record.id, fact=i.fact, work=i.work)
                for i in split.asked
            ]


def _header(spec: VerifySpec, items: Items, models: dict[str, dict[str, str]]) -> dict[str, Any]:
    return {
        "seed": spec.seed,
        "reference_kind": "retrained" if spec.reference else "controls",
        "facts": dict(items.facts),
        "overlaps": {name: dict(data) for name, data in items.overlaps.items()},
        "models": models,
        "attacks": [],
    }


def _versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}


def _write_json(path: Path, value: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(part, path)


def _summary(found: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from ((key, found[key]) for key in ("verdict", "reference_kind", "policy_digest", "facts"))
    yield "findings", [{"code": f["code"], "outcome": f["outcome"], **f["data"]} for f in found["findings"]]
    for probe in found["probes"]:
        yield probe["name"], {"value": probe["candidate"]["value"], "outcome": probe["outcome"]}


def verify(spec: VerifySpec, out: Path, report: Report) -> dict[str, Any]:
    """Measure and judge once; leave `scores.jsonl` and `verification.json` in `out` and return a summary.

    What is wrong with the question itself (overlapping sets, an original that does not know the items, a reference
    that is one of the other models, unlike tokenizers) is the verdict "bad input", not an error.

    Raises:
        ConfigError: the policy is wrong. DataError: an item, a model or a tokenizer cannot be read.
    """
    from unlearning_engine.models import choose_threads, load_tokenizer
    from unlearning_engine.probes.items import collect

    policy = Policy.from_json(spec.policy)
    choose_threads(spec.threads)
    items = collect(spec, policy)
    tokenizers = {name: load_tokenizer(ref) for name, ref in _refs(spec).items()}
    models = {name: _identity(ref, tokenizers[name]) for name, ref in _refs(spec).items()}
    header = _header(spec, items, models)
    session = _Session(spec=spec, policy=policy, items=items, tokenizer=tokenizers["original"], report=report)
    if not preconditions(header):
        session.total = sum(1 + len(session.targets(name)) for name in models)
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
    }
    _write_json(out / VERIFICATION, found)
    return dict(_summary(found))
