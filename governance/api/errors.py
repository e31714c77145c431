"""Errors of the interface: problem details (RFC 9457), every problem at once, each with the place that it is about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler

from governance.errors import GovernanceError

CONTENT_TYPE = "application/problem+json"


def problem(
    status: int, messages: Sequence[str], errors: Sequence[dict[str, str]] = (), code: str = ""
) -> dict[str, Any]:
    """The members of a problem. `type` stays `about:blank`: the status says what kind it is."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": " ".join(messages),
        "messages": list(messages),
    }
    more = {"errors": list(errors), "code": code}
    return {**body, **{name: value for name, value in more.items() if value}}


def refuse(status: int, messages: Sequence[str], code: str = "") -> Response:
    """A problem as an answer."""
    return Response(problem(status, messages, code=code), status=status, content_type=CONTENT_TYPE)


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """The status of the refusal; of wrong fields each with its pointer into what was sent (RFC 6901)."""
    if isinstance(error, GovernanceError):
        return refuse(error.status, error.messages, error.code)
    response = exception_handler(error, context)
    if response is None:
        return None
    detail: Any = response.data
    if not isinstance(error, ValidationError) and isinstance(detail, dict):
        detail = detail.get("detail", detail)
    found = list(_flat(detail))
    errors = [{"pointer": _pointer(path), "detail": text} for path, text in found if path]
    messages = [f"{path}: {text}" if path else text for path, text in found]
    response.data = problem(response.status_code, messages, errors)
    response.content_type = CONTENT_TYPE
    return response


def _pointer(path: str) -> str:
    return "#/" + "/".join(part.replace("~", "~0") for part in path.split("."))


def _flat(detail: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            outer = path if name == "non_field_errors" else f"{path}.{name}" if path else str(name)
            yield from _flat(inner, outer)
    elif isinstance(detail, list):
        for number, inner in enumerate(detail):
            # Problems of one field stand in a list of their own; only lists of objects are places.
            yield from _flat(inner, f"{path}.{number}" if isinstance(inner, dict) and path else path)
    else:
        yield path, str(detail)
