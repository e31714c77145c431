"""How dates and digests are printed; the parts that every kind of report has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from django.utils.formats import get_format
from django.utils.translation import get_language, get_language_bidi, get_language_info
from django.utils.translation import gettext as _

from governance.evidence import schema, seal_class
from governance.evidence.numerals import apart, date_form, dated

Document = Mapping[str, Any]


def _english() -> bool:
    return (get_language() or "en").startswith("en")


def day(text: str) -> str:
    """`2 November 2026` from a date or a time, in the language of the page."""
    return dated(date.fromisoformat(text[:10]), date_form())


def day_of_month(text: str) -> str:
    """`2 Nov`, in other languages `2. November`; `2/11` from the right, where a drawing cannot join the letters."""
    form = "j M" if _english() else "j/n" if get_language_bidi() else str(get_format("MONTH_DAY_FORMAT"))
    return dated(date.fromisoformat(text), form)


def short_day(text: str) -> str:
    """`2 Nov 2026`, in other languages `02.11.2026`."""
    return dated(date.fromisoformat(text[:10]), _short_form())


def _short_form() -> str:
    return "j M Y" if _english() else str(get_format("SHORT_DATE_FORMAT"))


def moment(text: str, *, short: bool = False) -> str:
    """`2 November 2026, 08:51 UTC`; `short`: `2 Nov 2026, 08:51 UTC`."""
    form = _short_form() if short else date_form()
    return apart(dated(datetime.fromisoformat(text).astimezone(UTC), form + _(", ") + "H:i") + " UTC")


def grouped(text: str) -> str:
    """The hex digits of a digest in groups of eight, so that two people can compare it aloud."""
    digits = text.rpartition(":")[2]
    return " ".join(digits[i : i + 8] for i in range(0, len(digits), 8))


def short(text: str) -> str:
    """The first and last eight hex digits; the full digest stands on the last page."""
    digits = text.rpartition(":")[2]
    return f"{digits[:4]} {digits[4:8]} … {digits[-8:-4]} {digits[-4:]}"


def ledger(document: Document) -> dict[str, Any] | None:
    """The document's own entry in the ledger and the entries that it rests on."""
    found = document["ledger"]
    if not found:
        return None
    entries = [entry["leaf"] for entry in found["entries"]]
    own = next(leaf for leaf in entries if leaf["action"] == schema.EVIDENCE_ACTION)
    origin, size, root = found["checkpoint"].split("\n")[:3]
    return {
        "index": own["index"], "size": int(size), "origin": origin, "root": root, "key": found["verifier_key"],
        "entries": [{**leaf, "when": moment(leaf["at"])} for leaf in entries],
    }  # fmt: skip


def copied(copy: Mapping[str, str]) -> dict[str, Any]:
    """What a copy in another language says of itself: which file is the record."""
    values = {"number": copy["of"], "language": get_language_info(copy["language"])["name_local"]}
    lines = [
        _("This is a copy in another language. The record is %(number)s (%(language)s).") % values,
        _("Where the two differ, the record counts. This copy was drawn from the record’s evidence on %(day)s and has "
          "a seal of its own. SHA-256 of the record’s file:")
        % {"day": day(copy["made_at"])},
    ]  # fmt: skip
    return {"lines": lines, "digest": grouped(copy["pdf"])}


def common(document: Document, evidence_digest: str) -> dict[str, Any]:
    """What the frame of every kind prints."""
    report = document["report"]
    return {
        "document": document,
        "report": report,
        "right_to_left": get_language_bidi(),
        "issued": moment(report["issued_at"]),
        "evidence_digest": grouped(evidence_digest),
        "core_digest": grouped(schema.core_digest(document)),
        "ledger": ledger(document),
        "copy": copied(report["copy"]) if report.get("copy") else None,
        "mark": seal_class.mark(report.get("seal") or {}),
        "seal_words": seal_class.words(report["seal"]) if report.get("seal") else [],
        "versions": [*sorted(document["software"].items()), *((name, "") for name in sorted(document["fonts"]))],
    }
