"""Reservations read from the world: fetched without a way inside, archived as bytes, read by every adapter, recorded.

A reading that finds nothing states nothing: unknown stays unknown. What changes later is a later reading and takes
effect from then; the law does not make it retroactive.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from governance import dispatch, outbound
from governance.errors import Unfit
from governance.evidence import ledger
from governance.models import Feed, ReservationCheck, ReservedAddress
from governance.outbound import Answer, CallFailed
from governance.policies import Actor, Permission, demand
from governance.reservations import FILES, Site, Use, overall, read
from governance.services import feed_pages
from governance.validators import ADDRESS_LENGTH, web_address

SYSTEM = Actor.system("reservations")
#: Read again so often where nothing else is said; 0 is never.
EVERY_DAYS = 30
#: How many due addresses one run reads; the rest wait for the next.
BATCH = 20
#: The header of our own calls: who reads, and where that is explained.
AGENT = "LetheReservationCheck/1.0"
_HEADERS_KEPT = 40


def _tidy(url: str) -> str:
    """The address without its fragment.

    Raises:
        Unfit: it is no address of the web.
    """
    url = url.strip().partition("#")[0]
    try:
        web_address(url)
    except ValidationError as error:
        raise Unfit(list(error.messages)) from error
    if len(url) > ADDRESS_LENGTH:
        raise Unfit(f"An address has at most {ADDRESS_LENGTH} characters.")
    return url


def _fetch(url: str, sources: list[dict[str, Any]]) -> Answer | None:
    try:
        agent = {"User-Agent": f"{AGENT} (+{settings.BASE_URL})", "Accept": "*/*"}
        answer = outbound.get(url, networks=settings.OUTBOUND_NETWORKS, headers=agent)
    except CallFailed as error:
        sources.append({"url": url, "status": 0, "why": error.why})
        return None
    sources.append(
        {
            "url": answer.url,
            "asked": url,
            "status": answer.status,
            "digest": dispatch.put_bytes(answer.body),
            "bytes": len(answer.body),
            "cut": answer.cut,
            "headers": [[name, value[:1000]] for name, value in answer.headers[:_HEADERS_KEPT]],
        }
    )
    return answer


def site_fetch(url: str) -> tuple[Site, list[dict[str, Any]]]:
    """Everything that the adapters read about an address, archived, with a line on each call.

    Raises:
        Unfit: the address leads inside, or is none.
    """
    try:
        outbound.check(url, networks=settings.OUTBOUND_NETWORKS, plain=True)
    except CallFailed as error:
        if error.permanent:
            raise Unfit(error.why) from error
    sources: list[dict[str, Any]] = []
    page = _fetch(url, sources) or Answer(url=url, status=0, headers=(), body=b"")
    origin = "{0.scheme}://{0.netloc}/".format(urlsplit(page.url))
    files = {path: answer for path in FILES if (answer := _fetch(urljoin(origin, path), sources))}
    return Site(page=page, files=files), sources


def reservation_check(
    *, url: str, actor: Actor, every_days: int | None = None, published: bool | None = None
) -> ReservationCheck:
    """Read what an address reserves now, and keep the bytes as evidence. `every_days` reads it again; 0 ends that.

    Raises:
        NotAllowed: the policy refuses the actor.
        Unfit: no address of the web, or one that leads inside.
    """
    demand(actor, Permission.CHECK_RESERVATION, Permission.RUN_MACHINE)
    site, sources = site_fetch(url := _tidy(url))
    findings = read(site)
    uses = overall(findings)
    with transaction.atomic():
        address, _made = ReservedAddress.objects.get_or_create(url=url, defaults={"added_by": actor.user})
        address = ReservedAddress.objects.select_for_update().get(pk=address.pk)
        if every_days is not None:
            address.every_days = every_days
        if published is not None:
            if address.published and not published:
                feed_pages.changed(Feed.OPT_OUTS, [address.pk])
            address.published = published
        address.next_at = timezone.now() + timedelta(days=address.every_days) if address.every_days else None
        address.save()
        return _record(address, uses, [asdict(one) for one in findings], sources, actor)


def _record(
    address: ReservedAddress, uses: Any, findings: list[dict[str, Any]], sources: list[dict[str, Any]], actor: Actor
) -> ReservationCheck:
    now, stance = timezone.now(), uses[Use.TRAIN]
    last = address.checks.first()
    row = ReservationCheck.objects.create(
        address=address,
        at=now,
        stance=stance,
        since=last.since if last and last.stance == stance else now,
        uses={str(use): str(one) for use, one in uses.items()},
        findings=findings,
        sources=sources,
        by=actor.user,
    )
    digests = [source["digest"] for source in sources if "digest" in source]
    body: dict[str, Any] = {"check": str(row.public_id), "training": str(stance), "bytes": digests}
    if last and last.stance != stance:
        body["before"] = last.stance
    ledger.append(action="reservation.read", actor=actor, body=body)
    if address.published:
        feed_pages.changed(Feed.OPT_OUTS, [address.pk])
    return row


@transaction.atomic
def watch_change(*, address: ReservedAddress, every_days: int, published: bool, actor: Actor) -> None:
    """How often it is read again (0: no more), and whether the feed tells of it.

    Raises:
        NotAllowed: the policy refuses the actor.
    """
    demand(actor, Permission.CHECK_RESERVATION)
    due = timezone.now() + timedelta(days=every_days) if every_days else None
    ReservedAddress.objects.filter(pk=address.pk).update(every_days=every_days, published=published, next_at=due)
    feed_pages.changed(Feed.OPT_OUTS, [address.pk])
    body = {"address": str(address.public_id), "every_days": every_days, "published": published}
    ledger.append(action="reservation.watch_changed", actor=actor, body=body)


def reservations_recheck() -> int:
    """Read again what is due. An address whose name leads inside by now is put off, not forgotten."""
    done = 0
    for address in ReservedAddress.objects.filter(next_at__lte=timezone.now()).order_by("next_at")[:BATCH]:
        # Whoever moves the date has the address: two workers never read it at once.
        due = timezone.now() + timedelta(days=max(address.every_days, 1))
        if not ReservedAddress.objects.filter(pk=address.pk, next_at=address.next_at).update(next_at=due):
            continue
        try:
            reservation_check(url=address.url, actor=SYSTEM)
        except Unfit as error:
            with transaction.atomic():
                sources = [{"url": address.url, "status": 0, "why": " ".join(error.messages)}]
                _record(address, overall([]), [], sources, SYSTEM)
        done += 1
    return done
