"""Smallest pieces of an inline SVG. A shape names its hue twice: as a class, which the web's style sheet
colours in either theme, and as a presentation attribute in the light value, which is what paper shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

#: Light values of the tokens that scales use (static/css/tokens.css). `doubt` and `fault` are marks here.
LIGHT = {
    "ink": "#111C1B",
    "ink-2": "#3E4B48",
    "ink-3": "#596663",
    "line": "#7C8985",
    "hair": "#D5DCD9",
    "band": "#C9D3D0",
    "sound": "#0B5D64",
    "working": "#34508C",
    "doubt": "#BD7F12",
    "fault": "#AE2F17",
    "paper": "#FFFFFF",
    "series-1": "#111C1B",
    "series-2": "#0B6A72",
    "series-3": "#9A5B00",
    "series-4": "#7D46C2",
}


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Maps values to horizontal places: per cent of the SVG's width, or px where `width` is given.

    `inset` (share of the width on either side) keeps marks at the ends inside of the drawing.
    """

    low: float
    high: float
    width: float | None = None
    inset: float = 0.0

    def at(self, value: float) -> str:
        """Place of `value`; values beyond the ends are held at the ends."""
        span = self.high - self.low
        share = 0.0 if span <= 0 else min(1.0, max(0.0, (value - self.low) / span))
        share = self.inset + share * (1 - 2 * self.inset)
        return f"{share * self.width:.2f}" if self.width else f"{share * 100:.3f}%"

    def distance(self, low: float, high: float) -> str:
        """Width of the stretch from `low` to `high` in the units of `at`."""
        start, end = self.at(low), self.at(high)
        if self.width:
            return f"{float(end) - float(start):.2f}"
        return f"{float(end[:-1]) - float(start[:-1]):.3f}%"


def line(x1: str, y1: float, x2: str, y2: float, hue: str, width: float = 1, dash: str = "") -> SafeString:
    """A stroke of `width` px in `hue`.

    A list of cases draws a thousand of them: every part is a number or a place of an `Axis`, so nothing is escaped.
    """
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return SafeString(
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" class="st-{hue}" stroke="{LIGHT[hue]}" '
        f'stroke-width="{width}"{dashes}/>'
    )


def rect(x: str, y: float, width: str, height: float, hue: str) -> SafeString:
    """A filled box."""
    return format_html(
        '<rect x="{}" y="{}" width="{}" height="{}" class="fi-{}" fill="{}"/>', x, y, width, height, hue, LIGHT[hue]
    )


def text(
    x: str, y: float, words: str, hue: str, *, anchor: str = "start", size: int = 12, bold: bool = False
) -> SafeString:
    """Words at a place, hidden from speech (the scale's sentence says them)."""
    return format_html(
        '<text x="{}" y="{}" class="fi-{}" fill="{}" font-size="{}" font-weight="{}" text-anchor="{}" '
        'font-family="IBM Plex Sans, IBM Plex Sans Ext, sans-serif">{}</text>',
        x, y, hue, LIGHT[hue], size, 600 if bold else 400, anchor, words,
    )  # fmt: skip


def marker(x: str, y: float, hue: str, shape: str) -> SafeString:
    """A dot (filled), square, diamond (open) or triangle (filled) centred at a place."""
    if shape == "dot":
        return format_html('<circle cx="{}" cy="{}" r="4.5" class="fi-{}" fill="{}"/>', x, y, hue, LIGHT[hue])
    paths = {"square": "M-4-4H4V4H-4Z", "diamond": "M0-5.5L5.5 0L0 5.5L-5.5 0Z", "triangle": "M0-5L5.5 4.5H-5.5Z"}
    filled = hue if shape == "triangle" else "paper"
    drawn = format_html(
        '<path d="{}" class="fi-{} st-{}" fill="{}" stroke="{}" stroke-width="1.75"/>',
        paths[shape], filled, hue, LIGHT[filled], LIGHT[hue],
    )  # fmt: skip
    if x.endswith("%"):
        return format_html('<svg x="{}" y="{}" width="1" height="1" overflow="visible">{}</svg>', x, y, drawn)
    return format_html('<g transform="translate({} {})">{}</g>', x, y, drawn)


def join(parts: Iterable[SafeString]) -> SafeString:
    """Shapes one after the other."""
    return SafeString("".join(conditional_escape(part) for part in parts))


def drawing(
    parts: Iterable[SafeString], *, height: float, width: float | None = None, sentence: str, css: str = ""
) -> SafeString:
    """The SVG itself with its spoken sentence; without a sentence it is decoration and hidden from speech."""
    spoken = format_html('role="img" aria-label="{}"', sentence) if sentence else mark_safe('aria-hidden="true"')
    size = (
        format_html('width="{}" viewBox="0 0 {} {}"', width, width, height)
        if width
        else format_html('width="{}"', "100%")
    )
    return format_html(
        '<svg class="scale{}{}" {} height="{}" {} focusable="false">{}</svg>',
        " scale--fixed" if width else "", f" {css}" if css else "", size, height, spoken, join(parts),
    )  # fmt: skip
