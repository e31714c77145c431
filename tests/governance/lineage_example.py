"""A lineage as the engine would leave it, small enough to write by hand: two shards of two slices, one tensor each."""

from __future__ import annotations

import json
import struct
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from governance import dispatch
from governance.models import Job
from governance.services import jobs
from tests.governance.conftest import DONE

#: Record to shard and slice, both from 0.
PLACES = {"r1": [0, 1], "r2": [1, 0], "r3": [1, 1]}
EPOCHS = 3


def put_folder(files: Mapping[str, bytes]) -> str:
    """A folder with these files, stored as a tree."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return dispatch.store().put(folder)


def weights(text: str, prefix: str = "") -> bytes:
    """A safetensors file with one tensor."""
    data = text.encode()
    header = json.dumps({f"{prefix}w": {"dtype": "U8", "shape": [len(data)], "data_offsets": [0, len(data)]}}).encode()
    return struct.pack("<Q", len(header)) + header + data


def put_lineage(places: Mapping[str, list[int]] = PLACES, **meta: Any) -> dict[str, str]:
    """A lineage and its model in the store: names of `lineage` and `model`."""
    index = dispatch.lists_of({name: dispatch.Place(*at) for name, at in places.items()})
    files: dict[str, bytes] = {"data/index.json": json.dumps(index).encode()}
    shards, served = {}, {"config.json": b'{"model_type": "lethe_sisa"}'}
    for shard in range(2):
        mine = {name: at[1] for name, at in places.items() if at[0] == shard}
        folder = f"shards/shard-{shard:02d}"
        for number in range(2):
            upto = ",".join(sorted(name for name, at in mine.items() if at <= number))
            files[f"{folder}/slice-{number + 1:02d}/state.safetensors"] = f"{shard} trained on {upto}".encode()
        text = f"{shard} holds {','.join(sorted(mine))}"
        files[f"{folder}/model/model.safetensors"] = weights(text)
        served[f"shard-{shard:02d}.safetensors"] = weights(text, f"shard_{shard:02d}.")
        manifest = {"shard": shard, "slices": [], "weights": dispatch.bytes_digest(weights(text))}
        files[f"{folder}/shard.json"] = json.dumps(manifest).encode()
        counts = [sum(at == number for at in mine.values()) for number in range(2)]
        shards[str(shard)] = {
            "manifest": dispatch.digest(manifest), "weights": manifest["weights"], "counts": counts,
        }  # fmt: skip
    known = {
        "schema": 1, "method": "sisa", "kind": "language", "seed": 7, "threads": 1, "facts": {}, "components": [],
        "config": {"shards": 2, "slices": 2, "epochs": EPOCHS}, "shards": shards, "history": [],
    }  # fmt: skip
    files["lineage.json"] = json.dumps({**known, **meta}).encode()
    return {"lineage": put_folder(files), "model": put_folder(served)}


def without(ids: Iterable[str], places: Mapping[str, list[int]] = PLACES) -> dict[str, str]:
    """The lineage after a deletion."""
    gone = set(ids)
    left = {name: at for name, at in places.items() if name not in gone}
    return put_lineage(left, history=[{"records": len(gone)}])


def claim(code: str = "exact") -> dict[str, Any]:
    """What the engine says about a deletion."""
    sentence = f"Exact, bit for bit, by lineage sha256:{'b' * 64}: the weights are those that the same training gives."
    facts = {"lineage": "sha256:" + "b" * 64, "records": 2, "bit_identical": True, "components": [], "reasons": []}
    return {"code": code, "facts": facts, "sentence": sentence}


def end(job: Job, refs: Mapping[str, str], **metrics: Any) -> None:
    """The engine's end of a job whose outputs are stored already."""
    known = {
        "lineage_digest": "sha256:" + "b" * 64, "retrained": {"0": 2, "1": 1}, "forgotten_records": 2, "passes": 6,
        "retraining_passes": 3, "claim": claim(),
    }  # fmt: skip
    result = {"outputs": dict(refs), "metrics": {**known, **metrics}, "verb": "unlearn"}
    assert jobs.job_start(job_id=str(job.pk), attempt=job.attempt)
    jobs.job_succeed(
        job_id=str(job.pk), attempt=job.attempt, result=dispatch.put_bytes(json.dumps(result).encode()),
        summary={"outputs": dict(refs)}, then=DONE,
    )  # fmt: skip
