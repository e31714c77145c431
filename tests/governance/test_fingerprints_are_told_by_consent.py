"""Fingerprints of works in the public feed: by consent, once upheld, and no longer than the claimant wants."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance import dispatch
from governance.models import Case, FeedConsent, LedgerEntry, Role, SharedPrint, Status
from governance.policies import CLAIMANT, Actor
from governance.services import containment, decision, feed_signing, intake, retention, sharing
from governance.services.decision import Proposal
from governance.services.intake import Item
from tests.governance.conftest import POEM, file_case
from tests.governance.filing import file
from tests.governance.test_api_files_and_follows import OPT_OUT, REQUEST
from tests.governance.test_claimant_files_an_opt_out import GOOD
from tests.governance.test_what_we_tell_machines import signed

LONG = " ".join(f"{POEM} and line {n}" for n in range(9))
FILE = "sha256:" + "ab" * 32
Walk = Callable[..., Case]
pytestmark = pytest.mark.usefixtures("feeds")


def works() -> list[Item]:
    return [
        Item(form="text", title="The Salt Orchard", text=LONG),
        Item(form="text", title="A short one", text="nine white rows"),
        Item(form="digest", title="Cover", text=f"{FILE} (PNG, 81 bytes)"),
        Item(form="url", title="Site", text="https://marun.example/tide"),
    ]


@pytest.fixture
def upheld(walk: Walk) -> Case:
    """A case with consent that two people decided."""
    return walk(file_case(items=works(), share=True), Status.PLANNING)


def told(client: Client) -> list[dict[str, Any]]:
    """Every fingerprint of the feed, read as a subscriber does; the text of it names nobody."""
    feed_signing.feeds_sign()
    found, url = [], reverse("opt_out_feed")
    while url:
        answer = client.get(url)
        assert "Marun" not in answer.content.decode() and "Orchard" not in answer.content.decode()
        document = answer.json()
        signed(document)
        found += [item["_lethe"]["print"] for item in document["items"] if "print" in item["_lethe"]]
        url = document.get("next_url", "").removeprefix("http://127.0.0.1:8000")
    return found


def test_what_was_upheld_is_told_as_others_can_compute_it(client: Client, upheld: Case) -> None:
    text, image = told(client)
    mine = dispatch.fingerprint("x", LONG, bytes.fromhex(text["key"]))
    assert mine is not None
    assert (text["whole"], text["words"], text["shingles"]) == (mine.whole, mine.words, list(mine.shingles))
    assert text["shingles_total"] == len(mine.shingles) and image == {"file": FILE}
    with transaction.atomic():
        assert sharing.publish(upheld) == 0  # nothing twice


def test_a_long_work_is_told_by_its_smallest_hashes_and_pages_follow(
    client: Client, walk: Walk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "SAMPLE", 5)
    monkeypatch.setattr("governance.services.opt_out_feed.WORKS", 1)
    walk(file_case(items=works(), share=True), Status.PLANNING)
    text, image = told(client)
    assert len(text["shingles"]) == 5 < text["shingles_total"] and text["shingles"] == sorted(text["shingles"])
    assert image == {"file": FILE}


@pytest.mark.parametrize("share", [False, True])
def test_nothing_is_told_without_consent_or_before_two_people_decided(client: Client, walk: Walk, share: bool) -> None:
    case = walk(file_case(items=works(), share=share), Status.PLANNING if not share else Status.DECISION)
    assert told(client) == [] and FeedConsent.objects.filter(case=case).count() == int(share)


def test_the_claimant_takes_it_back_on_the_private_page(client: Client, upheld: Case) -> None:
    page = f"/status/{upheld.private_token}/"
    assert "fingerprints of your works" in client.get(page).content.decode()
    assert client.post(f"{page}sharing/end/")["Location"] == page
    assert told(client) == [] and "fingerprints of your works" not in client.get(page).content.decode()
    assert client.post(f"{page}sharing/end/").status_code == 409
    with transaction.atomic():
        assert sharing.publish(upheld) == 0
    assert LedgerEntry.objects.filter(action__in=("sharing.agreed", "sharing.ended")).count() == 2


def test_what_ends_the_claim_ends_the_telling(upheld: Case, people: dict[Role, Actor]) -> None:
    Case.objects.filter(pk=upheld.pk).update(status="reporting", disposition="withdrawn")
    for end in (lambda: containment.let_go(upheld), lambda: containment.give_back(upheld, people[Role.APPROVER])):
        end()
        assert not SharedPrint.objects.exists()
        FeedConsent.objects.filter(case=upheld).update(ended_at=None)
        SharedPrint.objects.create(consent=upheld.feed_consent, item=upheld.items.first(), digest=FILE)
    long_ago = timezone.now() - timedelta(days=2000)
    Case.objects.filter(pk=upheld.pk).update(status="closed", disposition="fulfilled", closed_at=long_ago)
    with transaction.atomic():
        retention._carry_out(retention._row(upheld.claimant, retention.Erasure.Mode.SCHEDULE), retention.SYSTEM)
    assert not SharedPrint.objects.exists()


def test_a_claim_that_was_refused_is_never_told(walk: Walk, people: dict[Role, Actor]) -> None:
    case = walk(file_case(items=works(), share=True), Status.DECISION)
    refuse = Proposal(choice="refuse", ground="licence", reason="A licence is on file.", exception="licensed")
    proposals = {match.pk: refuse for match in case.matches.all()}
    decision.decision_propose(case=case, proposals=proposals, actor=people[Role.LEGAL])
    decision.decision_approve(case=case, shown=decision.mark(case), actor=people[Role.APPROVER])
    assert not SharedPrint.objects.exists()


def test_the_form_asks_and_assumes_nothing(client: Client) -> None:
    for share in (None, "on"):
        file(client, "opt-out", {**GOOD, "share": share})
    first, second = Case.objects.order_by("pk")
    assert (sharing.consent_of(first), sharing.consent_of(second) is not None) == (None, True)
    intake.case_withdraw(case=second, actor=CLAIMANT)


def test_the_interface_asks_for_works_alone_and_takes_it_back(client: Client) -> None:
    def post(body: dict[str, Any]) -> Any:
        return client.post("/api/v1/requests/", body, content_type="application/json")

    assert "share_fingerprints" in post({**REQUEST, "share_fingerprints": True}).json()["detail"]
    path = post({**OPT_OUT, "share_fingerprints": True}).json()["status_api_url"].removeprefix("http://127.0.0.1:8000")
    assert client.get(path).json()["fingerprints_shared"] is True
    assert [client.delete(f"{path}sharing/").status_code for _twice in range(2)] == [204, 409]
    assert client.get(path).json()["fingerprints_shared"] is False
