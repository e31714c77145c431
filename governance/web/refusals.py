"""A refusal of a service that no view turned into a form error becomes a page with its sentences."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.http.response import HttpResponse
from django.shortcuts import render

from governance.errors import GovernanceError


def refusal(request: HttpRequest, error: GovernanceError) -> HttpResponse:
    """The page for a refusal, with its status."""
    template = "403.html" if error.status == 403 else "refused.html"
    return render(request, template, {"problems": error.messages}, status=error.status)


class RefusalMiddleware:
    """Turns `GovernanceError` into pages. Everything else stays what it is."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """A page for our refusals."""
        return refusal(request, exception) if isinstance(exception, GovernanceError) else None
