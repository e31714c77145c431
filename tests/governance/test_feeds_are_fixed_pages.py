"""The public feeds are pages that the signing worker signed: cut where they are full, signed on change and daily."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from governance.errors import Unfit
from governance.evidence.errors import SealError
from governance.models import (
    Case,
    Disposal,
    Feed,
    FeedChange,
    FeedPage,
    PatchPublication,
    ReservationCheck,
    ReservedAddress,
    Role,
    SharedPrint,
    Status,
)
from governance.policies import Actor
from governance.reservations import Site
from governance.secrets import FILES, ensure_secrets, new_secret, read_secret, secrets_folder
from governance.services import (
    feed_pages,
    feed_signing,
    known_keys,
    lost_keys,
    opt_out_feed,
    own_keys,
    patch_withdrawals,
    release,
    reservations,
    sharing,
)
from tests.governance.conftest import file_case
from tests.governance.publishing import made, published
from tests.governance.staff import member
from tests.governance.test_fingerprints_are_told_by_consent import works
from tests.governance.test_what_we_tell_machines import reading, signed

pytestmark = pytest.mark.database
Feeds = Callable[[], int]
People = dict[Role, Actor]
HOST = "http://127.0.0.1:8000"


def chain(client: Client, url: str = "/feeds/opt-outs.json") -> list[dict[str, Any]]:
    """Every page from an address on, read as a subscriber does."""
    pages: list[dict[str, Any]] = []
    while url:
        answer = client.get(url)
        assert answer.status_code == 200, url
        pages.append(answer.json())
        signed(pages[-1])
        url = pages[-1].get("next_url", "").removeprefix(HOST)
    assert len({page["feed_url"] for page in pages}) == len(pages), "in no circle"
    return pages


def places(pages: Sequence[dict[str, Any]]) -> list[str]:
    return [item["url"] for page in pages for item in page["items"] if "url" in item]


def again(row: ReservedAddress, stance: str) -> None:
    """A later reading, as `reservations` keeps it."""
    now = timezone.now()
    ReservationCheck.objects.create(address=row, stance=stance, since=now, uses={}, findings=[], sources=[])
    feed_pages.changed(Feed.OPT_OUTS, [row.pk])


def test_who_serves_has_no_key_and_serves_what_was_signed(client: Client, feeds: Feeds, settings: Any) -> None:
    row, folder = reading("https://artist.example/1", "reserved"), Path(settings.SEAL_FOLDER)
    for name in ("opt_out_feed", "patch_feed"):
        early = client.get(reverse(name))
        assert early.status_code == 503 and "not signed yet" in early.content.decode() and early["Retry-After"]
    feeds()
    before = client.get(reverse("opt_out_feed"))
    settings.SEAL_FOLDER = ""
    with pytest.raises(Unfit, match="signing worker alone"):
        feeds()
    settings.SEAL_FOLDER = str(folder)
    shutil.rmtree(folder)
    with pytest.raises(SealError, match="bootstrap"):
        feeds()
    again(row, "allowed")
    now = client.get(reverse("opt_out_feed"))
    assert (now.content, now["ETag"], now["Last-Modified"]) == (before.content, before["ETag"], before["Last-Modified"])
    assert client.get(reverse("opt_out_feed"), headers={"if-none-match": before["ETag"]}).status_code == 304
    told = datetime.fromisoformat(now.json()["_lethe"]["issued_at"])
    assert timedelta(0) <= timezone.now() - told < timedelta(minutes=1)


def test_nothing_is_signed_twice(feeds: Feeds) -> None:
    reading("https://artist.example/1", "reserved")
    assert feeds() == len(Feed) and feeds() == 0


def test_any_mark_leads_to_everything_after_it(client: Client, feeds: Feeds, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses come, go and come again; pages are cut where they are full, and empty ones are passed over."""
    monkeypatch.setattr(opt_out_feed, "PAGE", 3)
    chance, rows = random.Random(7), list[ReservedAddress]()
    held: set[str] = set()
    for turn in range(12):
        for _one in range(chance.randrange(5)):
            rows.append(reading(f"https://artist.example/{len(rows)}", "reserved"))
            feed_pages.changed(Feed.OPT_OUTS, [rows[-1].pk])
            held.add(rows[-1].url)
        for row in chance.sample(rows, k=min(len(rows), 4 if turn != 8 else len(rows))):
            there = row.url in held
            again(row, "allowed" if there else "reserved")
            held ^= {row.url}
        feeds()
        assert feeds() == 0
        pages = chain(client)
        assert places(pages) == [row.url for row in rows if row.url in held]
        assert all(len(page["items"]) <= 3 for page in pages)
        assert all(page["items"] for page in pages[1:-1]), "the first page and that of works are always there"
        for mark in (0, *(row.pk for row in rows), rows[-1].pk + 9 if rows else 5):
            after = {row.url for row in rows if row.url in held and row.pk > mark}
            assert after <= set(places(chain(client, f"/feeds/opt-outs.json?after={mark}")))


def test_a_run_is_bounded_and_at_no_moment_does_a_page_name_one_that_is_not_there(
    client: Client, feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opt_out_feed, "PAGE", 2)
    monkeypatch.setattr(feed_signing, "BATCH", 3)
    feeds()
    rows = [reading(f"https://artist.example/{n}", "reserved") for n in range(9)]
    feed_pages.changed(Feed.OPT_OUTS, [row.pk for row in rows])
    runs = 0
    with patch.object(feed_signing, "sign_soon") as asked:
        while feed_pages.waits(Feed.OPT_OUTS):
            assert feeds() <= 3
            chain(client)
            runs += 1
        assert asked.call_count >= runs - 1 >= 2, "what a run leaves is asked for again"
    assert places(chain(client)) == [row.url for row in rows]


def test_a_page_that_nothing_changes_is_signed_daily_with_the_full_hour(client: Client, feeds: Feeds) -> None:
    reading("https://artist.example/1", "reserved")
    feeds()
    for hours, done in ((23, 0), (25, 1)):
        FeedPage.objects.filter(feed=Feed.OPT_OUTS).update(issued_at=timezone.now() - timedelta(hours=hours))
        assert feeds() == done
    told = datetime.fromisoformat(client.get(reverse("opt_out_feed")).json()["_lethe"]["issued_at"])
    assert told == timezone.now().replace(minute=0, second=0, microsecond=0)


def test_what_all_pages_say_is_signed_anew_on_all(client: Client, feeds: Feeds, settings: Any) -> None:
    feeds()
    settings.ORGANISATION = "Another house"
    assert feeds() == len(Feed)
    assert "Another house" in client.get(reverse("patch_feed")).json()["title"]
    settings.BASE_URL = "https://house.example"
    assert feeds() == len(Feed)
    assert client.get(reverse("patch_feed")).json()["feed_url"] == "https://house.example/feeds/patches.json"


def test_a_change_in_the_middle_of_signing_is_not_lost(client: Client, feeds: Feeds) -> None:
    row, real = reading("https://artist.example/1", "reserved"), opt_out_feed.addresses

    def meanwhile(rows: Sequence[ReservedAddress]) -> list[dict[str, Any]]:
        found = real(rows)
        again(row, "allowed")
        return found

    with patch.object(opt_out_feed, "addresses", meanwhile):
        feeds()
    assert places(chain(client)) == [row.url] and feed_pages.waits(Feed.OPT_OUTS)
    feeds()
    assert places(chain(client)) == [] and not feed_pages.waits(Feed.OPT_OUTS)


def test_addresses_that_are_read_published_or_not_any_more(client: Client, feeds: Feeds, people: People) -> None:
    place, legal = "https://artist.example/1", people[Role.LEGAL]
    finding = {"standard": "AIPREF", "use": "train", "stance": "reserved", "quote": "", "where": "", "note": ""}
    reading(place, "reserved", published=False)
    row = ReservedAddress.objects.get()
    feeds()

    def read(**more: Any) -> None:
        with (
            patch.object(reservations, "site_fetch", return_value=(Site(page=None, files={}), [])),  # type: ignore[arg-type]
            patch.object(reservations, "read", return_value=[]),
            patch.object(reservations, "overall", return_value={"train": finding["stance"]}),
        ):
            reservations.reservation_check(url=place, actor=legal, **more)

    read()
    assert feeds() == 0, "whoever is not told of is not signed for"
    for step, told in (
        (lambda: read(published=True), [place]),
        (lambda: read(published=False), []),
        (lambda: reservations.watch_change(address=row, every_days=0, published=True, actor=legal), [place]),
        (lambda: finding.update(stance="allowed"), [place]),
        (read, []),
    ):
        step()
        feeds()
        assert places(chain(client)) == told


def test_what_was_taken_back_is_told_to_nobody_though_the_signer_is_down(
    client: Client, feeds: Feeds, walk: Callable[..., Case], people: People
) -> None:
    case = walk(file_case(items=works(), share=True), Status.PLANNING)
    assert FeedChange.objects.filter(feed=Feed.WORKS).count() == SharedPrint.objects.count() == 2
    feeds()
    assert len(chain(client)[-1]["items"]) == 2
    sharing.drop(case)
    assert client.get("/feeds/opt-outs.json?works=0").status_code == 503
    assert client.get("/feeds/opt-outs.json").status_code == 200
    feeds()
    assert chain(client)[-1]["items"] == []


def test_every_change_of_a_published_patch_is_signed(
    walk: Callable[..., Case], case: Case, people: People, settings: Any, tmp_path: Path, client: Client
) -> None:
    one = made(walk, case, people, settings, tmp_path)
    feed_signing.feeds_sign()

    def item() -> dict[str, Any]:
        assert feed_signing.feeds_sign() == 1
        found = client.get(reverse("patch_feed")).json()
        signed(found)
        return dict(found["items"][0]["_lethe"]) if found["items"] else {}

    published(one, people)
    first = item()
    assert first["patch"] == one.digest
    lost_keys.key_lose(key=known_keys.current("models"), at=timezone.now())
    call_command("keys", "rotate", "--key", "models")
    assert feed_signing.feeds_sign() == len(Feed), "the lost key is told"
    assert lost_keys.renew()[1] == []
    second = item()["statements"]
    assert second.keys() == first["statements"].keys() and second != first["statements"]
    publication = PatchPublication.objects.get()
    row = patch_withdrawals.withdrawal_propose(publication=publication, reason="flawed", actor=people[Role.ENGINEER])
    assert feed_signing.feeds_sign() == 0
    patch_withdrawals.withdrawal_approve(withdrawal=row, shown=str(row.pk), actor=people[Role.LEGAL])
    assert item()["withdrawn"]["reason"] == "flawed"


def test_a_patch_leaves_the_feed_with_the_old_weights(
    walk: Callable[..., Case], case: Case, people: People, settings: Any, tmp_path: Path, client: Client
) -> None:
    one = made(walk, case, people, settings, tmp_path)
    published(one, people)
    feed_signing.feeds_sign()
    Disposal.objects.get_or_create(
        version=one.release.version, what=Disposal.What.PATCH, artifact=one.artifact,
        defaults={"case": case, "due_on": timezone.localdate()},
    )  # fmt: skip
    assert release.dispose_due() == 1 and feed_signing.feeds_sign() == 1
    assert client.get(reverse("patch_feed")).json()["items"] == []


def test_a_page_costs_the_same_however_many_entries(
    client: Client, feeds: Feeds, django_assert_max_num_queries: Any
) -> None:
    feeds()
    counts = []
    for more in (1, 30):
        rows = [reading(f"https://artist.example/{more}/{n}", "reserved") for n in range(more)]
        feed_pages.changed(Feed.OPT_OUTS, [row.pk for row in rows])
        with CaptureQueriesContext(connection) as asked:
            assert feeds() == 1
        counts.append(len(asked))
    assert counts[1] <= counts[0]
    with django_assert_max_num_queries(3):
        assert len(client.get(reverse("opt_out_feed")).json()["items"]) == 31


def test_the_key_of_before_goes_on_in_the_signing_workers_folder(feeds: Feeds, settings: Any, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    old = [secrets_folder() / name for name in ("feed.key", "feed.key.next")]
    for path in old:
        new_secret(path, 32)
    kept = [read_secret(path.name) for path in old]
    own_keys.feed_take_over(folder)
    own_keys.feed_take_over(folder)
    own_keys.feed_make(folder)
    for place, secret in zip((folder, folder / own_keys.NEXT_FEED), kept, strict=True):
        assert own_keys.feed_open(place).private_bytes_raw() == secret[:32]
        assert (place / own_keys.FEED_KEY).stat().st_mode & 0o077 == 0
    assert not any(path.exists() for path in old)


def test_no_secret_of_the_web_processes_signs_for_strangers(tmp_path: Path) -> None:
    ensure_secrets(tmp_path / "secrets")
    assert {path.name for path in (tmp_path / "secrets").iterdir()} == set(FILES)
    assert not [name for name in FILES if "feed" in name]


def test_engineers_see_that_feeds_wait(client: Client, feeds: Feeds) -> None:
    client.force_login(member("engineer@house.example", role=Role.ENGINEER))
    words = "The public feeds wait for the signing worker since"
    feeds()
    feed_pages.changed(Feed.PATCHES, [1])
    assert words not in client.get(reverse("jobs")).content.decode()
    FeedChange.objects.update(at=timezone.now() - timedelta(minutes=20))
    assert words in client.get(reverse("jobs")).content.decode()
    feeds()
    assert words not in client.get(reverse("jobs")).content.decode()
    FeedPage.objects.update(issued_at=timezone.now() - timedelta(days=2))
    assert words in client.get(reverse("jobs")).content.decode()


def test_of_two_workers_the_later_one_goes_by_what_the_first_has_signed(
    client: Client, feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first empties a page and passes it over; the second, who chose the page before that, fills it again."""
    monkeypatch.setattr(opt_out_feed, "PAGE", 1)
    rows = [reading(f"https://artist.example/{n}", "reserved") for n in range(2)]
    feeds()
    again(rows[1], "allowed")
    real = feed_signing._due

    def slow(feed: Feed, frame: str) -> FeedPage | None:
        page = real(feed, frame)
        if page and page.feed == Feed.OPT_OUTS and page.after:
            monkeypatch.setattr(feed_signing, "_due", real)
            feeds()
            assert places(chain(client)) == [rows[0].url]
            again(rows[1], "reserved")
        return page

    monkeypatch.setattr(feed_signing, "_due", slow)
    feeds()
    feeds()
    assert places(chain(client)) == [row.url for row in rows]
