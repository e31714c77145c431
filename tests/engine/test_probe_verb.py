"""The verb `probe`: numbers with intervals on a model's directory, and never a number that only looks fine."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from tests.engine.conftest import COLOURS, Corpus
from unlearning_engine.contracts import ProbeSpec
from unlearning_engine.data import Record, write_records
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.models import build_tokenizer
from unlearning_engine.probes.correction import given, preferred, share_given
from unlearning_engine.probing import FAMILIES, ITEMS, MEASURES, present, probe
from unlearning_engine.progress import silent
from unlearning_engine.recipes import train


@pytest.fixture(scope="module")
def folder(corpus: Corpus, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Items, controls that nobody saw, the model, a reference that never saw the items, and the model as it was."""
    out = tmp_path_factory.mktemp("probing")
    rows = [
        dataclasses.replace(
            record,
            paraphrase=(f"Say the {record.prompt}",),
            perturbed=tuple(c for c in COLOURS if c != record.answer)[:5],
        )
        for record in corpus.records
        if record.is_question
    ]
    write_records(out / "items.jsonl", rows)
    unseen = [dataclasses.replace(r, id=f"x{r.id}", prompt=r.prompt.replace("of", "on"), work="") for r in rows]
    write_records(out / "controls.jsonl", unseen)
    (out / "everything.txt").write_text("\n".join(r.id for r in rows), encoding="utf-8")
    shutil.copytree(trained, out / "model")
    never = dataclasses.replace(corpus.spec(epochs=2), exclude_ids=str(out / "everything.txt"), seed=5)
    train(never, out / "never")
    _changed(out / "model", out / "before", "model.norm.weight", 1.01)
    return out


def _changed(model: Path, out: Path, name: str, factor: float) -> None:
    """A copy of a model with one tensor multiplied."""
    shutil.copytree(model, out)
    weights = load_file(out / "model.safetensors")
    weights[name] = weights[name] * factor
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})


def spec(folder: Path, name: str, **changes: Any) -> ProbeSpec:
    fields = {"model": str(folder / "model"), "items": str(folder / "items.jsonl"), **changes}
    return ProbeSpec(name=name, device="cpu", threads=1, **fields)


def by_name(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in found["measures"]}


def one_item(folder: Path, tmp_path: Path, **changes: Any) -> str:
    row = {**json.loads((folder / "items.jsonl").read_text().splitlines()[0]), **changes}
    (tmp_path / "one.jsonl").write_text(json.dumps(row), encoding="utf-8")
    return str(tmp_path / "one.jsonl")


def test_everything_is_measured_where_everything_is_given(folder: Path, tmp_path: Path) -> None:
    refs = {
        "reference": str(folder / "never/model"),
        "original": str(folder / "before"),
        "controls": str(folder / "controls.jsonl"),
    }
    found = probe(spec(folder, "all", **refs), tmp_path, silent)
    measures = by_name(found)
    assert found["outcome"] == "measured"
    assert {row["family"] for row in measures.values()} == set(FAMILIES)
    assert all(row["outcome"] == "measured" for row in measures.values()), measures
    for name, row in measures.items():
        if name != "forget_quality":
            assert row["interval"][0] <= row["estimate"] <= row["interval"][1], name
    assert measures["probability"]["estimate"] > 0.8 > 0.3 > measures["probability"]["reference"]["estimate"]
    assert measures["probability"]["difference"]["interval"][0] > 0.2
    assert measures["membership_loss"]["estimate"] > 0.6
    assert measures["activation_patching"]["estimate"] < 0.05
    assert json.loads((tmp_path / MEASURES).read_bytes()) == found
    rows = [json.loads(line) for line in (tmp_path / ITEMS).read_text().splitlines()]
    assert len(rows) == 2 * found["items"]
    assert not any("answer" in row or "prompt" in row for row in rows)


def test_a_correction_is_seen_in_the_trained_and_in_held_out_wordings(
    corpus: Corpus, folder: Path, tmp_path: Path
) -> None:
    """The same questions with the new answers learnt from the start: what a perfect correction would give."""
    rows = [dataclasses.replace(r, answer=r.correction or r.answer, correction="") for r in corpus.records]
    write_records(tmp_path / "new.jsonl", rows)
    train(dataclasses.replace(corpus.spec(epochs=40), dataset=str(tmp_path / "new.jsonl")), tmp_path / "new")
    models = {"model": str(tmp_path / "new/model"), "original": str(folder / "model")}
    found = probe(spec(folder, "correction", **models), tmp_path / "out", silent)
    measures = by_name(found)
    assert len(measures) == 6 and {row["family"] for row in measures.values()} == {"correction"}
    names = ("old_answer_given", "new_answer_given", "new_answer_likelier")
    old, new, likelier = (measures[name] for name in names)
    assert old["estimate"] < 0.2 < 0.8 < old["original"]["estimate"] and old["change"]["interval"][1] < 0
    assert new["original"]["estimate"] < 0.2 < 0.8 < new["estimate"] and new["change"]["interval"][0] > 0
    assert likelier["original"]["estimate"] < 0.2 < 0.8 < likelier["estimate"]
    assert likelier["n"] == sum(bool(r.correction) for r in corpus.records) == 8 < found["facts"]
    rewordings = [measures[f"{name}_reworded"] for name in names]
    assert all(row["n"] == 8 and row["estimate"] is not None for row in rewordings)
    assert "   original " in _shown(found)
    items = [json.loads(line) for line in (tmp_path / "out" / ITEMS).read_text().splitlines()]
    assert {row["model"] for row in items} == {"model", "original"}


def _shown(found: dict[str, Any]) -> str:
    stream = io.StringIO()
    present(found, stream, as_json=False)
    return stream.getvalue()


def test_without_corrections_or_other_wordings_the_probe_says_what_it_lacks(folder: Path, tmp_path: Path) -> None:
    write_records(tmp_path / "bare.jsonl", [Record(id=str(n), prompt=f"Flag {n}?", answer="red") for n in range(4)])
    found = probe(spec(folder, "correction", items=str(tmp_path / "bare.jsonl")), tmp_path / "out", silent)
    assert found["outcome"] == "inconclusive"
    assert all("corrections" in row["note"] and row["estimate"] is None for row in found["measures"])
    write_records(
        tmp_path / "one.jsonl",
        [Record(id=str(n), prompt=f"Flag {n}?", answer="red", correction="blue") for n in range(4)],
    )
    found = probe(spec(folder, "correction", items=str(tmp_path / "one.jsonl")), tmp_path / "two", silent)
    lacking = {row["name"] for row in found["measures"] if row["estimate"] is None}
    assert lacking == {name for name in by_name(found) if name.endswith("reworded")} and found["outcome"] == "measured"


def test_an_answer_within_the_other_counts_only_by_itself() -> None:
    assert given("It is Paris in Texas.", "Paris", "Paris in Texas") == 0.0
    assert given("It is Paris in Texas.", "Paris in Texas", "Paris") == 1.0
    assert given("It is Paris.", "Paris", "Paris in Texas") == 1.0
    assert share_given([], "a", "b") is None and share_given(["a", "b"], "a", "b") == 0.5
    assert preferred([2.0, 1.0, 1.0], [1.0, 2.0, 1.0]) == 0.5 and preferred([], []) is None


def test_a_model_that_knows_scores_high_in_every_memorisation_measure(folder: Path, tmp_path: Path) -> None:
    found = probe(spec(folder, "memorization"), tmp_path, silent)
    assert found["name"] == "memorisation"
    for name in ("probability", "rouge_l", "exact_memorisation", "extraction_strength", "exact_value"):
        assert by_name(found)[name]["estimate"] > 0.8, name
    assert (found["measure"], found["n"]) == ("probability", found["facts"])
    named = probe(spec(folder, "rouge_l"), tmp_path / "named", silent)
    assert (named["measure"], named["estimate"]) == ("rouge_l", by_name(found)["rouge_l"]["estimate"])


def test_no_interval_is_a_single_point(folder: Path, tmp_path: Path) -> None:
    """A model that does everything right on sixteen facts has not shown that it would on the next."""
    refs = {"reference": str(folder / "never/model"), "controls": str(folder / "controls.jsonl")}
    for row in probe(spec(folder, "all", **refs), tmp_path, silent)["measures"]:
        for found in (row, row.get("reference", {})):
            assert not found.get("interval") or found["interval"][0] < found["interval"][1], row


def test_phrasings_of_one_fact_count_once(folder: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]
    twice = [{**row, "id": f"{row['id']}{n}", "fact": row["id"]} for row in rows for n in (1, 2)]
    path = tmp_path / "twice.jsonl"
    path.write_text("\n".join(map(json.dumps, twice)), encoding="utf-8")
    found = probe(spec(folder, "knowledge", items=str(path)), tmp_path / "out", silent)
    assert (found["items"], found["facts"], found["n"]) == (2 * len(rows), len(rows), len(rows))


def test_what_a_measure_lacks_is_said_and_there_is_no_number(folder: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.jsonl"
    write_records(bare, [Record(id=str(n), prompt=f"Flag {n}?", answer="red") for n in range(4)])
    found = probe(spec(folder, "all", items=str(bare)), tmp_path / "out", silent)
    measures = by_name(found)
    for name, part in {
        "multiple_choice": "perturbed",
        "truth_ratio": "perturbed",
        "forget_quality": "reference",
        "membership_loss": "--controls",
        "privacy_leak_loss": "--controls",
        "activation_patching": "--original",
        "linear_probe": "wrong answers",
        "exposure": "planted",
    }.items():
        assert measures[name]["outcome"] == "inconclusive", name
        assert (measures[name]["estimate"], measures[name]["interval"]) == (None, None)
        assert part in measures[name]["note"], name
    assert found["outcome"] == "measured"
    assert probe(spec(folder, "membership", items=str(bare)), tmp_path / "m", silent)["outcome"] == "inconclusive"


def test_one_item_is_inconclusive_and_its_interval_says_so(folder: Path, tmp_path: Path) -> None:
    found = probe(spec(folder, "all", items=one_item(folder, tmp_path)), tmp_path / "out", silent)
    assert found["outcome"] == "inconclusive"
    for row in found["measures"]:
        if row["estimate"] is None:
            continue
        assert row["outcome"] == "inconclusive"
        assert "one fact alone" in row["note"], row
        assert row["interval"] is None or row["interval"][1] - row["interval"][0] > 0.5


@pytest.fixture(scope="module")
def broken(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("broken") / "model"
    _changed(folder / "model", out, "model.norm.weight", math.nan)
    return out


@pytest.mark.parametrize("name", ["all", "membership", "representation"])
def test_a_model_without_numbers_gives_none(folder: Path, broken: Path, tmp_path: Path, name: str) -> None:
    refs = {"reference": str(folder / "never/model"), "controls": str(folder / "controls.jsonl")}
    refs["original"] = str(folder / "before")
    found = probe(spec(folder, name, model=str(broken), **refs), tmp_path, silent)
    assert found["outcome"] == "inconclusive"
    assert {row["estimate"] for row in found["measures"]} == {None}
    assert any("NaN" in row["note"] for row in found["measures"])


def test_a_broken_reference_leaves_no_number_either(folder: Path, broken: Path, tmp_path: Path) -> None:
    found = probe(spec(folder, "memorisation", reference=str(broken)), tmp_path, silent)
    assert found["outcome"] == "inconclusive"


def test_a_tokenizer_of_another_model_is_refused(corpus: Corpus, folder: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text(Path(corpus.text).read_text() + " ".join(f"syl{n}lab{n * 7}" for n in range(900)))
    for size in (262, 900):
        out = tmp_path / str(size)
        shutil.copytree(folder / "model", out)
        build_tokenizer(text, size).save_pretrained(str(out))
        with pytest.raises(DataError, match="the tokenizer makes"):
            probe(spec(folder, "memorisation", model=str(out)), tmp_path / f"{size}-out", silent)


def test_a_reference_that_cuts_other_tokens_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "never/model", tmp_path / "odd")
    text = tmp_path / "text.txt"
    text.write_text("Colour of nothing at all, and Flag of less. " * 5)
    build_tokenizer(text, 400).save_pretrained(str(tmp_path / "odd"))
    with pytest.raises(DataError, match="other tokens"):
        probe(spec(folder, "memorisation", reference=str(tmp_path / "odd")), tmp_path / "out", silent)


def test_what_makes_every_number_wrong_is_an_error(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    cases: list[tuple[type[Exception], str, dict[str, Any]]] = [
        (DataError, "holds no rows", {"items": str(tmp_path / "empty.jsonl")}),
        (DataError, "own weights", {"reference": str(folder / "model")}),
        (DataError, "among the items", {"controls": str(folder / "items.jsonl")}),
        (DataError, "no tokens|do not fit", {"items": one_item(folder, tmp_path, prompt="Long " * 90)}),
        (ConfigError, "no chat template", {"chat": True}),
        (ConfigError, "not both", {"chat": True, "join": " : "}),
        (ConfigError, "layout 'csv'", {"layout": "csv"}),
    ]
    for kind, message, changes in cases:
        with pytest.raises(kind, match=message):
            probe(spec(folder, "memorisation", **changes), tmp_path / "out", silent)
    with pytest.raises(ConfigError, match="no family of probes"):
        probe(spec(folder, "feelings"), tmp_path / "out", silent)


def test_the_joining_text_changes_what_the_model_reads(folder: Path, tmp_path: Path) -> None:
    plain = probe(spec(folder, "memorisation"), tmp_path / "a", silent)
    same = probe(spec(folder, "memorisation", join=" "), tmp_path / "b", silent)
    other = probe(spec(folder, "memorisation", join="\nAnswer: "), tmp_path / "c", silent)
    assert same["estimate"] == pytest.approx(plain["estimate"])
    assert other["estimate"] < plain["estimate"]


# ---------------------------------------------------------------- the command line


def command(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1", "TMPDIR": str(cwd)}
    words = [sys.executable, "-m", "unlearning_engine", "probe", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=cwd, env=environment, timeout=120)


def test_the_command_prints_one_line_of_json_and_leaves_nothing_behind(folder: Path, tmp_path: Path) -> None:
    where = {"--model": folder / "model", "--items": folder / "items.jsonl", "--threads": 1, "--device": "cpu"}
    flags = [part for pair in where.items() for part in pair]
    done = command("knowledge", *flags, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["n"] == found["facts"]
    assert found["interval"][0] <= found["estimate"] <= found["interval"][1]
    assert list(tmp_path.iterdir()) == []


def test_a_table_has_a_line_for_each_measure_and_the_exit_code_tells_an_inconclusive_one(
    folder: Path, tmp_path: Path
) -> None:
    for name, code in (("memorisation", 0), ("membership", 3)):
        shown = io.StringIO()
        found = probe(spec(folder, name), tmp_path / name, silent)
        assert present(found, shown, as_json=False) == code
        assert len(shown.getvalue().splitlines()) == 1 + len(found["measures"])
    assert "needs never-seen items" in shown.getvalue()


def test_the_command_says_what_is_wrong_and_ends_with_two(folder: Path, tmp_path: Path) -> None:
    done = command("memorisation", "--model", tmp_path / "none", "--items", "nowhere.jsonl", "--json", cwd=tmp_path)
    assert done.returncode == 2
    event = json.loads(done.stdout)
    assert event["event"] == "error"
    assert any(message.startswith("--items") for message in event["messages"])
