"""What the house says of itself: one administrator proposes, another signs; nothing is overwritten.

The ledger commits to the digest of each version and of its logo, never to an address or a name.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Mapping
from typing import Any

import rfc8785
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from PIL import Image, UnidentifiedImageError

from governance.clocks.places import place_of
from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import ledger
from governance.models import HouseProfile
from governance.notifications.languages import LANGUAGES, SOURCE
from governance.policies import Actor, Permission, demand
from governance.selectors import organisation as select
from governance.services import feed_pages
from governance.validators import one_line

#: The logo as sent, in bytes and pixels a side; and as kept.
LOGO_BYTES, LOGO_PIXELS, LOGO_KEPT = 2 * 2**20, 6000, 480
#: Width and height on a sealed paper, pixels at most.
PAPER_LOGO = (400, 160)
#: Characters, where they are more than 200.
LONGEST = {"address": 300}
#: Fields in one line of text, with the words by which an error names them.
TEXTS = {
    "name": "Name of the organisation",
    "address": "Postal address",
    "contact": "Contact",
    "officer": "Data protection officer",
    "representative": "Representative in the Union",
    "authority": "Supervisory authority",
}


@transaction.atomic
def profile_propose(*, values: Mapping[str, Any], logo: bytes | None = None, actor: Actor) -> HouseProfile:
    """First signature under a version. `logo=None` keeps the one that holds; empty bytes take it away.

    Raises:
        Unfit: every problem at once, or nothing differs from the version that holds.
        Conflict: another proposal waits.
    """
    demand(actor, Permission.MANAGE_USERS)
    if actor.user is None:
        raise NotAllowed("The organisation is described by people.")
    clean, problems = _clean(values)
    newest = select.newest()
    kept = bytes(newest.logo) if newest else b""
    try:
        drawn = kept if logo is None else logo_of(logo) if logo else b""
    except Unfit as error:
        problems += error.messages
        drawn = kept
    now = select.current()
    if not problems and drawn == kept and clean == {key: _plain(getattr(now, key)) for key in select.FIELDS}:
        problems.append("Nothing differs from the version that holds.")
    if problems:
        raise Unfit(problems)
    try:
        with transaction.atomic():
            made = HouseProfile.objects.create(**clean, logo=drawn, proposed_by=actor.user)
    except IntegrityError as error:
        raise Conflict("Another version waits for a second administrator; it has to be answered first.") from error
    ledger.append(action="organisation.proposed", actor=actor, body=facts(made))
    return made


@transaction.atomic
def profile_approve(*, profile: HouseProfile, actor: Actor) -> HouseProfile:
    """Second signature: pages, letters and reports name it from now on.

    Raises:
        NotAllowed: whoever proposed does not sign second.
        Conflict: it was answered already.
    """
    demand(actor, Permission.MANAGE_USERS)
    if actor.user is None or profile.proposed_by_id == actor.user.pk:
        raise NotAllowed("You proposed this version; another administrator signs it.")
    _answer(profile, approved_by=actor.user, approved_at=timezone.now())
    ledger.append(action="organisation.approved", actor=actor, body=facts(profile))
    transaction.on_commit(select.forget)
    transaction.on_commit(feed_pages.sign_soon, robust=True)
    return profile


@transaction.atomic
def profile_return(*, profile: HouseProfile, actor: Actor) -> HouseProfile:
    """The second administrator says no, or whoever proposed takes it back."""
    demand(actor, Permission.MANAGE_USERS)
    _answer(profile, returned_by=actor.user, returned_at=timezone.now())
    ledger.append(action="organisation.returned", actor=actor, body=facts(profile))
    return profile


def logo_of(data: bytes) -> bytes:
    """The picture drawn anew as a PNG of at most `LOGO_KEPT` pixels a side: nothing that came with it is kept.

    Raises:
        Unfit: too large, or no PNG, JPEG or WebP.
    """
    if len(data) > LOGO_BYTES:
        raise Unfit(f"Logo: {len(data) / 2**20:.1f} MiB are more than {LOGO_BYTES // 2**20}.")
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as picture:
            if max(picture.size) > LOGO_PIXELS:
                raise Unfit(f"Logo: {picture.width} x {picture.height} pixels are more than {LOGO_PIXELS} a side.")
            drawn = picture.convert("RGBA")
            drawn.thumbnail((LOGO_KEPT, LOGO_KEPT))
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise Unfit("Logo: this is no picture in PNG, JPEG or WebP, or it is damaged.") from error
    out = io.BytesIO()
    drawn.save(out, "PNG", optimize=True)
    return out.getvalue()


def paper_logo() -> dict[str, str]:
    """The member `report.logo` of a document of evidence: the logo on white, small; nothing without one."""
    row = select.newest()
    if row is None or not row.logo:
        return {}
    with Image.open(io.BytesIO(bytes(row.logo)), formats=("PNG",)) as picture:
        drawn = Image.new("RGB", picture.size, "white")
        drawn.paste(picture, mask=picture.convert("RGBA").getchannel("A"))
    drawn.thumbnail(PAPER_LOGO)
    out = io.BytesIO()
    drawn.save(out, "PNG", optimize=True)
    return {"logo": base64.b64encode(out.getvalue()).decode()}


def facts(profile: HouseProfile) -> dict[str, Any]:
    """What the ledger commits to."""
    text = rfc8785.dumps({key: _plain(getattr(profile, key)) for key in select.FIELDS})
    return {
        "version": profile.pk,
        "profile": hashlib.sha256(text).hexdigest(),
        "logo": hashlib.sha256(bytes(profile.logo)).hexdigest() if profile.logo else "",
    }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _clean(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    clean: dict[str, Any] = {key: str(values.get(key, "")).strip() for key in (*TEXTS, "place")}
    clean["languages"] = [code for code in LANGUAGES if code in values.get("languages", ())]
    problems = []
    for key, label in TEXTS.items():
        most = LONGEST.get(key, 200)
        if len(clean[key]) > most:
            problems.append(f"{label}: {len(clean[key])} characters are more than {most}.")
        try:
            one_line(clean[key])
        except ValidationError as error:
            problems += [f"{label}: {message}" for message in error.messages]
    for key in ("name", "contact"):
        if not clean[key]:
            problems.append(f"{TEXTS[key]}: write it; every privacy notice names it (GDPR Art. 13(1)(a)).")
    if clean["place"]:
        try:
            where = place_of(clean["place"])
            clean["place"] = f"{where.country}-{where.subdivision}" if where.subdivision else where.country
        except Unfit as error:
            problems += [f"Place: {message}" for message in error.messages]
    if SOURCE not in clean["languages"]:
        problems.append("Languages: English stays among them; texts that nobody has translated appear in it.")
    return clean, problems


def _answer(profile: HouseProfile, **columns: Any) -> None:
    rows = HouseProfile.objects.filter(pk=profile.pk, approved_at=None, returned_at=None)
    if not rows.update(**columns):
        raise Conflict("Somebody else answered this version in the meantime.")
    profile.refresh_from_db()
