"""Reading an address: what is fetched and kept, since when, read again, and never a way inside."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance import dispatch
from governance.errors import NotAllowed, Unfit
from governance.models import LedgerEntry, LedgerOpening, ReservationCheck, ReservedAddress, Role
from governance.policies import Actor
from governance.services import reservations
from tests.governance.staff import sign_in_to_decide
from tests.governance.world import Web, web

NO = "User-agent: *\nAllow: /\nContent-Usage: / train-ai=n\n"


@pytest.fixture
def world(settings: Any) -> Iterator[Web]:
    settings.OUTBOUND_NETWORKS = ["127.0.0.0/8"]
    with web() as kept:
        kept.put("/poems", "<html>a poem</html>", ("Content-Type", "text/html"))
        yield kept


@pytest.fixture
def legal(people: dict[Role, Actor]) -> Actor:
    return people[Role.LEGAL]


def test_the_bytes_of_every_source_are_kept_and_named_in_the_ledger(world: Web, legal: Actor) -> None:
    world.put("/robots.txt", NO)
    check = reservations.reservation_check(url=f"{world.url}/poems#top", actor=legal)
    assert (check.stance, check.uses["train"], check.uses["search"]) == ("reserved", "reserved", "unknown")
    robots = next(source for source in check.sources if source["url"].endswith("/robots.txt"))
    assert dispatch.read_bytes(robots["digest"]) == NO.encode()
    assert {"/poems", "/robots.txt", "/ai.txt", "/.well-known/tdmrep.json"} <= set(world.asked)
    entry = LedgerEntry.objects.latest("index")
    body = LedgerOpening.objects.get(entry=entry).body
    assert entry.action == "reservation.read" and robots["digest"] in body["bytes"] and "http" not in str(body)


def test_since_is_the_first_of_an_unbroken_row_and_a_change_is_a_later_reading(world: Web, legal: Actor) -> None:
    url = f"{world.url}/poems"
    unknown = reservations.reservation_check(url=url, actor=legal)
    world.put("/robots.txt", NO)
    first = reservations.reservation_check(url=url, actor=legal)
    second = reservations.reservation_check(url=url, actor=legal)
    assert [unknown.stance, first.stance, second.stance] == ["unknown", "reserved", "reserved"]
    assert second.since == first.since == first.at > unknown.since
    assert ReservedAddress.objects.get().checks.count() == 3


def test_a_page_that_is_gone_still_has_its_origins_files(world: Web, legal: Actor) -> None:
    world.put("/robots.txt", NO)
    check = reservations.reservation_check(url=f"{world.url}/gone", actor=legal)
    assert check.stance == "reserved" and check.sources[0]["status"] == 404


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/", "https://[::1]/", "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "poems",
     "http://localhost/", "https://user:pw@artist.example/", "http://10.0.0.1/" + "a" * 600],
)  # fmt: skip
def test_an_address_that_leads_inside_is_refused_and_nothing_is_kept(url: str, legal: Actor) -> None:
    with pytest.raises(Unfit):
        reservations.reservation_check(url=url, actor=legal)
    assert not ReservedAddress.objects.exists()


def test_a_redirect_inside_is_not_followed(world: Web, legal: Actor, settings: Any) -> None:
    settings.OUTBOUND_NETWORKS = ["127.0.0.1/32"]
    with web() as inside:
        inside.put("/secret", "keys")
        target = inside.url.replace("127.0.0.1", "127.0.0.2")
        world.put("/poems", "", ("Location", f"{target}/secret"), status=302)
        check = reservations.reservation_check(url=f"{world.url}/poems", actor=legal)
        assert inside.asked == []
    assert check.sources[0]["status"] == 0 and "127.0.0.2" in check.sources[0]["why"]


def test_redirects_are_followed_a_few_times_and_no_more(world: Web, legal: Actor) -> None:
    for n in range(7):
        world.put(f"/hop{n}", "", ("Location", f"/hop{n + 1}"), status=302)
    world.put("/hop7", "there", ("tdm-reservation", "1"))
    assert reservations.reservation_check(url=f"{world.url}/hop2", actor=legal).stance == "reserved"
    far = reservations.reservation_check(url=f"{world.url}/hop0", actor=legal)
    assert far.stance == "unknown" and "redirects" in far.sources[0]["why"]


def test_due_addresses_are_read_again_by_the_machine(world: Web, legal: Actor) -> None:
    watched = reservations.reservation_check(url=f"{world.url}/poems", actor=legal, every_days=7).address
    reservations.reservation_check(url=f"{world.url}/once", actor=legal)
    assert reservations.reservations_recheck() == 0
    ReservedAddress.objects.filter(every_days=7).update(next_at=timezone.now() - timedelta(minutes=1))
    world.put("/robots.txt", NO)
    assert reservations.reservations_recheck() == 1
    watched.refresh_from_db()
    assert watched.checks.count() == 2 and watched.next_at and watched.next_at > timezone.now() + timedelta(days=6)
    assert watched.checks.all()[0].stance == "reserved" and watched.checks.all()[0].by is None


def test_an_address_that_leads_inside_by_now_is_recorded_as_unknown(world: Web, legal: Actor, settings: Any) -> None:
    world.put("/robots.txt", NO)
    address = reservations.reservation_check(url=f"{world.url}/poems", actor=legal, every_days=1).address
    settings.OUTBOUND_NETWORKS = []
    ReservedAddress.objects.update(next_at=timezone.now())
    assert reservations.reservations_recheck() == 1
    assert address.checks.all()[0].stance == "unknown" and "not public" in address.checks.all()[0].sources[0]["why"]


def test_who_may_not_read_is_refused(people: dict[Role, Actor]) -> None:
    with pytest.raises(NotAllowed):
        reservations.reservation_check(url="https://artist.example/", actor=people[Role.EXECUTIVE])


def test_the_command_prints_statements_and_digests(world: Web) -> None:
    world.put("/robots.txt", NO)
    out = StringIO()
    call_command("check_reservation", f"{world.url}/poems", "--every", "7", stdout=out)
    assert "training: reserved" in out.getvalue() and "AIPREF: train reserved" in out.getvalue()
    assert ReservationCheck.objects.get().sources[0]["digest"] in out.getvalue()
    assert ReservedAddress.objects.get().every_days == 7
    with pytest.raises(CommandError, match="not public"):
        call_command("check_reservation", "http://10.0.0.1/")


def test_the_page_reads_shows_and_gives_the_bytes_as_a_file(client: Client, world: Web, legal: Actor) -> None:
    world.put("/robots.txt", NO)
    assert legal.user
    sign_in_to_decide(client, legal.user)
    sent = {"url": f"{world.url}/poems", "every_days": "30"}
    answer = client.post(reverse("reservation_check"), sent, follow=True)
    assert b"Training: reserved" in answer.content
    address = ReservedAddress.objects.get()
    page = client.get(reverse("reservation", args=[address.public_id])).content.decode()
    assert "Content-Usage: / train-ai=n" in page and "AIPREF" in page
    digest = next(s["digest"] for s in ReservationCheck.objects.get().sources if s["url"].endswith("robots.txt"))
    file = client.get(reverse("reservation_bytes", args=[address.public_id, digest.removeprefix("sha256:")]))
    assert file.content == NO.encode() and "attachment" in file["Content-Disposition"]
    assert file["Content-Type"] == "application/octet-stream"
    assert client.get(reverse("reservation_bytes", args=[address.public_id, "0" * 64])).status_code == 404
    changed = {"every_days": "0", "published": "on"}
    client.post(reverse("reservation_watch", args=[address.public_id]), changed)
    address.refresh_from_db()
    assert (address.every_days, address.next_at, address.published) == (0, None, True)
    client.post(reverse("reservation_again", args=[address.public_id]))
    assert address.checks.count() == 2
    assert client.post(reverse("reservation_check"), {"url": "http://10.0.0.1/", "every_days": "1"}).status_code == 422
