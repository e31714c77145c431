"""IPTC's property Data Mining (PLUS, `plus:DataMining`) in the XMP packet of a file (IPTC Photo Metadata 2023.1).

Where packets stand in a file is known by `xmp`.
"""

from __future__ import annotations

import re

from governance.reservations.base import Adapter, Finding, Site, Stance, Use, quote
from governance.reservations.xmp import packets

NAME = "IPTC data mining"
NAMESPACE = "http://ns.useplus.org/ldf/xmp/1.0/"
#: PLUS's controlled values: use and stance; several uses where a value speaks of several.
VALUES: dict[str, tuple[tuple[Use, Stance], ...]] = {
    "DMI-UNSPECIFIED": ((Use.MINE, Stance.UNKNOWN),),
    "DMI-ALLOWED": ((Use.MINE, Stance.ALLOWED),),
    "DMI-PROHIBITED-AIMLTRAINING": ((Use.TRAIN, Stance.RESERVED),),
    "DMI-PROHIBITED-GENAIMLTRAINING": ((Use.TRAIN, Stance.RESERVED),),
    "DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING": ((Use.MINE, Stance.RESERVED), (Use.SEARCH, Stance.ALLOWED)),
    "DMI-PROHIBITED": ((Use.MINE, Stance.RESERVED), (Use.SEARCH, Stance.RESERVED)),
    "DMI-PROHIBITED-SEECONSTRAINT": ((Use.MINE, Stance.RESERVED),),
    "DMI-PROHIBITED-SEEEMBEDDEDRIGHTSEXPR": ((Use.MINE, Stance.RESERVED),),
    "DMI-PROHIBITED-SEELINKEDRIGHTSEXPR": ((Use.MINE, Stance.RESERVED),),
}
_PREFIX = re.compile(r"xmlns:([A-Za-z_][\w.-]*)\s*=\s*[\"']" + re.escape(NAMESPACE) + r"[\"']")


def read(site: Site) -> list[Finding]:
    """Every packet in the file."""
    found = []
    # The same packet may be read twice, as a whole and by its inner part.
    for value in sorted({value for packet in packets(site.page.body) for value in _values(packet)}):
        code = value.rstrip("/").rpartition("/")[2].upper()
        for use, stance in VALUES.get(code, ((Use.MINE, Stance.UNKNOWN),)):
            words = quote(f"plus:DataMining {value}")
            found.append(Finding(standard=NAME, use=use, stance=stance, quote=words, where=site.page.url))
    return found


def _values(packet: str) -> list[str]:
    """The property as an attribute, as an element's text, or as a resource."""
    values = []
    for prefix in set(_PREFIX.findall(packet)):
        name = rf"{re.escape(prefix)}:DataMining"
        values += re.findall(rf"\s{name}\s*=\s*[\"']([^\"']+)[\"']", packet)
        values += re.findall(rf"<{name}\b[^>]*>\s*([^<\s][^<]*?)\s*</{name}>", packet)
        values += re.findall(rf"<{name}\b[^>]*\brdf:resource\s*=\s*[\"']([^\"']+)[\"']", packet)
    return values


ADAPTER = Adapter(name=NAME, reads=read)
