"""Content credentials (C2PA) of a file, read by the optional package c2pa-python, and by these bytes alone.

The library would fetch what a file names on the web, a manifest elsewhere or the state of a certificate: whoever made
the file would choose what is called from within. Both are switched off.
"""

from __future__ import annotations

import importlib
import io
import json
from typing import Any

#: States of a manifest whose signature holds and that is bound to the bytes; the second is of a signer on a list.
VALID, TRUSTED = "Valid", "Trusted"


class Unreadable(Exception):
    """`code`: `no_reader` without the package, else `no_credentials`; `detail`: the library's error."""

    def __init__(self, code: str, detail: str = "") -> None:
        self.code, self.detail = code, detail
        super().__init__(code)


def manifest_store(data: bytes, kind: str, *, anchors: str = "") -> dict[str, Any]:
    """The manifests of a file of this content type, as the library prints them, with its validation.

    `anchors`: PEM of the authorities that are trusted; without it no signer is.

    Raises:
        Unreadable: no package, or no manifest within the file.
    """
    try:
        library = importlib.import_module("c2pa")
    except ImportError as error:
        raise Unreadable("no_reader") from error
    rules: dict[str, Any] = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True}}
    if anchors:
        rules["trust"] = {"trust_anchors": anchors}
    context = library.Context.from_dict(rules)  # outside: a list of ours that is no PEM is no fault of the file
    try:
        with library.Reader(kind, io.BytesIO(data), context=context) as reader:
            store: dict[str, Any] = json.loads(reader.json())
    except library.C2paError as error:
        raise Unreadable("no_credentials", type(error).__name__) from error
    return store


def active(store: dict[str, Any]) -> dict[str, Any]:
    """The manifest that speaks of the file as it is; empty where there is none."""
    return (store.get("manifests") or {}).get(store.get("active_manifest")) or {}


def altered(store: dict[str, Any]) -> bool:
    """Whether the bytes are not those that were signed (C2PA 2.2, 15.12: the hard binding does not match)."""
    return any(str(one.get("code", "")).endswith("Hash.mismatch") for one in store.get("validation_status") or [])
