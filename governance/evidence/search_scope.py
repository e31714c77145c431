"""Which data sets a report's search did not cover."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from governance.evidence.numerals import apart


def later(document: Mapping[str, Any]) -> str:
    """Data sets that were registered after the search, by name; empty where there are none."""
    names = [apart(one["name"]) for one in document["matching"].get("later", ())]
    if not names:
        return ""
    text = _("Data sets registered after the search, so not searched for this request: %(names)s.")
    return text % {"names": "; ".join(names)}
