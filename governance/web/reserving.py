"""What this site reserves in its own pages, told with every one of them (AIPREF, header Content-Usage)."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase


def reserved() -> bool:
    """Whether training on our pages is reserved."""
    return bool(settings.SITE_TRAINING == "reserved")


class ReservingMiddleware:
    """Adds the header; robots.txt says the same as a content signal, which checkers of robots.txt know."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, and say what may be done with the answer."""
        response = self.get_response(request)
        response.headers.setdefault("Content-Usage", f"train-ai={'n' if reserved() else 'y'}")
        return response
