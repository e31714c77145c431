"""What a run needs in memory is told before the model is loaded: reckoned by hand, and refused where it cannot fit."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine.conftest import LLAMA, Corpus
from tests.engine.test_methods import CONFIGS, changed, spec
from unlearning_engine import memory, models, stored
from unlearning_engine.configs import build
from unlearning_engine.errors import DataError, DeviceError
from unlearning_engine.methods import METHODS, fitting, unlearn
from unlearning_engine.recipes import TrainConfig, check_memory, read_recipe, train

SIZE = memory.Size(parameters=1000, hidden=10, layers=2, vocabulary=50, matrices=[(10, 30), (10, 10)])
PLAN = memory.Plan(trained=1000, tokens=8, depth=2)


def numbers(**changes: Any) -> tuple[int, ...]:
    return tuple(vars(memory.forecast(SIZE, dataclasses.replace(PLAN, **changes))).values())


def test_weights_gradients_moments_and_copies_are_four_bytes_a_value_and_eight() -> None:
    # 70 bytes x 8 tokens x 10 units x 2 layers, and 8 bytes x 8 tokens x 50 words.
    assert numbers() == (4000, 4000, 8000, 0, 11_200 + 3200)
    assert numbers(copies=1) == (4000, 4000, 8000, 4000, 14_400)
    assert memory.forecast(SIZE, PLAN).total == 30_400


def test_what_saves_memory_is_reckoned_with() -> None:
    assert numbers(checkpointing=True)[-1] == 4 * 80 * 2 + 70 * 80 + 3200
    assert numbers(dtype="bfloat16")[-1] == 50 * 80 * 2 + 3200
    assert memory.adapters(SIZE.matrices, 2) == 2 * 40 + 2 * 20
    assert numbers(adapters=True, trained=120) == (4480, 480, 960, 0, 14_400)
    # Two processes hold a half each, and one of two layers whole.
    assert numbers(processes=2, copies=1) == (2000 + 2000, 2000, 4000, 2000, 14_400)


def test_seven_billion_parameters_take_more_than_one_device_and_less_over_eight() -> None:
    llama = memory.Size(parameters=6_738_415_616, hidden=4096, layers=32, vocabulary=32_000)
    plan = memory.Plan(trained=llama.parameters, tokens=4096, depth=32)
    alone = memory.forecast(llama, plan)
    assert alone.weights + alone.gradients + alone.moments == 16 * llama.parameters
    assert 135 * memory.GIB < alone.total < 145 * memory.GIB
    assert memory.forecast(llama, dataclasses.replace(plan, processes=8)).total < 52 * memory.GIB


def test_a_run_that_cannot_fit_is_refused_with_needed_available_and_what_helps() -> None:
    needed = memory.forecast(SIZE, dataclasses.replace(PLAN, copies=1))
    memory.check(needed, needed.total, "m on cpu", PLAN)
    with pytest.raises(DeviceError) as caught:
        memory.check(needed, needed.total - 1, "m on cpu", dataclasses.replace(PLAN, copies=1))
    text = str(caught.value)
    assert "needs at least 0.0 MiB (weights 0.0 MiB" in text and "are free" in text
    for word in ("lora_rank", "gradient_checkpointing", "batch_size", "dtype bfloat16", "frozen copy", "processes"):
        assert word in text
    frugal = dataclasses.replace(PLAN, adapters=True, checkpointing=True, dtype="bfloat16")
    with pytest.raises(DeviceError) as caught:
        memory.check(needed, 0, "m on cpu", frugal)
    for word in ("lora_rank", "gradient_checkpointing", "dtype bfloat16", "frozen copy"):
        assert word not in str(caught.value)


# ---------------------------------------------------------------- from a folder and a method


def plan_of(trained: Path, name: str, **changes: Any) -> tuple[memory.Size, memory.Plan]:
    facts = json.loads((trained / "config.json").read_text())
    config = build(METHODS[name].Config, changed(name, **changes))
    size = fitting.size_of(facts, stored.tensors(trained), config.lora_targets)
    return size, fitting.plan_for(name, config, size, 12, 1)


def test_a_folder_tells_its_size_without_its_weights_being_read(trained: Path) -> None:
    size, plan = plan_of(trained, "graddiff")
    model = models.load_model(trained, device="cpu")
    assert size.parameters == model.num_parameters() == plan.trained
    assert (size.hidden, size.layers, size.vocabulary) == (32, 2, model.config.vocab_size)
    assert len(size.matrices) == 14 and plan.tokens == (2 + 8) * 12 and plan.depth == 2 and plan.copies == 0


def test_methods_keep_copies_and_train_parts(trained: Path) -> None:
    assert plan_of(trained, "graddiff", retain_loss="kl")[1].copies == 1
    assert plan_of(trained, "undo", teacher_weight=1.0)[1].copies == 1
    assert plan_of(trained, "task_vector")[1].copies == 1
    assert plan_of(trained, "rmu")[1].trained == 3 * 32 * 64 and plan_of(trained, "rmu")[1].copies == 1
    assert plan_of(trained, "altpo")[1].tokens == plan_of(trained, "relabel")[1].tokens
    assert plan_of(trained, "altpo")[1].tokens == (2 * 2 + 8) * 12
    # Rank 4 on q_proj of two layers: 4 x (32 + 32) each.
    size, plan = plan_of(trained, "npo", lora_rank=4, lora_targets=["q_proj"])
    assert plan.trained == 2 * 4 * 64 and plan.adapters and len(size.matrices) == 2


def test_a_method_is_refused_before_anything_is_loaded(
    corpus: Corpus, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free", lambda device: 100_000)
    monkeypatch.setattr(models, "load", lambda *a, **k: pytest.fail("was loaded"))
    for name in ("npo", "spunge", "undo"):
        with pytest.raises(DeviceError, match=r"on cpu: the run needs at least .* what would help: lora_rank"):
            unlearn(spec(corpus, trained, name, config=CONFIGS[name]), tmp_path / name)


def test_of_two_sets_of_weights_in_a_folder_one_counts(trained: Path, tmp_path: Path) -> None:
    for name in ("model.safetensors", "consolidated.safetensors"):
        (tmp_path / name).write_bytes((trained / "model.safetensors").read_bytes())
    assert [file.name for file in stored.files(tmp_path)] == ["model.safetensors"]
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 64)
    with pytest.raises(DataError, match="damaged weights"):
        stored.tensors(tmp_path)


def test_a_hub_id_that_was_never_fetched_has_no_folder() -> None:
    assert stored.folder_of("nobody/nothing") is None and stored.folder_of("no id: at all") is None


# ---------------------------------------------------------------- what there is


def machine(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_the_least_of_machine_and_control_groups_is_free(tmp_path: Path) -> None:
    cpu, limits = torch.device("cpu"), "MemTotal: 9 kB\nMemAvailable:    8000 kB\n"
    assert memory.free(cpu, machine(tmp_path / "bare", {"proc/meminfo": limits})) == 8000 * 1024
    second = {
        "proc/meminfo": limits,
        "proc/self/cgroup": "0::/jobs/one\n",
        "sys/fs/cgroup/jobs/memory.max": "3000000",
        "sys/fs/cgroup/jobs/memory.current": "1000000",
        "sys/fs/cgroup/jobs/memory.stat": "anon 5\ninactive_file 400000\n",
        "sys/fs/cgroup/jobs/one/memory.max": "max\n",
        "sys/fs/cgroup/jobs/one/memory.current": "900000\n",
    }
    assert memory.free(cpu, machine(tmp_path / "second", second)) == 3_000_000 - 1_000_000 + 400_000
    first = {
        "proc/meminfo": limits,
        "proc/self/cgroup": "4:cpu:/\n3:memory:/outside/of/the/container\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "500000",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "700000",
    }
    assert memory.free(cpu, machine(tmp_path / "first", first)) == 0


def test_without_proc_the_system_is_asked(tmp_path: Path) -> None:
    assert memory.free(torch.device("cpu"), tmp_path) > 0
    assert memory.free(torch.device("cpu")) > 0


# ---------------------------------------------------------------- a training from fresh weights


def test_a_training_that_cannot_fit_is_refused_before_weights_are_drawn(corpus: Corpus, tmp_path: Path) -> None:
    # 400 billion values: no machine that runs this test has room for them, and nothing is set aside to find that out.
    huge = {**LLAMA, "hidden_size": 2**15, "intermediate_size": 2**16, "num_hidden_layers": 40}
    with pytest.raises(
        DeviceError, match="training on cpu: the run needs at least .* what would help: a smaller model"
    ):
        train(corpus.spec(model=huge), tmp_path)
    assert not (tmp_path / "model").exists()


def test_a_training_s_size_is_the_model_s_own(corpus: Corpus, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[memory.Forecast] = []
    monkeypatch.setattr(memory, "check", lambda needed, *_: seen.append(needed))
    config = TrainConfig(**read_recipe(trained)["config"])
    tokenizer = models.load_tokenizer(trained)
    check_memory(config, tokenizer, corpus.records, torch.device("cpu"))
    parameters = models.load_model(trained, device="cpu").num_parameters()
    assert seen[0].weights == seen[0].gradients == 4 * parameters and seen[0].moments == 8 * parameters
    assert seen[0].copies == 0 < seen[0].activations


def test_retraining_is_refused_before_weights_are_drawn(
    corpus: Corpus, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free", lambda device: 100_000)
    with pytest.raises(DeviceError, match="training on cpu"):
        unlearn(spec(corpus, trained, "retrain"), tmp_path)
