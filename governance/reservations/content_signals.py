"""Content signals in robots.txt: `Content-Signal: search=yes, ai-train=no` (contentsignals.org, 2025)."""

from __future__ import annotations

from governance.reservations import robots_groups
from governance.reservations.base import Adapter, Finding, Site, Stance, Use, quote

NAME = "Content signals"
SIGNALS = {"ai-train": Use.TRAIN, "ai-input": Use.INPUT, "search": Use.SEARCH}
VALUES = {"yes": Stance.ALLOWED, "no": Stance.RESERVED}


def read(site: Site) -> list[Finding]:
    """Every signal that speaks to every crawler. A path before the signals limits them to it."""
    found = []
    for group in robots_groups.for_everybody(site.text("/robots.txt")):
        for value in group.values("content-signal"):
            path, _space, rest = value.partition(" ") if value.startswith("/") else ("/", "", value)
            if not robots_groups.matches(path, site.page.url):
                continue
            for part in rest.split(","):
                name, _equals, word = part.partition("=")
                if use := SIGNALS.get(name.strip().lower()):
                    stance = VALUES.get(word.strip().lower(), Stance.UNKNOWN)
                    words = quote(f"Content-Signal: {value}")
                    where = site.where("/robots.txt")
                    found.append(Finding(standard=NAME, use=use, stance=stance, quote=words, where=where))
    return found


ADAPTER = Adapter(name=NAME, reads=read, files=("/robots.txt",))
