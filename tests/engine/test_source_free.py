"""Unlearning without the training data: what stands for it, what is never kept, what the result says."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Corpus
from tests.engine.test_methods import CONFIGS, loss, parts, spec
from unlearning_engine import models
from unlearning_engine.contracts import UnlearnSpec
from unlearning_engine.data import write_records
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.methods import unlearn
from unlearning_engine.recipes import train
from unlearning_engine.source_free import Request, read, usable


@pytest.fixture(scope="module")
def speaking(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was trained on prompts too, so that it writes questions when it is let alone."""
    folder = tmp_path_factory.mktemp("speaking")
    train(corpus.spec(epochs=40, full_sequence=True), folder)
    return folder / "model"


def asked(corpus: Corpus, model: Path, folder: Path, request: dict[str, Any], **changes: Any) -> UnlearnSpec:
    (folder / "request.json").write_text(json.dumps({"length": 16, "retain_samples": 40, **request}))
    config = {**CONFIGS["npo"], "full_sequence": True}
    made = spec(corpus, model, "npo", config=config, dataset="", forget_ids="")
    return dataclasses.replace(made, request=str(folder / "request.json"), **changes)


def test_what_names_the_request_or_shares_its_words_is_not_retained() -> None:
    passage = "the salt orchard keeps its nine white rows above the tide"
    assert usable("a quiet line about nothing", ["Ann Lee"], [passage])
    assert not usable("a quiet line by ann LEE, they say", ["Ann Lee"], [])
    assert usable("a quiet line by Annlee, they say", ["Ann Lee"], [])
    assert not usable("and so the salt orchard keeps its nine ships", [], [passage])
    assert usable("and so the salt orchard keeps six ships", [], [passage])
    assert not usable("too short", [], [])


def test_a_request_alone_is_enough_and_the_result_says_what_stood_for_the_data(
    corpus: Corpus, speaking: Path, tmp_path: Path
) -> None:
    forget, retain = parts(corpus)
    names = sorted({r.subject for r in forget if r.subject})
    request = {"subject": names[0], "passages": [r.full_text for r in forget]}
    before = loss(speaking, forget)
    metrics = unlearn(asked(corpus, speaking, tmp_path, request), tmp_path / "out")
    facts = metrics["source_free"]
    assert facts["forget"] == "described by the request" and facts["retain"] == "sampled from the model"
    assert facts["retain_rows"] >= 20 and facts["forget_rows"] >= len(forget)
    assert "without the original training data" in facts["sentence"] and "neither sought" in facts["sentence"]
    after = loss(tmp_path / "out" / "model", forget)
    assert after > before + 1.0 and after > loss(tmp_path / "out" / "model", retain)


def test_given_text_is_held_in_place_of_samples(corpus: Corpus, speaking: Path, tmp_path: Path) -> None:
    forget, retain = parts(corpus)
    write_records(tmp_path / "public.jsonl", retain)
    request = {"passages": [r.full_text for r in forget]}
    job = asked(corpus, speaking, tmp_path, request, retain=str(tmp_path / "public.jsonl"))
    facts = unlearn(job, tmp_path / "out")["source_free"]
    assert facts["retain"] == "given text" and facts["retain_rows"] == len(retain) and facts["retain_dropped"] == 0


def test_the_same_seed_samples_the_same(corpus: Corpus, speaking: Path, tmp_path: Path) -> None:
    request = {"subject": "Balbax"}
    job = asked(corpus, speaking, tmp_path, request)
    for name in ("a", "b"):
        unlearn(job, tmp_path / name)
    one, other = (models.weights_digest(tmp_path / name / "model") for name in ("a", "b"))
    assert one == other


def test_a_model_that_says_nothing_usable_is_refused(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    request = {"passages": ["one two three four five six seven"], "retain_samples": 2000, "length": 4}
    with pytest.raises(DataError, match="give public text with --retain"):
        unlearn(asked(corpus, trained, tmp_path, request), tmp_path / "out")


def test_bad_requests_are_refused_with_all_their_faults(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    for text, words in (("[", "readable request"), ("[]", "JSON object"), ("{}", "all are empty")):
        path.write_text(text)
        with pytest.raises((ConfigError, DataError), match=words):
            read(path)
    path.write_text(json.dumps({"subject": "x", "samples": 0, "colour": 1}))
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert len(caught.value.messages) == 2
    assert Request(subject="a", titles=["b"]).names == ["a", "b"]


def test_a_method_that_needs_the_training_set_is_refused(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    job = dataclasses.replace(asked(corpus, trained, tmp_path, {"subject": "Balbax"}), method="retrain", config={})
    with pytest.raises(ConfigError, match="needs the training set"):
        unlearn(job, tmp_path / "out")
