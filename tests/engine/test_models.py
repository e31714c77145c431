"""Any causal language model loads from safetensors; whatever is damaged, missing or pickled is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from tests.engine.conftest import ARCHITECTURES, LLAMA, Corpus
from unlearning_engine import models
from unlearning_engine.errors import ConfigError, DataError, DeviceError


def saved(corpus: Corpus, folder: Path, architecture: str, seed: int = 1) -> Path:
    tokenizer = models.build_tokenizer(corpus.text, 400)
    models.save(folder, models.build_model(ARCHITECTURES[architecture], tokenizer, seed), tokenizer)
    return folder


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_model_loads_as_it_was_saved(corpus: Corpus, tmp_path: Path, architecture: str) -> None:
    first = saved(corpus, tmp_path / "first", architecture)
    loaded = models.load(first, device="cpu")
    models.save(tmp_path / "second", loaded.model, loaded.tokenizer)
    assert models.weights_digest(first) == models.weights_digest(tmp_path / "second")
    assert models.context_length(loaded.model) == 64 and not loaded.model.training
    assert loaded.tokenizer.pad_token_id is not None


def test_fresh_weights_come_from_the_seed_alone(corpus: Corpus, tmp_path: Path) -> None:
    torch.manual_seed(99)
    digests = [
        models.weights_digest(saved(corpus, tmp_path / f"{n}", "llama", seed)) for n, seed in enumerate((1, 1, 2))
    ]
    assert digests[0] == digests[1] != digests[2]
    state = torch.get_rng_state()
    saved(corpus, tmp_path / "again", "llama")
    assert torch.equal(state, torch.get_rng_state())


def test_a_missing_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="does not exist"):
        models.load_model(tmp_path / "nowhere")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="is no folder here, and no hub"):
        models.load_model("nowhere/at-all")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError) as caught:
        models.load_model(tmp_path / "empty")
    assert len(caught.value.messages) == 2


def test_a_cut_file_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    weights = saved(corpus, tmp_path / "m", "llama") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(DataError, match="not a readable model"):
        models.load_model(tmp_path / "m")
    with pytest.raises(DataError, match="damaged"):
        models.weights_digest(tmp_path / "m")


def test_pickled_weights_are_never_read(corpus: Corpus, tmp_path: Path) -> None:
    folder = saved(corpus, tmp_path / "m", "llama")
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(DataError, match="pytorch_model.bin, which could run code"):
        models.load_model(folder)


def test_code_of_a_checkpoint_is_never_run(corpus: Corpus, tmp_path: Path) -> None:
    folder = saved(corpus, tmp_path / "m", "llama")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.C", "AutoModelForCausalLM": "mine.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(DataError):
        models.load_model(folder)
    assert not (tmp_path / "ran").exists()


def test_weights_that_do_not_fit_are_refused_instead_of_drawn_anew(corpus: Corpus, tmp_path: Path) -> None:
    folder = saved(corpus, tmp_path / "m", "llama")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(DataError, match="do not fit"):
        models.load_model(folder)


def test_a_tokenizer_is_needed(corpus: Corpus, tmp_path: Path) -> None:
    folder = saved(corpus, tmp_path / "m", "llama")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    with pytest.raises(DataError, match="tokenizer"):
        models.load(folder)
    shutil.rmtree(folder)


def test_wrong_configurations_devices_and_types_are_refused(corpus: Corpus, tmp_path: Path) -> None:
    tokenizer = models.build_tokenizer(corpus.text, 400)
    for wrong in ({}, {"model_type": "no-such-thing"}, {**LLAMA, "hidden_size": 31}, {"model_type": "vit"}):
        with pytest.raises(ConfigError):
            models.build_model(wrong, tokenizer, 0)
    for device in ("no-such-device", "cuda:99"):
        with pytest.raises(DeviceError):
            models.choose_device(device)
    with pytest.raises(ConfigError, match="dtype"):
        models.load_model(saved(corpus, tmp_path / "m", "llama"), dtype="float7")
    with pytest.raises(DataError):
        models.build_tokenizer(tmp_path / "none.txt", 400)


def test_the_tokenizer_knows_every_text(corpus: Corpus) -> None:
    tokenizer = models.build_tokenizer(corpus.text, 400)
    text = "Zürich 東京 \t🙂"
    assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text
