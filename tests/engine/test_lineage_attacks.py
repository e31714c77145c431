"""Who changes a lineage's folder to make it say something false is found out, or refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.engine.lineages import CONFIGS, Pair, forget, made, pair, written
from unlearning_engine.contracts import TrainSpec
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.methods import unlearn
from unlearning_engine.recipes import train
from unlearning_engine.sisa import purge
from unlearning_engine.sisa.commitments import KEY
from unlearning_engine.sisa.lineage import Lineage, shard_folder, write_json
from unlearning_engine.sisa.replay import Verification, verify_lineage
from unlearning_engine.sisa.source import INDEX
from unlearning_engine.sisa.structure import open_workload


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    return {kind: pair(tmp_path_factory.mktemp(kind), kind) for kind in ("language", "classifier")}


@pytest.fixture
def texts(pairs: dict[str, Pair], tmp_path: Path) -> Pair:
    return pairs["language"].copy(tmp_path)


@pytest.fixture
def own(pairs: dict[str, Pair], tmp_path: Path) -> Pair:
    return pairs["classifier"].copy(tmp_path)


def found(folder: Path) -> Verification:
    return verify_lineage(folder, replay=False)


def false(folder: Path) -> set[str]:
    """Where a lineage is false."""
    result = found(folder)
    assert result.exit_code == 1
    return {one["where"] for one in result.findings if one["state"] in ("missing", "altered", "false")}


def export_again(job: Path) -> None:
    """Serve what the shards' folders say now."""
    lineage = Lineage(job)
    open_workload(lineage, base="", device="cpu")[1].export(lineage.root, lineage.shards, job / "model")


def edit(path: Path, **values: Any) -> None:
    write_json(path, {**json.loads(path.read_bytes()), **values})


# ---------------------------------------------------------------- what is served


def test_a_second_file_of_weights_in_a_shard_is_false_though_the_served_model_was_made_of_both(texts: Pair) -> None:
    folder = shard_folder(texts.after / "lineage", 0) / "model"
    tensors = load_file(folder / "model.safetensors")
    save_file({n: t + np.float32(1) for n, t in tensors.items()}, folder / "models.safetensors")
    export_again(texts.after)
    assert "shards/shard-00/model/models.safetensors" in false(texts.after)


@pytest.mark.parametrize(
    ("kind", "change"), [("language", {"rms_norm_eps": 0.5}), ("classifier", {"classes": ["b", "c", "a"]})]
)
def test_a_shard_whose_configuration_was_changed_is_false_with_the_model_made_of_it(
    pairs: dict[str, Pair], tmp_path: Path, kind: str, change: dict[str, Any]
) -> None:
    job = pairs[kind].copy(tmp_path).after
    for shard in Lineage(job).shards:
        edit(shard_folder(job / "lineage", shard) / "model" / "config.json", **change)
    export_again(job)
    assert "shards/shard-00/model/config.json" in false(job)


def test_a_chat_template_that_no_shard_has_is_false(texts: Pair) -> None:
    (texts.after / "lineage" / "tokenizer" / "chat_template.jinja").write_text("r04 likes red. {{ messages }}")
    with pytest.raises(DataError, match="tokenizer differ from what the lineage was trained with"):
        found(texts.after)


def test_the_served_model_is_looked_at_from_within_the_lineage_too(
    own: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(own.after / "model" / "ensemble.json", aggregation="vote")
    monkeypatch.chdir(own.after / "lineage")
    (tmp_path / "link").symlink_to(own.after / "lineage")
    for name in (Path(), tmp_path / "link"):
        assert false(name) == {"../model/ensemble.json"}


def test_a_purge_from_within_the_lineage_deletes_the_served_model_too(
    own: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own.before / "lineage")
    done = purge.purge(Lineage("."), Lineage(own.after))
    assert any(entry["path"].startswith("../model/") for entry in done["entries"])


# ---------------------------------------------------------------- what learned, and what was committed to


def test_components_that_were_talked_down_are_false(tmp_path: Path) -> None:
    scaling = {"scaling": "fixed", "mean": [1.0], "scale": [2.0]}
    job = pair(tmp_path, "classifier", **scaling).after
    root = job / "lineage"
    honest = Lineage(job).meta.components
    for components in ([c for c in honest if c["name"] == "classes"], [{**c, "saw_records": False} for c in honest]):
        edit(root / "lineage.json", components=components)
        edit(root / "commitments.json", lineage=Lineage(job).meta.digest)
        assert "lineage.json" in false(job)


def with_tokenizer(folder: Path, text: str) -> Path:
    """A lineage of a language model whose tokenizer was learnt from `text`."""
    (folder / "text.txt").write_text(text)
    data = written(folder / "rows.jsonl", "language")
    spec = TrainSpec(
        method="sisa",
        dataset=data,
        seed=4,
        device="cpu",
        config={**CONFIGS["language"], "epochs": 1},
        tokenizer_text=str(folder / "text.txt"),
    )
    train(spec, folder / "job")
    return folder / "job"


def test_a_tokenizer_that_is_said_to_have_seen_nothing_needs_its_text(tmp_path: Path) -> None:
    job = with_tokenizer(tmp_path, "Weather and trains, weather and rain.\n" * 20)
    result = found(job)
    assert result.exit_code == 3
    assert [f["detail"] for f in result.findings if "--tokenizer-text" in f["detail"] and f["state"] == "unchecked"]
    whole = verify_lineage(job, tokenizer_text=str(tmp_path / "text.txt"))
    assert whole.exit_code == 0 and not whole.findings
    (tmp_path / "other.txt").write_text("Ships and harbours, ships and harbours.\n" * 20)
    with pytest.raises(DataError, match="was not learnt from it"):
        verify_lineage(job, replay=False, tokenizer_text=str(tmp_path / "other.txt"))


def test_a_tokenizer_that_saw_records_cannot_be_talked_down(tmp_path: Path) -> None:
    job = with_tokenizer(tmp_path, "colour of 7? BLUE\n" * 20)
    root = job / "lineage"
    assert Lineage(job).meta.components[0]["saw_records"] is True
    for note in ("0 records stand in the text that it was learnt from", "bytes; learnt from nothing"):
        talked = {**Lineage(job).meta.components[0], "saw_records": False, "note": note}
        edit(root / "lineage.json", components=[talked])
        edit(root / "commitments.json", lineage=Lineage(job).meta.digest)
        assert found(job).exit_code == 3
        result = verify_lineage(job, replay=False, tokenizer_text=str(tmp_path / "text.txt"))
        assert result.exit_code == 1 and [f["where"] for f in result.findings if f["state"] == "altered"] == [
            "lineage.json"
        ]


def test_the_text_of_a_tokenizer_is_refused_where_none_is_learnt(own: Pair, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("Weather and trains")
    with pytest.raises(ConfigError, match="learns no tokenizer"):
        verify_lineage(own.after, replay=False, tokenizer_text=str(tmp_path / "text.txt"))


def test_a_lineage_without_a_shard_shows_nothing(own: Pair) -> None:
    root = own.after / "lineage"
    edit(root / "lineage.json", shards={})
    edit(root / "commitments.json", lineage=Lineage(own.after).meta.digest, shards={})
    shutil.rmtree(root / "data")
    shutil.rmtree(own.after / "model")
    assert "lineage.json" in false(own.after)


def test_a_served_model_that_is_not_there_is_not_called_checked(own: Pair) -> None:
    shutil.rmtree(own.after / "model")
    result = found(own.after)
    assert result.exit_code == 3 and [f["where"] for f in result.findings] == ["../model"]


def test_a_file_that_nothing_names_is_told(own: Pair) -> None:
    root = own.after / "lineage"
    names = ["data/shard-00/rows.jsonl", "kept.txt", "shards/shard-00/slice-01/old.safetensors"]
    for name in names:
        (root / name).write_text("what was deleted")
    result = found(own.after)
    assert result.exit_code == 3
    assert [f["where"] for f in result.findings] == names and {f["state"] for f in result.findings} == {"unchecked"}


def test_commitments_without_their_key_are_not_called_checked(own: Pair) -> None:
    (own.after / "lineage" / KEY).unlink()
    result = found(own.after)
    assert result.exit_code == 3 and {one["state"] for one in result.findings} == {"unchecked"}


def test_an_index_that_names_records_which_are_not_there_is_false(own: Pair) -> None:
    path = own.after / "lineage" / INDEX
    index = json.loads(path.read_bytes())
    index["0"][0].append("ghost")
    write_json(path, index)
    assert INDEX in false(own.after)


# ---------------------------------------------------------------- deleting from a folder that was changed


def test_a_record_that_the_index_puts_elsewhere_is_not_said_to_be_deleted(own: Pair, tmp_path: Path) -> None:
    path = own.before / "lineage" / INDEX
    index = json.loads(path.read_bytes())
    for slices in index.values():
        for names in slices:
            names[:] = [name for name in names if name != "r07"]
    other = next(p for p in ("0", "1", "2") if "r07" not in str(written_rows(own.before, int(p))))
    index[other][0].append("r07")
    write_json(path, index)
    with pytest.raises(DataError, match="restore"):
        unlearn(forget(own.before, ["r07"]), tmp_path / "next")


def written_rows(job: Path, shard: int) -> list[str]:
    """Ids of a shard's records, from its files."""
    lineage = Lineage(job)
    workload = open_workload(lineage, base="", device="cpu")[1]
    return [n for f in (lineage.root / "data" / f"shard-{shard:02d}").iterdir() for n in workload.load(f).ids]


def test_nothing_is_deleted_from_records_that_are_not_those_of_the_training(texts: Pair, tmp_path: Path) -> None:
    shard = texts.first[0]
    files = sorted((texts.before / "lineage" / "data" / f"shard-{shard:02d}").iterdir())
    name = json.loads(files[0].read_text().splitlines()[0])["id"]
    lines = files[-1].read_text().splitlines()
    files[-1].write_text("\n".join([json.dumps({**json.loads(lines[0]), "answer": "black"}), *lines[1:]]) + "\n")
    with pytest.raises(DataError, match="are not those that it was trained on"):
        unlearn(forget(texts.before, [name]), tmp_path / "altered")
    files[-1].unlink()
    with pytest.raises(DataError, match="are not those that it was trained on"):
        unlearn(forget(texts.before, [name]), tmp_path / "missing")


def test_a_shard_trained_with_other_settings_is_not_taken_over(tmp_path: Path) -> None:
    made(tmp_path / "other", "classifier", learning_rate=0.05)
    made(tmp_path / "own", "classifier")
    data = written(tmp_path / "rows.jsonl", "classifier")
    config = Lineage(tmp_path / "own").meta.config
    spec = TrainSpec(method="sisa", dataset=data, seed=4, device="cpu", config=config, parts=[str(tmp_path / "other")])
    train(spec, tmp_path / "parts")
    weights = [Lineage(tmp_path / name).meta.shards["0"]["weights"] for name in ("own", "parts", "other")]
    assert weights[0] == weights[1] != weights[2]
