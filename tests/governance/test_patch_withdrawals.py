"""A published patch is taken back by two people: the feed says so, nobody gets it, subscribers are told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from lxml import etree

from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import signatures
from governance.models import Case, LedgerOpening, Message, PatchPublication, PatchWithdrawal, Role
from governance.policies import Actor
from governance.services import feed_signing, patch_withdrawals, webhooks
from tests.governance.publishing import downstream, made, published
from tests.governance.staff import member, sign_in_to_decide

pytestmark = pytest.mark.database

People = dict[Role, Actor]
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def publication(
    walk: Callable[..., Case], case: Case, people: People, catalogue: dict[str, Any], settings: Any, tmp_path: Path
) -> PatchPublication:
    return published(made(walk, case, people, settings, tmp_path), people)


def withdrawn(publication: PatchPublication, people: People, reason: str = "verdict") -> PatchWithdrawal:
    row = patch_withdrawals.withdrawal_propose(publication=publication, reason=reason, actor=people[Role.ENGINEER])
    return patch_withdrawals.withdrawal_approve(withdrawal=row, shown=str(row.pk), actor=people[Role.LEGAL])


def test_two_people_take_it_back_and_nobody_gets_it_any_more(
    publication: PatchPublication, people: People, client: Client, settings: Any, tmp_path: Path
) -> None:
    with pytest.raises(Unfit, match="Say why"):
        patch_withdrawals.withdrawal_propose(publication=publication, reason="no", actor=people[Role.ENGINEER])
    with pytest.raises(NotAllowed):
        patch_withdrawals.withdrawal_propose(publication=publication, reason="flawed", actor=people[Role.LEGAL])
    row = patch_withdrawals.withdrawal_propose(publication=publication, reason="flawed", actor=people[Role.ENGINEER])
    with pytest.raises(Conflict):
        patch_withdrawals.withdrawal_propose(publication=publication, reason="flawed", actor=people[Role.RELEASE])
    with pytest.raises(NotAllowed):
        patch_withdrawals.withdrawal_approve(withdrawal=row, shown=str(row.pk), actor=people[Role.ENGINEER])
    with pytest.raises(NotAllowed):
        patch_withdrawals.withdrawal_return(withdrawal=row, actor=people[Role.RELEASE])
    patch_withdrawals.withdrawal_return(withdrawal=row, actor=people[Role.ENGINEER])
    manifest = reverse("patch_file", args=[publication.public_id, "manifest.json"])
    assert client.get(manifest).status_code == 200
    withdrawn(publication, people)
    assert client.get(manifest).status_code == 410
    assert client.get(reverse("patch_statement", args=[publication.public_id, "README.md"])).status_code == 410
    feed_signing.feeds_sign()
    [item] = client.get(reverse("patch_feed")).json()["items"]
    assert item["_lethe"]["withdrawn"]["reason"] == "verdict" and "url" not in item
    assert "Withdrawn" in client.get(reverse("patch_feed_atom")).content.decode()
    code, told, new = downstream(settings, tmp_path)
    assert code == 2 and not new.exists()
    [why] = told["error"]["messages"]
    assert "withdrew the patch" in why and "its verdict holds no longer" in why and "nothing was applied" in why
    assert not [one for one in signatures.audit().findings if "ublication" in one]
    body = LedgerOpening.objects.get(entry__action="patch.withdrawn").body
    assert body["publication"] == str(publication.public_id) and body["reason"] == "verdict"


@pytest.mark.database
def test_the_database_wants_both_signatures(publication: PatchPublication, people: People) -> None:
    engineer, auditor, legal = (people[role].user for role in (Role.ENGINEER, Role.AUDITOR, Role.LEGAL))
    now = timezone.now()
    for columns in (
        {"proposed_by": auditor},
        {"proposed_by": engineer, "approved_by": legal, "approved_at": now},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            PatchWithdrawal.objects.create(publication=publication, reason="flawed", **columns)
    row = PatchWithdrawal.objects.create(publication=publication, reason="flawed", proposed_by=engineer)
    rows = PatchWithdrawal.objects.filter(pk=row.pk)
    for change in (
        {"approved_by": auditor, "approved_at": now},
        {"approved_by": engineer, "approved_at": now},
        {"reason": "rights"},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.update(**change)
    rows.update(approved_by=legal, approved_at=now)
    for undo in (lambda: rows.update(approved_by=None, approved_at=None), rows.delete, publication.delete):
        with pytest.raises(IntegrityError), transaction.atomic():
            undo()


def test_subscribers_are_told_of_both_without_a_case(
    publication: PatchPublication, people: People, settings: Any
) -> None:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    made_ = webhooks.subscription_create(
        name="Downstream", url="https://127.0.0.1/hook", events=["patch.withdrawn"], actor=people[Role.ADMINISTRATOR]
    )
    feed_signing.feeds_sign()
    withdrawn(publication, people, "replaced")
    assert webhooks.webhooks_publish() == 0, "whoever is told goes and reads the feed, so that it says so first"
    feed_signing.feeds_sign()
    assert webhooks.webhooks_publish() == 1
    message = Message.objects.get(subscription=made_.subscription)
    assert message.payload["type"] == "patch.withdrawn" and message.case is None
    assert message.payload["data"] == {
        "feed": settings.BASE_URL + reverse("patch_feed"), "publication": str(publication.public_id),
        "patch": publication.patch.digest, "base": publication.base, "result": publication.result,
        "reason": "replaced",
    }  # fmt: skip


def test_it_is_done_on_the_page(publication: PatchPublication, client: Client) -> None:
    sign_in_to_decide(client, member("page.engineer@house.example", role=Role.ENGINEER))
    wrong = client.post(reverse("patch_withdraw", args=[publication.patch_id]), {"reason": "x"})
    assert wrong.status_code == 422 and b"Select a valid choice" in wrong.content
    client.post(reverse("patch_withdraw", args=[publication.patch_id]), {"reason": "rights"})
    assert "Take back the proposal" in client.get(reverse("patches")).content.decode()
    sign_in_to_decide(client, member("page.legal@house.example", role=Role.LEGAL))
    assert "withdrawal proposed" in client.get(reverse("patches")).content.decode()
    shown = {"shown": publication.withdrawals.get().pk}
    client.post(reverse("patch_withdraw_approve", args=[publication.patch_id]), shown)
    old = publication.patch.release.version.parent
    page = client.get(reverse("version", args=[old.model.public_id, old.revision])).content.decode()
    assert "It should not have been given to everybody" in page
    assert publication.withdrawals.get().approved_at and "withdrawn" in client.get(reverse("patches")).content.decode()


def test_both_feeds_have_their_form_and_say_when_nothing_changed(publication: PatchPublication, client: Client) -> None:
    feed_signing.feeds_sign()
    for name in ("patch_feed", "patch_feed_atom"):
        first = client.get(reverse(name))
        again = client.get(reverse(name), headers={"if-none-match": first["ETag"]})
        assert (again.status_code, again.content) == (304, b"") and first["Last-Modified"], name
        assert client.get(reverse(name), headers={"if-modified-since": first["Last-Modified"]}).status_code == 304
    document = client.get(reverse("patch_feed")).json()
    assert document["version"] == "https://jsonfeed.org/version/1.1" and document["title"]
    for item in document["items"]:
        assert (
            item["id"]
            and item["content_text"]
            and all(datetime.fromisoformat(item[name]).tzinfo for name in ("date_published", "date_modified"))
        )
    extra = {key for key in document if key not in JSON_FEED and not key.startswith("_")}
    extra |= {key for item in document["items"] for key in item if key not in JSON_ITEM and not key.startswith("_")}
    assert not extra
    feed = etree.fromstring(client.get(reverse("patch_feed_atom")).content)
    _atom(feed)


#: What JSON Feed 1.1 knows; everything else begins with an underscore.
JSON_FEED = {"version", "title", "home_page_url", "feed_url", "description", "user_comment", "next_url", "icon",
             "favicon", "authors", "language", "expired", "hubs", "items"}  # fmt: skip
JSON_ITEM = {"id", "url", "external_url", "title", "content_html", "content_text", "summary", "image", "banner_image",
             "date_published", "date_modified", "authors", "tags", "language", "attachments"}  # fmt: skip


def _atom(feed: Any) -> None:
    """RFC 4287, 4.1.1 and 4.1.2: what a feed and its entries must and must not have."""
    assert feed.tag == f"{ATOM}feed"
    for one in (feed, *feed.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            assert len(one.findall(ATOM + name)) == 1 and one.findtext(ATOM + name).strip(), (one.tag, name)
        assert datetime.fromisoformat(one.findtext(f"{ATOM}updated")).tzinfo
        alternates = [link for link in one.findall(f"{ATOM}link") if link.get("rel", "alternate") == "alternate"]
        assert len(alternates) == 1 and alternates[0].get("href").startswith("http")
    assert feed.find(f"{ATOM}author/{ATOM}name").text and len(feed.findall(f"{ATOM}link[@rel='self']")) == 1
    assert feed.findall(f"{ATOM}entry")
