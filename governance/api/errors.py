"""Errors of the interface: one shape, every problem at once."""

from __future__ import annotations

from typing import Any

from rest_framework.response import Response
from rest_framework.views import exception_handler

from governance.errors import GovernanceError


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Our refusals with their status and messages; everything else as the framework does."""
    if isinstance(error, GovernanceError):
        return Response({"messages": list(error.messages)}, status=error.status)
    return exception_handler(error, context)
