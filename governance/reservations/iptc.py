"""IPTC's property Data Mining (PLUS, `plus:DataMining`) in the XMP packet of a file (IPTC Photo Metadata 2023.1).

The packet is looked for in the bytes of any kind of file. A compressed one is not seen; then nothing is known.
"""

from __future__ import annotations

import re

from governance.reservations.base import Adapter, Finding, Site, Stance, Use, quote

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
_PACKET = re.compile(rb"<(?:x:xmpmeta|rdf:RDF)\b.{0,1000000}?</(?:x:xmpmeta|rdf:RDF)>", re.DOTALL)
_PREFIX = re.compile(r"xmlns:([A-Za-z_][\w.-]*)\s*=\s*[\"']" + re.escape(NAMESPACE) + r"[\"']")


def read(site: Site) -> list[Finding]:
    """Every packet in the file."""
    found = []
    for packet in _PACKET.findall(site.page.body):
        for value in _values(packet.decode("utf-8", "replace")):
            code = value.rstrip("/").rpartition("/")[2].upper()
            stances = VALUES.get(code, ((Use.MINE, Stance.UNKNOWN),))
            for use, stance in stances:
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
