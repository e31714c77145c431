"""Interval charts as inline SVG: reference band, whiskers with caps, limit as the tall mark, own axis."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
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
        for value in steps(low, high, step / 10):
            tall = 8 if abs((value - low) / step - round((value - low) / step)) < 1e-6 else 4
            parts.append(svg.line(scale.at(value), 28 - tall, scale.at(value), 28, "line"))
    words = _("Scale from %(low)s to %(high)s") % {"low": quantity(low, unit), "high": quantity(high, unit)}
    return svg.drawing(parts, height=28 if ruled else 18, width=axis.get("width"), sentence=words)


def _whisker(scale: svg.Axis, item: Mapping[str, Any], y: float, index: int) -> list[SafeString]:
    hue, shape = SERIES[int(item.get("series", index)) % len(SERIES)]
    parts = []
    if item.get("low") is not None and item.get("high") is not None:
        low, high = scale.at(float(item["low"])), scale.at(float(item["high"]))
        parts = [
            svg.line(low, y, high, y, hue, 1.75),
            svg.line(low, y - 3.5, low, y + 3.5, hue, 1.75),
            svg.line(high, y - 3.5, high, y + 3.5, hue, 1.75),
        ]
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
    parts = [svg.line(scale.at(float(axis["low"])), middle, scale.at(float(axis["high"])), middle, "hair")]
    for value in steps(float(axis["low"]), float(axis["high"]), float(axis["step"])):
        parts.append(svg.line(scale.at(value), 4, scale.at(value), size - 4, "hair"))
    reference = row.get("reference")
    if reference:
        parts += _reference(scale, reference, size)
    for index, item in enumerate(estimates):
        y = middle if len(estimates) == 1 else 4 + (size - 8) * (index + 0.5) / len(estimates)
        parts += _whisker(scale, item, y, index)
    limit = row.get("limit")
    for mark in (limit, row.get("limit_low")):
        if mark is not None and float(mark) >= float(axis["low"]):
            parts.append(svg.line(scale.at(float(mark)), 4, scale.at(float(mark)), size - 4, "ink", 2.5))
    spoken = [*estimates, *([{**reference, "name": reference.get("name") or _("reference")}] if reference else [])]
    sentence = describe(str(row.get("title", "")), spoken, limit, str(axis.get("unit", "")))
    return svg.drawing(parts, height=size, width=axis.get("width"), sentence=sentence)


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
        svg.line("2", 8, "32", 8, hue, 1.75),
        svg.line("2", 4.5, "2", 11.5, hue, 1.75),
        svg.line("32", 4.5, "32", 11.5, hue, 1.75),
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
