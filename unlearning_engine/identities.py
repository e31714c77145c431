"""Who a model is: what names it in a table of scores, in the score cache and in the register of runs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearning_engine.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: Of a configuration, what says nothing about what the model computes.
_NAMES = frozenset({"_name_or_path", "transformers_version"})


def _configuration(folder: str) -> dict[str, Any]:
    """A local folder's configuration, less what names files and versions; empty where there is none."""
    path = Path(folder) / "config.json"
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: is no readable configuration ({error}); restore the model") from error
    return {k: v for k, v in config.items() if k not in _NAMES} if isinstance(config, dict) else {}


def identity(folder: str, tokenizer: PreTrainedTokenizerBase) -> dict[str, str]:
    """Architecture, and digests of a model's configuration and weights and of what its tokenizer does, but for padding
    and truncation. The same weights under another configuration are another model."""
    from unlearning_engine.models import weights_digest

    if tokenizer.is_fast:
        inner = json.loads(tokenizer.backend_tokenizer.to_str())
        inner = {k: v for k, v in inner.items() if k not in ("padding", "truncation")}
    else:
        inner = tokenizer.get_vocab()
    marks = [tokenizer.bos_token_id, tokenizer.eos_token_id]
    state = json.dumps([type(tokenizer).__name__ if not tokenizer.is_fast else "", inner, marks], sort_keys=True)
    config = _configuration(folder)
    return {
        "architecture": str(config.get("model_type", "")),
        "config": "sha256:" + hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest(),
        "weights": weights_digest(folder),
        "tokenizer": "sha256:" + hashlib.sha256(state.encode()).hexdigest(),
    }
