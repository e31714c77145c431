"""What large models need: weights in several files, bfloat16, tied weights, checkpointed and gathered gradients."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from tests.engine.conftest import ARCHITECTURES, Corpus
from tests.engine.test_methods import CONFIGS, changed, loss, parts, spec
from unlearning_engine import losses, models, precision, stored
from unlearning_engine.configs import build
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.methods import METHODS, unlearn
from unlearning_engine.methods.base import ForgetConfig
from unlearning_engine.tokens import encode
from unlearning_engine.training import LoopConfig, Step, Supervised, forward, run

QUICK: dict[str, Any] = {"epochs": 2}


def fresh(corpus: Corpus, folder: Path, architecture: str, **fields: Any) -> Path:
    tokenizer = models.build_tokenizer(corpus.text, 400)
    model = models.build_model({**ARCHITECTURES[architecture], **fields}, tokenizer, 1)
    models.save(folder, model, tokenizer)
    return folder


def in_files(source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same model cut into several files."""
    loaded = models.load(source, device="cpu", dtype="auto")
    with monkeypatch.context() as patch:
        patch.setattr(models, "FILE_BYTES", 30_000)
        models.save(folder, loaded.model, loaded.tokenizer)
    assert len(list(folder.glob("model-*.safetensors"))) > 2 and (folder / stored.INDEX).is_file()
    return folder


# ---------------------------------------------------------------- weights in several files


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_model_in_several_files_has_the_digest_and_the_weights_of_the_whole(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, architecture: str
) -> None:
    whole = fresh(corpus, tmp_path / "whole", architecture)
    cut = in_files(whole, tmp_path / "cut", monkeypatch)
    assert models.weights_digest(whole) == models.weights_digest(cut)
    assert stored.tensors(whole) == stored.tensors(cut)
    one, other = (models.load_model(folder, device="cpu").state_dict() for folder in (whole, cut))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_digest_holds_one_tensor_at_a_time(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = in_files(fresh(corpus, tmp_path / "whole", "llama"), tmp_path / "cut", monkeypatch)
    alive: list[Any] = []

    class Reader:
        def __init__(self, file: Path, framework: str) -> None:
            self._inner = safe_open(file, framework=framework)

        def __enter__(self) -> Any:
            self._inner.__enter__()
            return self

        def __exit__(self, *error: object) -> None:
            self._inner.__exit__(*error)

        def keys(self) -> Any:
            return self._inner.keys()

        def get_tensor(self, name: str) -> torch.Tensor:
            import weakref

            assert sum(ref() is not None for ref in alive) <= 1  # the last one, until the next has taken its name
            value = self._inner.get_tensor(name)
            alive.append(weakref.ref(value))
            return value

    expected = models.weights_digest(cut)
    monkeypatch.setattr("safetensors.safe_open", Reader)
    assert models.weights_digest(cut) == expected and len(alive) > 10


def test_a_model_in_several_files_is_unlearned_to_the_same_weights_and_saved_in_several(
    corpus: Corpus, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = in_files(trained, tmp_path / "cut", monkeypatch)
    shutil.copy(trained / "recipe.json", cut)
    whole = unlearn(spec(corpus, trained, "npo", config=changed("npo", **QUICK)), tmp_path / "one")
    monkeypatch.setattr(models, "FILE_BYTES", 30_000)
    again = unlearn(spec(corpus, cut, "npo", config=changed("npo", **QUICK)), tmp_path / "several")
    assert whole["weights_digest"] == again["weights_digest"]
    assert len(list((tmp_path / "several" / "model").glob("model-*.safetensors"))) > 2
    assert loss(tmp_path / "several" / "model", parts(corpus)[0]) == loss(tmp_path / "one" / "model", parts(corpus)[0])


def test_a_missing_or_damaged_file_of_several_is_refused(
    corpus: Corpus, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = in_files(trained, tmp_path / "cut", monkeypatch)
    sorted(cut.glob("model-*.safetensors"))[1].unlink()
    with pytest.raises(DataError, match="damaged weights"):
        unlearn(spec(corpus, cut, "npo"), tmp_path / "out")
    (cut / stored.INDEX).write_text("{}")
    with pytest.raises(DataError, match="no readable index"):
        unlearn(spec(corpus, cut, "npo"), tmp_path / "out")


# ---------------------------------------------------------------- bfloat16


def rounded(source: Path, folder: Path) -> Path:
    """The same model stored in bfloat16."""
    loaded = models.load(source, device="cpu")
    models.save(folder, loaded.model.to(torch.bfloat16), loaded.tokenizer)
    shutil.copy(source / "recipe.json", folder)
    return folder


@pytest.mark.parametrize("dtype", precision.NAMES)
@pytest.mark.parametrize("name", ["npo", "rmu"])
def test_a_model_keeps_the_type_that_it_was_stored_in(
    corpus: Corpus, trained: Path, tmp_path: Path, name: str, dtype: str
) -> None:
    half = rounded(trained, tmp_path / "half")
    forget, retain = parts(corpus)
    metrics = unlearn(spec(corpus, half, name, config=changed(name, dtype=dtype)), tmp_path / "out")
    out = tmp_path / "out" / "model"
    assert metrics["dtype"] == "bfloat16" == stored.float_type(out)
    assert json.loads((out / "config.json").read_text())["dtype"] == "bfloat16"
    assert loss(out, forget) > 1.0 and loss(out, retain) < 0.3
    metrics = unlearn(spec(corpus, trained, name, config=changed(name, dtype=dtype, **QUICK)), tmp_path / "other")
    assert metrics["dtype"] == "float32" == stored.float_type(tmp_path / "other" / "model")


def test_bfloat16_is_of_the_products_alone_and_ends_with_the_run(corpus: Corpus, trained: Path) -> None:
    model, tokenizer = models.load(trained, device="cpu")
    rows = encode(parts(corpus)[0], tokenizer)
    plain = forward(model, rows, int(tokenizer.pad_token_id))[0]
    with precision.computing("bfloat16"):
        logits = forward(model, rows, int(tokenizer.pad_token_id))[0]
        losses.cross_entropy(logits, torch.zeros(logits.shape[:2], dtype=torch.int64)).backward()
    assert logits.dtype == torch.bfloat16 and plain.dtype == torch.float32
    assert {p.dtype for p in model.parameters()} == {p.grad.dtype for p in model.parameters() if p.grad is not None}
    assert 0 < float((logits.detach().float() - plain.detach()).abs().max()) < 0.5
    assert torch.equal(forward(model, rows, int(tokenizer.pad_token_id))[0], plain)


def test_small_updates_are_not_lost_between_the_steps(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    """At this rate no single update moves a weight of .1 in bfloat16; all of them together do."""
    half = rounded(trained, tmp_path / "half")
    config = changed("npo", dtype="bfloat16", learning_rate=1e-4, epochs=60)
    unlearn(spec(corpus, half, "npo", config=config), tmp_path / "out")
    forget = parts(corpus)[0]
    assert loss(tmp_path / "out" / "model", forget) > loss(half, forget) + 0.1


def test_another_type_is_refused(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="spec.config.dtype: 'int4' is unknown; one of float32, bfloat16"):
        unlearn(spec(corpus, trained, "npo", config=changed("npo", dtype="int4")), tmp_path)


# ---------------------------------------------------------------- tied weights


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", ["npo", "lora", "undo", "task_vector", "spunge"])
def test_tied_weights_stay_tied_and_others_apart(
    corpus: Corpus, tmp_path: Path, architecture: str, tied: bool, name: str
) -> None:
    source = fresh(corpus, tmp_path / "source", architecture, tie_word_embeddings=tied)
    config = changed("npo", lora_rank=4, **QUICK) if name == "lora" else changed(name, **QUICK)
    unlearn(spec(corpus, source, "npo" if name == "lora" else name, config=config), tmp_path / "out")
    assert set(stored.tensors(source)) == set(stored.tensors(tmp_path / "out" / "model"))
    before, model = (models.load_model(f, device="cpu") for f in (source, tmp_path / "out" / "model"))
    head, words = model.get_output_embeddings().weight, model.get_input_embeddings().weight
    assert (head is words) == torch.equal(head, words) == tied == model.config.tie_word_embeddings
    if name == "lora":
        assert torch.equal(head, before.get_output_embeddings().weight)
    else:
        assert not torch.equal(head, before.get_output_embeddings().weight)


# ---------------------------------------------------------------- less memory, the same numbers


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_checkpointed_gradients_are_the_same_gradients(corpus: Corpus, tmp_path: Path, architecture: str) -> None:
    """GPT-2 drops out at random: the second pass must drop the same."""
    source = fresh(corpus, tmp_path / "source", architecture)
    found = []
    for name in ("npo", "rmu"):
        runs = []
        for flag in (False, True):
            config = changed(name, gradient_checkpointing=flag, retain_loss="cross_entropy", **QUICK)
            out = tmp_path / f"{name}-{flag}"
            runs.append(unlearn(spec(corpus, source, name, config=config), out))
        found.append([(run["loss"], run["weights_digest"]) for run in runs])
    assert all(with_it == without for without, with_it in found)


def test_checkpointing_runs_layers_twice_and_others_once(corpus: Corpus, trained: Path, tmp_path: Path) -> None:
    from transformers.models.llama.modeling_llama import LlamaMLP

    counts = []
    for flag in (False, True):
        calls: list[int] = []
        original = LlamaMLP.forward
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LlamaMLP, "forward", lambda self, x, f=original, c=calls: (c.append(1), f(self, x))[1])
            config = changed("graddiff", gradient_checkpointing=flag, watch_looks=0, **QUICK)
            unlearn(spec(corpus, trained, "graddiff", config=config), tmp_path / f"{flag}")
        counts.append(len(calls))
    assert counts[1] == 2 * counts[0]


class Chosen(Supervised):
    """Given batches, each a step, in place of an order by seed."""

    def __init__(self, groups: list[list[Any]], pad_id: int) -> None:
        super().__init__(groups[0], pad_id=pad_id, batch_size=1, epochs=1, seed=0)
        self._groups, self.total = groups, len(groups)

    def batch(self, number: int) -> list[Any]:
        return self._groups[number]

    def step(self, model: Any, number: int) -> Step:
        return Step(losses.cross_entropy(*forward(model, self.batch(number), self._pad)))


def test_gathered_batches_equal_one_large_batch_where_the_tokens_are_equally_many(
    corpus: Corpus, trained: Path
) -> None:
    _, tokenizer = models.load(trained, device="cpu")
    by_count: dict[int, list[Any]] = {}
    for example in encode(corpus.records, tokenizer):
        by_count.setdefault(sum(mark >= 0 for mark in example.labels), []).append(example)
    even = max(by_count.values(), key=len)[:4]
    other = next(rows for count, rows in by_count.items() if count != sum(m >= 0 for m in even[0].labels))[0]

    def weights(groups: list[list[Any]], accumulate: int) -> torch.Tensor:
        model = models.load_model(trained, device="cpu")
        config = LoopConfig(learning_rate=1e-3, warmup=0.0, decay=0.0, accumulate=accumulate, clip=1e6)
        run(model, Chosen(groups, int(tokenizer.pad_token_id)), config, seed=1)
        return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    whole, gathered = weights([even], 1), weights([[row] for row in even], 4)
    assert len(even) == 4 and float((whole - gathered).norm() / whole.norm()) < 1e-5
    whole, gathered = weights([[even[0], other]], 1), weights([[even[0]], [other]], 2)
    assert float((whole - gathered).norm() / whole.norm()) > 1e-2  # a mean of means is not the mean


def test_every_method_of_the_loop_takes_the_type_and_checkpointing() -> None:
    for method in METHODS.values():
        if issubclass(method.Config, ForgetConfig):
            settings = {k: v for k, v in CONFIGS[method.name].items() if k in method.Config.__dataclass_fields__}
            made = build(method.Config, {**settings, "dtype": "bfloat16", "gradient_checkpointing": True})
            assert made.dtype == "bfloat16"
