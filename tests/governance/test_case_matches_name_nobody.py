"""Where a hit came from: the whole address of a work, but of a record about a person only its site."""

from __future__ import annotations

from governance.models import Case, Kind, Match, Record
from governance.web.case_matches import source

ADDRESS = "https://people.example/vel-marun"


def hit(address: str) -> Match:
    return Match(record=Record(record_id="r1", source_url=address))


def test_the_address_of_a_record_about_a_person_is_cut_to_its_site() -> None:
    assert source(Case(kind=Kind.PRIVACY), hit(ADDRESS)) == "people.example"


def test_an_address_without_a_site_is_not_shown() -> None:
    assert "marun" not in source(Case(kind=Kind.PRIVACY), hit("files/vel-marun.txt"))


def test_a_record_without_an_address_says_nothing() -> None:
    assert source(Case(kind=Kind.PRIVACY), hit("")) == ""


def test_the_address_of_a_work_is_shown_whole() -> None:
    assert source(Case(kind=Kind.COPYRIGHT), hit(ADDRESS)) == ADDRESS
