"""A list of works by page: what is wrong is said once, with where and what to do, and nothing is half taken."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from governance.models import DraftWork
from tests.governance.filing import begin

PERSON = {"name": "Vel", "email": "v@marun.example"}
HEAD = "title,text,url,number\n"
MANY = HEAD + "".join(f"Work {n},A line of work {n}.,,\n" for n in range(1000))
BAD = HEAD + "Tide,The tide.,,\n" + "".join(f"Nothing {n},,,\n" for n in range(7)) + "Ebb,,nowhere,\n"


def page(client: Client, name: str, data: bytes) -> str:
    works = begin(client, "opt-out", PERSON)["Location"]
    answer = client.post(works, {"table": SimpleUploadedFile(name, data)})
    assert answer.status_code == 422 and not DraftWork.objects.exists()
    return answer.content.decode()


@pytest.mark.parametrize(
    ("name", "data", "sentences"),
    [
        ("w.csv", MANY.encode(), ["The list names 1,000 works; one request takes at most 200. Split it into 5 lists"]),
        ("w.csv", BAD.encode(), ["8 lines of the list are wrong, so nothing of it was taken.", "Line 3: ", "Line 7: ",
                                 "And 3 more lines."]),
        ("w.csv", (MANY + "Nothing,,,\n").encode(), ["names 1,001 works", "1 line of the list is", "Line 1002: "]),
        ("w.csv", "titre;texte\nMarée;La marée\n".encode(), ["Yours begins with “titre, texte”."]),
        ("w.csv", "title,text\nMarée,La marée\n".encode("cp1252"), ["“w.csv” is not written in UTF-8."]),
        ("w.csv", b"", ["“w.csv” is empty: 0 bytes."]),
        ("w.csv", b"\n \n", ["“w.csv” holds no text."]),
        ("w.xlsx", b"PK\x03\x04" + b"\x00" * 40, ["“w.xlsx” is a workbook or an archive."]),
        ("\u202egnp.csv", b"PK\x03\x04", ["“gnp.csv” is a workbook"]),
        ("w.csv", HEAD.encode() + b'Tide,"The tide' + b"x" * 140_000, ["a quotation mark is not closed"]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_list_is_said(client: Client, name: str, data: bytes, sentences: list[str]) -> None:
    text = page(client, name, data)
    assert [one for one in sentences if one not in text] == []


def test_names_of_every_script_are_taken_and_none_turns_the_page(client: Client) -> None:
    works = begin(client, "opt-out", PERSON)["Location"]
    table = HEAD + "🌊 Flut,Die Flut.,,\nمدّ,المدّ.,,\nevil\u202etxt,Half.,,\n"
    answer = client.post(works, {"table": SimpleUploadedFile("w.csv", table.encode("utf-16"))}, follow=True)
    text = answer.content.decode()
    assert [one.title for one in DraftWork.objects.all()] == ["🌊 Flut", "مدّ", "evil txt"]
    assert "🌊 Flut" in text and "\u202e" not in text
