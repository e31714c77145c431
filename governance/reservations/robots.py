"""robots.txt and the crawlers of AI companies (RFC 9309): who may not fetch a work may not train on it.

Only a refusal states something: that one crawler may fetch is no leave for others to train.
"""

from __future__ import annotations

from types import MappingProxyType

from governance.reservations import robots_groups
from governance.reservations.base import Adapter, Finding, Site, Stance, Use, quote

NAME = "robots.txt"
#: Product token -> what its operator says that the crawler is for (their own pages, read in 2026).
AGENTS = MappingProxyType(
    {
        "AI2Bot": Use.TRAIN,
        "Amazonbot": Use.TRAIN,
        "anthropic-ai": Use.TRAIN,
        "Applebot-Extended": Use.TRAIN,
        "Bytespider": Use.TRAIN,
        "CCBot": Use.TRAIN,
        "ClaudeBot": Use.TRAIN,
        "cohere-ai": Use.TRAIN,
        "cohere-training-data-crawler": Use.TRAIN,
        "Diffbot": Use.TRAIN,
        "FacebookBot": Use.TRAIN,
        "Google-Extended": Use.TRAIN,
        "GPTBot": Use.TRAIN,
        "ImagesiftBot": Use.TRAIN,
        "Meta-ExternalAgent": Use.TRAIN,
        "omgili": Use.TRAIN,
        "PanguBot": Use.TRAIN,
        "Timpibot": Use.TRAIN,
        "Webzio-Extended": Use.TRAIN,
        "ChatGPT-User": Use.INPUT,
        "Claude-User": Use.INPUT,
        "Meta-ExternalFetcher": Use.INPUT,
        "Perplexity-User": Use.INPUT,
        "Claude-SearchBot": Use.SEARCH,
        "OAI-SearchBot": Use.SEARCH,
        "PerplexityBot": Use.SEARCH,
    }
)


def read(site: Site) -> list[Finding]:
    """Which of the crawlers that the file names may not fetch the page; and whether no crawler may."""
    text = site.text("/robots.txt")
    if not text:
        return []
    parsed, where = robots_groups.parse(text), site.where("/robots.txt")
    named = {agent for group in robots_groups.groups(text) for agent in group.agents}
    found = []
    for agent, use in AGENTS.items():
        if agent.lower() not in named:
            continue
        closed = not parsed.can_fetch(site.page.url, agent)
        stance, note = (Stance.RESERVED, "") if closed else (Stance.UNKNOWN, "One crawler is let in; nothing more.")
        words = quote(f"User-agent: {agent}, {'closed' if closed else 'open'} for {site.path}")
        found.append(Finding(standard=NAME, use=use, stance=stance, quote=words, where=where, note=note))
    if not parsed.can_fetch(site.page.url, "any-other-crawler"):
        words = quote(f"User-agent: *, closed for {site.path}")
        note = "Closed to every crawler."
        found.append(Finding(standard=NAME, use=Use.MINE, stance=Stance.RESERVED, quote=words, where=where, note=note))
    return found


ADAPTER = Adapter(name=NAME, reads=read, files=("/robots.txt",))
