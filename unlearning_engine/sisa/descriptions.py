"""What lies beside the weights, against what the lineage's configuration makes: no digest in a manifest names it.

A shard's folder holds the configuration of its model, a lineage its tokenizer's files and a list of components. They
are made again, for which nothing has to be trained, and compared.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.sisa.lineage import META, ShardManifest, shard_folder, weights_file
from unlearning_engine.sisa.source import Kept
from unlearning_engine.sisa.stages import Site, fresh
from unlearning_engine.sisa.structure import ALTERED, FALSE, MISSING, UNCHECKED, Inspection, same
from unlearning_engine.sisa.workload import Component, Inputs

#: Entries of a fingerprint that decide how a model is described.
_WRITERS = ("code", "torch", "transformers", "tokenizers", "peft")


def describe(
    inspection: Inspection, site: Site, kept: Kept, manifests: Mapping[int, ShardManifest], tokenizer_text: str = ""
) -> None:
    """Compare components, and every file of the shards' models and of the tokenizer but weights, with those made again.

    Where another version of a library writes them, a difference decides nothing.

    Args:
        tokenizer_text: what a language model's tokenizer was learnt from, where the caller has it.

    Raises:
        DataError: the tokenizer was not learnt from that text.
    """
    shard = next((s for s, m in manifests.items() if m.slices[-1].checkpoint), None)
    if shard is None or inspection.failed:
        return
    slices = kept.slices(shard)
    ours = site.workload.components(slices[0].take([]))
    if tokenizer_text:
        every = [part for number in manifests for part in kept.slices(number)]
        ours = [_learnt(inspection, site.workload, site.workload.concat(every), tokenizer_text)]
    _components(inspection, ours)
    made_by = manifests[shard].slices[-1].fingerprint
    other = [name for name in _WRITERS if made_by.get(name) != site.fingerprint.get(name)]
    with tempfile.TemporaryDirectory(prefix="lineage-") as scratch:
        made = Path(scratch) / "model"
        made.mkdir()
        site.workload.save(made, fresh(site, shard, slices))
        for number in manifests:
            _compare(inspection, shard_folder(inspection.root, number) / "model", made, other)
        site.workload.save_shared(Path(scratch))
        if (tokenizer := Path(scratch) / "tokenizer").is_dir():
            _compare(inspection, inspection.root / "tokenizer", tokenizer, other)


def _compare(inspection: Inspection, folder: Path, made: Path, other: Sequence[str]) -> None:
    weights = weights_file(made)
    for name in sorted({str(p.relative_to(top)) for top in (folder, made) for p in top.rglob("*") if p.is_file()}):
        ours, again = folder / name, made / name
        if name == weights:  # named by the manifest
            continue
        state, detail = _difference(ours, again)
        if state and other:
            state, detail = UNCHECKED, f"{detail}, but was made with other {', '.join(other)}"
        inspection.checked += 1
        if state:
            inspection.tell(ours, state, detail)


def _difference(ours: Path, again: Path) -> tuple[str, str]:
    """State and detail of a finding, empty where there is none."""
    if not again.is_file():
        return FALSE, "the lineage makes no such file"
    if not ours.is_file():
        return MISSING, "restore it, or train the lineage again"
    return ("", "") if same(ours, again) else (ALTERED, "it is not what the lineage's configuration makes")


def _learnt(inspection: Inspection, workload: Any, rows: Any, text: str) -> Component:
    """A language model's tokenizer, once it was learnt again from its text, and whether one of these rows stands there.

    Raises:
        ConfigError: the lineage learnt no tokenizer.
        DataError: it was learnt from another text.
    """
    from unlearning_engine.sisa.language import tokenizer_component, tokenizer_of

    if workload.kind != "language":
        raise ConfigError(
            f"--tokenizer-text: a lineage of the kind {workload.kind!r} learns no tokenizer; leave it out"
        )
    inputs = Inputs(tokenizer_text=text)
    found = tokenizer_component(inputs, tokenizer_of(inputs, workload.config.vocab_size), rows.records)
    if found.digest != inspection.lineage.meta.facts["tokenizer"]:
        raise DataError(f"{text}: the lineage's tokenizer was not learnt from it; give the text of its training")
    return found


def _components(inspection: Inspection, ours: Sequence[Component]) -> None:
    """The recorded ones are those of the configuration, and none is said to have seen less than can be known."""
    meta = inspection.lineage.meta
    recorded: dict[str, Mapping[str, Any]] = {str(c["name"]): c for c in meta.components}
    inspection.expect(sorted(recorded) == sorted(c.name for c in ours), META, "its components are not its own", ALTERED)
    for one in ours:
        found = recorded.get(one.name)
        if found is None:
            continue
        inspection.expect(found["digest"] == one.digest, META, f"its {one.name} is another", ALTERED)
        honest = found["saw_records"] in (True, one.saw_records)
        detail, state = f"nothing shows that its {one.name} saw no record", ALTERED
        if meta.kind == "language" and one.saw_records is None:  # a tokenizer's training had a text that is not kept
            detail, state = f"{detail}; give the text that it was learnt from with --tokenizer-text", UNCHECKED
        inspection.expect(honest, META, detail, state)
