"""Causal language models with all their weights, one per shard."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearning_engine import models
from unlearning_engine.configs import Checked, number
from unlearning_engine.data import Record, load_records, write_records
from unlearning_engine.sisa.export import export
from unlearning_engine.sisa.lineage import shard_folder
from unlearning_engine.sisa.workload import Component, Counted, Inputs
from unlearning_engine.tokens import encode
from unlearning_engine.training import Supervised

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from unlearning_engine.sisa.config import SisaConfig

#: A model of some hundred thousand parameters, for who names none.
SMALL_MODEL = {
    "model_type": "llama",
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 512,
    "tie_word_embeddings": True,
    "initializer_range": 0.06,
}
_WORD, _END = re.compile(r"\w+"), re.compile(r"(?<=[.!?])\s+|\n")
#: Words from which on a sentence is taken to be its record's own.
_TELLING = 4


class Texts:
    """Records as `Rows`."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = list(records)

    @property
    def ids(self) -> list[str]:
        """Id of each record."""
        return [r.id for r in self.records]

    @property
    def subjects(self) -> list[str]:
        """Subject of each record."""
        return [r.subject for r in self.records]

    @property
    def likelihoods(self) -> list[float]:
        """Likelihood of a request for each record."""
        return [r.likelihood for r in self.records]

    def digests(self) -> list[str]:
        """Hex SHA-256 of each record's prompt, answer and text."""
        return [hashlib.sha256(f"{r.prompt}\0{r.answer}\0{r.text}".encode()).hexdigest() for r in self.records]

    def take(self, positions: Sequence[int]) -> Texts:
        """These records, in this order."""
        return Texts([self.records[at] for at in positions])

    def __len__(self) -> int:
        return len(self.records)


@dataclass(frozen=True, kw_only=True)
class LanguageConfig(Checked):
    """`model` is a transformers configuration with its `model_type`.

    `full_sequence` counts the loss on prompts too: the ensemble tells its shards apart by how well each knows the
    prompt, so it needs a loss there.
    """

    model: dict[str, Any] = field(default_factory=lambda: dict(SMALL_MODEL))
    vocab_size: int = number(1024, 260, 10**6)
    full_sequence: bool = True


def tokenizer_of(inputs: Inputs, vocab_size: int) -> PreTrainedTokenizerBase:
    """The lineage's tokenizer: a saved one, one learnt from the text given, or one of bytes alone."""
    if inputs.tokenizer:
        return models.load_tokenizer(inputs.tokenizer)
    return models.build_tokenizer(inputs.tokenizer_text, vocab_size)


def tokenizer_component(inputs: Inputs, tokenizer: PreTrainedTokenizerBase, records: Sequence[Record]) -> Component:
    """What the tokenizer learnt from: nothing, a text in which no record stands, or one in which some do."""
    digest = tokenizer_digest(tokenizer)
    if inputs.tokenizer_text:
        shared = shared_records(inputs.tokenizer_text, records)
        note = f"{shared} records stand in the text that it was learnt from"
        return Component(name="tokenizer", digest=digest, saw_records=shared > 0, note=note)
    if inputs.tokenizer and digest != tokenizer_digest(models.build_tokenizer("", 0)):
        return Component(name="tokenizer", digest=digest, saw_records=None, note="given; its training is unknown")
    return Component(name="tokenizer", digest=digest, saw_records=False, note="bytes; learnt from nothing")


def tokenizer_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """`sha256:<hex>` over all that a tokenizer does, its chat template included."""
    text = tokenizer.backend_tokenizer.to_str() if tokenizer.is_fast else repr(sorted(tokenizer.get_vocab().items()))
    template = f"\0{tokenizer.chat_template}" if tokenizer.chat_template else ""
    return "sha256:" + hashlib.sha256(f"{text}{template}".encode()).hexdigest()


def shared_records(text_path: str | Path, records: Sequence[Record]) -> int:
    """How many records stand in a text: whole, or by a sentence of theirs that is too long to be there by chance.

    Case, punctuation and line breaks are no difference: a record that is set otherwise was seen all the same.
    """
    text = _words(Path(text_path).read_text(encoding="utf-8"))
    return sum(any(_words(piece) in text for piece in _telling(record)) for record in records)


def _words(text: str) -> str:
    return f" {' '.join(_WORD.findall(text.casefold()))} "


def _telling(record: Record) -> list[str]:
    """The whole record, and its sentences of at least `_TELLING` words."""
    sentences = [one for part in (record.prompt, record.answer, record.text) for one in _END.split(part)]
    return [record.full_text, *(one for one in sentences if len(_WORD.findall(one)) >= _TELLING)]


class Language:
    """See the module and `Workload`."""

    kind = "language"
    suffix = ".jsonl"
    Config = LanguageConfig

    def __init__(self, config: LanguageConfig, common: SisaConfig, inputs: Inputs) -> None:
        self.config, self.inputs = config, inputs
        self.loop, self.epochs, self._batch = common.loop(), float(common.epochs), common.batch_size
        self.tokenizer = tokenizer_of(inputs, config.vocab_size)
        self._device = models.choose_device(inputs.device)
        self._aggregation = common.aggregation or "posterior"
        self._length = config.model.get("max_position_embeddings")

    def load(self, path: str | Path) -> Texts:
        """Records of a dataset."""
        return Texts(load_records(path))

    def write(self, path: Path, rows: Any) -> Path:
        """JSON lines."""
        target = path.with_name(path.name + self.suffix)
        write_records(target, rows.records)
        return target

    def concat(self, parts: Sequence[Any]) -> Texts:
        """All records of all parts."""
        return Texts([record for part in parts for record in part.records])

    def facts(self) -> dict[str, Any]:
        """The configuration and the tokenizer's digest."""
        tokenizer = tokenizer_component(self.inputs, self.tokenizer, []).digest
        return {**dataclasses.asdict(self.config), "tokenizer": tokenizer}

    def components(self, rows: Any) -> list[Component]:
        """The tokenizer; the vocabulary is part of it."""
        return [tokenizer_component(self.inputs, self.tokenizer, rows.records)]

    def build(self, seed: int, first: Any) -> torch.nn.Module:
        """Fresh weights from the seed."""
        model: torch.nn.Module = models.build_model(self.config.model, self.tokenizer, seed)
        return model.to(self._device)

    def objective(self, rows: Any, *, epochs: float, seed: int) -> Counted:
        """Cross entropy over the records."""
        examples = encode(
            rows.records, self.tokenizer, full_sequence=self.config.full_sequence, max_length=self._length
        )
        pad = int(self.tokenizer.pad_token_id)
        return Supervised(examples, pad_id=pad, batch_size=self._batch, epochs=epochs, seed=seed)

    def save(self, folder: Path, model: Any) -> None:
        """A folder that `AutoModelForCausalLM` and `AutoTokenizer` load."""
        models.save(folder, model, self.tokenizer)

    def export(self, root: Path, shards: Sequence[int], target: Path) -> None:
        """A folder that transformers loads: the ensemble, or the plain model of a single shard."""
        folders = [shard_folder(root, shard) / "model" for shard in shards]
        export(folders, target, aggregation=self._aggregation, tokenizer=root / "tokenizer", numbers=shards)

    def save_shared(self, folder: Path) -> None:
        """The tokenizer, which the lineage keeps once."""
        self.tokenizer.save_pretrained(str(folder / "tokenizer"))
