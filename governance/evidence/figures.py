"""Interval charts of the report: the ruled scale of the house as pictures with a spoken sentence."""

from __future__ import annotations

import base64
import html
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from governance.evidence.numerals import percent
from governance.evidence.vocabulary import Verdict
from governance.evidence.wording import outcome_word, probe_title
from governance.templatetags import intervals

Probe = Mapping[str, Any]
#: The probes of page 1, in this order; at most five are shown there.
HEADLINE_PROBES = ("exact_value", "multiple_choice", "membership_loss", "relearning_value", "utility_retain")
_SIZE = re.compile(r'width="([\d.]+)" viewBox="0 0 [\d.]+ ([\d.]+)"')
_LABEL = re.compile(r'aria-label="([^"]*)"')


def headline_probes(probes: Sequence[Probe]) -> list[Probe]:
    """What page 1 shows: every probe that did not pass first, then the usual ones; five at most."""
    bad = [p for p in probes if p["outcome"] not in ("pass", "reported")]
    usual = [p for name in HEADLINE_PROBES for p in probes if p["name"] == name and p["outcome"] == "pass"]
    return [*bad, *usual][:5]


def chart(probes: Sequence[Probe], width: int) -> dict[str, Any]:
    """Rows `{title, picture, value}` and the picture of the axis, `width` in px; one axis for all rows."""
    top = _top(probes)
    axis = {
        "low": 0,
        "high": top,
        "step": 25 if top <= 125 else 50 if top <= 400 else top / 4,
        "unit": "%",
        "width": width,
    }
    return {"rows": [_row(probe, axis) for probe in probes], "axis": picture(intervals.axis_head(axis))}


def _top(probes: Iterable[Probe]) -> int:
    """End of the axis in per cent: 100, or the next quarter above the largest value, so that nothing is clipped."""
    ends = [one["high"] for p in probes for one in (p["candidate"], p["reference"]) if one]
    ends += [p["limit"] for p in probes if p["limit"] is not None]
    return max(100, 25 * math.ceil(4 * max(ends, default=1.0) - 1e-9))


def _row(probe: Probe, axis: Mapping[str, Any]) -> dict[str, Any]:
    drawn = intervals.interval_row(
        {
            "title": probe_title(probe["name"]),
            "estimates": [_scaled(probe["candidate"])],
            "reference": _scaled(probe["reference"]) if probe["reference"] else None,
            "limit": 100 * probe["limit"] if probe["limit"] is not None else None,
        },
        axis,
        height=20,
    )
    return {
        "title": probe_title(probe["name"]),
        "picture": picture(drawn),
        "value": percent(probe["candidate"]["value"]),
        "outcome": outcome_word(probe["outcome"]),
    }


def _scaled(estimate: Mapping[str, Any]) -> dict[str, float]:
    scaled: dict[str, float] = {name: 100 * estimate[name] for name in ("value", "low", "high")}
    return {**scaled, "n": estimate["n"]}


#: Room for the half of a number that stands beyond either end of an axis, px.
_OVERHANG = 16


def _widened(found: re.Match[str]) -> str:
    width = float(found[1]) + 2 * _OVERHANG if float(found[1]) > 100 else float(found[1])
    left = -_OVERHANG if float(found[1]) > 100 else 0
    return f'width="{width:g}" viewBox="{left} 0 {width:g} {found[2]}"'


_GLYPHS = {
    Verdict.PASS: (
        '<circle cx="14" cy="14" r="13" fill="#0B5D64"/>'
        '<path d="M8 14.5L12.3 19L20.5 9.5" fill="none" stroke="#FFF" stroke-width="2.6"/>'
    ),
    Verdict.INCONCLUSIVE: (
        '<rect x="2" y="2" width="24" height="24" fill="none" stroke="#7A4F00" stroke-width="2.4"/>'
        '<path d="M7 14H21" stroke="#7A4F00" stroke-width="2.8"/>'
    ),
    Verdict.NONE: '<circle cx="14" cy="14" r="12" fill="none" stroke="#596663" stroke-width="2.4"/>',
}
_CROSSED = (
    '<path d="M14 1L27 14L14 27L1 14Z" fill="none" stroke="#AE2F17" stroke-width="2.2"/>'
    '<path d="M9.5 9.5L18.5 18.5M18.5 9.5L9.5 18.5" stroke="#AE2F17" stroke-width="2.4"/>'
)


def glyph(verdict: Verdict) -> SafeString:
    """Ticked disc, barred square, ring, or crossed diamond: the shape carries the state, also in grey."""
    drawn = _GLYPHS.get(verdict, _CROSSED)
    return picture(
        format_html(
            '<svg width="28" height="28" viewBox="0 0 28 28" role="img" aria-label="{}">{}</svg>',
            outcome_word(verdict.value),
            mark_safe(drawn),  # noqa: S308 - constants above
        ),
        css="glyph",
    )


def picture(drawing: SafeString, css: str = "scale") -> SafeString:
    """An inline SVG as an `img` whose `alt` is the drawing's sentence: what a tagged PDF needs."""
    found = _LABEL.search(drawing)
    alt = html.unescape(found[1]) if found else ""
    source = str(drawing).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    source = _SIZE.sub(_widened, source, count=1)
    return format_html(
        '<img class="{}" src="data:image/svg+xml;base64,{}" alt="{}">',
        css,
        base64.b64encode(source.encode()).decode(),
        alt,
    )
