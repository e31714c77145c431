"""Machine-readable opt-outs read from the world: one adapter per standard, all of them over what was fetched once.

There is no final list of standards, so adapters are pluggable: a file with an `ADAPTER`, and a line here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from governance.reservations import ai_txt, aipref, cawg, content_signals, iptc, noai, robots, tdmrep
from governance.reservations.base import Adapter, Finding, Site, Stance, Use

__all__ = ["ADAPTERS", "FILES", "Adapter", "Finding", "Site", "Stance", "Use", "overall", "read"]

ADAPTERS: tuple[Adapter, ...] = (
    aipref.ADAPTER,
    tdmrep.ADAPTER,
    robots.ADAPTER,
    content_signals.ADAPTER,
    ai_txt.ADAPTER,
    noai.ADAPTER,
    iptc.ADAPTER,
    cawg.ADAPTER,
)
#: Every file of an origin that some adapter reads, in the order of the adapters.
FILES: tuple[str, ...] = tuple(dict.fromkeys(path for adapter in ADAPTERS for path in adapter.files))
_ORDER = (Stance.RESERVED, Stance.ALLOWED, Stance.UNKNOWN)


def read(site: Site) -> list[Finding]:
    """What every standard finds."""
    return [finding for adapter in ADAPTERS for finding in adapter.reads(site)]


def overall(findings: Iterable[Finding]) -> Mapping[Use, Stance]:
    """The most restrictive statement on each use; a reservation against mining reserves training too."""
    stances: dict[Use, set[Stance]] = {use: set() for use in Use}
    for finding in findings:
        stances[finding.use].add(finding.stance)
        if finding.use == Use.MINE and finding.stance == Stance.RESERVED:
            stances[Use.TRAIN].add(finding.stance)
    return {use: next((one for one in _ORDER if one in found), Stance.UNKNOWN) for use, found in stances.items()}
