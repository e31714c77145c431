"""Ledger entries of the duties as sentences: part of `case_history.WORDS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.models import Disposition, Quarantine, VersionOrder

Body = Mapping[str, Any]


def _records(n: int) -> str:
    return ngettext("%(n)d record", "%(n)d records", n) % {"n": n}


def _why(text: str) -> str:
    return str(Disposition(text).label).lower() if text in Disposition.values else text


def _order(text: str, body: Body) -> str:
    what = str(VersionOrder.Kind(body["kind"]).label).lower()
    return text % {"what": what, "model": body["model"], "why": body.get("why", "")}


WORDS: Mapping[str, Callable[[Body], str]] = {
    "records.quarantined": lambda b: (
        _("held %(records)s out of training: %(why)s")
        % {"records": _records(b["records"]), "why": str(Quarantine.Cause(b["cause"]).label).lower()}
    ),
    "records.release_asked": lambda b: _("asked that a record which a search held be let back"),
    "records.release_refused": lambda b: _("left a record held that somebody asked to let back"),
    "records.release_taken_back": lambda b: _("took back the request that a record be let back"),
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
    "order.proposed": lambda b: _order(_("proposed the %(what)s of %(model)s: %(why)s"), b),
    "order.signed": lambda b: (
        _order(_("signed the %(what)s of %(model)s for legal"), b)
        if b["side"] == "legal"
        else _order(_("signed the %(what)s of %(model)s"), b)
    ),
    "order.refused": lambda b: _order(_("refused the %(what)s of %(model)s: %(why)s"), b),
    "order.taken_back": lambda b: _order(_("took back the proposed %(what)s of %(model)s"), b),
    "version.withdrawn": lambda b: (
        _("took %(model)s out of service; its weights go by %(day)s")
        % {"model": b["model"], "day": date_format(date.fromisoformat(b["dispose_by"]), "j F Y")}
    ),
    "version.put_back": lambda b: _("put the version before back into service; the case is opened again"),
    "recipient.noticed": lambda b: (
        _("recorded that a recipient is not told: %(why)s") % {"why": b["why"]}
        if b["channel"] == "excused"
        else _("recorded that a recipient was told")
        if b["told"]
        else _("wrote to a recipient")
    ),
    "recipient.told": lambda b: _("delivered the notice to a recipient"),
    "recipient.acknowledged": lambda b: _("recorded a recipient's answer"),
    "erasure.asked": lambda b: _("asked to destroy the person's data"),
    "erasure.refused": lambda b: _("refused to destroy the person's data: %(why)s") % {"why": b["why"]},
    "erasure.taken_back": lambda b: _("took back the request to destroy the person's data"),
    "person.erased": lambda b: _("destroyed the person's data (%(why)s)") % {"why": b["rule"]},
    "case.exported": lambda b: _("exported the whole case"),
    "patch.asked": lambda b: _("asked the engine for the patch of the release"),
    "patch.made": lambda b: (
        _("made the patch of the release; it goes with the old weights by %(day)s")
        % {"day": date_format(date.fromisoformat(b["dispose_by"]), "j F Y")}
    ),
    "patch.publication_refused": lambda b: _("refused to publish a patch: %(why)s") % {"why": b["why"]},
    "patch.publication_taken_back": lambda b: _("took back the proposal to publish a patch"),
    "patch.fetched": lambda b: _("fetched the patch of the release"),
    "dataset.exported": lambda b: (
        (
            _("exported %(records)s that are held out of training")
            if b["held"]
            else _("exported %(records)s for training")
        )
        % {"records": _records(b["records"])}
    ),
}
