"""Small filters of the staff's pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template

register = template.Library()


@register.filter
def lookup(values: Mapping[Any, Any], key: Any) -> Any:
    """`{{ values|lookup:key }}`: the value of a key, empty where there is none."""
    return values.get(key, "") if values else ""
