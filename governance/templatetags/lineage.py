"""The lines beside a list of versions: which came from which."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()
STEP, MIDDLE, BEND, RADIUS = 18, 16, 8, 5


@register.simple_tag
def lineage_lines(row: Any, width: int) -> SafeString:
    """`{% lineage_lines row width %}`: one row of the tree; `row` as `web.lineage_tree.Row`, `width` in lanes.

    Rows grow with their text, so that lines run to the row's own end (100%). The words beside it say the same.
    """
    here = row.lane
    lines: list[tuple[float, str, float, str]] = [(place, "0", place, "100%") for place in row.passing]
    lines += [(here, "0", here, _em(MIDDLE))] if row.above else []
    lines += [(here, _em(MIDDLE), here, "100%")] if row.below else []
    for place in row.joining:
        lines += [(place, "0", place, _em(BEND)), (place, _em(BEND), here, _em(MIDDLE))]
    strokes = format_html_join(
        "", '<line class="tree__line" x1="{}" y1="{}" x2="{}" y2="{}"/>',
        ((_at(x1), y1, _at(x2), y2) for x1, y1, x2, y2 in lines),
    )  # fmt: skip
    return format_html(
        '<svg class="tree__lines" width="{}" height="100%" aria-hidden="true" focusable="false">{}'
        '<circle class="tree__dot" cx="{}" cy="{}" r="{}"/></svg>',
        _em(STEP * width), strokes, _at(here), _em(MIDDLE), _em(RADIUS),
    )  # fmt: skip


def _at(lane: float) -> str:
    """The middle of a lane."""
    return _em(STEP / 2 + lane * STEP)


def _em(places: float) -> str:
    """In letters of 16, as large as the words beside."""
    return f"{places / 16:g}em"
