"""A shard's classifier: weights from the seed, order that a deletion does not disturb, predictions by shard."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.sisa import classifier
from unlearning_engine.sisa.aggregation import Ensemble
from unlearning_engine.sisa.classifier import Network, Shuffled, load_model, predict
from unlearning_engine.sisa.config import read_config
from unlearning_engine.sisa.ensembles import read_ensemble
from unlearning_engine.sisa.lineage import shard_folder
from unlearning_engine.sisa.tables import Table
from unlearning_engine.sisa.workload import Inputs
from unlearning_engine.training import run

CONFIG = {
    "kind": "classifier",
    "classes": ["no", "yes", "perhaps"],
    "shape": [1, 4, 4],
    "hidden": [8],
    "epochs": 6,
    "batch_size": 4,
    "checkpoint_every": 0,
}
INPUTS = Inputs(device="cpu")


def workload(**changed: Any) -> Any:
    return read_config({**CONFIG, **changed}, INPUTS)[1]


def table(rows: int = 30, seed: int = 0) -> Table:
    """Class 1 is bright, class 2 is bright on the left, class 0 is dark."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, rows)
    bright = np.zeros((3, 1, 4, 4))
    bright[1], bright[2, :, :, :2] = 1, 1
    features = random.integers(0, 100, (rows, 1, 4, 4)) + 150 * bright[labels]
    return Table([f"r{n:03d}" for n in range(rows)], [""] * rows, [0.0] * rows, features.astype(np.uint8), labels)


def without(rows: Table, *names: str) -> Table:
    return rows.take([at for at, name in enumerate(rows.ids) if name not in names])


def shuffled(rows: Table, *, epochs: float = 2.0, seed: int = 1, size: int = 4) -> Shuffled:
    return Shuffled(rows, batch_size=size, epochs=epochs, seed=seed, smoothing=0.1, device=torch.device("cpu"))


def names_of(objective: Shuffled, rows: Table, epoch: int) -> list[str]:
    return [rows.ids[at] for at in objective.order(epoch)]


def state(model: torch.nn.Module) -> list[bytes]:
    return [value.numpy().tobytes() for value in model.state_dict().values()]


def trained(folder: Path, rows: Table, seed: int = 1, **changed: Any) -> Path:
    work = workload(**changed)
    model = work.build(seed, rows)
    run(model, work.objective(rows, epochs=work.epochs, seed=seed), work.loop, seed=seed)
    work.save(folder, model)
    return folder


# ---------------------------------------------------------------- order and counts


def test_removing_a_row_moves_no_other() -> None:
    rows = table()
    fewer = without(rows, "r003", "r017")
    for epoch in range(3):
        all_names, left = (names_of(shuffled(r), r, epoch) for r in (rows, fewer))
        assert [name for name in all_names if name not in {"r003", "r017"}] == left


def test_the_order_does_not_depend_on_the_order_of_the_file() -> None:
    rows = table()
    turned = rows.take(range(len(rows) - 1, -1, -1))
    assert names_of(shuffled(rows), rows, 0) == names_of(shuffled(turned), turned, 0)
    assert shuffled(rows).order_digest() == shuffled(turned).order_digest()


def test_every_epoch_and_every_seed_has_an_order_of_its_own() -> None:
    rows = table()
    orders = {tuple(names_of(shuffled(rows, seed=seed), rows, epoch)) for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16 and all(sorted(order) == rows.ids for order in orders)


def test_every_place_of_an_order_is_equally_likely() -> None:
    rows = table(20)
    objective = shuffled(rows)
    mean_place = np.mean([np.argsort(objective.order(epoch)) for epoch in range(3000)], axis=0)
    error = np.sqrt((20**2 - 1) / 12 / 3000)
    assert np.abs(mean_place - 9.5).max() < 4.5 * error


def test_each_row_is_seen_once_an_epoch_and_a_fraction_is_cut_by_batches() -> None:
    rows = table(30)
    for epochs, steps, passes in ((2.0, 16, 60), (1.5, 12, 46), (0.5, 4, 16), (1.9, 15, 58), (0.01, 1, 4)):
        objective = shuffled(rows, epochs=epochs)
        seen = np.concatenate([objective.batch(number) for number in range(objective.total)])
        assert (objective.total, objective.passes, len(seen)) == (steps, passes, passes)
        assert np.bincount(seen, minlength=30).max() <= np.ceil(epochs)


def test_the_digest_names_the_sequence_of_the_whole_stage() -> None:
    rows = table()
    digest = shuffled(rows, epochs=1.5).order_digest()
    assert digest.startswith("sha256:") and digest == shuffled(rows, epochs=1.5).order_digest()
    others = [
        shuffled(rows, epochs=2.5),
        shuffled(rows, epochs=1.5, seed=2),
        shuffled(rows, epochs=1.5, size=5),
        shuffled(without(rows, "r003"), epochs=1.5),
        shuffled(dataclasses.replace(rows, ids=[f"x{name}" for name in rows.ids]), epochs=1.5),
    ]
    assert len({digest, *(other.order_digest() for other in others)}) == 6


def test_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(DataError, match="nothing to train on"):
        shuffled(table().take([]))


# ---------------------------------------------------------------- models


def test_the_seed_alone_decides_fresh_weights() -> None:
    work = workload()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one = work.build(5, table())
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    assert state(one) == state(work.build(5, table(seed=9))) != state(work.build(6, table()))


def test_a_first_slice_scales_by_its_own_rows() -> None:
    work, rows = workload(scaling="first_slice"), table()
    model = work.build(1, rows)
    wanted = rows.features.astype(np.float64)
    assert np.allclose(model.mean.numpy(), wanted.mean(0)) and np.allclose(model.scale.numpy(), wanted.std(0))
    flat = dataclasses.replace(rows, features=np.full_like(rows.features, 7))
    assert (work.build(1, flat).scale == 1).all()
    with pytest.raises(DataError, match="the first slice is empty"):
        work.build(1, rows.take([]))


def test_a_fixed_scaling_is_part_of_the_configuration_and_of_the_claim() -> None:
    work, rows = workload(scaling="fixed", mean=[10.0], scale=[2.0]), table()
    model, plain = work.build(1, rows), workload().build(1, rows)
    values = torch.from_numpy(rows.features).float()
    assert torch.allclose(model(values), plain((values - 10) / 2))
    found = {c.name: c.saw_records for c in work.components(rows)}
    assert found == {"classes": False, "scaler": None}
    assert [c.name for c in workload().components(rows)] == ["classes"]


def test_convolutions_take_images() -> None:
    model = workload(channels=[2, 3], hidden=[]).build(1, table())
    assert model(torch.zeros(5, 1, 4, 4)).shape == (5, 3)
    assert [type(layer).__name__ for layer in model.layers].count("MaxPool2d") == 2


def test_training_learns_and_is_the_same_twice(tmp_path: Path) -> None:
    rows = table(200)
    changed = {"scaling": "first_slice", "channels": [4], "epochs": 20, "learning_rate": 0.01}
    one, other = (trained(tmp_path / name, rows, **changed) for name in ("one", "other"))
    assert all(
        (one / name).read_bytes() == (other / name).read_bytes() for name in ("model.safetensors", "config.json")
    )
    fresh = table(100, seed=7)
    assert (predict([one], fresh.features).argmax(-1).numpy() == fresh.labels).mean() > 0.9


def test_rows_kept_in_a_lineage_are_read_back(tmp_path: Path) -> None:
    work, rows = workload(), table()
    path = work.write(tmp_path / "slice-01", rows)
    assert path.name == "slice-01.safetensors"
    assert work.load(path).digests() == rows.digests()
    assert work.concat([rows.take([0]), rows.take([1])]).ids == ["r000", "r001"]


# ---------------------------------------------------------------- predictions


def test_an_ensemble_predicts_from_its_folders(tmp_path: Path) -> None:
    rows = table()
    folders = [trained(tmp_path / str(n), rows.take(range(n * 10, n * 10 + 10)), seed=n) for n in range(3)]
    ensemble = Ensemble("mean_probability")
    for folder in folders:
        ensemble.add(load_model(folder)(torch.from_numpy(rows.features).float()).detach())
    found = predict(folders, rows.features, aggregation="mean_probability", batch_size=7)
    assert torch.allclose(found, ensemble.probabilities(), atol=1e-6)


def test_the_model_that_is_served_is_the_ensemble_of_the_lineage(tmp_path: Path) -> None:
    rows, target = table(), tmp_path / "served"
    folders = [trained(shard_folder(tmp_path, shard) / "model", rows, seed=shard) for shard in (0, 2)]
    for _ in range(2):  # a second export takes the place of the first
        workload(aggregation="confidence").export(tmp_path, [0, 2], target)
    members, rule = read_ensemble(target)
    assert [m.name for m in members] == ["shard-00", "shard-02"] and rule == "confidence"
    found, wanted = (predict(f, rows.features, aggregation=rule) for f in (members, folders))
    assert torch.equal(found, wanted)
    for text in ("{", "[]", '{"kind": "other"}', '{"kind": "classifier_ensemble"}'):
        (target / "ensemble.json").write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match="ensemble"):
            read_ensemble(target)


def test_one_shard_is_in_memory_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import weakref

    folder, alive, most = trained(tmp_path / "m", table()), weakref.WeakSet[Network](), []

    def counting(path: Path) -> Network:
        model = load_model(path)
        alive.add(model)
        most.append(len(alive))
        return model

    monkeypatch.setattr(classifier, "load_model", counting)
    predict([folder] * 6, table().features)
    assert most == [1] * 6


def test_damaged_and_foreign_shards_are_refused(tmp_path: Path) -> None:
    rows = table()
    folder = trained(tmp_path / "m", rows)
    with pytest.raises(DataError, match="no shard"):
        predict([], rows.features)
    with pytest.raises(DataError, match=r"features have shape \[16\]"):
        predict([folder], rows.features.reshape(-1, 16))
    other = trained(tmp_path / "o", rows, classes=["a", "b", "c"])
    with pytest.raises(DataError, match="other classes"):
        predict([folder, other], rows.features)
    for name, text in (("config.json", "{"), ("config.json", '{"kind": "language"}'), ("model.safetensors", "")):
        broken = trained(tmp_path / "b", rows)
        (broken / name).write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=r"is not a (readable )?classifier"):
            load_model(broken)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "hidden": [9]}), encoding="utf-8")
    with pytest.raises(DataError, match="is not a readable classifier"):
        load_model(other)


# ---------------------------------------------------------------- configurations


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"classes": ["one"]}, "classes: must be at least two names"),
        ({"classes": ["one", "one"]}, "classes: a name is there twice"),
        ({"classes": [1, 2]}, "classes: must be at least two names"),
        ({"shape": []}, "shape: must not be empty"),
        ({"shape": [0]}, "shape: must be positive whole numbers"),
        ({"shape": [16], "channels": [4]}, "channels: need a shape"),
        ({"hidden": [8.5]}, "hidden: must be positive whole numbers"),
        ({"scaling": "magic"}, "scaling: 'magic' is unknown"),
        ({"scaling": "fixed"}, "mean: must be one number, or 16"),
        ({"scaling": "fixed", "mean": [0], "scale": [0]}, "scale: must be positive"),
        ({"scaling": "fixed", "mean": [float("nan")], "scale": [1]}, "mean: must be one number"),
        ({"mean": [1.0]}, "mean: is read with scaling"),
        ({"label_smoothing": 1.0}, "label_smoothing: 1.0 is not between"),
        ({"aggregation": "posterior"}, "aggregation: 'posterior' is unknown to classifiers"),
        ({"nonsense": 1}, "nonsense: unknown field"),
    ],
)
def test_a_wrong_configuration_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        workload(**changed)


def test_classes_and_shape_must_be_given() -> None:
    with pytest.raises(ConfigError) as caught:
        read_config({"kind": "classifier"}, INPUTS)
    assert {m.split(":")[0] for m in caught.value.messages} == {"spec.config.classes", "spec.config.shape"}
