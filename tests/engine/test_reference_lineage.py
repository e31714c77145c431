"""A reference's lineage is proven by its recipe against the records of the run, or called unproven with the reason."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Corpus
from tests.engine.small_verifications import small
from unlearning_engine.contracts import VerifySpec
from unlearning_engine.provenance import PROVEN, UNPROVEN, reference_lineage
from unlearning_engine.recipes import RECIPE, train


@pytest.fixture(scope="module")
def reference(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model trained without the first four records."""
    out = tmp_path_factory.mktemp("reference")
    text = out / "tokenizer.txt"
    text.write_text("a hill of other things, of colours and of flags", encoding="utf-8")
    spec = dataclasses.replace(corpus.spec(epochs=1), exclude_ids=corpus.forget, tokenizer_text=str(text))
    train(spec, out / "job")
    return out / "job" / "model"


def spec(corpus: Corpus, reference: Path | str, **changes: Any) -> VerifySpec:
    made = VerifySpec(
        candidate="c",
        original="o",
        reference=str(reference),
        controls=corpus.dataset,
        dataset=corpus.dataset,
        forget_ids=corpus.forget,
    )
    return dataclasses.replace(made, **changes)


def found(given: VerifySpec) -> dict[str, str]:
    lineage = reference_lineage(given)
    assert lineage is not None
    return lineage


def test_a_recipe_over_the_records_without_the_forget_set_proves_it(corpus: Corpus, reference: Path) -> None:
    assert found(spec(corpus, reference))["status"] == PROVEN


def test_a_training_on_the_forget_set_proves_nothing(corpus: Corpus, reference: Path, tmp_path: Path) -> None:
    fewer = tmp_path / "fewer.txt"
    fewer.write_text("\n".join(Path(corpus.forget).read_text().split()[:3]), encoding="utf-8")
    lineage = found(spec(corpus, reference, forget_ids=str(fewer)))
    assert lineage["status"] == UNPROVEN
    assert "another training set" in lineage["reason"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda recipe: recipe.update(made_by="graddiff"), "fresh weights"),
        (lambda recipe: recipe.update(tokenizer_digest="sha256:0"), "another tokenizer"),
        (lambda recipe: recipe.update(tokenizer_shared_records=4), "made from the records"),
        (lambda recipe: recipe.update(dataset_digest="sha256:0"), "another training set"),
        (lambda recipe: recipe.update(config=None), "cannot be checked"),
    ],
)
def test_a_recipe_that_says_something_else_proves_nothing(
    corpus: Corpus, reference: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None], reason: str
) -> None:
    copy = tmp_path / "model"
    copy.mkdir()
    for path in reference.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    recipe = json.loads((copy / RECIPE).read_text(encoding="utf-8"))
    change(recipe)
    (copy / RECIPE).write_text(json.dumps(recipe), encoding="utf-8")
    lineage = found(spec(corpus, copy))
    assert lineage["status"] == UNPROVEN
    assert reason in lineage["reason"]


def test_without_a_recipe_or_a_reference_nothing_is_proven(corpus: Corpus, tmp_path: Path) -> None:
    assert found(spec(corpus, tmp_path))["reason"] == "no recipe lies beside the model"
    assert reference_lineage(spec(corpus, "")) is None


def test_a_verification_says_which_it_is(tmp_path: Path) -> None:
    given = small(tmp_path).verify("out", policy={"resamples": 200, "attacks": ["pruning"]})
    assert given["reference_lineage"] == UNPROVEN
    assert given["reference_lineage_reason"]
