"""Golden dates of the legal clocks: worked out without the product (golden/make_clocks.py), asked by command line."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

GOLDEN = Path(__file__).parent / "golden"
ROWS = list(csv.DictReader((GOLDEN / "clocks.csv").open()))


def ask(row: dict[str, str]) -> dict[str, object]:
    """What `manage.py clock` answers."""
    words = ["--law", row["law"], "--received", row["received"], "--country", row["country"], "--kind", row["kind"]]
    words += ["--relation", row["relation"]] if row["relation"] else []
    words += ["--pause", *row["pauses"].split()] if row["pauses"] else []
    words += ["--extend", row["extend"]] if row["extend"] else []
    words += ["--identified", row["identified"]] if row["identified"] else []
    out = io.StringIO()
    call_command("clock", *words, "--json", stdout=out)
    return dict(json.loads(out.getvalue()))


@pytest.mark.parametrize("row", [row for row in ROWS if not row["refusal"]], ids=lambda row: row["id"])
def test_no_golden_date_is_wrong(row: dict[str, str]) -> None:
    found = ask(row)
    expected = {name: row[name] or None for name in ("confirm_by", "due", "extended_due")}
    assert {name: found[name] for name in expected} == expected, f"{row['source']}: {row['reasoning']}"
    assert found["citation"] and found["version"]


@pytest.mark.parametrize("row", [row for row in ROWS if row["refusal"]], ids=lambda row: row["id"])
def test_what_the_law_forbids_is_refused_with_its_words(row: dict[str, str]) -> None:
    with pytest.raises(CommandError) as refused:
        ask(row)
    assert row["refusal"] in str(refused.value)


def test_there_are_enough_of_them_each_with_source_and_reasoning() -> None:
    counts = Counter(row["basis"] for row in ROWS)
    assert len(ROWS) - counts["refused"] >= 400 and counts["official"] + counts["statute"] >= 40
    assert all(row["source"] and row["reasoning"] for row in ROWS)
    assert {row["law"] for row in ROWS} == {
        "gdpr", "uk_gdpr", "ccpa", "us_va", "us_co", "lgpd", "quebec", "gpai", "house"
    }  # fmt: skip
    assert (
        len(
            {tuple(row[name] for name in ROWS[0] if name not in ("id", "basis", "source", "reasoning")) for row in ROWS}
        )
        > 600
    )


def test_they_are_what_their_script_writes_and_the_script_knows_no_clocks(tmp_path: Path) -> None:
    for name in ("make_clocks.py", "facts.py", "official.json"):
        text = (GOLDEN / name).read_text()
        assert "import holidays\n" not in text and "governance.clocks" not in text
        (tmp_path / name).write_text(text)
    subprocess.run([sys.executable, "-I", str(tmp_path / "make_clocks.py")], check=True, timeout=60)
    assert (tmp_path / "clocks.csv").read_text() == (GOLDEN / "clocks.csv").read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--law", "dmca"], "one of gdpr, uk_gdpr, ccpa, us_va, us_co, lgpd, quebec, gpai, house"),
        (["--received", "2026-01-31T10:00"], "has no offset from UTC"),
        (["--received", "2026-01-31"], "has no offset from UTC"),
        (["--received", "yesterday"], "is no moment"),
        (["--country", "XX"], "is not known; one of AT,"),
        (["--country", "DE-XX"], "no subdivision 'XX'; known are: BB, BE"),
        (["--country", "US"], "does not count by the calendar of US"),
        (["--kind", "dream"], "one of copyright, privacy"),
        (["--pause", "2026-02-03"], "write FROM/TO"),
        (["--pause", "2026-02-03T10:00/2026-02-05"], "has no offset from UTC"),
        (["--extend", "soon"], "is no moment"),
    ],
)
def test_bad_input_says_what_to_do(words: list[str], told: str) -> None:
    known = {"--law": "gdpr", "--received": "2026-01-31T10:00+01:00", "--country": "DE"}
    given = {**known, **dict(zip(words[::2], words[1::2], strict=True))}
    with pytest.raises(CommandError) as refused:
        call_command("clock", *[part for pair in given.items() for part in pair], "--json")
    assert told in str(refused.value)


def test_a_pause_that_lasts_and_moments_are_read_too() -> None:
    out = io.StringIO()
    call_command(
        "clock", "--law", "gdpr", "--received", "2026-09-01T08:00Z", "--country", "de-by", "--pause",
        "2026-09-03T23:30+00:00/", "--json", stdout=out,
    )  # fmt: skip
    found = json.loads(out.getvalue())
    assert found["still_paused"] and found["place"] == "DE-BY" and found["until"] == "2026-10-02T00:00:00+02:00"
    assert "Paused from Friday 4 September 2026 and still waiting" in " ".join(found["steps"])
