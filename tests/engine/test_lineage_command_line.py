"""`python -m unlearning_engine lineage`: what it prints, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.lineages import FORGOTTEN, Pair, pair, row
from unlearning_engine.__main__ import main
from unlearning_engine.errors import DataError
from unlearning_engine.placement import Place, deletion_cost, expected_share
from unlearning_engine.sisa.lineage import Lineage
from unlearning_engine.sisa.lineage_cli import foreseen
from unlearning_engine.sisa.source import read_index

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return pair(tmp_path_factory.mktemp("texts"), "language")


@pytest.fixture
def own(texts: Pair, tmp_path: Path) -> Pair:
    return texts.copy(tmp_path)


def lineage(capsys: Capture, *arguments: object) -> tuple[int, str]:
    code = main(["lineage", *map(str, arguments)])
    return code, capsys.readouterr().out


def document(capsys: Capture, *arguments: object) -> tuple[int, Any]:
    code, text = lineage(capsys, *arguments, "--json")
    return code, json.loads(text)


def test_show_tells_stages_history_claim_and_cost(texts: Pair, capsys: Capture) -> None:
    code, found = document(capsys, "show", texts.after)
    meta = Lineage(texts.after).meta
    assert code == 0 and found["lineage"] == meta.digest and found["records"] == 28
    assert {(s["shard"], s["slice"]): s["records"] for s in found["stages"]} == {
        (shard, number + 1): count for shard, row_ in enumerate(meta.counts) for number, count in enumerate(row_)
    }
    assert found["history"][0]["records"] == 2 and found["claim"] == texts.metrics["claim"]
    assert found["cost"] == {str(n): expected_share(n, meta.counts, 3) for n in (1, 5)}, (
        "more than there are is left out"
    )
    assert list(found["fingerprints"].values())[0]["threads"] == "1"
    code, text = lineage(capsys, "show", texts.after)
    assert code == 0 and "Exact, bit for bit, by lineage" in text and "deleted 2 from" in text and "0.1" in text


def test_plan_tells_what_many_requests_cost_in_one_pass(texts: Pair, tmp_path: Path, capsys: Capture) -> None:
    places = read_index(texts.before / "lineage")
    same = [name for name, place in places.items() if place == Place(0, 0)][:2]
    for name in same:
        (tmp_path / f"{name}.txt").write_text(name)
    lists = [tmp_path / f"{name}.txt" for name in same]
    code, found = document(capsys, "plan", texts.before, "--forget-ids", *lists)
    counts = Lineage(texts.before).meta.counts
    one = deletion_cost(counts, 3, [[places[same[0]]]])
    assert code == 0 and found["requests"] == found["records"] == 2 and found["first_slices"] == {"0": 1}
    assert found["passes"] < one.passes < found["one_by_one"] < 2 * one.passes
    assert found["passes"] < found["lineage"] and found["retraining"] == 3 * (sum(map(sum, counts)) - 2)
    code, text = lineage(capsys, "plan", texts.before, "--forget-ids", *lists)
    assert code == 0 and "2 records of 2 requests: shard 0 from slice 1 is trained again" in text
    lists[1].write_text(f"{same[0]}\nnobody\n")
    code, found = document(capsys, "plan", texts.before, "--forget-ids", *lists)
    assert code == 2 and len(found["error"]["messages"]) == 2


def test_a_plan_of_an_empty_list_is_refused_as_the_deletion_is(texts: Pair, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(DataError, match="empty.txt: names no record"):
        foreseen(Lineage(texts.before), [str(tmp_path / "empty.txt")])


def test_verify_ends_with_0_for_identical_and_1_for_false(own: Pair, capsys: Capture) -> None:
    code, found = document(capsys, "verify", own.after)
    assert code == found["exit_code"] == 0 and {r["outcome"] for r in found["replayed"]} == {"identical"}
    code, text = lineage(capsys, "verify", own.after, "--stage", f"{own.first[0]}.{own.first[1] + 1}")
    assert code == 0 and text.count("identical") == 1 and "Nothing is false. 1 of 6 stages were trained again." in text
    code, text = lineage(capsys, "verify", own.after, "--no-replay")
    assert code == 3 and "not everything could be decided. 0 of 6 stages were trained again." in text
    checkpoint = next((own.after / "lineage").rglob("state.safetensors"))
    checkpoint.write_bytes(b"other")
    code, text = lineage(capsys, "verify", own.after, "--no-replay")
    assert code == 1 and "altered" in text and "The lineage is false" in text


def test_verify_ends_with_2_for_bad_input_and_3_where_nothing_can_be_decided(own: Pair, capsys: Capture) -> None:
    assert lineage(capsys, "verify", own.after, "--stage", "one")[0] == 2
    assert lineage(capsys, "verify", own.after, "--stage", "9.1")[0] == 2
    code, found = document(capsys, "verify", own.after.parent)
    assert code == 2 and found["error"]["type"] == "DataError"
    assert lineage(capsys, "purge", own.after, "--rows")[0] == 0
    code, text = lineage(capsys, "verify", own.after)
    assert code == 3 and "not possible" in text and "not everything could be decided" in text


def test_progress_goes_to_standard_error(texts: Pair, capsys: Capture) -> None:
    main(["lineage", "verify", str(texts.after), "--json"])
    streams = capsys.readouterr()
    events = [json.loads(line) for line in streams.err.splitlines() if line.startswith("{")]
    assert [e["step"] for e in events if e["stage"] == "replay"][-1] == len(json.loads(streams.out)["replayed"])


def test_purge_takes_the_successor(own: Pair, capsys: Capture) -> None:
    code, text = lineage(capsys, "purge", own.before, "--successor", own.after)
    assert code == 0 and "records" in text and "purged.json" in text
    assert document(capsys, "show", own.before)[1]["purged"]
    assert lineage(capsys, "purge", own.after, "--successor", own.before)[0] == 2


def test_a_claimant_checks_a_record_from_two_published_files(own: Pair, tmp_path: Path, capsys: Capture) -> None:
    name = FORGOTTEN[0]
    code, text = lineage(capsys, "open", own.before, "--id", name)
    assert code == 0
    (tmp_path / "opening.json").write_text(text)
    (tmp_path / "mine.jsonl").write_text(json.dumps(row("language", int(name[1:]))) + "\n")
    old, new = (str(f / "lineage" / "commitments.json") for f in (own.before, own.after))
    given = ("check", tmp_path / "opening.json", "--old", old, "--text", tmp_path / "mine.jsonl")
    code, found = document(capsys, *given, "--new", new)
    assert code == 0 and found["was_in"] is True and found["is_in"] is False
    assert document(capsys, *given, "--new", old)[0] == 1, "it is still there"
    (tmp_path / "mine.jsonl").write_text('{"id": "r04", "text": "something else"}\n')
    assert document(capsys, *given, "--new", new)[0] == 3
    assert lineage(capsys, "open", own.after, "--id", name)[0] == 2
    assert lineage(capsys, "check", old, "--old", old)[0] == 2
