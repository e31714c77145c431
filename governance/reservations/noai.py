"""`noai` and `noimageai`: words in the robots meta element or the header X-Robots-Tag (DeviantArt, 2022)."""

from __future__ import annotations

from governance.reservations.base import Adapter, Finding, Site, Stance, Use, quote
from governance.reservations.tdmrep import metas

NAME = "noai"
WORDS = {"noai", "noimageai"}


def read(site: Site) -> list[Finding]:
    """Header and page. A tag that names one crawler speaks of that one alone."""
    places = [(f"X-Robots-Tag: {value}", value) for value in site.page.header("X-Robots-Tag")]
    places += [(f'<meta name="robots" content="{text}">', text) for name, text in metas(site) if name == "robots"]
    return [
        Finding(standard=NAME, use=Use.TRAIN, stance=Stance.RESERVED, quote=quote(words), where=site.page.url)
        for words, text in places
        if WORDS & {word.strip().lower() for word in text.split(",")}
    ]


ADAPTER = Adapter(name=NAME, reads=read)
