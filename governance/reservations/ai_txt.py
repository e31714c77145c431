"""ai.txt: Spawning's file (rules as in robots.txt, by kind of file), and the later one with `Training: deny`."""

from __future__ import annotations

from governance.reservations import robots_groups
from governance.reservations.base import Adapter, Finding, Site, Stance, Use, quote

NAME = "ai.txt"
FILES = ("/ai.txt", "/.well-known/ai.txt")
TRAINING = {"deny": Stance.RESERVED, "disallow": Stance.RESERVED, "allow": Stance.ALLOWED}


def read(site: Site) -> list[Finding]:
    """Both places. A page that is served for every unknown address is no such file."""
    found = []
    for path in FILES:
        text = site.text(path)
        if not text or text.lstrip().startswith("<"):
            continue
        where = site.where(path)
        if (rules := _rules(text, site.page.url)) is not None:
            found.append(Finding(standard=NAME, use=Use.TRAIN, stance=rules[0], quote=quote(rules[1]), where=where))
        for line in text.splitlines():
            name, colon, value = line.partition("#")[0].partition(":")
            if colon and name.strip().lower() == "training":
                stance = TRAINING.get(value.strip().lower(), Stance.UNKNOWN)
                found.append(Finding(standard=NAME, use=Use.TRAIN, stance=stance, quote=quote(line), where=where))
    return found


def _rules(text: str, url: str) -> tuple[Stance, str] | None:
    """What the longest pattern that matches says; the stricter of two that are equally long."""
    fitting = [
        (len(pattern), name == "disallow", f"{name.capitalize()}: {pattern}")
        for group in robots_groups.for_everybody(text)
        for name, pattern in group.rules
        if name in ("allow", "disallow") and pattern and robots_groups.matches(pattern, url)
    ]
    if not fitting:
        return None
    _length, closed, words = max(fitting)
    return (Stance.RESERVED if closed else Stance.ALLOWED), words


ADAPTER = Adapter(name=NAME, reads=read, files=FILES)
