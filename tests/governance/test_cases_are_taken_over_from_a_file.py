"""Cases of another system: checked whole, filed with their true dates, never twice."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from governance.errors import NotAllowed, Unfit
from governance.models import Case, Letter, Role, User
from governance.policies import Actor
from governance.services import intake
from governance.services.imports import cases_import
from tests.governance.staff import sign_in_to_decide

pytestmark = pytest.mark.database

HEAD = "external,kind,law,received_on,name,email,title,text,place,replacement"
GOOD = f"""{HEAD}
OT-1,privacy,gdpr,2026-10-01,Ada Brenn,ada@brenn.example,Fact 1,Ada Brenn lives in Ardry.,DE-BY,
OT-1,privacy,gdpr,2026-10-01,Ada Brenn,ada@brenn.example,Fact 2,"She keeps bees, in Ardry.",DE-BY,
OT-2,correction,gdpr,2026-11-02,Bo Kell,bo@kell.example,Statement,Bo was convicted.,,Bo was acquitted.
OT-3,copyright,house,2026-11-20,Vel Marun,vel@marun.example,Tide,"the salt
orchard",,
"""


@pytest.fixture
def legal(people: dict[Role, Actor]) -> Actor:
    return people[Role.LEGAL]


def test_cases_keep_their_dates_and_numbers_and_write_to_nobody(legal: Actor) -> None:
    found = cases_import(data=GOOD.encode("utf-8-sig"), actor=legal)
    assert len(found.filed) == 3 and found.known == 0 and not Letter.objects.exists()
    first = Case.objects.get(external="OT-1")
    assert (first.received_on, first.items.count(), first.channel) == (date(2026, 10, 1), 2, "import")
    clock = first.clocks.get()
    assert (clock.country, clock.subdivision, clock.due) == ("DE", "BY", date(2026, 11, 2))
    assert Case.objects.get(external="OT-2").items.get().replacement == "Bo was acquitted."


def test_a_second_run_files_only_what_is_new_and_a_look_files_nothing(legal: Actor) -> None:
    assert len(cases_import(data=GOOD.encode(), actor=legal, dry=True).filed) == 3
    assert not Case.objects.exists()
    cases_import(data=GOOD.encode(), actor=legal)
    again = cases_import(data=(GOOD + "OT-4,copyright,house,2026-11-20,V,v@m.example,T,text,,\n").encode(), actor=legal)
    assert len(again.filed) == 1 and again.known == 3


def test_receipts_go_out_only_when_asked_for(legal: Actor) -> None:
    cases_import(data=GOOD.encode(), actor=legal, tell=True)
    assert Letter.objects.filter(template="received").count() == 3


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("A,party,gdpr,2026-10-01,Ada,a@b.example,T,x,,", "Line 2: kind 'party' is unknown"),
        ("A,privacy,gdpr,1st of May,Ada,a@b.example,T,x,,", "is no date such as"),
        ("A,privacy,gdpr,2026-10-01,Ada,nobody,T,x,,", "Line 2: email"),
        ("A,privacy,gdpr,2026-10-01,,a@b.example,T,x,,", "Line 2: name is empty"),
        ("A,privacy,house,2026-10-01,Ada,a@b.example,T,x,,", "does not fit"),
        ("A,privacy,gdpr,2126-10-01,Ada,a@b.example,T,x,,", "lies in the future"),
        ("A,privacy,gdpr,2026-10-01,Ada,a@b.example,T,x,XX,", "place: Country 'XX'"),
        ("A,privacy,gdpr,2026-10-01,A\u202eda,a@b.example,T,x,,", "Line 2: name"),
        ('A,privacy,gdpr,2026-10-01,Ada,a@b.example,T,"x,,', "is no CSV"),
        ("A,privacy,gdpr,0001-01-01,Ada,a@b.example,T,x,,", "Line 2: received_on lies before"),
        ("A,privacy,gdpr,2026-10-01,Ada,a@b.example,T,x,US,", "Line 2: "),
        ("A,privacy,gdpr,2017-10-01,Ada,a@b.example,T,x,,", "Line 2: "),
        ("A,copyright,house,2026-10-01,Ada,a@b.example,T,x,,right", "Line 2: Only a correction"),
        ("A\0B,privacy,gdpr,2026-10-01,Ada,a@b.example,T,x,,", "Line 2: external"),
    ],
)
def test_every_problem_is_said_with_its_line_and_nothing_is_filed(legal: Actor, row: str, said: str) -> None:
    good = "G,privacy,gdpr,2026-10-01,Ada,a@b.example,T,x,,"
    with pytest.raises(Unfit) as caught:
        cases_import(data=f"{HEAD}\n{row}\n{good}\n".encode(), actor=legal)
    assert said in " ".join(caught.value.messages)
    assert not Case.objects.exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "Columns are missing"),
        (HEAD.encode(), "no case below"),
        (b"external,kind\nA,privacy\n", "Columns are missing: law"),
        (f"{HEAD},mood\n".encode(), "Columns are unknown: mood"),
        (HEAD.encode() + b"\n\xff\xfe", "not UTF-8"),
        ((HEAD + "\nA,privacy,gdpr,2026-10-01,Ada,a@b.example,T,x,,\nA,privacy,gdpr,2026-10-02,Ada,a@b.example,T,x,,")
         .encode(), "received_on differs from line 2"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_refused(legal: Actor, data: bytes, said: str) -> None:
    with pytest.raises(Unfit, match=said):
        cases_import(data=data, actor=legal)


def test_a_look_refuses_what_taking_over_would_refuse(legal: Actor) -> None:
    for dry in (True, False):
        with pytest.raises(Unfit, match="Line 4: "):
            data = GOOD.replace("2026-11-02,Bo", "2016-11-02,Bo")
            cases_import(data=data.encode(), actor=legal, dry=dry)
        assert not Case.objects.exists()


def test_a_fault_on_the_way_says_at_which_line_and_how_many_were_filed(
    legal: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = intake.case_file

    def stop(**fields: Any) -> Case:
        if fields["external"] == "OT-2":
            raise Unfit("The calendar has no such year.")
        return file(**fields)

    monkeypatch.setattr(intake, "case_file", stop)
    with pytest.raises(Unfit) as caught:
        cases_import(data=GOOD.encode(), actor=legal)
    assert "Line 4: The calendar has no such year." in caught.value.messages
    assert "1 of 3 cases were filed before" in caught.value.messages[-1] and Case.objects.count() == 1


def test_only_those_who_enter_requests_take_over_cases(people: dict[Role, Actor]) -> None:
    with pytest.raises(NotAllowed):
        cases_import(data=GOOD.encode(), actor=people[Role.ENGINEER])


def test_the_page_looks_first_and_then_files(client: Client, legal: Actor) -> None:
    assert isinstance(legal.user, User)
    sign_in_to_decide(client, legal.user)
    address = reverse("cases_import")
    assert client.get(address).status_code == 200

    def send(data: str, **more: Any) -> Any:
        return client.post(address, {"file": SimpleUploadedFile("c.csv", data.encode()), **more})

    assert "3 cases would be taken over." in send(GOOD, dry="on").content.decode()
    assert send("nonsense").status_code == 422 and not Case.objects.exists()
    assert send(GOOD).status_code == 302 and Case.objects.count() == 3
    assert client.post(address, {}).status_code == 422


def test_the_command_says_what_it_did(legal: Actor, tmp_path: Path, capsys: Any) -> None:
    assert isinstance(legal.user, User)
    path = tmp_path / "cases.csv"
    path.write_text(GOOD)
    call_command("import_cases", str(path), by=legal.user.email)
    assert "3 cases taken over, 0 here already." in capsys.readouterr().out
    for wrong in ({"by": "nobody@house.example"}, {"by": legal.user.email, "file": "missing.csv"}):
        with pytest.raises(CommandError):
            call_command("import_cases", wrong.get("file", str(path)), by=wrong["by"])
