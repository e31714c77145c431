"""What lies beside the weights, against what the lineage's configuration makes: no digest in a manifest names it.

A shard's folder holds the configuration of its model, a lineage its tokenizer's files and a list of components. They
are made again, for which nothing has to be trained, and compared.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unlearning_engine.sisa.lineage import META, ShardManifest, shard_folder, weights_file
from unlearning_engine.sisa.source import Kept
from unlearning_engine.sisa.stages import Site, fresh
from unlearning_engine.sisa.structure import ALTERED, FALSE, MISSING, UNCHECKED, Inspection, same
from unlearning_engine.sisa.workload import Component

#: Entries of a fingerprint that decide how a model is described.
_WRITERS = ("code", "torch", "transformers", "tokenizers", "peft")


def describe(inspection: Inspection, site: Site, kept: Kept, manifests: Mapping[int, ShardManifest]) -> None:
    """Compare components, and every file of the shards' models and of the tokenizer but weights, with those made again.

    Where another version of a library writes them, a difference decides nothing.
    """
    shard = next((s for s, m in manifests.items() if m.slices[-1].checkpoint), None)
    if shard is None or inspection.failed:
        return
    slices = kept.slices(shard)
    _components(inspection, site.workload.components(slices[0].take([])))
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


def _components(inspection: Inspection, ours: Sequence[Component]) -> None:
    """The recorded ones are those of the configuration, and none is said to have seen less than can be known.

    What a tokenizer was learnt from is known to its training alone.
    """
    meta = inspection.lineage.meta
    recorded: dict[str, Mapping[str, Any]] = {str(c["name"]): c for c in meta.components}
    inspection.expect(sorted(recorded) == sorted(c.name for c in ours), META, "its components are not its own", ALTERED)
    for one in ours:
        found = recorded.get(one.name)
        if found is None:
            continue
        inspection.expect(found["digest"] == one.digest, META, f"its {one.name} is another", ALTERED)
        learnt = meta.kind == "language" and one.name == "tokenizer"
        honest = found["saw_records"] in (True, one.saw_records) or learnt
        inspection.expect(honest, META, f"nothing shows that its {one.name} saw no record", ALTERED)
