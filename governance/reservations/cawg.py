"""The training and data mining assertion of CAWG in content credentials (C2PA); earlier `c2pa.training-mining`.

Reading a manifest needs the optional package c2pa-python. Without it a file that carries credentials is reported as
unknown, with the reason. The assertion states what its signer wants; whose signature it is, is not judged here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from governance import content_credentials
from governance.reservations.base import Adapter, Finding, Site, Stance, Use, quote

NAME = "CAWG training and mining"
LABELS = ("cawg.training-mining", "c2pa.training-mining")
ENTRIES = {
    "ai_generative_training": Use.TRAIN,
    "ai_training": Use.TRAIN,
    "ai_inference": Use.INPUT,
    "data_mining": Use.MINE,
}
#: `constrained` names conditions that a machine cannot judge: reserved until somebody reads them.
VALUES = {"notAllowed": Stance.RESERVED, "constrained": Stance.RESERVED, "allowed": Stance.ALLOWED}
NEEDS = "The file carries content credentials; the optional package c2pa-python, which reads them, is not installed."


def read(site: Site) -> list[Finding]:
    """The assertion of every manifest of the file."""
    body = site.page.body
    if b"c2pa" not in body or b"jumb" not in body:
        return []
    kind = next(iter(site.page.header("Content-Type")), "").partition(";")[0].strip()
    try:
        manifests = content_credentials.manifest_store(body, kind or "image/jpeg")
    except content_credentials.Unreadable as error:
        cannot = f"The content credentials cannot be read ({error.detail})."
        return [_unknown(site.page.url, NEEDS if error.code == "no_reader" else cannot)]
    return findings(manifests, site.page.url)


def _unknown(where: str, note: str) -> Finding:
    return Finding(standard=NAME, use=Use.TRAIN, stance=Stance.UNKNOWN, quote="", where=where, note=note)


def findings(store: Mapping[str, Any], where: str) -> list[Finding]:
    """What the manifests of a store, as c2pa's reader prints it, state."""
    found = []
    for manifest in (store.get("manifests") or {}).values():
        for assertion in manifest.get("assertions") or []:
            # A second assertion of one kind has a number after its label.
            label = str(assertion.get("label", "")).partition("__")[0]
            if label not in LABELS:
                continue
            for entry, told in ((assertion.get("data") or {}).get("entries") or {}).items():
                use = ENTRIES.get(str(entry).partition(".")[2])
                if use:
                    value = str(told.get("use", "")) if isinstance(told, dict) else ""
                    note = str(told.get("constraint_info", ""))[:200] if isinstance(told, dict) else ""
                    stance = VALUES.get(value, Stance.UNKNOWN)
                    words = quote(f"{label}: {entry} {value}")
                    found.append(Finding(standard=NAME, use=use, stance=stance, quote=words, where=where, note=note))
    return found


ADAPTER = Adapter(name=NAME, reads=read)
