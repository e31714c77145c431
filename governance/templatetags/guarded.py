"""What a public form carries against machines: the field that people do not see, and the work that a browser does."""

from __future__ import annotations

from typing import Any

from django import template

from governance import work

register = template.Library()


@register.inclusion_tag("components/guard.html")
def guard() -> dict[str, Any]:
    """For within a form."""
    return {"challenge": work.challenge(), "trap": work.TRAP, "field": work.FIELD}
