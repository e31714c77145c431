"""What is refused before its body is read: too much by its announced size, no announced size, a form in no UTF-8."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from governance.services.work_reading import size_words

REPORT_BYTES = 25 * 2**20
#: What a form adds around its files.
MARGIN = 2**20
#: What Django reads as forms, and how their encoding is named.
FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
UTF8 = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


class UploadLimitMiddleware:
    """Answers 413 from the announced size alone, 411 without one, 415 to a form that says it is no UTF-8."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Refuse what announces too much, what announces nothing (it would be read as empty), and other encodings."""
        if request.META.get("HTTP_TRANSFER_ENCODING") and not request.META.get("CONTENT_LENGTH"):
            return refuse(
                request, 411, "Length Required", _("Its size was not announced, so it is not read. Send it whole.")
            )
        charset = request.content_params.get("charset", "utf-8") if request.content_params else "utf-8"
        if request.content_type in FORM_TYPES and charset.strip("\"'").lower() not in UTF8:
            return refuse(
                request, 415, "Unsupported Media Type", _("The form came in another encoding. Send it as UTF-8.")
            )
        limit = REPORT_BYTES if request.path == reverse("verify") else settings.UPLOAD_LIMIT_BYTES
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) <= limit + MARGIN:
            return self.get_response(request)
        return too_large(request, limit, int(length))


def refuse(request: HttpRequest, status: int, title: str, told: str) -> HttpResponse:
    """The sentence, for people or for programs."""
    if request.path.startswith("/api/"):
        body = {"type": "about:blank", "title": title, "status": status, "detail": told, "messages": [told]}
        return JsonResponse(body, status=status, content_type="application/problem+json")
    return render(request, "refused.html", {"problems": [told]}, status=status)


def too_large(request: HttpRequest, limit: int, length: int) -> HttpResponse:
    """The page that says how much may be sent; the connection is closed, since the rest is not read."""
    context: dict[str, str | bool] = {"limit": size_words(limit), "sent": size_words(length), "back_url": request.path}
    context["report"] = request.path == reverse("verify")
    if request.path.startswith("/api/"):
        told = f"{context['sent']} were sent; at most {context['limit']} are taken."
        return refuse(request, 413, "Content Too Large", told)
    return render(request, "413.html", context, status=413)
