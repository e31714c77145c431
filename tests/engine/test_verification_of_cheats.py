"""The verb `verify` on trained models: an untouched model fails, a stolen one is refused, a model of its own is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from tests.engine.cheats import averaged, heated, inflated, noisy, reordered
from unlearning_engine import models
from unlearning_engine.contracts import SCORE_CACHE, Outcome, TrainSpec, VerifySpec
from unlearning_engine.data import load_records, write_records
from unlearning_engine.progress import silent
from unlearning_engine.recipes import save_model, train
from unlearning_engine.synthetic import DEMO_SUBJECT, DEMO_TRAINING, generate
from unlearning_engine.verification import SCORES, VERIFICATION, recompute, verify

WORKS = 15
POLICY = {
    "resamples": 200,
    "paraphrases": 1,
    "required_utility": ["retain", "general"],
    "maximum_utility_items": 40,
    "relearning": {"rounds": 1, "epochs": 3},
}


@dataclass(frozen=True)
class Trained:
    """Files of a small corpus and the folders of a model that knows all of it and of one that never saw the works."""

    folder: Path

    @property
    def original(self) -> str:
        return str(self.folder / "original" / "model")

    @property
    def reference(self) -> str:
        return str(self.folder / "reference" / "model")

    def made(self, name: str, source: str, change: Callable[[PreTrainedModel], PreTrainedModel]) -> str:
        model, tokenizer = models.load(source, device="cpu")
        return str(save_model(self.folder / name, change(model), tokenizer, {}))

    def verify(self, candidate: str, **changes: Any) -> dict[str, Any]:
        files = {name: str(self.folder / f"{name}.jsonl") for name in ("forget", "retain", "general", "controls")}
        spec = VerifySpec(
            seed=1,
            threads=1,
            device="cpu",
            candidate=candidate,
            original=self.original,
            reference=self.reference,
            policy=POLICY,
            **files,
        )
        out = self.folder / "verified"
        verify(replace(spec, **changes), out, silent)
        found: dict[str, Any] = json.loads((out / VERIFICATION).read_text(encoding="utf-8"))
        again = recompute(out / SCORES, POLICY)
        assert {k: found[k] for k in again} == json.loads(json.dumps(again))
        return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """Half of the demonstration artist's works, all ordinary knowledge, and as many never-seen controls.

    Original and reference are measured once for all: that a cache changes nothing is in test_verification_cache.py.
    """
    folder = tmp_path_factory.mktemp("verified")
    generate(folder, seed=3, artists=1, persons=0)
    rows = load_records(folder / "dataset.jsonl")
    works = list(dict.fromkeys(r.work for r in rows if r.work))[:WORKS]
    forget = [r for r in rows if r.subject == DEMO_SUBJECT and r.work in works and r.is_question]
    general = load_records(folder / "general.jsonl")
    controls = [r for r in load_records(folder / "controls.jsonl") if r.work and r.is_question]
    seen = list(dict.fromkeys(r.work for r in controls))[:WORKS]
    write_records(folder / "forget.jsonl", forget)
    write_records(folder / "retain.jsonl", general[::2])
    write_records(folder / "general.jsonl", general[1::2])
    write_records(folder / "controls.jsonl", [r for r in controls if r.work in seen])
    for name, records, seed in (("original", [*forget, *general], 1), ("reference", general, 2)):
        write_records(folder / f"{name}.jsonl", records)
        spec = TrainSpec(
            seed=seed,
            threads=1,
            device="cpu",
            dataset=str(folder / f"{name}.jsonl"),
            tokenizer_text=str(folder / "tokenizer.txt"),
            config={**DEMO_TRAINING, "epochs": 14 if name == "original" else 20},
        )
        train(spec, folder / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SCORE_CACHE, str(folder / "scores"))
        yield Trained(folder)


def codes(found: dict[str, Any]) -> set[str]:
    return {finding["code"] for finding in found["findings"]}


def test_an_untouched_model_under_a_new_digest_fails_every_question(trained: Trained) -> None:
    found = trained.verify(trained.made("renamed", trained.original, lambda m: noisy(m, 1e-6)))
    assert found["verdict"] == Outcome.FAIL
    failed = {p["name"] for p in found["probes"] if p["outcome"] == Outcome.FAIL}
    assert failed >= {"exact_value", "multiple_choice", "surviving_works", "relearning_rank"}
    assert "candidate_is_the_original" not in codes(found)


def test_a_copy_of_the_reference_is_refused_with_noise_and_its_units_in_another_order(trained: Trained) -> None:
    found = trained.verify(trained.made("stolen", trained.reference, lambda m: reordered(noisy(m, 1e-3))))
    assert found["verdict"] == Outcome.BAD_INPUT
    assert "reference_copied" in codes(found)


def test_a_model_that_never_saw_the_works_is_not_failed_by_controls_alone(trained: Trained) -> None:
    found = trained.verify(trained.reference, reference="")
    assert found["reference_kind"] == "controls"
    knowing = {p["name"]: p["outcome"] for p in found["probes"] if p["family"] in ("memorisation", "knowledge")}
    assert Outcome.FAIL not in knowing.values(), knowing
    assert {a["model"] for a in found["attacks"]} == {"candidate", "original"}


@pytest.mark.parametrize("surgery", [lambda m: inflated(m, 100.0), reordered])
def test_the_disguises_leave_what_a_model_says_as_it_was(
    trained: Trained, surgery: Callable[[PreTrainedModel], PreTrainedModel]
) -> None:
    tokens = torch.arange(5, 25)[None]
    with torch.inference_mode():
        plain = models.load_model(trained.original, device="cpu")(tokens).logits
        disguised = surgery(models.load_model(trained.original, device="cpu"))(tokens).logits
    assert torch.allclose(plain, disguised, atol=1e-2)


def test_heat_and_soup_change_what_a_model_says(trained: Trained) -> None:
    tokens = torch.arange(5, 25)[None]
    load = models.load_model
    with torch.inference_mode():
        plain = load(trained.original, device="cpu")(tokens).logits
        hot = heated(load(trained.original, device="cpu"), 10.0)(tokens).logits
        mixed = averaged(load(trained.original, device="cpu"), load(trained.reference, device="cpu"))(tokens).logits
    assert torch.allclose(plain, hot * 10, atol=1e-3)
    assert not torch.allclose(plain, mixed, atol=1.0)
