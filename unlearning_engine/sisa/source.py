"""Where a lineage's rows come from: its own folder, or a dataset that is given again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unlearning_engine.data import raise_all
from unlearning_engine.errors import DataError
from unlearning_engine.placement import Place, Placement, lists_of, places_of
from unlearning_engine.sisa.lineage import Lineage, data_digest, data_path, write_json
from unlearning_engine.sisa.workload import Rows, Workload

#: Ids of the rows kept, by shard and slice.
INDEX = "data/index.json"


@dataclass(frozen=True)
class Placed:
    """Rows and the place of each."""

    rows: Rows
    places: Sequence[Place]

    @classmethod
    def by(cls, placement: Placement, rows: Rows) -> Placed:
        """Every row at the place that the placement gives it."""
        columns = zip(rows.ids, rows.subjects, rows.likelihoods, strict=True)
        return cls(rows, [placement.place(*row) for row in columns])

    def counts(self, shards: int, slices: int) -> list[list[int]]:
        """Records by shard and slice."""
        found = [[0] * slices for _ in range(shards)]
        for place in self.places:
            found[place.shard][place.slice] += 1
        return found

    def slices(self, shard: int, count: int) -> list[Rows]:
        """Each slice's own rows of one shard."""
        positions: list[list[int]] = [[] for _ in range(count)]
        for at, place in enumerate(self.places):
            if place.shard == shard:
                positions[place.slice].append(at)
        return [self.rows.take(at) for at in positions]

    @property
    def index(self) -> dict[str, Place]:
        """Place of each id."""
        return dict(zip(self.rows.ids, self.places, strict=True))


class Kept:
    """Rows of a lineage: read slice by slice where it keeps them, else from the dataset given."""

    def __init__(
        self, lineage: Lineage, workload: Workload, placement: Placement, dataset: str, deleted: Iterable[str] = ()
    ) -> None:
        """Open the rows; of a lineage's own only ids and places are read now.

        Args:
            dataset: the rows that the lineage was trained on; empty takes those that it keeps.
            deleted: ids that may have been deleted from the lineage before, and still be in the dataset.

        Raises:
            DataError: the lineage keeps no rows and no dataset is given, or another one is.
        """
        self._lineage, self._workload = lineage, workload
        self._given: dict[int, list[Rows]] | None = None
        if dataset:
            self._given = _given(lineage, Placed.by(placement, workload.load(dataset)), list(deleted))
            self.index: Mapping[str, Place] = {
                name: Place(shard, number)
                for shard, slices in self._given.items()
                for number, rows in enumerate(slices)
                for name in rows.ids
            }
        elif (lineage.root / INDEX).is_file():
            self.index = read_index(lineage.root)
        else:
            raise DataError(f"{lineage.root}: keeps no records (never kept, or purged); give the dataset with --data")

    @property
    def from_folder(self) -> bool:
        """Whether the lineage itself keeps the rows."""
        return self._given is None

    def locate(self, ids: Iterable[str], *, strict: bool) -> dict[str, Place]:
        """Place of each id. Unknown ones are an error where `strict`, else left out."""
        wanted = list(ids)
        unknown = [name for name in wanted if name not in self.index]
        if strict:
            raise_all(
                [
                    f"record id {name!r} is not in the lineage: it was never trained on, or was deleted before; "
                    "take it from the list"
                    for name in unknown
                ]
            )
        return {name: self.index[name] for name in wanted if name in self.index}

    def slices(self, shard: int) -> list[Rows]:
        """Each slice's own rows of one shard, as they were trained on."""
        count = int(self._lineage.meta.config["slices"])
        if self._given is not None:
            return self._given[shard]
        empty = None
        found: list[Rows | None] = []
        for number in range(count):
            path = data_path(self._lineage.root, shard, number)
            path = path.with_name(path.name + self._workload.suffix)
            found.append(self._workload.load(path) if path.is_file() else None)
            empty = found[-1].take([]) if found[-1] is not None else empty
        if empty is None:
            raise DataError(f"{self._lineage.root}: the records of shard {shard} are missing; restore its data folder")
        return [rows if rows is not None else empty for rows in found]


def _given(lineage: Lineage, placed: Placed, deleted: Sequence[str]) -> dict[int, list[Rows]]:
    """Each shard's slices from a dataset, with or without what may have been deleted: as the manifests name them."""
    count = int(lineage.meta.config["slices"])
    found: dict[int, list[Rows]] = {}
    for shard in lineage.shards:
        last = lineage.manifest(shard).slices[-1].data
        whole = placed.slices(shard, count)
        variants = (whole, [without(rows, deleted) for rows in whole])
        fits = next((v for v in variants if named(v) == last), None)
        if fits is None:
            raise DataError(
                f"the dataset holds not the records that the lineage was trained on (shard {shard} differs); "
                "give that dataset, and name records that were deleted before with --exclude-ids"
            )
        found[shard] = fits
    return found


def named(slices: Sequence[Rows]) -> str:
    """`data` of the stage that trained on these slices."""
    return data_digest(
        [name for rows in slices for name in rows.ids],
        [subject for rows in slices for subject in rows.subjects],
        [content for rows in slices for content in rows.digests()],
    )


def without(rows: Rows, ids: Iterable[str]) -> Rows:
    """The rows but those of these ids."""
    gone = set(ids)
    return rows.take([at for at, name in enumerate(rows.ids) if name not in gone])


def keep(root: Path, workload: Workload, shard: int, slices: Sequence[Rows], only: Iterable[int] | None = None) -> None:
    """Write the rows of a shard's slices (those in `only`, or all); an empty slice has no file."""
    chosen = range(len(slices)) if only is None else only
    for number in chosen:
        path = data_path(root, shard, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        if len(slices[number]):
            workload.write(path, slices[number])


def read_index(root: Path) -> dict[str, Place]:
    """Place of each row that a lineage keeps."""
    try:
        return places_of(json.loads((root / INDEX).read_bytes()))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{root / INDEX}: is missing or damaged ({error}); restore the lineage's folder") from error


def write_index(root: Path, index: Mapping[str, Place]) -> None:
    """Keep the place of each row."""
    write_json(root / INDEX, lists_of(index), indent=None)
