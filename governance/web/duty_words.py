"""Ledger entries of the duties as sentences: part of `case_history.WORDS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.models import Disposition, Quarantine

Body = Mapping[str, Any]


def _records(n: int) -> str:
    return ngettext("%(n)d record", "%(n)d records", n) % {"n": n}


def _why(text: str) -> str:
    return str(Disposition(text).label).lower() if text in Disposition.values else text


WORDS: Mapping[str, Callable[[Body], str]] = {
    "records.quarantined": lambda b: (
        _("held %(records)s out of training: %(why)s")
        % {"records": _records(b["records"]), "why": str(Quarantine.Cause(b["cause"]).label).lower()}
    ),
    "records.released": lambda b: (
        _("let %(records)s back into training: %(why)s") % {"records": _records(b["records"]), "why": _why(b["why"])}
    ),
    "records.returned": lambda b: (
        _("found this case's work again in a new dataset and held %(records)s") % {"records": _records(b["records"])}
    ),
    "rescan.finished": lambda b: (
        _("looked for earlier works in a new dataset and held %(records)s") % {"records": _records(b["records"])}
    ),
    "rescan.failed": lambda b: _("could not look for earlier works in a new dataset"),
    "filter_list.made": lambda b: (
        _("made filter list %(n)s with %(works)s works") % {"n": b["version"], "works": b["works"]}
    ),
    "dataset.exported": lambda b: (
        (
            _("exported %(records)s that are held out of training")
            if b["held"]
            else _("exported %(records)s for training")
        )
        % {"records": _records(b["records"])}
    ),
}
