"""Uploads are bounded before they are read: what announces too much is refused by its size alone."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import reverse

from governance.services.work_reading import size_words

REPORT_BYTES = 25 * 2**20
#: What a form adds around its files.
MARGIN = 2**20


class UploadLimitMiddleware:
    """Answers 413 from the announced size alone, before one byte of the body is read."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Refuse what announces too much; a body without an announced size is read as empty by WSGI."""
        limit = REPORT_BYTES if request.path == reverse("verify") else settings.UPLOAD_LIMIT_BYTES
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) <= limit + MARGIN:
            return self.get_response(request)
        return too_large(request, limit, int(length))


def too_large(request: HttpRequest, limit: int, length: int) -> HttpResponse:
    """The page that says how much may be sent; the connection is closed, since the rest is not read."""
    context = {"limit": size_words(limit), "sent": size_words(length), "back_url": request.path}
    if request.path.startswith("/api/"):
        told = f"{context['sent']} were sent; at most {context['limit']} are taken."
        body = {"type": "about:blank", "title": "Content Too Large", "status": 413, "detail": told, "messages": [told]}
        return JsonResponse(body, status=413, content_type="application/problem+json")
    return render(request, "413.html", context, status=413)
