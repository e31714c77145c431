"""The lines beside a list of versions: which came from which."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()
STEP, MIDDLE, RADIUS = 18, 16, 5


@register.simple_tag
def lineage_lines(row: Any, width: int) -> SafeString:
    """`{% lineage_lines row width %}`: one row of the tree; `row` as `web.lineage_tree.Row`, `width` in lanes.

    Rows grow with their text, so that lines run to the row's own end (100%). The words beside it say the same.
    """
    here = _at(row.lane)
    lines: list[tuple[int, str, str]] = [(_at(place), "0", "100%") for place in row.passing]
    lines += [(here, "0", f"{MIDDLE}")] if row.above else []
    lines += [(here, f"{MIDDLE}", "100%")] if row.below else []
    strokes = format_html_join("", '<line class="tree__line" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>', lines)
    bends = format_html_join(
        "", '<path class="tree__line" d="M{0} 0V{1}L{2} {3}"/>',
        ((_at(place), MIDDLE - 8, here, MIDDLE) for place in row.joining),
    )  # fmt: skip
    return format_html(
        '<svg class="tree__lines" width="{}" height="100%" aria-hidden="true" focusable="false">{}{}'
        '<circle class="tree__dot" cx="{}" cy="{}" r="{}"/></svg>',
        _at(width), strokes, bends, here, MIDDLE, RADIUS,
    )  # fmt: skip


def _at(lane: int) -> int:
    return STEP // 2 + lane * STEP
