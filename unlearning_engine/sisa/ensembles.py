"""The folder of a classifier that is served: its shards' models, and the rule that adds them up.

ensemble.json       {"kind": "classifier_ensemble", "aggregation", "shards": [numbers]}
shard-00/           model.safetensors and config.json of each shard, by hard link where the disk can
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from unlearning_engine.errors import DataError, StorageError
from unlearning_engine.sisa.lineage import shard_folder, share, write_json

KIND, META = "classifier_ensemble", "ensemble.json"


def write_ensemble(root: Path, shards: Sequence[int], target: Path, *, aggregation: str) -> None:
    """Put the models of these shards of the lineage at `root` in place of `target`.

    Raises:
        StorageError: the disk refused.
    """
    draft = target.with_name(f".{target.name}.part")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        for shard in shards:
            share(shard_folder(root, shard) / "model", draft / f"shard-{shard:02d}")
        write_json(draft / META, {"kind": KIND, "aggregation": aggregation, "shards": list(shards)})
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise StorageError(f"{target}: cannot be written ({error}); free space and run the job again") from error


def read_ensemble(folder: Path) -> tuple[list[Path], str]:
    """Folders of the members, in the order of shards, and the aggregation.

    Raises:
        DataError: ensemble.json is missing or damaged.
    """
    try:
        meta = json.loads((folder / META).read_bytes())
        if meta["kind"] != KIND:
            raise DataError(f"{folder}: is not an ensemble of classifiers")
        return [folder / f"shard-{int(shard):02d}" for shard in meta["shards"]], str(meta["aggregation"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder}: holds no readable ensemble ({error!r}); export it again") from error
