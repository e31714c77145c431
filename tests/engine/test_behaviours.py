"""Behaviours: a user's classifier judges what a model says, before and after, and says what is to be unlearned."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForSequenceClassification

from tests.engine.conftest import COLOURS, Corpus
from tests.engine.test_methods import CONFIGS, spec
from unlearning_engine.behaviours import STAGE, Judging, Said, load_judge, sets
from unlearning_engine.configs import build
from unlearning_engine.contracts import ProbeSpec, UnlearnSpec, parse
from unlearning_engine.data import Record, load_records, write_records
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.methods import unlearn
from unlearning_engine.models import load_tokenizer
from unlearning_engine.probing import ITEMS, present, probe
from unlearning_engine.progress import silent

#: Colours that the classifier objects to.
BAD = COLOURS[:3]


@pytest.fixture(scope="module")
def folder(corpus: Corpus, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prompts, and a tiny classifier that has learnt to flag three colours."""
    out = tmp_path_factory.mktemp("behaviour")
    prompts = [Record(id=r.id, prompt=r.prompt) for r in corpus.records if r.is_question]
    write_records(out / "prompts.jsonl", prompts)
    tokenizer = load_tokenizer(trained)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        names = {"id2label": {0: "fine", 1: "bad"}, "label2id": {"fine": 0, "bad": 1}}
        config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **sizes, **names)
        model = BertForSequenceClassification(config)
        texts = [f"{a}{b}" for a in COLOURS for b in ("", *(f" {c}" for c in COLOURS[3:]))]
        batch = tokenizer(texts, padding=True, return_tensors="pt")
        inputs = {k: batch[k] for k in ("input_ids", "attention_mask")}
        labels = torch.tensor([int(text.split()[0] in BAD) for text in texts])
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
        for _ in range(60):
            optimizer.zero_grad()
            model(**inputs, labels=labels).loss.backward()
            optimizer.step()
    model.eval().save_pretrained(str(out / "classifier"))
    tokenizer.save_pretrained(str(out / "classifier"))
    return out


def asked(folder: Path, model: Path, **changes: Any) -> ProbeSpec:
    fields: dict[str, Any] = {
        "model": str(model),
        "items": str(folder / "prompts.jsonl"),
        "classifier": str(folder / "classifier"),
        "behaviour": {"label": "bad", "tries": 8, "length": 6},
        **changes,
    }
    return ProbeSpec(name="behaviour", device="cpu", threads=1, **fields)


def job(folder: Path, corpus: Corpus, model: Path, name: str = "npo", **changes: Any) -> UnlearnSpec:
    made = spec(corpus, model, name, dataset="", forget_ids="", prompts=str(folder / "prompts.jsonl"))
    behaviour = {"label": "bad", "tries": 16, "length": 6}
    made = dataclasses.replace(made, classifier=str(folder / "classifier"), behaviour=behaviour)
    return dataclasses.replace(made, **changes)


def by_name(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in found["measures"]}


def test_the_behaviour_stops_and_both_sides_are_measured_with_intervals(
    corpus: Corpus, folder: Path, trained: Path, tmp_path: Path
) -> None:
    events: list[dict[str, Any]] = []
    metrics = unlearn(job(folder, corpus, trained), tmp_path / "out", events.append)
    assert [e["step"] for e in events if e.get("stage") == STAGE] == [4, 8, 12, 16]
    facts = metrics["behaviour"]
    assert 0 < facts["flagged"] < facts["drawn"] == 16 * 16 and facts["forget_rows"] == metrics["forgotten_records"]
    assert "by the user's classifier on these prompts, nothing else" in facts["sentence"] and facts["seconds"] > 0
    assert "neighbours" in metrics["frontier"]["curve"][-1]["utility"] and metrics["seconds"] > facts["seconds"]
    after = asked(folder, tmp_path / "out" / "model", original=str(trained), seed=11)
    found = probe(after, tmp_path / "probe", silent)
    measures = by_name(found)
    share, worst = measures["flagged_share"], measures["worst_of_k"]
    assert share["original"]["estimate"] > 0.3 > 0.15 > share["estimate"]
    assert share["change"]["interval"][1] < 0 and worst["estimate"] >= share["estimate"]
    assert worst["original"]["estimate"] >= share["original"]["estimate"]
    assert measures["empty_share"]["estimate"] < 0.5
    for row in measures.values():
        assert row["n"] == 16 and row["interval"][0] <= row["estimate"] <= row["interval"][1]
        assert row["interval"][0] < row["interval"][1]
    assert (found["measure"], found["behaviour"]["tries"], found["behaviour"]["seed"]) == ("flagged_share", 8, 11)
    rows = [json.loads(line) for line in (tmp_path / "probe" / ITEMS).read_text().splitlines()]
    assert len(rows) == 32 and all(set(row) == {"model", "id", *measures} for row in rows)
    shown = io.StringIO()
    assert present(found, shown, as_json=False) == 0
    assert "tries 8" in shown.getvalue() and "temperature 1.0, seed 11" in shown.getvalue()


def test_the_same_seed_says_the_same_and_another_something_else(folder: Path, trained: Path, tmp_path: Path) -> None:
    one, again, other = (
        probe(asked(folder, trained, seed=seed), tmp_path / name, silent)["measures"]
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert one == again and [row["estimate"] for row in one] != [row["estimate"] for row in other]


def test_given_text_is_held_beside_what_is_not_flagged(
    corpus: Corpus, folder: Path, trained: Path, tmp_path: Path
) -> None:
    write_records(tmp_path / "hold.jsonl", [r for r in corpus.records if r.answer not in BAD])
    config = {**CONFIGS["npo"], "epochs": 2}
    held = job(folder, corpus, trained, retain=str(tmp_path / "hold.jsonl"), config=config)
    metrics = unlearn(held, tmp_path / "out")
    facts = metrics["behaviour"]
    assert metrics["retained_records"] == facts["retain_rows"] + facts["unflagged_rows"] and facts["retain_rows"] == 11
    write_records(tmp_path / "hold.jsonl", corpus.records)
    with pytest.raises(DataError, match="is flagged by the classifier; leave it out"):
        unlearn(held, tmp_path / "again")


def test_the_same_job_gives_the_same_weights(corpus: Corpus, folder: Path, trained: Path, tmp_path: Path) -> None:
    config = {**CONFIGS["npo"], "epochs": 2}
    one, other = (unlearn(job(folder, corpus, trained, config=config), tmp_path / n)["weights_digest"] for n in "ab")
    assert one == other


def test_nothing_flagged_and_everything_flagged_are_refused(
    corpus: Corpus, folder: Path, trained: Path, tmp_path: Path
) -> None:
    for threshold, words in ((1.0, "flags none of 256 continuations .highest score 0.9"), (0.0, "flags all that")):
        behaviour = {"label": "bad", "threshold": threshold, "tries": 16, "length": 6}
        with pytest.raises(DataError, match=words):
            unlearn(job(folder, corpus, trained, behaviour=behaviour), tmp_path / "out")


def test_methods_that_need_the_training_set_or_corrections_are_refused(
    corpus: Corpus, folder: Path, trained: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="needs the training set"):
        unlearn(job(folder, corpus, trained, "retrain"), tmp_path / "a")
    with pytest.raises(DataError, match="has no correction"):
        unlearn(job(folder, corpus, trained, "correct"), tmp_path / "b")


def test_a_folder_that_is_no_safe_trained_classifier_is_refused(folder: Path, trained: Path, tmp_path: Path) -> None:
    pickled = tmp_path / "pickled"
    shutil.copytree(folder / "classifier", pickled)
    torch.save(load_file(pickled / "model.safetensors"), pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    damaged = tmp_path / "damaged"
    shutil.copytree(folder / "classifier", damaged)
    (damaged / "model.safetensors").write_bytes(b"\0" * 64)
    coded = tmp_path / "coded"
    shutil.copytree(folder / "classifier", coded)
    own = {"auto_map": {"AutoModelForSequenceClassification": "own.Own"}, "model_type": "own"}
    config = json.loads((coded / "config.json").read_text())
    (coded / "config.json").write_text(json.dumps({**config, **own}))
    (coded / "own.py").write_text("raise SystemExit('code of a folder was run')")
    cases = ((pickled, "no safetensors"), (damaged, "damaged"), (coded, "not readable"), (trained, "no weights for"))
    for path, words in (*cases, (tmp_path / "none", "is no folder")):
        with pytest.raises(DataError, match=words):
            load_judge(path, Judging(label="bad"), device="cpu")


def test_a_label_is_named_or_numbered_and_an_unknown_one_is_answered_with_those_there_are(folder: Path) -> None:
    texts = ["red", "grey white"]
    named, numbered, fine = (
        load_judge(folder / "classifier", Judging(label=label), device="cpu").scores(texts)
        for label in ("bad", "1", "fine")
    )
    assert named == numbered and named[0] > 0.5 > named[1]
    assert [a + b for a, b in zip(named, fine, strict=True)] == pytest.approx([1, 1])
    for label in ("", "worse"):
        with pytest.raises(ConfigError, match="one of fine, bad"):
            load_judge(folder / "classifier", Judging(label=label), device="cpu")


def test_labels_that_do_not_exclude_one_another_are_scored_by_themselves(folder: Path, tmp_path: Path) -> None:
    several = tmp_path / "several"
    shutil.copytree(folder / "classifier", several)
    config = json.loads((several / "config.json").read_text())
    (several / "config.json").write_text(json.dumps({**config, "problem_type": "multi_label_classification"}))
    bad, fine = (load_judge(several, Judging(label=n), device="cpu").scores(["red"])[0] for n in ("bad", "fine"))
    assert bad > 0.5 > fine and bad + fine != pytest.approx(1, abs=1e-9)


def test_a_text_longer_than_the_classifier_reads_is_refused_not_cut(folder: Path) -> None:
    judge = load_judge(folder / "classifier", Judging(label="bad"), device="cpu")
    with pytest.raises(DataError, match="1 texts do not fit in its 64 tokens"):
        judge.scores(["red", "red blue " * 60])
    assert judge.scores([]) == []


def test_bad_settings_are_refused_with_all_their_faults() -> None:
    with pytest.raises(ConfigError) as caught:
        build(Judging, {"threshold": 2, "tries": 0, "temperature": "hot", "mood": 1}, "spec.behaviour")
    assert len(caught.value.messages) == 4


def test_a_model_without_numbers_gives_none_and_is_not_trained(
    corpus: Corpus, folder: Path, trained: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(trained, broken)
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"] * math.nan
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    found = probe(asked(folder, broken), tmp_path / "out", silent)
    assert found["outcome"] == "inconclusive" and {row["estimate"] for row in found["measures"]} == {None}
    assert all("NaN" in row["note"] for row in found["measures"])
    assert present(found, io.StringIO(), as_json=False) == 3
    with pytest.raises(DataError, match="NaN"):
        unlearn(job(folder, corpus, broken), tmp_path / "trained")


def test_fields_that_do_not_go_together_are_refused(folder: Path, trained: Path, tmp_path: Path) -> None:
    for changes, words in (
        ({"classifier": ""}, "classifier: missing"),
        ({"chat": True}, "chat: behaviour does not take it"),
        ({"controls": str(folder / "prompts.jsonl")}, "controls: behaviour does not take it"),
    ):
        with pytest.raises(ConfigError, match=words):
            probe(asked(folder, trained, **changes), tmp_path / "out", silent)
    with pytest.raises(ConfigError, match="classifier: memorisation does not take it"):
        probe(dataclasses.replace(asked(folder, trained), name="memorisation"), tmp_path / "out", silent)
    base = {"verb": "unlearn", "method": "npo", "model": "m"}
    for extra, words in (
        ({"prompts": "p"}, "spec.classifier: missing"),
        ({"forget": "f", "classifier": "c"}, "spec.classifier: goes with prompts"),
        ({"forget": "f", "prompts": "p", "classifier": "c"}, "spec.prompts: describes what is to be forgotten"),
        ({"dataset": "d", "forget_ids": "i", "behaviour": {"tries": 1}}, "spec.behaviour: goes with prompts"),
    ):
        with pytest.raises(ConfigError, match=words):
            parse({**base, **extra})
    assert parse({**base, "prompts": "p", "classifier": "c", "retain": "r"})


def test_prompts_without_room_or_without_words_are_refused(folder: Path, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="leaves no room for 63 of 64 tokens"):
        probe(asked(folder, trained, behaviour={"label": "bad", "length": 63}), tmp_path / "out", silent)
    (tmp_path / "rows.jsonl").write_text('{"prompt": "a"}\n{"prompt": ""}\n{"text": "b"}\n')
    with pytest.raises(DataError) as caught:
        load_records(tmp_path / "rows.jsonl", bare=True)
    assert [message.split(": ")[0] for message in caught.value.messages] == ["rows.jsonl:2", "rows.jsonl:3"]
    (tmp_path / "one.jsonl").write_text('{"prompt": "a"}\n')
    with pytest.raises(DataError, match="both prompt and answer"):
        load_records(tmp_path / "one.jsonl")


def test_what_is_said_is_divided_by_the_threshold_and_silence_is_never_flagged(folder: Path) -> None:
    said = [Said(record=Record(id="p", prompt="Say"), texts=("red", "grey", "red", ""), scores=(0.5, 0.4, 0.5, 0.0))]
    judge = load_judge(folder / "classifier", Judging(label="bad"), device="cpu")
    found = sets(said, Judging(label="bad", threshold=0.5), judge, retain=[], seed=0)
    assert [r.answer for r in found.forget] == ["red"] and [r.answer for r in found.retain] == ["grey"]
    assert (found.facts["flagged"], found.facts["drawn"], found.facts["empty"]) == (2, 4, 1)
    assert said[0].flagged(0.0) == (True, True, True, False)
