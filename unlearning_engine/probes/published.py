"""Local files in the published layouts of TOFU and MUSE, as records.

| layout | columns of a row |
|---|---|
| tofu | question, answer; optional paraphrased_question, paraphrased_answer, perturbed_answer (a list) |
| muse, knowmem | question, answer |
| muse, verbmem | prompt, gt (the true continuation) |
| muse, privleak | text, or the row is the text itself |

Files are JSON arrays, JSON lines or Parquet, as the authors published them. Nothing is downloaded. Files made in these
layouts from other material (`write_equivalent`) carry `"synthetic": true` in every row and are named synthetic wherever
their numbers are shown: a number on them is no TOFU or MUSE result.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlearning_engine.data import Record, raise_all
from unlearning_engine.errors import ConfigError, DataError

LAYOUTS = ("tofu", "muse")
#: Questions an author in TOFU's files, which have no author column: rows come author by author.
PER_AUTHOR = 20
_BY_AUTHOR = ("forget", "retain", "full", "holdout")
#: Parts of a MUSE folder and what their files are called.
MUSE_FILES: Mapping[str, tuple[str, ...]] = {
    "knowmem": ("forget_qa", "retain_qa"),
    "verbmem": ("forget",),
    "privleak": ("forget", "retain", "holdout"),
}
_SUFFIXES = (".json", ".jsonl", ".parquet")


@dataclass(frozen=True, kw_only=True)
class Published:
    """Records of one file; `synthetic` where it says of itself that it only has the layout."""

    layout: str
    records: tuple[Record, ...]
    synthetic: bool

    @property
    def label(self) -> str:
        """What to call the data where a number on them is shown."""
        return f"{self.layout} layout, {'synthetic equivalent' if self.synthetic else 'as given'}"


def _raw(path: Path) -> list[Any]:
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet

            return list(pyarrow.parquet.read_table(path).to_pylist())
        text = path.read_text(encoding="utf-8")
        if text.lstrip().startswith("["):
            return list(json.loads(text))
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: is not a readable JSON, JSON lines or Parquet file ({error})") from error


def _texts(value: Any) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _tofu(row: Mapping[str, Any], name: str, author: str) -> Record:
    return Record(
        id=name,
        subject=author,
        work=author,
        prompt=row["question"],
        answer=row["answer"],
        paraphrase=_texts(row.get("paraphrased_question")),
        paraphrased_answer=_texts(row.get("paraphrased_answer")),
        perturbed=tuple(a for a in _texts(row.get("perturbed_answer")) if a != row["answer"]),
    )


def _muse(row: Any, name: str) -> Record:
    if isinstance(row, str):
        return Record(id=name, text=row)
    if "question" in row:
        return Record(id=name, prompt=row["question"], answer=row["answer"])
    if "gt" in row:
        return Record(id=name, prompt=row["prompt"], answer=row["gt"])
    return Record(id=name, text=row["text"])


def _problem(row: Any, layout: str) -> str:
    if layout == "muse" and isinstance(row, str):
        return "" if row.strip() else "is an empty text"
    if not isinstance(row, dict):
        return "must be a JSON object"
    needed: tuple[str, ...] = ("question", "answer")
    if layout == "muse" and "question" not in row:
        needed = ("prompt", "gt") if "gt" in row else ("text",)
    lacking = [name for name in needed if not isinstance(row.get(name), str) or not row[name].strip()]
    if lacking:
        return f"lacks {', '.join(lacking)} of the {layout} layout"
    lists = [row.get(n) for n in ("paraphrased_question", "paraphrased_answer", "perturbed_answer")]
    if any(not all(isinstance(v, str) and v for v in _texts(value)) for value in lists if not isinstance(value, int)):
        return "has a paraphrase or perturbed answer that is no text"
    return ""


def load_published(path: str | Path, layout: str) -> Published:
    """Records of a local file in a published layout; ids are the file's name and the row's number.

    Raises:
        ConfigError: the layout is unknown.
        DataError: the file cannot be read, is empty, or naming every row that does not have the layout.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"layout {layout!r} is unknown; one of {', '.join(LAYOUTS)}")
    file = Path(path)
    rows = _raw(file)
    raise_all([f"{file.name}:{n}: {p}" for n, row in enumerate(rows, start=1) if (p := _problem(row, layout))])
    if not rows:
        raise DataError(f"{file}: holds no rows")
    by_author = layout == "tofu" and file.name.startswith(_BY_AUTHOR) and len(rows) % PER_AUTHOR == 0
    records = []
    for n, row in enumerate(rows):
        name = f"{file.stem}-{n:05d}"
        author = f"author-{n // PER_AUTHOR:03d}" if by_author else ""
        records.append(_tofu(row, name, author) if layout == "tofu" else _muse(row, name))
    synthetic = any(isinstance(row, dict) and row.get("synthetic") is True for row in rows)
    return Published(layout=layout, records=tuple(records), synthetic=synthetic)


def load_muse(folder: str | Path) -> dict[str, Published]:
    """All parts of a MUSE folder that are there, by "knowmem/forget_qa", "verbmem/forget", "privleak/holdout" ...

    Raises:
        DataError: none is there, or one cannot be read.
    """
    found = {}
    for part, names in MUSE_FILES.items():
        for name in names:
            files = [file for suffix in _SUFFIXES if (file := Path(folder) / part / f"{name}{suffix}").is_file()]
            if files:
                found[f"{part}/{name}"] = load_published(files[0], "muse")
    if not found:
        raise DataError(f"{folder}: holds none of MUSE's files (knowmem/forget_qa.json, verbmem/forget.json ...)")
    return found


def _equivalent(record: Record, layout: str) -> dict[str, Any]:
    if layout == "muse":
        row: dict[str, Any] = {"text": record.text} if record.text else {}
        return row or {"question": record.prompt, "answer": record.answer}
    row = {"question": record.prompt, "answer": record.answer, "perturbed_answer": list(record.perturbed)}
    row |= {"paraphrased_question": record.paraphrase[0]} if record.paraphrase else {}
    return row | ({"paraphrased_answer": record.paraphrased_answer[0]} if record.paraphrased_answer else {})


def write_equivalent(path: str | Path, records: Iterable[Record], layout: str) -> None:
    """Write records in a published layout as a JSON array, every row labelled synthetic.

    Raises:
        ConfigError: the layout is unknown. DataError: a running text has no place in TOFU's layout.
    """
    if layout not in LAYOUTS:
        raise ConfigError(f"layout {layout!r} is unknown; one of {', '.join(LAYOUTS)}")
    kept: Sequence[Record] = list(records)
    if layout == "tofu" and any(not r.is_question for r in kept):
        raise DataError(f"{path}: TOFU's layout holds questions only")
    rows = [{**_equivalent(record, layout), "synthetic": True} for record in kept]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
