"""Exact unlearning of classifiers, measured: cost of deletions, accuracy, overheads, memory (docs/exact-unlearning.md).

The baseline is the method `retrain`: one model of the same architecture, trained for the same number of passes, by the
same function. `python -m pytest tests/bench/test_sisa_classifiers.py -s` takes about ten minutes of one core;
`LETHE_BENCH_DIGITS_SEEDS` and `LETHE_BENCH_ROWS` make it shorter.
"""

from __future__ import annotations

import collections
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from unlearning_engine import checkpoints
from unlearning_engine.contracts import TrainSpec, UnlearnSpec
from unlearning_engine.placement import Place, Placement, deletion_cost, expected_share
from unlearning_engine.progress import silent
from unlearning_engine.sisa import stages
from unlearning_engine.sisa.aggregation import AGGREGATIONS, DEFAULT
from unlearning_engine.sisa.building import train
from unlearning_engine.sisa.classifier import Shuffled, predict
from unlearning_engine.sisa.deleting import unlearn
from unlearning_engine.sisa.ensembles import read_ensemble

pytestmark = pytest.mark.bench

SEEDS = int(os.environ.get("LETHE_BENCH_DIGITS_SEEDS", "10"))
ROWS = int(os.environ.get("LETHE_BENCH_ROWS", "100000"))
COMMON = {"kind": "classifier", "learning_rate": 3e-3}
PURCHASE = {
    **COMMON,
    "classes": [f"style-{n:02d}" for n in range(100)],
    "shape": [600],
    "hidden": [128],
    "epochs": 15,
    "batch_size": 128,
}
DIGITS = {**COMMON, "classes": list("0123456789"), "shape": [64], "hidden": [256], "epochs": 30, "batch_size": 16}


def show(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the bench's output


@dataclass(frozen=True)
class Timed:
    """A verb's result, and the seconds that it took."""

    result: dict[str, Any]
    wall: float
    cpu: float


def timed(call: Callable[[], dict[str, Any]]) -> Timed:
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    return Timed(result, time.perf_counter() - wall, time.process_time() - cpu)


def trained(data: Path, out: Path, config: dict[str, Any], *, seed: int = 1, exclude: str = "", **size: int) -> Timed:
    """Train with shards and slices as given, or as one model."""
    spec = TrainSpec(
        method="sisa" if size else "retrain",
        dataset=str(data),
        exclude_ids=exclude,
        seed=seed,
        threads=1,
        device="cpu",
        config={**config, **size},
    )
    return timed(lambda: train(spec, out, silent))


def forgotten(lineage: Path, out: Path, ids: Sequence[str]) -> Timed:
    out.parent.mkdir(parents=True, exist_ok=True)
    names = out.with_suffix(".txt")
    names.write_text("\n".join(ids), encoding="utf-8")
    spec = UnlearnSpec(method="sisa", lineage=str(lineage), forget_ids=str(names), threads=1, device="cpu")
    return timed(lambda: unlearn(spec, out, silent))


def right(folder: Path, features: np.ndarray, labels: np.ndarray, rule: str) -> float:
    """Share of rows whose likeliest class is theirs."""
    members, _ = read_ensemble(folder / "model")
    return float((predict(members, features, aggregation=rule).argmax(-1).numpy() == labels).mean())


def by_place(ids: Sequence[str], *, shards: int, slices: int, seed: int) -> dict[Place, list[str]]:
    found: dict[Place, list[str]] = collections.defaultdict(list)
    placement = Placement(shards=shards, slices=slices, seed=seed)
    for name in ids:
        found[placement.place(name)].append(name)
    return found


def counts_of(places: dict[Place, list[str]], shards: int, slices: int) -> list[list[int]]:
    return [[len(places[Place(shard, number)]) for number in range(slices)] for shard in range(shards)]


def one_of_each_slice(places: dict[Place, list[str]], slices: int, random: np.random.Generator) -> list[str]:
    """A random record of each slice number: a stratified draw, since slices are equally likely."""
    shards = 1 + max(place.shard for place in places)
    return [str(random.choice(places[Place(int(random.integers(shards)), number)])) for number in range(slices)]


# ---------------------------------------------------------------- loads


def purchase_rows(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Binary baskets: each of 100 classes has its own rate for each of 600 goods, half of the goods differ little."""
    random = np.random.default_rng(seed)
    base = random.beta(0.5, 2.0, 600)
    rates = np.clip(base + random.normal(0, 0.1, (100, 600)) * (random.random((100, 600)) < 0.5), 0.01, 0.99)
    labels = random.integers(0, 100, rows)
    return (random.random((rows, 600), dtype=np.float32) < rates[labels]).astype(np.uint8), labels


@pytest.fixture(scope="module")
def purchase(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("purchase")
    features, labels = purchase_rows(ROWS + 5000)
    ids = np.array([f"basket-{n:06d}" for n in range(ROWS)])
    np.savez(folder / "train.npz", ids=ids, features=features[:ROWS], labels=labels[:ROWS])
    np.savez(folder / "test.npz", features=features[ROWS:], labels=labels[ROWS:])
    return folder


def ids_of(data: Path) -> list[str]:
    with np.load(data) as file:
        names: list[str] = file["ids"].tolist()
    return names


# ---------------------------------------------------------------- the cost of deletions


@dataclass
class Spent:
    """Seconds inside functions, by name."""

    seconds: dict[str, float]

    @contextmanager
    def on(self, patch: pytest.MonkeyPatch, name: str, owner: Any, function: str) -> Iterator[None]:
        """Count the seconds of one function, as `name`."""
        real = getattr(owner, function)

        def counting(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                return real(*args, **kwargs)
            finally:
                self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started

        with patch.context() as inside:
            inside.setattr(owner, function, counting)
            yield


def test_deletions_from_a_load_of_purchases_shape(purchase: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shards, slices, data, sisa = 5, 4, purchase / "train.npz", purchase / "sisa"
    trained(data, purchase / "warm", {**PURCHASE, "epochs": 1})  # what is loaded once is no cost of a method
    mono = trained(data, purchase / "mono", PURCHASE)
    spent = Spent({})
    with (
        spent.on(monkeypatch, "checkpoints", checkpoints, "write_at"),
        spent.on(monkeypatch, "stages", stages, "run"),
        spent.on(monkeypatch, "order", Shuffled, "order"),
    ):
        whole = trained(data, sisa, PURCHASE, shards=shards, slices=slices)
    seconds = spent.seconds
    training_seconds = seconds["stages"] - seconds["checkpoints"]
    overhead = seconds["checkpoints"] / training_seconds
    show(f"\n{ROWS} rows, S={shards} R={slices}, {PURCHASE['epochs']} passes, seconds of wall / CPU")
    show(f"one model           {mono.wall:7.1f} / {mono.cpu:.1f}, passes {mono.result['passes']}")
    show(f"all shards          {whole.wall:7.1f} / {whole.cpu:.1f}, passes {whole.result['passes']}")
    show(f"checkpoints {overhead:.2%} of training, order of rows {seconds['order'] / training_seconds:.2%}")
    with np.load(purchase / "test.npz") as test:
        for rule in AGGREGATIONS:
            pair = [right(folder, test["features"], test["labels"], rule) for folder in (sisa, purchase / "mono")]
            show(f"right, {rule:20s} shards {pair[0]:.4f}, one model {pair[1]:.4f}")
    places = by_place(ids_of(data), shards=shards, slices=slices, seed=1)
    singles = _singles(sisa, mono, places, slices)
    _curve(sisa, mono, places, counts_of(places, shards, slices))
    assert overhead <= 0.05
    assert mono.result["passes"] / statistics.fmean(s.result["passes"] for s in singles) >= 5
    assert mono.cpu / statistics.fmean(s.cpu for s in singles) >= 5


def _singles(sisa: Path, mono: Timed, places: dict[Place, list[str]], slices: int) -> list[Timed]:
    """Random records one at a time, each from the whole lineage, two of each slice."""
    random = np.random.default_rng(7)
    names = [name for _ in range(2) for name in one_of_each_slice(places, slices, random)]
    runs = [forgotten(sisa, sisa.parent / f"single-{n}", [name]) for n, name in enumerate(names)]
    _line("1 (each slice x 2)", runs, mono)
    return runs


def _line(what: str, runs: Sequence[Timed], mono: Timed) -> None:
    wall, cpu = (statistics.fmean(getattr(run, kind) for run in runs) for kind in ("wall", "cpu"))
    passes = statistics.fmean(run.result["passes"] for run in runs)
    analytic = statistics.fmean(run.result["analytic_passes"] for run in runs)
    show(
        f"deletions {what:18s} passes {passes:9.0f} (analytic {analytic:9.0f}, {passes / analytic - 1:+.2%}), one "
        f"model costs {mono.result['passes'] / passes:.2f}x passes, {mono.wall / wall:.2f}x wall, "
        f"{mono.cpu / cpu:.2f}x CPU; wall {wall:.1f} s"
    )
    assert passes == pytest.approx(analytic, rel=0.1)


def _curve(sisa: Path, mono: Timed, places: dict[Place, list[str]], counts: list[list[int]]) -> None:
    """Many at once: passes trained, the analytic cost of those records, and its expectation over draws."""
    epochs, random = float(PURCHASE["epochs"]), np.random.default_rng(8)  # type: ignore[arg-type]
    where = {name: place for place, names in places.items() for name in names}
    names = sorted(where)
    lineage = deletion_cost(counts, epochs, []).lineage
    for deletions, times in ((1, 0), (5, 2), (50, 1), (500, 1)):
        draws = [random.choice(len(names), deletions, replace=False) for _ in range(300)]
        shares = [deletion_cost(counts, epochs, [[where[names[n]] for n in draw]]).passes / lineage for draw in draws]
        expected, drawn = expected_share(deletions, counts, epochs), statistics.fmean(shares)
        show(f"share of the lineage for {deletions:3d}: expected {expected:.4f}, mean of 300 draws {drawn:.4f}")
        assert drawn == pytest.approx(expected, rel=0.1)
        chosen = [[names[n] for n in draw] for draw in draws[:times]]
        runs = [forgotten(sisa, sisa.parent / f"many-{deletions}-{n}", ids) for n, ids in enumerate(chosen)]
        if runs:
            _line(f"{deletions} at once", runs, mono)
    exclude = sisa.parent / f"many-{deletions}-0.txt"
    never = trained(
        sisa.parent / "train.npz", sisa.parent / "never", PURCHASE, exclude=str(exclude), shards=5, slices=4
    )
    assert never.result["shards"] == runs[0].result["shards"], "weights differ from a training without the records"
    show(
        f"after {deletions} deletions all {len(counts)} shards equal a training that never saw the records, bit for bit"
    )


# ---------------------------------------------------------------- memory

_PEAK = """
import json, sys
import numpy as np
from pathlib import Path
from unlearning_engine.contracts import TrainSpec
from unlearning_engine.progress import silent
from unlearning_engine.sisa.building import train
from unlearning_engine.sisa.classifier import predict
from unlearning_engine.sisa.ensembles import read_ensemble
what, data, out, config = sys.argv[1:]
if what == "train":
    spec = TrainSpec(method="sisa", dataset=data, seed=1, threads=1, device="cpu", config=json.loads(config))
    train(spec, Path(out), silent)
else:
    predict(read_ensemble(Path(out) / "model")[0], np.zeros((2000, 600), np.uint8))
status = Path("/proc/self/status").read_text()  # the peak that getrusage gives may be the parent's
print(int(status.split("VmHWM:")[1].split()[0]) / 1024)
"""


def test_memory_does_not_grow_with_the_number_of_shards(tmp_path: Path) -> None:
    rows, hidden, few, many = 6000, 8000, 2, 12
    features, labels = purchase_rows(rows)
    data = tmp_path / "train.npz"
    np.savez(data, ids=np.array([f"basket-{n}" for n in range(rows)]), features=features, labels=labels)
    peaks: dict[tuple[str, int], float] = {}
    for shards in (few, many):
        config = json.dumps({**PURCHASE, "hidden": [hidden], "epochs": 1, "shards": shards, "slices": 2})
        for what in ("train", "predict"):
            argv = [sys.executable, "-c", _PEAK, what, str(data), str(tmp_path / f"out-{shards}"), config]
            done = subprocess.run(argv, check=True, capture_output=True, text=True)
            peaks[what, shards] = float(done.stdout.split()[-1])
    weights = 4 * hidden * (600 + 100) / 2**20
    show("\npeak memory in MiB: " + ", ".join(f"{w} S={s} {mib:.0f}" for (w, s), mib in peaks.items()))
    show(f"a shard's weights: {weights:.0f}")
    for what in ("train", "predict"):  # what the allocator holds back varies by some tens of MiB
        assert peaks[what, many] - peaks[what, few] < (many - few) * weights / 4


# ---------------------------------------------------------------- digits


def test_digits_keep_their_accuracy_and_forget_cheaply(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import StratifiedKFold

    features, labels = load_digits(return_X_y=True)
    features = features.astype(np.uint8)
    losses: dict[str, list[list[float]]] = {rule: [] for rule in AGGREGATIONS}
    alone: list[float] = []
    speed_up: dict[str, list[float]] = {"passes": [], "cpu": []}
    for seed in range(SEEDS):
        for rule in AGGREGATIONS:
            losses[rule].append([])
        for fold, (kept, held) in enumerate(
            StratifiedKFold(5, shuffle=True, random_state=seed).split(features, labels)
        ):
            data, at = tmp_path / "digits.npz", tmp_path / f"{seed}-{fold}"
            names = np.array([f"digit-{n:04d}" for n in kept])
            np.savez(data, ids=names, features=features[kept], labels=labels[kept])
            mono = trained(data, at / "mono", DIGITS, seed=seed)
            trained(data, at / "sisa", DIGITS, seed=seed, shards=5, slices=3)
            alone.append(right(at / "mono", features[held], labels[held], DEFAULT))
            for rule in AGGREGATIONS:
                losses[rule][-1].append(100 * (alone[-1] - right(at / "sisa", features[held], labels[held], rule)))
            if fold == 0:
                places = by_place(names.tolist(), shards=5, slices=3, seed=seed)
                ids = one_of_each_slice(places, 3, np.random.default_rng(seed))
                runs = [forgotten(at / "sisa", at / f"less-{n}", [name]) for n, name in enumerate(ids)]
                assert all(r.result["passes"] == pytest.approx(r.result["analytic_passes"], rel=0.1) for r in runs)
                speed_up["passes"].append(mono.result["passes"] / statistics.fmean(r.result["passes"] for r in runs))
                speed_up["cpu"].append(mono.cpu / statistics.fmean(r.cpu for r in runs))
    show(f"\ndigits, S=5 R=3, {SEEDS} seeds x 5 folds, one model right {statistics.fmean(alone):.4f}")
    for rule in AGGREGATIONS:
        show(f"points lost, {rule:20s} {_interval(losses[rule])}")
    ratios = ", ".join(f"{kind} {statistics.fmean(values):.2f}x" for kind, values in speed_up.items())
    show(f"retraining one model costs, against one deletion: {ratios}")
    low, high = _bounds(losses[DEFAULT])
    assert high <= 2.0, (low, high)
    assert statistics.fmean(speed_up["passes"]) >= 5


def _bounds(by_seed: list[list[float]]) -> tuple[float, float]:
    """95% interval by Student's t over the seeds' means: folds of one seed share their training rows."""
    means = np.array([statistics.fmean(folds) for folds in by_seed])
    half = stats.t.ppf(0.975, len(means) - 1) * means.std(ddof=1) / len(means) ** 0.5 if len(means) > 1 else np.inf
    return float(means.mean() - half), float(means.mean() + half)


def _interval(by_seed: list[list[float]]) -> str:
    low, high = _bounds(by_seed)
    return f"{(low + high) / 2:5.2f} (95%: {low:.2f} to {high:.2f})"
