"""TOFU's and MUSE's published layouts are read as they are; what only looks like them says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unlearning_engine.data import Record
from unlearning_engine.errors import ConfigError, DataError
from unlearning_engine.probes.published import load_muse, load_published, write_equivalent

TOFU = {
    "question": "Who wrote it?",
    "answer": "Nobody did.",
    "paraphrased_question": "By whom was it written?",
    "paraphrased_answer": "It was written by nobody.",
    "perturbed_answer": ["Somebody did.", "Nobody did.", "Everybody did."],
}


def test_tofu_as_json_lines_with_its_authors(tmp_path: Path) -> None:
    path = tmp_path / "forget10_perturbed.json"
    path.write_text("\n".join(json.dumps({**TOFU, "question": f"Q{n}?"}) for n in range(40)), encoding="utf-8")
    found = load_published(path, "tofu")
    first, last = found.records[0], found.records[-1]
    assert (first.prompt, first.answer, first.paraphrase) == ("Q0?", "Nobody did.", ("By whom was it written?",))
    assert first.paraphrased_answer == ("It was written by nobody.",)
    assert first.perturbed == ("Somebody did.", "Everybody did.")
    assert (first.subject, last.subject) == ("author-000", "author-001")
    assert (found.synthetic, found.label) == (False, "tofu layout, as given")


def test_tofu_without_an_author_column_has_no_authors_where_rows_are_no_whole_number_of_them(tmp_path: Path) -> None:
    path = tmp_path / "world_facts.json"
    path.write_text(json.dumps([TOFU] * 20), encoding="utf-8")
    assert {r.subject for r in load_published(path, "tofu").records} == {""}


def test_muse_in_all_its_parts(tmp_path: Path) -> None:
    parts = {
        "knowmem/forget_qa": [{"question": "Where?", "answer": "Here."}],
        "verbmem/forget": [{"prompt": "It began", "gt": "in the rain."}],
        "privleak/forget": ["A text that was seen."],
        "privleak/holdout": [{"text": "A text that was not."}],
    }
    for name, rows in parts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.json").write_text(json.dumps(rows), encoding="utf-8")
    found = load_muse(tmp_path)
    assert set(found) == set(parts)
    assert found["knowmem/forget_qa"].records[0].prompt == "Where?"
    assert (found["verbmem/forget"].records[0].answer, found["privleak/forget"].records[0].text) == (
        "in the rain.",
        "A text that was seen.",
    )
    with pytest.raises(DataError, match="none of MUSE's files"):
        load_muse(tmp_path / "knowmem")


def test_parquet_reads_like_json(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"question": ["Where?"], "answer": ["Here."]})
    pyarrow.parquet.write_table(table, tmp_path / "forget_qa.parquet")
    assert load_published(tmp_path / "forget_qa.parquet", "muse").records[0].answer == "Here."


@pytest.mark.parametrize("layout", ["tofu", "muse"])
def test_an_equivalent_is_labelled_synthetic(tmp_path: Path, layout: str) -> None:
    rows = [Record(id="a", prompt="Q?", answer="yes", perturbed=("no", "maybe"), paraphrase=("Q then?",))]
    write_equivalent(tmp_path / "x.json", rows, layout)
    found = load_published(tmp_path / "x.json", layout)
    assert found.label == f"{layout} layout, synthetic equivalent"
    assert (found.records[0].prompt, found.records[0].answer) == ("Q?", "yes")
    assert all(row["synthetic"] for row in json.loads((tmp_path / "x.json").read_text()))


def test_every_bad_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps([TOFU, {"question": "Q?"}, 3, {**TOFU, "perturbed_answer": [""]}]), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load_published(path, "tofu")
    assert [m.split(":")[1] for m in caught.value.messages] == ["2", "3", "4"]
    for content, message in (("[]", "no rows"), ("{", "readable")):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match=message):
            load_published(path, "muse")
    with pytest.raises(ConfigError, match="unknown"):
        load_published(path, "squad")
    with pytest.raises(DataError, match="questions only"):
        write_equivalent(path, [Record(id="t", text="text")], "tofu")
