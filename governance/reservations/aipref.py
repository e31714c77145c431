"""IETF AIPREF: `Content-Usage: train-ai=n`, as a header of the answer or as a rule of robots.txt.

draft-ietf-aipref-attach-05 and draft-ietf-aipref-vocab-08 (2026). Values other than y and n, and labels that the
vocabulary does not know, state nothing. Labels of earlier drafts are still in use and read as what they meant.
"""

from __future__ import annotations

from collections.abc import Iterator

from governance.reservations import robots_groups, structured
from governance.reservations.base import Adapter, Finding, Site, Stance, Use, quote

NAME = "AIPREF"
LABELS = {
    "train-ai": Use.TRAIN,
    "ai-use": Use.INPUT,
    "search": Use.SEARCH,
    # draft-ietf-aipref-vocab-01 to -03
    "train-genai": Use.TRAIN,
    "bots": Use.MINE,
}
VALUES = {"y": Stance.ALLOWED, "n": Stance.RESERVED}


def statements(text: str, where: str, words: str) -> Iterator[Finding]:
    """What one preference expression states."""
    parsed = structured.dictionary(text)
    if parsed is None:
        note = "This cannot be parsed, so nothing is stated."
        yield Finding(standard=NAME, use=Use.TRAIN, stance=Stance.UNKNOWN, quote=quote(words), where=where, note=note)
        return
    for label, value in parsed.items():
        if label in LABELS:
            stance = VALUES.get(value, Stance.UNKNOWN)
            yield Finding(standard=NAME, use=LABELS[label], stance=stance, quote=quote(words), where=where)


def read(site: Site) -> list[Finding]:
    """Header and robots.txt."""
    found: list[Finding] = []
    if header := ", ".join(site.page.header("Content-Usage")):
        found += statements(header, site.page.url, f"Content-Usage: {header}")
    return found + list(_rules(site))


def _rules(site: Site) -> Iterator[Finding]:
    """The rules whose path is the longest that matches; a path that may not be crawled has no preference."""
    text = site.text("/robots.txt")
    if not text or not robots_groups.parse(text).can_fetch(site.page.url, "any"):
        return
    rules: list[tuple[str, str]] = []
    for group in robots_groups.for_everybody(text):
        for value in group.values("content-usage"):
            path, _space, preference = value.replace("\t", " ").partition(" ")
            if path.startswith("/"):
                rules.append((path, preference.strip()))
            else:  # earlier drafts named no path
                rules.append(("/", value))
    fitting = [rule for rule in rules if robots_groups.matches(rule[0], site.page.url)]
    longest = max((len(path) for path, _preference in fitting), default=0)
    for path, preference in fitting:
        if len(path) == longest:
            yield from statements(preference, site.where("/robots.txt"), f"Content-Usage: {path} {preference}")


ADAPTER = Adapter(name=NAME, reads=read, files=("/robots.txt",))
