"""The groups of a robots.txt (RFC 9309, 2.2): what agents they speak of, and every rule, also those of later drafts.

Which group counts and which paths match is protego's to say; this only lists what stands there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from protego import Protego

#: A crawler reads at least so much of the file (RFC 9309, 2.5).
LIMIT = 500 * 1024


@dataclass(frozen=True)
class Group:
    """Lines under some agents; names in lower case."""

    agents: list[str] = field(default_factory=list)
    rules: list[tuple[str, str]] = field(default_factory=list)

    def values(self, rule: str) -> list[str]:
        """The values of every rule of this name."""
        return [value for name, value in self.rules if name == rule]


def groups(text: str) -> list[Group]:
    """Every group in the file's order; rules before the first agent belong to nobody and are left out."""
    found: list[Group] = []
    for line in text[:LIMIT].splitlines():
        name, colon, value = line.partition("#")[0].partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon:
            continue
        if name == "user-agent":
            if not found or found[-1].rules:
                found.append(Group())
            found[-1].agents.append(value.lower())
        elif found:
            found[-1].rules.append((name, value))
    return found


def for_everybody(text: str) -> list[Group]:
    """Groups that speak to every crawler: no crawler of this house has a name of its own."""
    return [group for group in groups(text) if "*" in group.agents]


def parse(text: str) -> Protego:
    """The file as crawlers read it."""
    return Protego.parse(text[:LIMIT])


def matches(pattern: str, url: str) -> bool:
    """Whether a path pattern, wildcards included, covers an address."""
    return not Protego.parse(f"User-agent: *\nDisallow: {pattern}\n").can_fetch(url, "any")
