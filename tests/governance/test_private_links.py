"""Private links: they run out, their holder replaces them, and are sent again to the address on file without a word."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from governance.models import Batch, Case, Claimant, LedgerEntry, Letter, LinkAsked, Role
from governance.policies import Actor
from governance.services import letters, links
from governance.tokens import link_token
from tests.governance.agents import known, works
from tests.governance.conftest import file_case

Commits = Any


def over(case: Case) -> None:
    """The link ran out."""
    Case.objects.filter(pk=case.pk).update(link_until=timezone.now() - timedelta(seconds=1))


def path(case: Case) -> str:
    case.refresh_from_db()
    return f"/status/{case.private_token}/"


def test_the_holder_replaces_the_link_and_the_old_one_says_how_to_go_on(
    client: Client, case: Case, django_capture_on_commit_callbacks: Commits
) -> None:
    old = path(case)
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(f"{old}link/")
    assert answer["Location"] == path(case) != old
    assert client.get(path(case)).status_code == 200
    dead = client.get(old)
    assert dead.status_code == 404 and "Have the link sent again" in dead.content.decode()
    assert client.get(f"{old}report.pdf").status_code == 404 and client.post(f"{old}link/").status_code == 404
    assert path(case) in mail.outbox[-1].body and old not in mail.outbox[-1].body
    assert LedgerEntry.objects.filter(action="link.replaced").count() == 1


def test_dead_links_read_the_same_whatever_they_were(client: Client, case: Case) -> None:
    over(case)
    unknown, dead = "/status/abcdefghijkl/", path(case)
    pages = [client.get(one).content.decode().replace(one, "") for one in (unknown, dead)]
    assert pages[0] == pages[1]
    assert client.get(f"/api/v1/requests/{case.private_token}/").status_code == 404


def test_a_link_that_ran_out_stays_dead_when_a_letter_brings_another(client: Client, case: Case) -> None:
    over(case)
    old = path(case)
    letters.letter_send(case=case, template="message", text="We are still at it.")
    assert path(case) != old and client.get(old).status_code == 404 and client.get(path(case)).status_code == 200


def test_a_letter_renews_a_link_that_lives(case: Case) -> None:
    before = path(case)
    Case.objects.filter(pk=case.pk).update(link_until=timezone.now() + timedelta(days=1))
    letters.letter_send(case=case, template="message", text="We are still at it.")
    assert path(case) == before and links.open_until(case) > timezone.now() + timedelta(days=100)


def test_asking_reads_the_same_with_and_without_a_case_and_writes_only_to_the_address_on_file(
    client: Client, case: Case, django_capture_on_commit_callbacks: Commits
) -> None:
    sent = len(mail.outbox)
    answers = [
        client.post("/link/", {"email": email}, follow=True) for email in ("VEL@marun.example", "no@one.example")
    ]
    assert answers[0].content == answers[1].content and answers[0].redirect_chain == answers[1].redirect_chain
    assert LinkAsked.objects.count() == 2 and len(mail.outbox) == sent
    for _twice in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            links.asked_sweep(letters.letter_send)
    assert [one.to for one in mail.outbox[sent:]] == [["vel@marun.example"]]
    assert path(case) in mail.outbox[-1].body and not LinkAsked.objects.exists()


def test_who_asks_again_and_again_gets_one_letter(case: Case) -> None:
    for _time in range(3):
        links.link_ask(email="vel@marun.example")
        links.asked_sweep(letters.letter_send)
    assert Letter.objects.filter(case=case, template="link").count() == 1


def test_asking_too_often_is_slowed_down_and_a_wrong_address_is_named(client: Client) -> None:
    assert "Write the address whole" in client.post("/link/", {"email": "nobody"}).content.decode()
    answers = [client.post("/link/", {"email": f"a{n}@b.example"}).status_code for n in range(7)]
    assert answers == [302] * 6 + [429]


def test_nobody_is_flooded_by_askings_from_many_places_and_the_page_reads_the_same(client: Client, case: Case) -> None:
    for email in ("VEL@marun.example", "no@one.example"):
        pages = {
            client.post("/link/", {"email": email}, follow=True, REMOTE_ADDR=f"10.0.0.{n}").content for n in range(5)
        }
        assert len(pages) == 1 and b"three times an hour" in pages.pop()
    assert LinkAsked.objects.count() == 2 * 3


def test_the_confirmation_played_again_does_not_give_the_page_away(client: Client, case: Case) -> None:
    address = f"/confirm/{link_token(case.public_id, 'confirm')}/"
    assert path(case) in client.post(address, follow=True).content.decode()
    again = Client().post(address, follow=True).content.decode()
    assert "This link was used before" in again and path(case) not in again
    over(case)
    assert Client().get(address).status_code == 404


def test_the_page_of_a_batch_runs_out_is_replaced_and_comes_again_by_the_key(
    client: Client, people: dict[Role, Actor]
) -> None:
    agent = known(people[Role.LEGAL])
    name = agent.batch(works(0, 1))

    def page() -> str:
        return urlsplit(agent.get(f"/api/v1/batches/{name}/").json()["progress_url"]).path

    first = page()
    assert page() == first and client.get(first).status_code == 200
    second = client.post(f"{first}link/")["Location"]
    assert second == page() != first
    assert client.get(second).status_code == 200 and client.post(f"{first}link/").status_code == 404
    third = urlsplit(agent.post(f"/api/v1/batches/{name}/link/").json()["progress_url"]).path
    assert client.get(third).status_code == 200

    Batch.objects.update(link_until=timezone.now() - timedelta(seconds=1))
    paths = (first, third, f"/batches/abcdefgh/{name}/")
    gone = {client.get(path).content.decode().replace(path, "") for path in paths}
    assert len(gone) == 1 and "with the key" in gone.pop() and client.get(third).status_code == 404
    fresh = page()
    assert fresh != third and client.get(fresh).status_code == 200 and client.get(third).status_code == 404
    assert LedgerEntry.objects.filter(action="link.replaced").count() == 2


@pytest.mark.parametrize("language", ["de", "ar"])
def test_the_letter_speaks_the_language_of_the_case(language: str) -> None:
    case = file_case(language=language)
    made = letters.compose(case, "link")
    assert made.template.language == language and path(case) in made.body
    assert Claimant.objects.get(pk=case.claimant_id).name in made.body
