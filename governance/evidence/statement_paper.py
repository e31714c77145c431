"""The statement of compliance of a period: its figures in words, tables and a chart, and what they do not say."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.evidence import figure_words as words
from governance.evidence.figures import picture
from governance.evidence.numerals import percent
from governance.evidence.printing import common, day, day_of_month, moment
from governance.statement_figures import Figure

#: Figures of the first page, in this order; all others follow in the table.
FIRST = ("received", "closed", "kept", "missed", "answer_median", "answer_p90", "proof_median", "open", "late")


def context(document: Mapping[str, Any], evidence_digest: str) -> dict[str, Any]:
    """What `report/statement.html` prints."""
    content = document["content"]
    found = {one["code"]: Figure(**one) for one in content["figures"]}
    titles = {one["key"]: one["title"] for one in content["regimes"]}
    drawn = [_table(one, titles) for one in content["tables"] if one["code"] not in ("weeks", "laws")]
    laws = next((_table(one, titles) for one in content["tables"] if one["code"] == "laws"), None)
    weeks = next((one for one in content["tables"] if one["code"] == "weeks" and one["rows"]), None)
    return {
        **common(document, evidence_digest),
        "content": content,
        "period": period_words(content["start"], content["end"]),
        "days": _days(content["start"], content["end"]),
        "start": day(content["start"]),
        "end": day(content["end"]),
        "counted": moment(content["counted_at"]),
        "headline": _headline(found),
        "first": [_figure(found[code]) for code in FIRST if code in found],
        "all": [_figure(one) for one in found.values()],
        "laws": laws,
        "tables": drawn,
        "weeks": _weeks(weeks) if weeks else None,
    }


def period_words(start: str, end: str) -> str:
    """`3rd quarter of 2026`, or the days where they are no quarter."""
    first, last = date.fromisoformat(start), date.fromisoformat(end)
    whole = last.day == calendar.monthrange(last.year, last.month)[1] and first.day == 1 and first.year == last.year
    if whole and first.month % 3 == 1 and last.month == first.month + 2:
        quarter = (_("First quarter of %(year)d"), _("Second quarter of %(year)d"), _("Third quarter of %(year)d"),
                   _("Fourth quarter of %(year)d"))[first.month // 3]  # fmt: skip
        return quarter % {"year": first.year}
    return _days(start, end)


def _days(start: str, end: str) -> str:
    return _("%(start)s to %(end)s") % {"start": day(start), "end": day(end)}


def _headline(found: Mapping[str, Figure]) -> str:
    kept = found.get("kept")
    if not kept or kept.value is None or not kept.of:
        return _("No request was answered in this time")
    if kept.value == kept.of:
        return ngettext(
            "The %(n)s request answered was answered inside its clock",
            "Every one of the %(n)s requests answered was answered inside its clock",
            kept.of,
        ) % {"n": words.number(kept.of)}
    late = words.number(kept.of - kept.value)
    return _("Requests answered: %(n)s; answered late: %(late)s") % {"late": late, "n": words.number(kept.of)}


def _figure(one: Figure) -> dict[str, str]:
    """A figure as the page and its table write it, with a note of how sure it is."""
    notes = []
    if one.value is None:
        notes.append(_("nothing to measure"))
    elif one.share is not None and one.unit in ("cases", "places"):
        notes.append(percent(one.share))
    if one.estimate:
        notes.append(_("an estimate"))
    return {
        "label": words.name(one.code),
        "shown": words.shown(one),
        "number": words.number(one.value, one.unit),
        "unit": words.unit_word(one.unit) if one.value is not None else "",
        "of": words.of(one),
        "note": ", ".join(notes),
        "before": words.shown_before(one) or "–",
    }


def _table(one: Mapping[str, Any], titles: Mapping[str, str]) -> dict[str, Any]:
    code = one["code"]
    title, first = words.title(code)
    units = [words.unit_of(column) for column in one["columns"]]
    return {
        "title": title,
        "first": first,
        "columns": [words.column(column) for column in one["columns"]],
        "rows": [
            {
                "key": words.law(row["key"], titles.get(row["key"], "")) if code == "laws"
                else words.key(code, row["key"]),
                "cells": [words.number(value, unit) for value, unit in zip(row["values"], units, strict=True)],
            }
            for row in one["rows"]
        ],
    }  # fmt: skip


def _weeks(one: Mapping[str, Any]) -> dict[str, Any]:
    """Requests received and answered by week, as bars side by side with the numbers in a sentence."""
    places = {code: place for place, code in enumerate(one["columns"])}
    pairs = [
        (row["key"], row["values"][places["received"]] or 0, row["values"][places["closed"]] or 0)
        for row in one["rows"]
    ]
    return {"picture": _bars(pairs), "first": day(pairs[0][0]), "last": day(pairs[-1][0])}


def _bars(pairs: list[tuple[str, float, float]], width: int = 640, height: int = 130) -> SafeString:
    top = max(1.0, *(max(a, b) for _week, a, b in pairs))
    step = (width - 30) / len(pairs)
    scale = (height - 34) / top
    bars = format_html_join(
        "",
        '<rect x="{}" y="{}" width="{}" height="{}" fill="{}"/>',
        (
            (f"{30 + i * step + offset * step * 0.42:.1f}", f"{height - 18 - value * scale:.1f}", f"{step * 0.36:.1f}",
             f"{value * scale:.1f}", colour)
            for i, (_week, a, b) in enumerate(pairs)
            for offset, value, colour in ((0, a, "#111C1B"), (1, b, "#7FB2B6"))
        ),
    )  # fmt: skip
    said = _("Received and answered by week: %(pairs)s") % {
        "pairs": "; ".join(f"{day(week)}: {words.number(a)}, {words.number(b)}" for week, a, b in pairs)
    }
    labels = format_html_join(
        "",
        '<text x="{}" y="{}" font-size="11" fill="#3E4B48" font-family="IBM Plex Sans">{}</text>',
        (
            (f"{30 + i * step:.1f}", height - 4, day_of_month(week))
            for i, (week, _a, _b) in enumerate(pairs)
            if i % (len(pairs) // 5 + 1) == 0
        ),
    )
    return picture(
        format_html(
            '<svg width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img" aria-label="{said}"><text x="0" y="12" '
            'font-size="11" fill="#3E4B48" font-family="IBM Plex Sans">{top}</text><path d="M30 {base}H{w}" '
            'stroke="#111C1B" stroke-width="1"/>{bars}{labels}</svg>',
            w=width, h=height, said=said, top=words.number(top), base=height - 17.5, bars=bars, labels=labels,
        ),
        css="bars",
    )  # fmt: skip
