"""Interval charts as inline SVG: reference band, whiskers with caps, limit as the tall mark, own axis."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from governance.templatetags import svg
from governance.templatetags.scales import SERIES, describe, quantity

#: Share of the width kept free on both sides, so that caps and dots at the ends stay inside.
INSET = 0.015


def steps(low: float, high: float, step: float) -> Iterator[float]:
    """Grid values from `low` to `high`, without the drift of repeated addition."""
    for index in range(math.floor((high - low) / step + 1e-9) + 1):
        yield low + index * step


def make_axis(axis: Mapping[str, Any]) -> svg.Axis:
    """`{"low", "high", "width"?}` as an axis; `width` in px for paper."""
    return svg.Axis(low=float(axis["low"]), high=float(axis["high"]), width=axis.get("width"), inset=INSET)


def axis_head(axis: Mapping[str, Any], *, ruled: bool = False) -> SafeString:
    """Numbers of the axis; `ruled` adds small ticks below them, as at the head of a table."""
    scale, step, unit = make_axis(axis), float(axis["step"]), str(axis.get("unit", ""))
    low, high = float(axis["low"]), float(axis["high"])
    parts = []
    for value in steps(low, high, step):
        words = quantity(value, unit if value >= high - 1e-9 else "")
        parts.append(svg.text(scale.at(value), 13, words, "ink-2", anchor="middle"))
    if ruled:
        tall = [(value, 8 if abs((value - low) / step - round((value - low) / step)) < 1e-6 else 4)
                for value in steps(low, high, step / 10)]  # fmt: skip
        if scale.width:
            parts += [svg.line(scale.at(value), 28 - size, scale.at(value), 28, "line") for value, size in tall]
        else:
            wide = replace(scale, width=svg.STRETCH)
            marks = [(wide.at(value), 28 - size, wide.at(value), 28) for value, size in tall]
            parts.append(svg.stretched([svg.strokes(marks, "line")], 28))
    words = _("Scale from %(low)s to %(high)s") % {"low": quantity(low, unit), "high": quantity(high, unit)}
    return svg.drawing(parts, height=28 if ruled else 18, width=axis.get("width"), sentence=words)


def _caps(low: str, high: str, y: float) -> list[tuple[str, float, str, float]]:
    """A whisker's strokes: the interval, and a cap at either end."""
    return [(low, y, high, y), (low, y - 3.5, low, y + 3.5), (high, y - 3.5, high, y + 3.5)]


def _whisker(scale: svg.Axis, item: Mapping[str, Any], y: float, index: int, size: float) -> list[SafeString]:
    hue, shape = SERIES[int(item.get("series", index)) % len(SERIES)]
    parts = []
    if item.get("low") is not None and item.get("high") is not None:
        low, high = scale.at(float(item["low"])), scale.at(float(item["high"]))
        parts = [svg.line(*ends, hue, 1.75) for ends in _caps(low, high, y)]
        if not scale.width:
            wide = replace(scale, width=svg.STRETCH)
            marks = _caps(wide.at(float(item["low"])), wide.at(float(item["high"])), y)
            parts = [svg.stretched([svg.strokes(marks, hue, 1.75)], size)]
    return [*parts, svg.marker(scale.at(float(item["value"])), y, hue, shape)]


def interval_row(row: Mapping[str, Any], axis: Mapping[str, Any], *, height: int | None = None) -> SafeString:
    """One row.

    `row`: `title`, `estimates` (list of `name`, `value`, `low`, `high`, `n`, optional `series` 0 to 3), optional
    `reference` (`value`, `low`, `high`), `limit` and, where a probe is bounded on both sides, `limit_low`, all in the
    units of `axis` (`low`, `high`, `step`, `unit`, optional `width` in px). Several estimates stand below each other.
    """
    scale, estimates = make_axis(axis), list(row.get("estimates") or ())
    size = height or (44 if len(estimates) > 1 else 30)
    middle = size / 2
    parts = _grid(axis, scale, size)
    reference = row.get("reference")
    if reference:
        parts += _reference(scale, reference, size)
    for index, item in enumerate(estimates):
        y = middle if len(estimates) == 1 else 4 + (size - 8) * (index + 0.5) / len(estimates)
        parts += _whisker(scale, item, y, index, size)
    limit = row.get("limit")
    for mark in (limit, row.get("limit_low")):
        if mark is not None and float(mark) >= float(axis["low"]):
            parts.append(svg.line(scale.at(float(mark)), 4, scale.at(float(mark)), size - 4, "ink", 2.5))
    spoken = [*estimates, *([{**reference, "name": reference.get("name") or _("reference")}] if reference else [])]
    sentence = describe(str(row.get("title", "")), spoken, limit, str(axis.get("unit", "")))
    return svg.drawing(parts, height=size, width=axis.get("width"), sentence=sentence)


def _grid(axis: Mapping[str, Any], scale: svg.Axis, size: float) -> list[SafeString]:
    """The hairlines behind a row; on a page one shape, since it may have a hundred rows, on paper a line each."""
    places = steps(float(axis["low"]), float(axis["high"]), float(axis["step"]))
    low, high, middle = float(axis["low"]), float(axis["high"]), size / 2
    if scale.width:
        upright = [svg.line(scale.at(value), 4, scale.at(value), size - 4, "hair") for value in places]
        return [svg.line(scale.at(low), middle, scale.at(high), middle, "hair"), *upright]
    wide = replace(scale, width=svg.STRETCH)
    marks = [(wide.at(low), middle, wide.at(high), middle),
             *((wide.at(value), 4, wide.at(value), size - 4) for value in places)]  # fmt: skip
    return [svg.stretched([svg.strokes(marks, "hair")], size)]


def _reference(scale: svg.Axis, reference: Mapping[str, Any], size: float) -> Sequence[SafeString]:
    parts = []
    if reference.get("low") is not None and reference.get("high") is not None:
        low, high = float(reference["low"]), float(reference["high"])
        parts.append(svg.rect(scale.at(low), 6, scale.distance(low, high), size - 12, "band"))
    value = scale.at(float(reference["value"]))
    return [*parts, svg.line(value, 6, value, size - 6, "ink-2", 1.5)]


def legend_mark(index: int) -> SafeString:
    """A short whisker with the marker of series `index`, for legends."""
    hue, shape = SERIES[index % len(SERIES)]
    parts = [
        svg.strokes([("2", 8, "32", 8), ("2", 4.5, "2", 11.5), ("32", 4.5, "32", 11.5)], hue, 1.75),
        svg.marker("17", 8, hue, shape),
    ]
    return svg.drawing(parts, height=16, width=34, sentence="")


def legend_reference() -> SafeString:
    """The grey band with its line, for legends."""
    parts = [svg.rect("1", 0, "24", 16, "band"), svg.line("13", 0, "13", 16, "ink-2", 1.5)]
    return svg.drawing(parts, height=16, width=26, sentence="")


def legend_limit() -> SafeString:
    """The tall mark, for legends."""
    return svg.drawing([svg.line("3", 0, "3", 18, "ink", 2.5)], height=18, width=6, sentence="")
