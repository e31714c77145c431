"""What a report says of its search: which data sets, when, what was found, and what was not looked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.evidence import wording
from governance.evidence.numerals import apart, level, number
from governance.evidence.printing import moment, short

Document = Mapping[str, Any]


def later(document: Document) -> str:
    """Data sets that were registered after the search, by name; empty where there are none."""
    names = [apart(one["name"]) for one in document["matching"].get("later", ())]
    if not names:
        return ""
    text = _("Data sets registered after the search, so not searched for this request: %(names)s.")
    return text % {"names": "; ".join(names)}


def unsearched(document: Document, limit: int) -> str:
    """Which works were named without a text, so that no search can find them; empty where nothing was searched."""
    named = [one for one in document["case"]["items"] if one.get("without_text")]
    if not named or not document["matching"]["searched"]:
        return ""
    told = "; ".join(
        _("“%(title)s” (%(what)s)")
        % {"title": apart(wording.item_words(document, one)), "what": wording.form_words(one["without_text"])}
        for one in named[:limit]
    )
    if (left := len(named) - limit) > 0:
        told += " " + ngettext("and %(n)d more", "and %(n)d more", left) % {"n": left}
    return _("Named without a text, so not looked for: %(titles)s.") % {"titles": told}


def matching(document: Document) -> dict[str, Any]:
    """What was searched, when and with what result, how records were matched, and what was decided about them."""
    counts = document["matching"]["counts"]
    methods = Counter(record["method"] for record in document["matching"]["records"])
    grounds = Counter(record["ground"] for record in document["matching"]["records"] if record["ground"])
    return {
        **{name: number(count) for name, count in counts.items()},
        "searched": number(document["matching"]["searched"]),
        "was_searched": bool(document["matching"]["searched"]),
        "undecided": number(counts["undecided"]) if counts["undecided"] else "",
        "data_sets": [
            {**one, "records": number(one["records"]), "digest": apart(short(one["digest"]))}
            for one in document["matching"].get("data_sets", ())
        ],
        "searches": _searches(document),
        "near": _counts_near(document),
        "methods": "; ".join(_counted(wording.match_words(m), n) for m, n in sorted(methods.items())),
        "grounds": "; ".join(_counted(apart(ground), n) for ground, n in sorted(grounds.items())),
    }


def _searches(document: Document) -> list[dict[str, Any]]:
    """Each search as its entry of the ledger tells it, written when it ended; empty of evidence that opens none."""
    names = {one["digest"]: one["name"] for one in document["matching"].get("data_sets", ())}
    return [
        {
            "name": names.get(one["dataset"], short(one["dataset"])),
            "records": number(one["records"]) if "records" in one else "–",
            "hits": number(one["hits"]),
            "threshold": level(one["near_threshold"]) if "near_threshold" in one else "–",
            "when": moment(one["at"]),
            "index": one["index"],
        }
        for one in document["matching"].get("searches", ())
    ]


def _counted(what: str, count: int) -> str:
    return _("%(what)s: %(n)s") % {"what": what, "n": number(count)}


def _counts_near(document: Document) -> str:
    """The lowest and highest similarity of what was matched without being a copy; empty where nothing was."""
    scores = [one["score"] for one in document["matching"]["records"] if one["score"] not in (None, 1.0)]
    return (
        _("similarity %(low)s to %(high)s") % {"low": number(min(scores), 2), "high": number(max(scores), 2)}
        if scores
        else ""
    )
