"""Errors of the interface: one shape, every problem at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler

from governance.errors import GovernanceError


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """`{"messages": [...]}` with the status of the refusal; a problem of one field begins with the field's path."""
    if isinstance(error, GovernanceError):
        return Response({"messages": list(error.messages)}, status=error.status)
    response = exception_handler(error, context)
    if response is not None:
        detail = response.data
        if not isinstance(error, ValidationError) and isinstance(detail, dict):
            detail = detail.get("detail", detail)
        response.data = {"messages": list(_flat(detail))}
    return response


def _flat(detail: Any, path: str = "") -> Iterator[str]:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            outer = path if name == "non_field_errors" else f"{path}.{name}" if path else str(name)
            yield from _flat(inner, outer)
    elif isinstance(detail, list):
        for inner in detail:
            yield from _flat(inner, path)
    else:
        yield f"{path}: {detail}" if path else str(detail)
