"""The shard map's tags: the map itself, and the ruled bar in each of its cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template
from django.utils.safestring import SafeString

from governance.templatetags import svg

register = template.Library()
HEIGHT, TICKS = 10.0, 10


@register.inclusion_tag("components/shards.html")
def shard_map(found: Mapping[str, Any]) -> dict[str, Any]:
    """`{% shard_map map %}`: values of `web.shard_map.shard_map`."""
    return {"map": found}


@register.simple_tag
def shard_bar(value: float, high: float, state: str) -> SafeString:
    """Records of one cell on a ruled scale that all cells share; dark where the stage is trained again."""
    axis = svg.Axis(low=0, high=high or 1, inset=0.005)
    parts = [svg.line(axis.at(0), HEIGHT - 0.5, axis.at(high or 1), HEIGHT - 0.5, "line")]
    for tick in range(TICKS + 1):
        place = axis.at((high or 1) * tick / TICKS)
        parts.append(svg.line(place, HEIGHT - (5 if tick % 5 == 0 else 3), place, HEIGHT, "line"))
    if value:
        parts.insert(0, svg.rect(axis.at(0), 1, axis.distance(0, value), 6, "working" if state == "again" else "band"))
    return svg.drawing(parts, height=HEIGHT, sentence="")
