"""Deleting gives the very bits of a training that never saw the record: any record, kill and order of requests."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import GPT2
from tests.engine.lineages import CONFIGS, ROWS, forget, written
from unlearning_engine import runner
from unlearning_engine.artifacts import Store
from unlearning_engine.checkpoints import TENSORS, file_digest
from unlearning_engine.contracts import TrainSpec, to_json
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.methods import unlearn
from unlearning_engine.placement import Placement
from unlearning_engine.progress import silent
from unlearning_engine.recipes import train
from unlearning_engine.sisa.lineage import Lineage, slice_folder
from unlearning_engine.sisa.source import read_index

# Dropout: the generator's state is part of what a resumed stage needs.
DROPOUT = {**CONFIGS["language"], "model": {**GPT2, "n_embd": 16, "n_layer": 1}}
KINDS = {**CONFIGS, "language with dropout": DROPOUT}


class Killed(Exception):
    """Stands for a kill in tests that stay in one process."""


def train_spec(tmp: Path, name: str, left_out: Sequence[str] = (), seed: int = 4, **config: Any) -> TrainSpec:
    settings = {**KINDS[name], "slices": 3, "epochs": 5, "checkpoint_every": 3, **config}
    data = written(tmp / f"data-{len(list(tmp.iterdir()))}.jsonl", settings["kind"], left_out)
    return TrainSpec(method="sisa", dataset=data, seed=seed, device="cpu", config=settings)


def shards(folder: Path) -> dict[str, Any]:
    """Digests of every checkpoint, order, datum and weight, and the bytes of the weights themselves."""
    lineage = Lineage(folder)
    assert not [p for shard in lineage.shards for p in lineage.problems(shard)]
    files = sorted(p for p in lineage.root.rglob("*.safetensors") if "data" not in p.relative_to(lineage.root).parts)
    return {**lineage.meta.shards, **{str(p.relative_to(lineage.root)): file_digest(p) for p in files}}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("trial", range(4))
def test_any_records_deleted_at_once_leave_the_bits_of_a_training_without_them(
    tmp_path: Path, name: str, trial: int
) -> None:
    draw = random.Random(f"{name} {trial}")
    config = {"shards": draw.randint(1, 3), "slices": draw.randint(1, 3), "group": draw.choice(["record", "subject"])}
    ids = [f"r{n:02d}" for n in draw.sample(range(ROWS), draw.choice([1, 1, 2, 5]))]
    train(train_spec(tmp_path, name, **config), tmp_path / "before")
    after = unlearn(forget(tmp_path / "before", ids), tmp_path / "after")
    train(train_spec(tmp_path, name, ids, **config), tmp_path / "never")
    assert shards(tmp_path / "after") == shards(tmp_path / "never") != shards(tmp_path / "before")
    assert after["forgotten_records"] == len(ids) and set(ids).isdisjoint(read_index(tmp_path / "after" / "lineage"))


@pytest.mark.parametrize("name", ["language", "classifier"])
def test_requests_one_after_the_other_end_where_all_at_once_do(tmp_path: Path, name: str) -> None:
    train(train_spec(tmp_path, name), tmp_path / "0")
    ids = ["r03", "r17", "r20"]
    for number, one in enumerate(ids):
        unlearn(forget(tmp_path / f"{number}", [one]), tmp_path / f"{number + 1}")
    unlearn(forget(tmp_path / "0", ids), tmp_path / "once")
    assert shards(tmp_path / "3") == shards(tmp_path / "once")
    assert [entry["records"] for entry in Lineage(tmp_path / "3").meta.history] == [1, 1, 1]
    with pytest.raises(DataError, match="'r03' is not in the lineage: it was never trained on, or was deleted"):
        unlearn(forget(tmp_path / "3", ["r03"]), tmp_path / "again")


@pytest.mark.parametrize("name", KINDS)
def test_a_run_killed_at_random_steps_ends_in_the_very_same_bits(tmp_path: Path, name: str) -> None:
    spec = train_spec(tmp_path, name, shards=2)
    train(spec, tmp_path / "whole")
    draw, kills, left = random.Random(name), 0, 0

    def report(event: dict[str, Any]) -> None:
        nonlocal left
        left -= event["event"] == "progress"
        if not left:
            raise Killed

    done = False
    while not done:
        left = draw.randint(4, 12)
        try:
            train(spec, tmp_path / "cut", report)
            done = True
        except Killed:
            kills += 1
    assert kills >= 3
    assert shards(tmp_path / "cut") == shards(tmp_path / "whole")


def test_a_killed_process_goes_on_with_a_deletion_bit_for_bit(tmp_path: Path) -> None:
    train(train_spec(tmp_path, "language with dropout", shards=2), tmp_path / "before")
    ids = [name for name, place in read_index(tmp_path / "before" / "lineage").items() if place.slice == 0][:2]
    spec = forget(tmp_path / "before", ids)
    code = (
        "import sys, json, os, signal\n"
        "from unlearning_engine.contracts import parse\nfrom unlearning_engine.methods import unlearn\n"
        "def report(e):\n    if e.get('stage', '').endswith('slice 2 of 3') and e['step'] >= 4:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "unlearn(parse(json.loads(sys.argv[1])), sys.argv[2], report)"
    )
    program = [sys.executable, "-c", code, json.dumps(to_json(spec)), str(tmp_path / "after")]
    ended = subprocess.run(program, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    unlearn(spec, tmp_path / "after")
    train(train_spec(tmp_path, "language with dropout", ids, shards=2), tmp_path / "never")
    assert shards(tmp_path / "after") == shards(tmp_path / "never")


@pytest.mark.parametrize("name", ["language", "classifier"])
def test_shards_trained_as_jobs_of_their_own_are_joined_into_the_same_lineage(tmp_path: Path, name: str) -> None:
    spec = train_spec(tmp_path, name)
    train(spec, tmp_path / "alone")
    for shard in range(3):
        part = train(replace(spec, shard=shard), tmp_path / f"part{shard}")
        assert list(part["shards"]) == [str(shard)] and not (tmp_path / f"part{shard}" / "model").exists()
    trained: list[str] = []
    joined = replace(spec, parts=[str(tmp_path / f"part{shard}") for shard in range(3)])
    train(joined, tmp_path / "joined", lambda event: trained.append(event["stage"]))
    assert shards(tmp_path / "joined") == shards(tmp_path / "alone") and not trained
    side_by_side = forget(tmp_path / "alone", ["r01", "r02", "r04", "r08", "r16"], workers=2)
    unlearn(side_by_side, tmp_path / "apart")
    unlearn(replace(side_by_side, workers=1), tmp_path / "together")
    assert shards(tmp_path / "apart") == shards(tmp_path / "together")


def test_retraining_every_stage_gives_what_retraining_the_affected_ones_does(tmp_path: Path) -> None:
    train(train_spec(tmp_path, "language"), tmp_path / "before")
    fast = unlearn(forget(tmp_path / "before", ["r05"]), tmp_path / "fast")
    slow = unlearn(forget(tmp_path / "before", ["r05"], method="retrain"), tmp_path / "slow")
    assert shards(tmp_path / "fast") == shards(tmp_path / "slow")
    assert len(fast["retrained"]) == 1 and list(slow["retrained"]) == ["0", "1", "2"]
    assert fast["passes"] < slow["passes"]


def test_retraining_is_a_lineage_of_one_shard_and_leaves_a_plain_model(tmp_path: Path) -> None:
    spec = train_spec(tmp_path, "language", shards=1, slices=1)
    train(replace(spec, method="retrain"), tmp_path / "before")
    unlearn(forget(tmp_path / "before", ["r07"], method="retrain"), tmp_path / "after")
    never = train_spec(tmp_path, "language", ["r07"], shards=1, slices=1)
    train(replace(never, method="retrain"), tmp_path / "never")
    assert shards(tmp_path / "after") == shards(tmp_path / "never")
    assert json.loads((tmp_path / "after" / "model" / "config.json").read_text())["model_type"] == "llama"
    with pytest.raises(ConfigError, match="retrain trains one shard in one slice"):
        train(replace(train_spec(tmp_path, "language"), method="retrain"), tmp_path / "wrong")


def test_an_emptied_slice_and_an_emptied_shard_are_those_of_a_training_without_them(tmp_path: Path) -> None:
    config = {"shards": 2, "slices": 3, "group": "subject"}
    train(train_spec(tmp_path, "language", **config), tmp_path / "before")
    index = read_index(tmp_path / "before" / "lineage")
    first = [name for name, place in index.items() if place.shard == 0 and place.slice <= 1]
    unlearn(forget(tmp_path / "before", first), tmp_path / "slice")
    train(train_spec(tmp_path, "language", first, **config), tmp_path / "never")
    assert shards(tmp_path / "slice") == shards(tmp_path / "never")
    rest = [name for name, place in index.items() if place.shard == 0 and place.slice == 2]
    unlearn(forget(tmp_path / "slice", rest), tmp_path / "shard")
    left = Lineage(tmp_path / "shard")
    assert left.shards == [1] and left.meta.counts[0] == [0, 0, 0]
    assert json.loads((tmp_path / "shard" / "model" / "config.json").read_text())["model_type"] == "llama"
    with pytest.raises(DataError, match="nothing would be left"):
        unlearn(forget(tmp_path / "shard", [n for n, p in index.items() if p.shard == 1]), tmp_path / "none")


def test_records_that_the_lineage_does_not_keep_are_given_again_and_checked(tmp_path: Path) -> None:
    spec = train_spec(tmp_path, "language", keep_data=False)
    train(spec, tmp_path / "before")
    assert not (tmp_path / "before" / "lineage" / "data").exists()
    with pytest.raises(DataError, match="give the dataset with --data"):
        unlearn(forget(tmp_path / "before", ["r05"]), tmp_path / "after")
    other = written(tmp_path / "other.jsonl", "language", ["r06"])
    with pytest.raises(DataError, match="not the records that the lineage was trained on"):
        unlearn(forget(tmp_path / "before", ["r05"], dataset=other), tmp_path / "after")
    unlearn(forget(tmp_path / "before", ["r05"], dataset=spec.dataset), tmp_path / "after")
    train(train_spec(tmp_path, "language", ["r05"], keep_data=False), tmp_path / "never")
    assert shards(tmp_path / "after") == shards(tmp_path / "never")


def test_a_shard_count_that_leaves_empty_shards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="30 records leave .* of 200 shards empty .* take fewer shards"):
        train(train_spec(tmp_path, "classifier", shards=200), tmp_path / "out")


def test_an_altered_checkpoint_stops_a_deletion_that_needs_it(tmp_path: Path) -> None:
    train(train_spec(tmp_path, "classifier"), tmp_path / "before")
    index = read_index(tmp_path / "before" / "lineage")
    late = next(name for name, place in index.items() if place.slice == 2)
    early = next(name for name, place in index.items() if place.shard == index[late].shard and place.slice == 0)
    needed = slice_folder(tmp_path / "before" / "lineage", index[late].shard, 1) / TENSORS
    needed.write_bytes(needed.read_bytes()[:-4] + b"0000")
    with pytest.raises(DataError, match="was altered"):
        unlearn(forget(tmp_path / "before", [late]), tmp_path / "after")
    needed.unlink()
    with pytest.raises(DataError, match="is missing"):
        unlearn(forget(tmp_path / "before", [late]), tmp_path / "after")
    # A deletion from the first slice on goes without it.
    unlearn(forget(tmp_path / "before", [early]), tmp_path / "after")


def test_subjects_that_are_likely_to_ask_share_few_shards_and_lie_last() -> None:
    placement = Placement(shards=4, slices=3, seed=1, strategy="request_aware", group="subject", likely_shards=1)
    likely = {placement.place(f"r{n}", f"s{n}", 0.9) for n in range(200)}
    others = {placement.place(f"r{n}", f"s{n}", 0.1) for n in range(200)}
    assert {(p.shard, p.slice) for p in likely} == {(3, 2)}
    assert {p.shard for p in others} == {0, 1, 2} and {p.slice for p in others} == {0, 1, 2}
    assert placement.place("a", "one", 0.1) == placement.place("b", "one", 0.1)


def test_a_job_for_one_shard_fetches_that_shard_alone_from_the_store(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    train(train_spec(tmp_path, "language"), tmp_path / "before")
    index = read_index(tmp_path / "before" / "lineage")
    ids = [next(name for name, place in index.items() if place.shard == shard) for shard in (0, 2)]
    spec = forget(tmp_path / "before", ids)
    stored = replace(spec, lineage=store.put_tree(tmp_path / "before" / "lineage"))
    parts = []
    for shard in (0, 2):
        seen: list[str] = []

        def report(event: dict[str, Any], shard: int = shard, seen: list[str] = seen) -> None:
            seen.extend(str(p) for p in (tmp_path / f"part{shard}" / ".inputs").rglob("*.safetensors"))

        done = runner.run(to_json(replace(stored, shard=shard)), tmp_path / f"part{shard}", store=store, report=report)
        assert seen and all(f"shard-{shard:02d}" in name for name in seen)
        parts.append(store.put_tree(tmp_path / f"part{shard}" / done.outputs["lineage"]))
    runner.run(to_json(replace(stored, parts=parts)), tmp_path / "after", store=store, report=silent)
    unlearn(spec, tmp_path / "alone")
    assert shards(tmp_path / "after") == shards(tmp_path / "alone")
