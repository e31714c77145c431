"""What a plan costs: worked out by hand, and from the settings that the methods really have."""

from __future__ import annotations

import dataclasses
import json
import struct
from io import BytesIO

import pytest

from unlearning_engine.catalog import METHODS
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.planner.costs import WORK, Hardware, Sizes, cost_of, token_work, verification_cost
from unlearning_engine.planner.reading import model_sizes, parameters_in, tokens_of

#: Ten records of ten tokens to forget, a hundred to hold; batches of 16 and 24, 8 epochs: 8 steps, 192 retained rows.
SIZES = Sizes(
    parameters=1000, layers=32, forget_records=10, forget_tokens=100, retain_records=100, retain_tokens=1000, epochs=3
)
#: Seven looks at ten forgotten rows and two sets of forty others, forward only.
WATCH = 2 * 7 * (10 + 40 + 40) * 10


@pytest.mark.parametrize(
    ("method", "work"),
    [
        ("retrain", 6 * 3 * 1000),
        ("ascent", 6 * 800 + WATCH),
        ("task_vector", 6 * 800 + WATCH),
        ("graddiff", 6 * (800 + 1920) + WATCH),
        ("simnpo", 6 * (800 + 1920) + WATCH),
        ("npo", 6 * (800 + 1920) + 2 * 100 + WATCH),
        ("altpo", 6 * (1600 + 1920) + 2 * 500 + WATCH),
        ("relabel", 6 * (800 + 800) + WATCH),
        # Four parts of a batch each, each watched.
        ("spunge", 6 * (800 + 4 * 1920) + 2 * 100 + 4 * WATCH),
        ("undo", 6 * 7 * 1000 + WATCH),
        # Layer 7 of 32 forward, twice, and three layers backward.
        ("rmu", (2 * 2 * 7 / 32 + 4 * 3 / 32) * (800 + 1920) + WATCH),
    ],
)
def test_a_run_takes_what_is_worked_out_by_hand(method, work):
    assert token_work(method, SIZES) == (pytest.approx(work), "")


def test_a_deletion_from_a_lineage_takes_its_sample_passes():
    sizes = dataclasses.replace(SIZES, passes=50, retraining_passes=300)
    assert token_work("sisa", sizes)[0] == 6 * 50 * 10
    assert token_work("retrain", sizes)[0] == 6 * 300 * 10


def test_a_steered_step_is_at_most_six_tenths_of_one_with_a_retain_term():
    many = dataclasses.replace(SIZES, forget_records=1000, forget_tokens=10_000)
    assert cost_of("rmu", many, Hardware()).flops <= 0.6 * cost_of("graddiff", many, Hardware()).flops


def test_time_energy_and_money_follow_from_the_device():
    hardware = Hardware(flops=6e3, watts=36, rate=1.8, correction={"": 2.0}, runs={"": 5})
    cost = cost_of("retrain", SIZES, hardware)
    assert (cost.reckoned, cost.seconds) == (3000, 6000)
    assert (cost.watt_hours, cost.money) == (pytest.approx(60), pytest.approx(3))
    assert (cost.correction, cost.runs) == (2.0, 5)


def test_a_method_s_own_runs_correct_it_before_any_others_do():
    hardware = Hardware(correction={"": 2.0, "npo": 3.0}, runs={"": 5, "npo": 1})
    assert hardware.factor("npo") == (3.0, 1) and hardware.factor("graddiff") == (2.0, 5)
    assert Hardware().factor("npo") == (1.0, 0)


def test_what_nobody_configured_is_not_made_up():
    cost = cost_of("graddiff", SIZES, Hardware())
    assert cost.seconds and cost.watt_hours is None and cost.money is None


@pytest.mark.parametrize(
    ("method", "sizes", "unknown"),
    [
        ("a_method_of_tomorrow", SIZES, "no_cost"),
        ("graddiff", Sizes(parameters=1000), "no_tokens"),
        ("retrain", Sizes(parameters=1000, retain_tokens=5, retain_records=1), "no_epochs"),
        ("sisa", SIZES, "no_epochs"),
        ("graddiff", dataclasses.replace(SIZES, parameters=0), "no_parameters"),
    ],
)
def test_what_is_not_known_of_a_cost_has_a_name(method, sizes, unknown):
    cost = cost_of(method, sizes, Hardware())
    assert (cost.unknown, cost.flops, cost.seconds) == (unknown, None, None)


def test_a_verification_grows_with_the_model_and_with_the_items_up_to_its_limit():
    many = (dataclasses.replace(SIZES, forget_records=n, forget_tokens=10 * n) for n in (500, 9000))
    small, large = (verification_cost(sizes, Hardware()) for sizes in many)
    assert large.flops == pytest.approx(2 * small.flops)


def test_a_verification_grows_with_the_length_of_the_records():
    longer = dataclasses.replace(SIZES, forget_tokens=1000, retain_tokens=10_000)
    short, long = (verification_cost(sizes, Hardware()).flops for sizes in (SIZES, longer))
    assert long == pytest.approx(10 * short)
    unknown = dataclasses.replace(SIZES, forget_tokens=0, retain_tokens=0)
    assert verification_cost(unknown, Hardware()).flops == pytest.approx(short * 11 / 10)


def test_an_ensemble_is_judged_through_all_of_its_shards():
    alone, four = (verification_cost(dataclasses.replace(SIZES, shards=n), Hardware()) for n in (1, 4))
    assert four.flops == pytest.approx(4 * alone.flops)


@pytest.mark.parametrize("name", sorted(WORK))
def test_the_settings_are_the_methods_own_defaults(name):
    methods = pytest.importorskip("unlearning_engine.methods").METHODS
    config, work = methods[name].Config(), WORK[name]
    if name == "spunge":
        assert work.parts == config.parts and not config.settings
        assert WORK[config.method] == dataclasses.replace(work, parts=1)
        return
    assert not config.steps, "steps of its own: the cost has to follow them"
    for field in ("epochs", "batch_size", "watch_looks", "watch_items"):
        assert getattr(work, field) == getattr(config, field), field
    assert work.retain_batch_size == getattr(config, "retain_batch_size", 0)
    if name == "altpo":
        assert work.read_before == 1 + config.alternates


def test_every_cost_is_of_a_method_in_the_catalogue():
    assert set(WORK) < set(METHODS)


def test_a_device_that_nobody_knows_is_refused_with_every_problem():
    with pytest.raises(ConfigError) as caught:
        Hardware(kind="abacus", watts=-1)
    assert len(caught.value.messages) == 2


def safetensors(**shapes: list[int]) -> bytes:
    header = json.dumps({name: {"dtype": "F32", "shape": s, "data_offsets": [0, 0]} for name, s in shapes.items()})
    return struct.pack("<Q", len(header)) + header.encode()


def test_a_model_s_size_is_read_from_its_headers():
    files = {
        "model-1.safetensors": safetensors(a=[2, 3]),
        "model-2.safetensors": safetensors(b=[4]),
        "config.json": b'{"num_hidden_layers": 2}',
        "recipe.json": b'{"config": {"epochs": 12}}',
    }
    assert model_sizes(files, lambda name: BytesIO(files[name])) == {"parameters": 10, "layers": 2, "epochs": 12.0}


def test_an_ensemble_counts_one_shard_since_a_sample_passes_through_no_more():
    files = {f"shard-0{n}/model.safetensors": safetensors(a=[2, 3]) for n in (0, 1)}
    assert model_sizes(files, lambda name: BytesIO(files[name])) == {"parameters": 6, "shards": 2}


@pytest.mark.parametrize("data", [b"", b"\x08" + b"\0" * 7 + b"not json", b"\xff" * 8, struct.pack("<Q", 2) + b"[]"])
def test_damaged_weights_are_named(data):
    with pytest.raises(DataError, match="holds no readable safetensors"):
        parameters_in(BytesIO(data))


def test_records_are_reckoned_by_their_characters():
    assert tokens_of([{"prompt": "12345678", "answer": "1234"}, {"text": "1234"}]) == (2, 2.0)
    assert tokens_of([]) == (0, 0.0)
