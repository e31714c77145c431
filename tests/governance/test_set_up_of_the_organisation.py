"""The organisation: two administrators describe it, everything names what they signed."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from PIL import Image

from governance.clocks import LAWS, due_date
from governance.clocks.rows import place_in
from governance.errors import Conflict, NotAllowed, Unfit
from governance.models import HouseProfile, Kind, LedgerOpening, Role, User
from governance.policies import Actor
from governance.selectors import organisation as select
from governance.services import organisation as service
from governance.services import processing
from tests.governance.conftest import file_case
from tests.governance.staff import member, sign_in_to_decide

pytestmark = pytest.mark.database

VALUES = {
    "name": "House of Lumen",
    "address": "1 Quay, Port Vell",
    "contact": "privacy@lumen.example",
    "officer": "Officer for data, dpo@lumen.example",
    "place": "de-by",
    "languages": ["en", "de", "ar"],
}


@pytest.fixture
def admins(settings: Any) -> tuple[Actor, Actor]:
    first = Actor.of(member("ada@house.example", first_name="Ada", last_name="Root", role=Role.ADMINISTRATOR))
    return first, Actor.of(member("ben@house.example", first_name="Ben", last_name="Stem", role=Role.ADMINISTRATOR))


def signed(admins: tuple[Actor, Actor], **more: Any) -> HouseProfile:
    """A version that holds."""
    row = service.profile_propose(values={**VALUES, **more}, actor=admins[0])
    with transaction.atomic():
        service.profile_approve(profile=row, actor=admins[1])
    select.forget()
    return row


def picture(size: tuple[int, int] = (800, 200), kind: str = "JPEG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "#0B5D64").save(out, kind)
    return out.getvalue()


def test_nothing_holds_before_the_second_signature_and_everything_names_it_after(
    admins: tuple[Actor, Actor], client: Client, settings: Any
) -> None:
    settings.ORGANISATION = "From the settings"
    row = service.profile_propose(values=VALUES, actor=admins[0])
    assert select.current().name == "From the settings" and select.current().version == 0
    with pytest.raises(NotAllowed, match="another administrator"):
        service.profile_approve(profile=row, actor=admins[0])
    service.profile_approve(profile=row, actor=admins[1])
    select.forget()
    assert (select.current().name, select.current().place) == ("House of Lumen", "DE-BY")
    assert processing.register()["controller"]["officer"] == VALUES["officer"]
    home = client.get("/").content.decode()
    assert "House of Lumen" in home and "Français" not in home and "العربية" in home


def test_the_ledger_commits_to_digests_alone(admins: tuple[Actor, Actor]) -> None:
    signed(admins)
    rows = list(LedgerOpening.objects.filter(entry__action__startswith="organisation.").order_by("entry"))
    assert [row.entry.action for row in rows] == ["organisation.proposed", "organisation.approved"]
    assert rows[0].body == rows[1].body and "lumen" not in str(rows[0].body).lower()


def test_all_faults_are_told_at_once_and_nothing_is_made(admins: tuple[Actor, Actor]) -> None:
    wrong = {**VALUES, "name": "", "contact": "a\nb", "place": "XX", "languages": ["de"]}
    with pytest.raises(Unfit) as caught:
        service.profile_propose(values=wrong, logo=b"<svg onload=alert(1)>", actor=admins[0])
    text = " ".join(caught.value.messages)
    for word in ("Name of the organisation", "Contact", "Place", "English stays", "Logo"):
        assert word in text
    assert not HouseProfile.objects.exists()
    signed(admins)
    with pytest.raises(Unfit, match="Nothing differs"):
        service.profile_propose(values=VALUES, actor=admins[0])


def test_one_version_waits_at_a_time_and_can_be_sent_back(admins: tuple[Actor, Actor]) -> None:
    row = service.profile_propose(values=VALUES, actor=admins[0])
    with pytest.raises(Conflict, match="waits for a second"):
        service.profile_propose(values={**VALUES, "name": "Other"}, actor=admins[1])
    service.profile_return(profile=row, actor=admins[1])
    with pytest.raises(Conflict, match="Somebody else answered"):
        service.profile_approve(profile=row, actor=admins[1])
    assert select.current().version == 0


def test_a_logo_is_drawn_anew_and_served_only_when_signed(admins: tuple[Actor, Actor], client: Client) -> None:
    assert client.get(reverse("logo")).status_code == 404 and service.paper_logo() == {}
    row = service.profile_propose(values=VALUES, logo=picture(), actor=admins[0])
    service.profile_approve(profile=row, actor=admins[1])
    answer = client.get(reverse("logo"))
    with Image.open(io.BytesIO(answer.content)) as drawn:
        assert (drawn.format, drawn.size) == ("PNG", (480, 120))
    select.forget()
    assert reverse("logo") in client.get("/").content.decode()
    with Image.open(io.BytesIO(base64.b64decode(service.paper_logo()["logo"]))) as paper:
        assert paper.mode == "RGB" and paper.size == (400, 100)
    with pytest.raises(Unfit, match="pixels"):
        service.logo_of(picture((7000, 10), "PNG"))
    with pytest.raises(Unfit, match="MiB"):
        service.logo_of(b"\0" * (service.LOGO_BYTES + 1))


@pytest.mark.database
@pytest.mark.parametrize("statement", ["UPDATE {} SET name = 'x'", "DELETE FROM {}"])
def test_the_database_keeps_what_was_signed(admins: tuple[Actor, Actor], statement: str) -> None:
    signed(admins)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format("governance_houseprofile"))


@pytest.mark.database
def test_the_database_takes_no_signature_of_another_role(admins: tuple[Actor, Actor]) -> None:
    row = service.profile_propose(values=VALUES, actor=admins[0])
    legal = member("legal@house.example", role=Role.LEGAL)
    with pytest.raises(IntegrityError), transaction.atomic():
        HouseProfile.objects.filter(pk=row.pk).update(approved_by=legal, approved_at=row.proposed_at)


def test_two_administrators_describe_the_house_by_its_pages(admins: tuple[Actor, Actor], client: Client) -> None:
    ada, ben = (actor.user for actor in admins)
    assert ada is not None and ben is not None
    sign_in_to_decide(client, ada)
    page = client.get(reverse("set_up")).content.decode()
    assert "points are set up; next: Organisation" in page and "reaches nobody" in page
    wrong = client.post(reverse("organisation"), {**VALUES, "contact": ""})
    assert wrong.status_code == 422 and b'value="House of Lumen"' in wrong.content
    logo = SimpleUploadedFile("logo.jpg", picture(), "image/jpeg")
    assert client.post(reverse("organisation"), {**VALUES, "logo": logo})["Location"] == reverse("set_up")
    row = HouseProfile.objects.get()
    page = client.get(reverse("set_up")).content.decode()
    assert "You proposed it; another administrator signs." in page and "another picture" in page
    assert client.post(reverse("organisation_approve", args=[row.pk])).status_code == 403
    sign_in_to_decide(client, User.objects.get(pk=ben.pk))
    assert "Sign it" in client.get(reverse("set_up")).content.decode()
    assert client.post(reverse("organisation_approve", args=[row.pk])).status_code == 302
    select.forget()
    assert "As two administrators signed it." in client.get(reverse("set_up")).content.decode()


def laws_on_page(client: Client) -> dict[str, list[Any]]:
    return {row[0]["text"]: row for row in client.get(reverse("set_up")).context["laws"]["rows"]}


def test_the_set_up_names_every_law_with_its_clock_source_and_calendar(
    client: Client, admins: tuple[Actor, Actor]
) -> None:
    assert admins[0].user
    client.force_login(admins[0].user)
    rows, today = laws_on_page(client), timezone.localdate()
    assert {law.title for law in LAWS.values()} <= set(rows)
    for law in LAWS.values():
        rule, row = law.rule_on(today), rows[law.title]
        assert row[2]["text"] == str(rule.answer) and row[3] == {"text": rule.article, "note": rule.citation}
        assert str(rule.version) in row[0]["note"] and row[4]["note"] == rule.calendar
        assert row[5] == date_format(due_date(law.code, today).due, "j M Y")
    assert "30 days" in rows["UK GDPR, complaint"][2]["text"] and "60 days" in rows["Virginia CDPA, appeal"][2]["text"]
    assert "no member state" in rows["GDPR"][4]["text"]
    signed(admins)
    rows = laws_on_page(client)
    assert rows["GDPR"][4]["text"] == "yours: DE-BY" and "US-CA" in rows["CCPA"][4]["text"]


def test_a_place_by_which_a_law_does_not_count_leaves_it_its_own_calendar(
    client: Client, admins: tuple[Actor, Actor]
) -> None:
    signed(admins, place="US-TX")
    for law in ("ccpa", "us_va", "us_co"):
        case = file_case(Kind.PRIVACY, law=law)
        assert str(place_in(case.clocks.get())) == LAWS[law].newest.home
    assert admins[0].user
    client.force_login(admins[0].user)
    assert "the law's own: US-VA" in laws_on_page(client)["Virginia CDPA"][4]["text"]
