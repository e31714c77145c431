"""The opening of a commitment, made by who has the lineage for the claimant of a record."""

from __future__ import annotations

from pathlib import Path

from unlearning_engine.data import load_records
from unlearning_engine.errors import DataError
from unlearning_engine.sisa import commitments
from unlearning_engine.sisa.commitments import Opening
from unlearning_engine.sisa.language import Language, Texts
from unlearning_engine.sisa.lineage import Lineage, data_path
from unlearning_engine.sisa.source import INDEX, read_index
from unlearning_engine.sisa.workload import Rows


def open_record(lineage: Lineage, record_id: str, *, content: str = "") -> Opening:
    """Salt, content digest and place of one record.

    Args:
        content: hex digest of what the record teaches, for one whose text the lineage no longer keeps; its claimant
            works it out from the text (`commitments.content_digest`).

    Raises:
        DataError: the record is not in the lineage, its text is not kept and `content` is empty, or key or list are
            missing or damaged.
    """
    root = lineage.root
    key = commitments.read_key(root)
    published = commitments.read(root / commitments.FILE)
    found = content.lower() or _content(lineage, record_id)
    salt = commitments.salt_of(key, record_id)
    try:
        own = commitments.commitment(salt, record_id, found)
    except ValueError as error:
        raise DataError(f"content: {content!r} is no hexadecimal digest ({error})") from error
    for shard, parts in commitments.lists_of(published).items():
        for number, part in enumerate(parts):
            if own in part:
                return Opening(
                    id=record_id,
                    salt=salt.hex(),
                    content=found,
                    shard=shard,
                    slice=number,
                    key=str(published["key"]),
                    lineage=str(published["lineage"]),
                )
    raise DataError(f"{root}: has no commitment to record {record_id!r} with this content")


def _content(lineage: Lineage, record_id: str) -> str:
    """Content digest of a record that the lineage keeps."""
    if not (lineage.root / INDEX).is_file():
        raise DataError(f"{lineage.root}: keeps no records (never kept, or purged); give the content's digest")
    place = read_index(lineage.root).get(record_id)
    if place is None:
        raise DataError(f"record id {record_id!r} is not in the lineage: never trained on, or deleted before")
    rows = _rows(lineage, data_path(lineage.root, place.shard, place.slice))
    return dict(zip(rows.ids, rows.digests(), strict=True))[record_id]


def _rows(lineage: Lineage, stem: Path) -> Rows:
    """The rows of a slice; no base and no tokenizer are needed to read them."""
    if lineage.meta.kind == "classifier":
        from unlearning_engine.sisa.config import read_config
        from unlearning_engine.sisa.workload import Inputs

        workload = read_config(lineage.meta.config, Inputs(device="cpu"))[1]
        return workload.load(stem.with_name(stem.name + workload.suffix))
    return Texts(load_records(stem.with_name(stem.name + Language.suffix)))
