"""Who this house is: what two administrators signed last, else what the settings say."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache

from governance.models import HouseProfile

KEY = "house-profile"
#: Seconds after which every process has heard of a new version.
FRESH = 30
#: What a person reads and the ledger commits to, in the order of the form.
FIELDS = ("name", "address", "contact", "officer", "representative", "authority", "place", "languages")


@dataclass(frozen=True)
class House:
    """Who is responsible, in the words of the version that holds. `version` 0: nobody has signed one yet."""

    version: int
    name: str
    address: str
    contact: str
    officer: str
    representative: str
    authority: str
    place: str
    #: Empty: all that there are.
    languages: tuple[str, ...]
    has_logo: bool


def current() -> House:
    """The version that holds; asked for on every page, so that it is kept for half a minute."""
    kept = cache.get(KEY)
    if kept is None:
        row = newest()
        kept = _of_row(row) if row else False
        cache.set(KEY, kept, FRESH)
    return kept if isinstance(kept, House) else _of_settings()


def forget() -> None:
    """This process reads anew; the others do within `FRESH` seconds."""
    cache.delete(KEY)


def newest() -> HouseProfile | None:
    """The row that holds."""
    return HouseProfile.objects.exclude(approved_at=None).order_by("-approved_at", "-pk").first()


def waiting() -> HouseProfile | None:
    """The proposal that waits for the second administrator."""
    return HouseProfile.objects.filter(approved_at=None, returned_at=None).select_related("proposed_by").first()


def _of_settings() -> House:
    return House(
        0, settings.ORGANISATION, "", settings.CONTROLLER_CONTACT, settings.DPO, "", "", settings.PLACE, (), False
    )


def _of_row(row: HouseProfile) -> House:
    return House(
        row.pk, row.name, row.address, row.contact, row.officer, row.representative, row.authority, row.place,
        tuple(row.languages), bool(row.logo),
    )  # fmt: skip
