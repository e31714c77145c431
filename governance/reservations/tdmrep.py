"""TDM Reservation Protocol (W3C community group report, 2024): a well-known file, headers, or meta elements of a page.

`tdm-reservation` is 1 (reserved) or 0 (not reserved); any other value states nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from governance.reservations import robots_groups
from governance.reservations.base import Adapter, Finding, Site, Stance, Use, quote

NAME = "TDMRep"
FILE = "/.well-known/tdmrep.json"
VALUES = {"1": Stance.RESERVED, "0": Stance.ALLOWED}
#: Meta elements stand in the head of a page.
HEAD_BYTES = 512 * 1024


class Metas(HTMLParser):
    """Names and contents of the meta elements of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a meta element."""
        if tag == "meta":
            given = {name: value or "" for name, value in attrs}
            self.found.append((given.get("name", "").strip().lower(), given.get("content", "").strip()))


def metas(site: Site) -> list[tuple[str, str]]:
    """The meta elements of the page, where it is one."""
    kinds = [value.partition(";")[0].strip().lower() for value in site.page.header("Content-Type")]
    if kinds and kinds[0] not in ("text/html", "application/xhtml+xml"):
        return []
    parser = Metas()
    parser.feed(site.page.body[:HEAD_BYTES].decode("utf-8", "replace"))
    return parser.found


def _finding(value: str, words: str, where: str, policy: str) -> Finding:
    stance = VALUES.get(value.strip(), Stance.UNKNOWN)
    note = f"Policy: {policy[:200]}" if policy else ""
    return Finding(standard=NAME, use=Use.MINE, stance=stance, quote=quote(words), where=where, note=note)


def read(site: Site) -> list[Finding]:
    """All three places."""
    found = []
    policies = site.page.header("tdm-policy")
    for value in site.page.header("tdm-reservation"):
        found.append(_finding(value, f"tdm-reservation: {value}", site.page.url, policies[0] if policies else ""))
    pairs = metas(site)
    policy = next((content for name, content in pairs if name == "tdm-policy"), "")
    for name, content in pairs:
        if name == "tdm-reservation":
            found.append(_finding(content, f'<meta name="tdm-reservation" content="{content}">', site.page.url, policy))
    return found + list(_file(site))


def _file(site: Site) -> Iterator[Finding]:
    text = site.text(FILE)
    if not text:
        return
    try:
        rules = json.loads(text)
    except (ValueError, RecursionError):
        rules = None
    if not isinstance(rules, list):
        note = "The file is not a JSON list, so nothing is stated."
        words = quote(text[:80])
        yield Finding(
            standard=NAME, use=Use.MINE, stance=Stance.UNKNOWN, quote=words, where=site.where(FILE), note=note
        )
        return
    fitting = [rule for rule in rules if isinstance(rule, dict) and _fits(rule, site.page.url)]
    longest = max((len(str(rule["location"])) for rule in fitting), default=0)
    for rule in fitting:
        if len(str(rule["location"])) == longest:
            words = json.dumps(rule, ensure_ascii=False)
            value = str(rule.get("tdm-reservation", ""))
            yield _finding(value, words, site.where(FILE), str(rule.get("tdm-policy") or ""))


def _fits(rule: dict[str, Any], url: str) -> bool:
    location = str(rule.get("location") or "")
    return location.startswith("/") and robots_groups.matches(location, url)


ADAPTER = Adapter(name=NAME, reads=read, files=(FILE,))
