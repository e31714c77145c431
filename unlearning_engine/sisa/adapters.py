"""Low-rank adapters over a frozen base (LoRA, Hu et al. 2021, arXiv:2106.09685), one per shard, through peft.

Only the adapters learn: deleting a record is exact for them, and for nothing that the base learned before. The
base is named by the digest of its weights; what it saw is a component of the lineage and bounds the claim.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearning_engine import models
from unlearning_engine.configs import Checked, number
from unlearning_engine.contracts import digest
from unlearning_engine.data import dataset_digest
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.recipes import RECIPE, read_recipe
from unlearning_engine.sisa.export import INCIDENTAL, export
from unlearning_engine.sisa.language import Language, tokenizer_component
from unlearning_engine.sisa.lineage import shard_folder
from unlearning_engine.sisa.workload import DECLARED, Component, Inputs

if TYPE_CHECKING:
    import torch

    from unlearning_engine.sisa.config import SisaConfig

#: Beside what peft writes, an adapter's folder names its base by the digest of its weights.
WEIGHTS, CONFIG, NAMED = "adapter_model.safetensors", "adapter_config.json", "base.json"
#: The base's name in an adapter's folder: the same on every machine; its digest is a component of the lineage.
BASE = "base"
SAW = ("unknown", "no", "yes")


@dataclass(frozen=True, kw_only=True)
class AdapterConfig(Checked):
    """Adapters of rank `rank`, scaled by `alpha / rank`, on the linear layers whose names end in one of `targets`.

    No targets means every linear layer but the output head. `base_saw_records` says whether the base was trained on any
    record of the lineage; "no" is a declaration, and is recorded as one.
    """

    rank: int = number(8, 1, 4096)
    alpha: int = number(16, 1, 10**6)
    targets: list[str] = field(default_factory=list)
    full_sequence: bool = True
    base_saw_records: str = "unknown"

    def conflicts(self) -> list[str]:
        """Unknown words."""
        problems = [f"targets: {name!r} is not a layer's name" for name in self.targets if not _named(name)]
        if self.base_saw_records not in SAW:
            problems.append(f"base_saw_records: {self.base_saw_records!r} is unknown; one of {', '.join(SAW)}")
        return problems


def _named(value: object) -> bool:
    return isinstance(value, str) and bool(value)


class Adapters(Language):
    """See the module and `Workload`."""

    kind = "adapters"
    # Its own fields instead of those of full weights.
    Config = AdapterConfig  # type: ignore[assignment]
    config: AdapterConfig  # type: ignore[assignment]

    def __init__(self, config: AdapterConfig, common: SisaConfig, inputs: Inputs) -> None:
        self.config, self.inputs = config, inputs
        self.base = _base_folder(inputs.base)
        self.loop, self.epochs, self._batch = common.loop(), float(common.epochs), common.batch_size
        self.tokenizer = models.load_tokenizer(self.base)
        self._device = models.choose_device(inputs.device)
        self._aggregation = common.aggregation or "posterior"
        self._length = _context_length(self.base)

    @cached_property
    def base_digest(self) -> str:
        """Digest of the base's weights."""
        return models.weights_digest(self.base)

    def _tokenizer(self) -> Component:
        return tokenizer_component(Inputs(tokenizer=str(self.base)), self.tokenizer, [])

    def facts(self) -> dict[str, Any]:
        """Shape of the adapters, and digests of base and tokenizer."""
        named = dataclasses.asdict(self.config)
        del named["base_saw_records"]
        config = digest(_base_config(self.base))
        return {**named, "base": self.base_digest, "base_config": config, "tokenizer": self._tokenizer().digest}

    def components(self, rows: Any) -> list[Component]:
        """The frozen base and its tokenizer, and what is known of their own training."""
        saw, note = self._base_saw(rows)
        return [
            Component(name="base", digest=self.base_digest, saw_records=saw, note=note),
            Component(name="tokenizer", digest=self._tokenizer().digest, saw_records=saw, note="the base's own"),
        ]

    def _base_saw(self, rows: Any) -> tuple[bool | None, str]:
        """Whether the base's training had any of the rows: its own recipe can only prove that it had them all."""
        if (self.base / RECIPE).is_file():
            recipe = read_recipe(self.base)
            if recipe.get("dataset_digest") == dataset_digest(rows.records):
                return True, "its recipe names these very records"
        declared = self.config.base_saw_records
        if declared == "unknown":
            return None, "its training is unknown: exact for the adapters only"
        return declared == "yes", f"{DECLARED} by the operator: base_saw_records is {declared!r}"

    def build(self, seed: int, first: Any) -> torch.nn.Module:
        """The base, frozen, with fresh adapters whose weights come from the seed; at first they change nothing.

        Raises:
            ConfigError: no layer has a name in `targets`, or a target shares its weights with another layer.
        """
        import torch
        from peft import LoraConfig, TaskType, get_peft_model

        config = LoraConfig(
            task_type=TaskType.CAUSAL_LM,
            r=self.config.rank,
            lora_alpha=self.config.alpha,
            target_modules=sorted(set(self.config.targets)) or "all-linear",
        )
        base = models.load_model(self.base, device=str(self._device))
        try:
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                model: torch.nn.Module = get_peft_model(base, config)
        except ValueError as error:
            raise ConfigError(f"targets: {', '.join(self.config.targets)}: {error}") from error
        _refuse_tied(model)
        return model

    def save(self, folder: Path, model: Any) -> None:
        """A peft folder: the adapter's weights, its configuration in a fixed order, and the digest of its base."""
        model.peft_config["default"].base_model_name_or_path = BASE
        model.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
        (folder / "README.md").unlink(missing_ok=True)  # a model card without a word of its own
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        lists = {name: sorted(value) for name, value in config.items() if isinstance(value, list)}
        text = json.dumps({**config, **lists}, indent=1, sort_keys=True)
        (folder / CONFIG).write_text(text + "\n", encoding="utf-8")
        (folder / NAMED).write_text(json.dumps({"weights": self.base_digest}) + "\n", encoding="utf-8")

    def export(self, root: Path, shards: Sequence[int], target: Path) -> None:
        """A folder that transformers loads; each adapter is merged into a copy of the base."""
        folders = [shard_folder(root, shard) / "model" for shard in shards]
        export_merged(folders, target, base=self.base, aggregation=self._aggregation, numbers=shards)


def _base_folder(name: str) -> Path:
    folder = Path(name)
    if not name:
        raise ConfigError("spec.base: is empty; name the folder of the frozen model (--base)")
    if not folder.is_dir():
        raise ConfigError(f"spec.base: {name} is not a folder; a base is a local folder with safetensors weights")
    return folder


def _base_config(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: has no readable config.json ({error}); give the folder of a saved model") from error
    return {name: value for name, value in found.items() if name not in INCIDENTAL}


def _context_length(folder: Path) -> int | None:
    """Longest sequence of the base, by whichever name its architecture has for it."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{folder}: has no readable configuration ({error}); give the folder of a model") from error
    value = getattr(config, "max_position_embeddings", None)
    return int(value) if value else None


def _refuse_tied(model: Any) -> None:
    """Merging into a layer that shares its weights would change the other layer too."""
    embedding = model.get_input_embeddings()
    for name, module in model.named_modules():
        inner = getattr(module, "base_layer", None)
        if inner is not None and module is not embedding and inner.weight is getattr(embedding, "weight", None):
            raise ConfigError(f"targets: {name} shares its weights with the embedding; leave it out")


# ---------------------------------------------------------------- merging


def merge(adapter: Path, base: Path, target: Path, *, base_digest: str = "") -> Path:
    """Write the base with an adapter merged into it as a plain transformers folder, tokenizer included.

    Args:
        base_digest: digest of the base's weights, where the caller has it.

    Raises:
        DataError: the adapter is missing, damaged, or of another base.
    """
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    missing = [name for name in (WEIGHTS, CONFIG, NAMED) if not (adapter / name).is_file()]
    if missing:  # without this, peft would look for pickled weights, or ask a hub
        raise DataError(f"{adapter}: has no {' and no '.join(missing)}; restore the shard")
    named = json.loads((adapter / NAMED).read_text(encoding="utf-8"))["weights"]
    if named != (found := base_digest or models.weights_digest(base)):
        raise DataError(f"{adapter}: was trained over the base {named}, not over {found}; name its own base")
    loaded = models.load(base, device="cpu")
    try:
        joined = PeftModel.from_pretrained(loaded.model, str(adapter), torch_device="cpu")
        # "auto" would look for the base's vocabulary at a hub
        learnt = get_peft_model_state_dict(joined, save_embedding_layers=False)
        absent = sorted(set(learnt) ^ set(load_file(adapter / WEIGHTS)))
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, SafetensorError) as error:
        raise DataError(f"{adapter}: does not fit {base.name} ({error}); restore the shard or name its base") from error
    if absent:  # peft only warns, and would leave the layer as the base has it
        raise DataError(f"{adapter}: does not fit {base.name} ({', '.join(absent[:5])}); restore the shard")
    merged = joined.merge_and_unload()
    merged.requires_grad_(True)  # peft leaves the base frozen
    target.mkdir(parents=True)
    models.save(target, merged, loaded.tokenizer)
    return target


def export_merged(
    shard_folders: Sequence[Path],
    target: Path,
    *,
    base: Path,
    aggregation: str,
    prior: Sequence[float] | None = None,
    numbers: Sequence[int] | None = None,
) -> Path:
    """`export` of shards that are adapters: each is merged into a copy of the base, on disk beside `target`."""
    scratch = target.parent / f".{target.name}.merged"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        found = models.weights_digest(base)
        folders = [merge(folder, base, scratch / str(at), base_digest=found) for at, folder in enumerate(shard_folders)]
        return export(folders, target, aggregation=aggregation, tokenizer=base, prior=prior, numbers=numbers)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
