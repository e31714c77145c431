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

#: Units of height in the reader's own size of letters: a drawing over the whole width is as tall as the words in it.
EM = 16
#: Units of an axis that is stretched over whatever width there is.
STRETCH = 1000


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


def _tall(x: str, value: float) -> str:
    """A height or a place from above: in letters where `x` is a share of the width, else in the drawing's units."""
    return f"{value / EM:g}em" if x.endswith("%") else f"{value:g}"


def line(x1: str, y1: float, x2: str, y2: float, hue: str, width: float = 1, dash: str = "") -> SafeString:
    """A stroke of `width` px in `hue`.

    A page draws hundreds of them: every part is a number or a place of an `Axis`, so nothing is escaped.
    """
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return SafeString(
        f'<line x1="{x1}" y1="{_tall(x1, y1)}" x2="{x2}" y2="{_tall(x1, y2)}" class="st-{hue}" stroke="{LIGHT[hue]}" '
        f'stroke-width="{width}"{dashes}/>'
    )


def strokes(marks: Iterable[tuple[str, float, str, float]], hue: str, width: float = 1) -> SafeString:
    """Many strokes (x1, y1, x2, y2) of one hue and width as one shape, so that a list of clocks stays a light page.

    Places are numbers: those of an `Axis` with a width, and within `stretched` thousandths of the drawing.
    """
    path = "".join(f"M{x1} {y1:g}L{x2} {y2:g}" for x1, y1, x2, y2 in marks)
    if not path:
        return SafeString("")
    return SafeString(
        f'<path d="{path}" class="st-{hue}" fill="none" stroke="{LIGHT[hue]}" stroke-width="{width}" '
        'vector-effect="non-scaling-stroke"/>'
    )


def stretched(parts: Iterable[SafeString], height: float) -> SafeString:
    """Shapes on an axis of `STRETCH` units over the whole width of the drawing; their strokes keep their width.

    Not for paper: WeasyPrint stretches the strokes too.
    """
    return SafeString(
        f'<svg x="0" width="100%" height="{height / EM:g}em" viewBox="0 0 {STRETCH} {height:g}" '
        f'preserveAspectRatio="none" overflow="visible">{join(parts)}</svg>'
    )


def rect(x: str, y: float, width: str, height: float, hue: str) -> SafeString:
    """A filled box."""
    return format_html(
        '<rect x="{}" y="{}" width="{}" height="{}" class="fi-{}" fill="{}"/>',
        x, _tall(x, y), width, _tall(x, height), hue, LIGHT[hue],
    )  # fmt: skip


def text(
    x: str, y: float, words: str, hue: str, *, anchor: str = "start", size: int = 12, bold: bool = False
) -> SafeString:
    """Words at a place, hidden from speech (the scale's sentence says them). Their em is their own size."""
    place, tall = (f"{y / size:g}em", f"{size / EM:g}em") if x.endswith("%") else (f"{y:g}", str(size))
    return format_html(
        '<text x="{}" y="{}" class="fi-{}" fill="{}" font-size="{}" font-weight="{}" text-anchor="{}" '
        'font-family="IBM Plex Sans, IBM Plex Sans Ext, sans-serif">{}</text>',
        x, place, hue, LIGHT[hue], tall, 600 if bold else 400, anchor, words,
    )  # fmt: skip


def marker(x: str, y: float, hue: str, shape: str) -> SafeString:
    """A dot (filled), square, diamond (open) or triangle (filled) centred at a place."""
    if shape == "dot":
        return format_html(
            '<circle cx="{}" cy="{}" r="{}" class="fi-{}" fill="{}"/>', x, _tall(x, y), _tall(x, 4.5), hue, LIGHT[hue]
        )
    paths = {"square": "M-4-4H4V4H-4Z", "diamond": "M0-5.5L5.5 0L0 5.5L-5.5 0Z", "triangle": "M0-5L5.5 4.5H-5.5Z"}
    filled = hue if shape == "triangle" else "paper"
    drawn = format_html(
        '<path d="{}" class="fi-{} st-{}" fill="{}" stroke="{}" stroke-width="1.75"/>',
        paths[shape], filled, hue, LIGHT[filled], LIGHT[hue],
    )  # fmt: skip
    if x.endswith("%"):
        return format_html(
            '<svg x="{}" y="{}" width="1em" height="1em" viewBox="0 0 16 16" overflow="visible">{}</svg>',
            x, _tall(x, y), drawn,
        )  # fmt: skip
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
        format_html('width="{}em" viewBox="0 0 {} {}"', f"{width / EM:g}", width, height)
        if width
        else format_html('width="{}"', "100%")
    )
    return format_html(
        '<svg class="scale{}{}" {} height="{}em" {} focusable="false">{}</svg>',
        " scale--fixed" if width else "", f" {css}" if css else "", size, f"{height / EM:g}", spoken, join(parts),
    )  # fmt: skip
