"""Models and tokenizers: build, load, save, name by digest; devices, number types and threads.

Weights are read from safetensors only and no code of a checkpoint is ever run. transformers is imported
where it is used: it takes seconds.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from unlearning_engine import adapters, stored
from unlearning_engine.errors import ConfigError, DataError, DeviceError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: Special tokens of the tokenizers that `build_tokenizer` makes.
PAD, START, END = "<pad>", "<s>", "</s>"
DTYPES = ("auto", "float32", "bfloat16", "float16")
#: Bytes of one weights file at most; a larger model is saved as several with an index.
FILE_BYTES = 5 * 10**9


class Loaded(NamedTuple):
    """A model in evaluation mode and its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


# ---------------------------------------------------------------- where and how


def choose_device(name: str = "auto") -> torch.device:
    """The device to work on: `auto` takes the first CUDA device where there is one.

    Raises:
        DeviceError: the name is unknown, or the device is not there.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"device {name!r} is unknown; use auto, cpu or cuda:N") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"device {name!r} is not there ({torch.cuda.device_count()} CUDA devices are); use auto")
    return device


def choose_threads(requested: int = 0) -> int:
    """Set and return torch's CPU threads: as requested, or for 0 as many as the load leaves free.

    On a busy machine a second thread makes small models several times slower than one does.
    """
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    free = cores - round(os.getloadavg()[0])
    threads = requested if requested > 0 else max(1, min(cores, free))
    torch.set_num_threads(threads)
    return threads


def _dtype(name: str) -> torch.dtype | str:
    import torch

    if name not in DTYPES:
        raise ConfigError(f"dtype {name!r} is unknown; one of {', '.join(DTYPES)}")
    return name if name == "auto" else getattr(torch, name)


# ---------------------------------------------------------------- reading and writing


def _check_folder(folder: Path) -> None:
    problems = []
    if not (folder / "config.json").is_file():
        problems.append(f"{folder}: has no config.json; give the folder of a saved model")
    if not list(folder.glob("*.safetensors")):
        pickled = sorted(p.name for p in folder.iterdir() if p.suffix in {".bin", ".pt", ".pth", ".ckpt"})
        why = f"only {', '.join(pickled)}, which could run code when read" if pickled else "no weights"
        problems.append(f"{folder}: has {why}; save the model as safetensors")
    if problems:
        raise DataError(problems)


def _know_ensemble(folder: Path) -> None:
    """Where a folder holds an ensemble of shards, let transformers load it with our code, not with the folder's."""
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        return  # no configuration that transformers reads: it says what is wrong
    if kind == "lethe_sisa":
        from unlearning_engine.sisa import modeling

        modeling.register()


def load_model(ref: str | Path, *, device: str = "auto", dtype: str = "float32") -> PreTrainedModel:
    """A causal language model from a local folder or a hub id, in evaluation mode; of several processes that work
    together each gets its part (`together`).

    Raises:
        DataError: missing, damaged, not safetensors, or weights that do not fit the configuration.
        DeviceError: the device is not there or has too little memory.
    """
    import torch

    from unlearning_engine import together

    where = choose_device(device)
    try:
        with together.in_turn():
            model = _read_model(ref, dtype)
            if not together.joined():
                return model.to(where).eval()
            together.split(model, adapters.blocks(model), where)
            return model.eval()
    except torch.OutOfMemoryError as error:
        raise DeviceError(f"{ref}: does not fit on {where}; use another device or a smaller dtype") from error


def _read_model(ref: str | Path, dtype: str) -> PreTrainedModel:
    """The whole model in this machine's memory; see `load_model`."""
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder = Path(ref)
    if folder.is_dir():
        _check_folder(folder)
        _know_ensemble(folder)
    elif folder.is_absolute() or str(ref).startswith("."):
        raise DataError(f"{ref}: does not exist; give the folder of a saved model")
    try:
        model, info = AutoModelForCausalLM.from_pretrained(
            str(ref), use_safetensors=True, trust_remote_code=False, dtype=_dtype(dtype), output_loading_info=True
        )
    except (StrictDataclassError, OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        if not folder.is_dir():
            why = str(error).partition("\n")[0]
            raise DataError(f"{ref}: is no folder here, and no hub gave a model of that name ({why})") from error
        raise DataError(f"{ref}: is not a readable model ({error}); restore or save it again") from error
    wrong = sorted({*info["missing_keys"], *(str(k) for k in info["mismatched_keys"]), *info["unexpected_keys"]})
    if wrong:
        raise DataError(f"{ref}: weights do not fit the configuration ({', '.join(wrong[:10])}); restore the model")
    loaded: PreTrainedModel = model
    return loaded


def frozen_copy(model: PreTrainedModel) -> PreTrainedModel:
    """The model as it was loaded, to compare with; of one in parts, which cannot be copied, read once more."""
    from unlearning_engine import together

    if not together.joined():
        return copy.deepcopy(model).requires_grad_(False)
    return load_model(model.name_or_path, device=str(model.device)).requires_grad_(False)


def in_one_piece(model: PreTrainedModel, ref: str | Path) -> PreTrainedModel:
    """A model that was loaded from `ref`, with all of its weights; in the first process alone where several have it."""
    import torch

    from unlearning_engine import together

    if not together.joined():
        return model
    plain = _read_model(ref, "float32") if together.first() else None
    own = dict(plain.named_parameters()) if plain else {}
    with torch.no_grad():
        for name, value in model.named_parameters():
            full = together.whole(value.detach()).cpu()
            if plain:
                own[name].copy_(full)
    return plain or model


def load_tokenizer(ref: str | Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a local folder or hub id. One without a padding token pads with its end token.

    Raises:
        DataError: missing or damaged, or without an end token.
    """
    from transformers import AutoTokenizer

    if Path(ref).is_dir():
        _know_ensemble(Path(ref))
    elif Path(ref).is_absolute() or str(ref).startswith("."):
        raise DataError(f"{ref}: does not exist; give the folder of a saved tokenizer")
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(ref), trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{ref}: has no readable tokenizer ({error}); save it beside the model") from error
    if tokenizer.eos_token_id is None:
        raise DataError(f"{ref}: the tokenizer has no end token; set eos_token and save it again")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load(ref: str | Path, *, device: str = "auto", dtype: str = "float32") -> Loaded:
    """Model and tokenizer of one folder or hub id; see `load_model` and `load_tokenizer`."""
    return Loaded(load_model(ref, device=device, dtype=dtype), load_tokenizer(ref))


def save(folder: str | Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Write config.json, the weights (model.safetensors, or several files with an index) and the tokenizer's files."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    model.save_pretrained(str(folder), safe_serialization=True, max_shard_size=FILE_BYTES)
    tokenizer.save_pretrained(str(folder))


def as_stored(model: PreTrainedModel, ref: str | Path) -> PreTrainedModel:
    """The model in the type that most weights of the one at `ref` have, in place; unchanged where that is unknown."""
    import torch

    folder = stored.folder_of(ref)
    if folder is None:
        return model
    kind: torch.dtype = getattr(torch, stored.float_type(folder))
    return model if model.dtype == kind else model.to(kind)


def context_length(model: PreTrainedModel) -> int | None:
    """The longest sequence in tokens that the model takes, where its configuration says."""
    value = getattr(model.config, "max_position_embeddings", None)
    return int(value) if value else None


def weights_digest(folder: str | Path) -> str:
    """`sha256:<hex>` over names, types, shapes and values of a folder's weights, however they are cut into files.

    Raises:
        DataError: there are no weights, or they are damaged.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    state = hashlib.sha256()
    try:
        with contextlib.ExitStack() as stack:
            files = sorted(Path(folder).glob("*.safetensors"))
            readers = [stack.enter_context(safe_open(file, framework="pt")) for file in files]
            holders = {name: reader for reader in readers for name in reader.keys()}  # noqa: SIM118 - no mapping
            stored.check_names(folder, holders)
            for name in sorted(holders):  # one tensor at a time: a model may be larger than the memory
                value = holders[name].get_tensor(name).contiguous()
                state.update(f"{name}\0{value.dtype}\0{tuple(value.shape)}\0".encode())
                state.update(value.reshape(-1).view(torch.uint8).numpy().data)
    except (SafetensorError, OSError) as error:
        raise DataError(f"{folder}: has damaged weights ({error}); restore the model") from error
    if not holders:
        raise DataError(f"{folder}: has no safetensors weights")
    return "sha256:" + state.hexdigest()


# ---------------------------------------------------------------- building


def build_tokenizer(text_path: str | Path, vocab_size: int) -> PreTrainedTokenizerBase:
    """A byte-level BPE tokenizer learnt from a text file; it knows every byte, so no text is unknown.

    An empty path makes one of bytes alone, which learnt from nothing.

    Raises:
        DataError: the file is missing or empty.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    path = Path(text_path)
    if text_path and (not path.is_file() or not path.stat().st_size):
        raise DataError(f"{path}: is not a text to learn a tokenizer from")
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, START, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    if text_path:
        core.train([str(path)], trainer)
    else:
        core.train_from_iterator([], trainer)
    core.post_processor = processors.TemplateProcessing(
        single=f"{START} $A", pair=f"{START} $A $B", special_tokens=[(START, core.token_to_id(START))]
    )
    return PreTrainedTokenizerFast(tokenizer_object=core, pad_token=PAD, bos_token=START, eos_token=END)


def build_model(config: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase, seed: int) -> PreTrainedModel:
    """A fresh causal language model, its weights drawn from `seed` alone.

    Args:
        config: a transformers configuration with its `model_type`; vocabulary size and special tokens are
            taken from the tokenizer.

    Raises:
        ConfigError: the configuration is unknown or does not make a causal language model.
    """
    import torch
    from huggingface_hub.errors import StrictDataclassError
    from transformers import CONFIG_MAPPING, AutoConfig, AutoModelForCausalLM

    fields = dict(config)
    kind = str(fields.pop("model_type", ""))
    if kind not in CONFIG_MAPPING:
        fault = f"model_type {kind!r} is unknown" if kind else "model_type: missing"
        raise ConfigError(f"model configuration: {fault}; name an architecture that transformers has, such as llama")
    fields |= {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    try:
        made = AutoConfig.for_model(kind, **fields)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = AutoModelForCausalLM.from_config(made, dtype=torch.float32, trust_remote_code=False)
    except (
        StrictDataclassError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        ArithmeticError,
        RuntimeError,
    ) as error:
        raise ConfigError(f"model configuration {kind}: {error}") from error
    return model.eval()
