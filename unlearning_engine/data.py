"""Records: reading, checking, splitting and naming them. Tokens and batches are made in `tokens`.

A record is one row of a dataset. Either it asks and answers (`prompt`, `answer`, joined by one space where
neither brings white space) or it is running text (`text`). Rows of one `fact` are phrasings of the same fact
and count once in statistics. This module reads JSONL, Parquet and Hugging Face dataset folders; pyarrow
and datasets are imported only where they are used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from unlearning_engine.errors import DataError

#: Files of a folder that `load_records` takes for a dataset's rows.
SUFFIXES = (".jsonl", ".parquet")
#: How many problems one error prints before it only counts the rest.
SHOWN = 50
_WORDS = ("prompt", "answer", "correction", "text")
_TEXTS = ("id", "subject", "work", "fact", "kind", *_WORDS, "source_url", "licence", "digest")
_LISTS = ("paraphrase", "paraphrased_answer", "perturbed")


def join(prompt: str, answer: str) -> str:
    """Prompt and answer as the model sees them: one space between, unless either brings white space."""
    glued = prompt[-1:].isspace() or answer[:1].isspace() or not prompt
    return prompt + answer if glued else f"{prompt} {answer}"


def text_digest(text: str) -> str:
    """`sha256:<hex>` of a text's UTF-8 bytes."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Record:
    """One row. `paraphrase` are prompts never trained on, `paraphrased_answer` the right
    answer in other words, `perturbed` wrong answers from the answer's own pool. `correction` is what is to be answered
    from now on, where `answer` is false or outdated.

    `likelihood` (0 to 1) says how likely somebody is to ask for the row's deletion; only the placement reads it.
    """

    id: str
    subject: str = ""
    work: str = ""
    fact: str = ""
    kind: str = ""
    prompt: str = ""
    answer: str = ""
    correction: str = ""
    text: str = ""
    paraphrase: tuple[str, ...] = ()
    paraphrased_answer: tuple[str, ...] = ()
    perturbed: tuple[str, ...] = ()
    source_url: str = ""
    licence: str = ""
    digest: str = ""
    likelihood: float = 0.0

    @property
    def full_text(self) -> str:
        """The whole text of the row, as it is trained on and matched."""
        return self.text or (join(self.prompt, self.answer) if self.answer else self.prompt)

    @property
    def cluster(self) -> str:
        """What counts as one independent item: the fact, else the row itself."""
        return self.fact or self.id

    @property
    def is_question(self) -> bool:
        """Whether the row has a prompt and an answer, so that it can be probed."""
        return bool(self.answer)

    def to_json(self) -> dict[str, Any]:
        """The row as a JSON object without empty fields."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items() if v}


# ---------------------------------------------------------------- reading and writing


def _listed(value: Any) -> Any:
    """A list field as it is, a single text as a list of one, nothing as an empty list."""
    if isinstance(value, str):
        return [value] if value else []
    return [] if value is None else value


def _row_problems(row: Mapping[str, Any], bare: bool) -> list[str]:
    problems = []
    for name in _TEXTS:
        value = row.get(name)
        if value is not None and not isinstance(value, str):
            problems.append(f"{name} must be a string, is {type(value).__name__}")
        elif value and any("\ud800" <= c <= "\udfff" for c in value):
            problems.append(f"{name} is not valid Unicode (a lone surrogate)")
    for name in _LISTS:
        value = _listed(row.get(name))
        if not (isinstance(value, list | tuple) and all(isinstance(v, str) and v for v in value)):
            problems.append(f"{name} must be a list of strings (or one string), none empty")
    likelihood = row.get("likelihood")
    if likelihood is not None and (
        isinstance(likelihood, bool) or not isinstance(likelihood, int | float) or not 0 <= likelihood <= 1
    ):
        problems.append(f"likelihood must be a number from 0 to 1, is {likelihood!r}")
    if problems:
        return problems
    if row.get("text") and (row.get("prompt") or row.get("answer")):
        problems.append("give either text or prompt and answer, not both")
    elif bare:
        problems += [] if row.get("prompt") else ["has no prompt to be continued"]
    elif not row.get("text") and not (row.get("prompt") and row.get("answer")):
        problems.append("has neither text nor both prompt and answer")
    elif row.get("correction") and (row.get("text") or row["correction"].strip() == row["answer"].strip()):
        problems.append("correction must be another answer to the prompt")
    elif row.get("answer") in _listed(row.get("perturbed")):
        problems.append("the right answer is among the perturbed ones")
    return problems


def _record(row: Mapping[str, Any]) -> Record:
    fields: dict[str, Any] = {n: row[n] for n in _TEXTS if row.get(n)}
    fields |= {n: tuple(_listed(row[n])) for n in _LISTS if row.get(n)}
    fields["likelihood"] = float(row.get("likelihood") or 0.0)
    return Record(**{"id": "", **fields})


def _json_rows(path: Path) -> Iterator[tuple[str, Any]]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    yield f"{path.name}:{number}", json.loads(line)
                except ValueError as error:  # bad JSON and bad UTF-8 alike
                    yield f"{path.name}:{number}", f"is not JSON ({error})"


def _parquet_rows(path: Path) -> Iterator[tuple[str, Any]]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(path)
        rows = (row for batch in table.iter_batches() for row in batch.to_pylist())
        for number, row in enumerate(rows, start=1):
            yield f"{path.name}:{number}", row
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: is not a readable Parquet file ({error}); write it again") from error


def _hub_rows(folder: Path) -> Iterator[tuple[str, Any]]:
    import datasets

    try:
        loaded = datasets.load_from_disk(str(folder))
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{folder}: is not a readable dataset folder ({error}); save it again") from error
    splits = loaded if isinstance(loaded, datasets.DatasetDict) else {folder.name: loaded}
    for name, split in splits.items():
        for number, row in enumerate(split, start=1):
            yield f"{name}:{number}", row


def _files(folder: Path) -> list[Path]:
    """The data files of a plain folder: `dataset.jsonl`, else all files of one kind."""
    if (folder / "dataset.jsonl").is_file():
        return [folder / "dataset.jsonl"]
    found = sorted(p for p in folder.rglob("*") if p.suffix in SUFFIXES and p.is_file())
    if not found:
        raise DataError(f"{folder}: holds no data; expected one of {', '.join(SUFFIXES)} or a saved dataset")
    if len({p.suffix for p in found}) > 1:
        names = ", ".join(str(p.relative_to(folder)) for p in found[:10])
        raise DataError(f"{folder}: holds files of several kinds ({names}); name the one to read")
    return found


def _rows(path: Path) -> Iterator[tuple[str, Any]]:
    if not path.exists():
        raise DataError(f"{path}: does not exist; give a JSONL or Parquet file or a dataset folder")
    if path.is_dir() and ((path / "state.json").is_file() or (path / "dataset_dict.json").is_file()):
        yield from _hub_rows(path)
        return
    for file in _files(path) if path.is_dir() else [path]:
        yield from _parquet_rows(file) if file.suffix == ".parquet" else _json_rows(file)


def raise_all(problems: Sequence[str]) -> None:
    """Raise one DataError with every problem (a bounded number of them in words) if there are any."""
    if problems:
        rest = len(problems) - SHOWN
        raise DataError([*problems[:SHOWN], *([f"... and {rest} more problems"] if rest > 0 else [])])


def load_records(path: str | Path, *, columns: Mapping[str, str] | None = None, bare: bool = False) -> list[Record]:
    """Read a dataset: JSONL, Parquet, a folder of either, or a folder saved by `datasets`.

    Args:
        path: file or folder. Of a folder that holds `dataset.jsonl`, that file is read.
        columns: names of this dataset's own columns by field, such as `{"prompt": "question"}`.
        bare: whether the rows are prompts, which need no answer.

    Where no row has an id, ids are made from the digest of each text, so that they outlive the removal of
    other rows.

    Raises:
        DataError: naming file and line of every bad row, wrong digest and repeated id.
    """
    records: list[Record] = []
    problems: list[str] = []
    places: dict[str, str] = {}
    unnamed: list[str] = []
    names: set[str] = set()
    for place, row in _rows(Path(path)):
        names |= row.keys() if isinstance(row, dict) else set()
        record, faults = _checked(row, columns or {}, bare)
        problems.extend(f"{place}: {fault}" for fault in faults)
        if record is None:
            continue
        records.append(record)
        if not record.id:
            unnamed.append(place)
        elif record.id in places:
            problems.append(f"{place}: id {record.id!r} was used at {places[record.id]}")
        else:
            places[record.id] = place
    if names and not records:
        _demand_known(path, names, columns or {})
    if places:
        problems.extend(f"{place}: id is missing" for place in unnamed)
    elif not records and not problems:
        problems.append(f"{path}: holds no rows")
    raise_all(problems)
    return records if places else _with_ids(records)


def _demand_known(path: str | Path, names: set[str], columns: Mapping[str, str]) -> None:
    """Refuse once, with what would help, where a dataset's columns all have names of their own."""
    if names & {"text", "prompt", "answer", *columns.values()}:
        return
    raise DataError(
        f"{path}: no row has a text, or a prompt and an answer; the columns are {', '.join(sorted(names)[:SHOWN])}: "
        "say which is which, as in --columns text=body or --columns prompt=question answer=reply"
    )


def _checked(row: object, columns: Mapping[str, str], bare: bool) -> tuple[Record | None, list[str]]:
    """A row's record, or none and what is wrong with the row."""
    if not isinstance(row, dict):
        return None, [row if isinstance(row, str) else "must be a JSON object"]
    row = {**row, **{name: row.get(column) for name, column in columns.items()}}
    faults = _row_problems(row, bare)
    if faults:
        return None, faults
    record = _record(row)
    if record.digest and record.digest != text_digest(record.full_text):
        faults = [f"digest does not match the text of {record.id!r}; the row was changed"]
    return record, faults


def _with_ids(records: Iterable[Record]) -> list[Record]:
    counts: dict[str, int] = {}
    out = []
    for record in records:
        name = text_digest(record.full_text)[7:23]
        counts[name] = counts.get(name, 0) + 1
        suffix = "" if counts[name] == 1 else f"-{counts[name]}"
        out.append(Record(**{**record.__dict__, "id": name + suffix}))
    return out


def write_records(path: str | Path, records: Iterable[Record]) -> None:
    """Write records as JSONL, one object a line, empty fields left out."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8", newline="\n") as out:
        for record in records:
            out.write(json.dumps(record.to_json(), ensure_ascii=False) + "\n")


def load_ids(path: str | Path) -> list[str]:
    """Record ids, one a line, in order and each once; blank lines are skipped.

    Raises:
        DataError: the file is missing or not UTF-8 text.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: is not a readable list of record ids ({error})") from error
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def split(records: Sequence[Record], ids: Iterable[str]) -> tuple[list[Record], list[Record]]:
    """Records named by `ids`, and all others, both in the dataset's order.

    Raises:
        DataError: naming every id that the dataset does not have.
    """
    wanted = set(ids)
    unknown = sorted(wanted - {r.id for r in records})
    raise_all([f"record id {name!r} is not in the dataset" for name in unknown])
    return [r for r in records if r.id in wanted], [r for r in records if r.id not in wanted]


def leave_out(records: Sequence[Record], ids_path: str | Path, *, keep: Iterable[str]) -> list[Record]:
    """The records without those that a list of ids names, save the ids in `keep`; an empty path names none."""
    if not ids_path:
        return list(records)
    kept = set(keep)
    return split(records, [name for name in load_ids(ids_path) if name not in kept])[1]


def dataset_digest(records: Iterable[Record]) -> str:
    """`sha256:<hex>` over ids and texts, whatever the order of rows."""
    lines = sorted(f"{r.id}\t{text_digest(r.full_text)}\n" for r in records)
    return text_digest("".join(lines))
