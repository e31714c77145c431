"""A patch's folder: `manifest.json`, in canonical form and with its own digest, beside `patch.safetensors`.

Nothing in a manifest is a path or free text: the file's name is fixed, names of tensors are only looked up in the
model, and there is no field that could hold a record's or a person's name.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from unlearning_engine.contracts import canonical, digest
from unlearning_engine.errors import DataError
from unlearning_engine.patches.streams import Malformed
from unlearning_engine.patches.weights import Place, Ranges, read_header
from unlearning_engine.trees import hash_file

KIND, SCHEMA = "unlearning-patch", 1
MANIFEST, PAYLOAD = "manifest.json", "patch.safetensors"
_SCHEMA_FILE = Path(__file__).with_name("manifest.schema.json")
_SHOWN = 10


class Altered(DataError):
    """A patch, or what it is held against, is not what the patch's manifest says."""


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(_SCHEMA_FILE.read_bytes()))


def seal(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with the digest of everything else in it."""
    rest = {name: value for name, value in manifest.items() if name != "digest"}
    return {**rest, "digest": digest(rest)}


def read_manifest(path: Path) -> dict[str, Any]:
    """A manifest whose form is right and whose digest holds.

    Raises:
        DataError: missing, no JSON, of another kind or schema, or of the wrong form: every fault with its place.
        Altered: it is not canonical, or not what its digest names.
    """
    try:
        data = path.read_bytes()
        manifest = json.loads(data, parse_float=_whole, parse_constant=_whole)
        written = canonical(manifest)
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{path}: is no readable manifest ({error}); give the folder that `patch make` wrote"
        ) from error
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND:
        raise DataError(f"{path}: is no manifest of an unlearning patch; give the folder that `patch make` wrote")
    if manifest.get("schema") != SCHEMA:
        raise DataError(f"{path}: has schema {manifest.get('schema')!r}; this engine reads {SCHEMA}, use a newer one")
    faults = sorted(_validator().iter_errors(manifest), key=lambda fault: fault.json_path)
    problems = [f"{path}: {fault.json_path}: {fault.message[:200]}" for fault in faults] or [
        f"{path}: {problem}" for problem in _faults(manifest)
    ]
    if problems:
        more = [f"{path}: and {len(problems) - _SHOWN} more faults; get the patch again"]
        raise DataError(problems[:_SHOWN] + (more if len(problems) > _SHOWN else []))
    if seal(manifest)["digest"] != manifest["digest"]:
        raise Altered(f"{path}: was altered (its content is not the one its digest names); get the patch again")
    if written != data:
        raise Altered(f"{path}: was altered (it is not in canonical form); get the patch again")
    return manifest


def _whole(text: str) -> int:
    """Refuses fractions: a schema takes 1.0 for a whole number, and a place in a tensor is none."""
    raise ValueError(f"{text} is no whole number")


def _faults(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What a schema cannot say: order, and blocks that lie inside of their tensor."""
    names = [tensor["name"] for tensor in manifest["tensors"]]
    if names != sorted(set(names)):
        yield "tensors: are not in order, each once"
    for number, tensor in enumerate(manifest["tensors"]):
        end, total = 0, math.prod(tensor["shape"])
        for at, block in enumerate(tensor["blocks"]):
            where = f"tensors[{number}].blocks[{at}]"
            if block["start"] < end or block["start"] + block["count"] > total:
                yield f"{where}: lies outside of its tensor, or over the block before"
            if block["count"] % block.get("row", 1):
                yield f"{where}: does not hold whole rows"
            end = block["start"] + block["count"]


def streams_of(block: Mapping[str, Any]) -> list[str]:
    """Names of the streams that a block's entry asks for."""
    if block["encoding"] != "lowrank":
        return ["delta"] if block["encoding"] == "dense" else ["index", "delta"]
    nested = [(way, block[way]) for way in ("forward", "backward") if block[way]]
    return ["left", "right", *(f"{way}.{stream}" for way, entry in nested for stream in streams_of(entry))]


class Patch:
    """A patch's folder, its manifest checked and its payload held against it.

    Raises:
        DataError: missing, or no patch.
        Altered: manifest and payload are not one.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise DataError(f"{self.folder}: does not exist; give the folder that `patch make` wrote")
        self.manifest = read_manifest(self.folder / MANIFEST)
        self.base: str = self.manifest["base"]["weights"]
        self.result: str = self.manifest["result"]["weights"]
        self.digest: str = self.manifest["digest"]
        self.tensors: dict[str, tuple[int, Mapping[str, Any]]] = {
            tensor["name"]: (number, tensor) for number, tensor in enumerate(self.manifest["tensors"])
        }
        self.streams = self._payload()

    def _payload(self) -> dict[str, Place]:
        path, said = self.folder / PAYLOAD, self.manifest["payload"]
        if not path.is_file():
            raise DataError(f"{path}: is missing; get the patch again")
        entry = hash_file(path)
        if (f"sha256:{entry.sha256}", entry.size) != (said["sha256"], said["bytes"]):
            raise Altered(f"{path}: was altered (sha256:{entry.sha256}, not {said['sha256']}); get the patch again")
        places, _ = read_header(path)
        wanted = {
            f"{number}.{at}.{stream}"
            for number, tensor in enumerate(self.manifest["tensors"])
            for at, block in enumerate(tensor["blocks"])
            for stream in streams_of(block)
        }
        strange = sorted(wanted.symmetric_difference(places))
        strange += [name for name, place in places.items() if place.dtype != "U8" or len(place.shape) != 1]
        if strange:
            raise Altered(f"{path}: does not hold the streams of its manifest ({', '.join(strange[:5])})")
        return places

    def wanted(self, *, back: bool) -> str:
        """Digest of the weights that the patch is laid on, or with `back` taken off."""
        return self.result if back else self.base

    def made(self, *, back: bool) -> str:
        """Digest of the weights that come out."""
        return self.base if back else self.result

    def blocks(self, name: str, ranges: Ranges) -> Iterator[tuple[Mapping[str, Any], dict[str, bytearray]]]:
        """Entry and streams of each block of a tensor; `ranges` reads this folder."""
        number, tensor = self.tensors[name]
        for at, block in enumerate(tensor["blocks"]):
            places = {stream: self.streams[f"{number}.{at}.{stream}"] for stream in streams_of(block)}
            yield block, {stream: ranges.read(p.file, p.offset, p.size) for stream, p in places.items()}

    def malformed(self, name: str, error: Malformed) -> Altered:
        """The error for a block that cannot be read."""
        return Altered(f"{self.folder / PAYLOAD}: {name}: {error}; get the patch again")
