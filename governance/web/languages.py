"""The language of a page. Everybody's pages speak seven; the staff's rooms and the interface speak English.

Asked for by `?language=de`, which a cookie then keeps; else the cookie; else what the browser prefers. A page behind a
private link speaks the language of its case until somebody chooses another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.urls import Resolver404, get_resolver, resolve
from django.utils import translation
from django.utils.cache import patch_vary_headers

from governance.models import Case
from governance.notifications.languages import LANGUAGES, SOURCE, nearest
from governance.selectors import organisation

PARAMETER = "language"
YEAR = 365 * 24 * 3600


class LanguageMiddleware:
    """In the place of Django's own, which knows one language for the whole site."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Activate the language, answer, and keep a choice that was made."""
        public = is_public(request)
        asked = request.GET.get(PARAMETER, "") if public else ""
        chosen = asked if asked in LANGUAGES else ""
        language = chosen or (translation.get_language_from_request(request) if public else SOURCE)
        with translation.override(language):
            request.LANGUAGE_CODE = language
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", translation.get_language() or SOURCE)
        if chosen:
            response.set_cookie(
                settings.LANGUAGE_COOKIE_NAME,
                chosen,
                max_age=YEAR,
                secure=settings.SECURE,
                httponly=True,
                samesite="Lax",
            )
        if public:
            patch_vary_headers(response, ("Accept-Language", "Cookie"))
        return response


def is_public(request: HttpRequest) -> bool:
    """Whether an address is everybody's: one of `urls.public`, or none at all."""
    try:
        match = request.resolver_match or resolve(request.path_info)
    except Resolver404:
        return not request.path_info.startswith("/api/")
    return match.url_name in _public_names()


@cache
def _public_names() -> frozenset[str | None]:
    # Asked of the resolver: the table of addresses imports this room, not the other way round.
    public = getattr(cast(Any, get_resolver().urlconf_module), "public", ())
    return frozenset(getattr(one, "name", None) for one in public)


def chosen(request: HttpRequest) -> bool:
    """Whether somebody chose a language here, now or before."""
    return request.GET.get(PARAMETER, "") in LANGUAGES or settings.LANGUAGE_COOKIE_NAME in request.COOKIES


@contextmanager
def of_case(request: HttpRequest, case: Case) -> Iterator[None]:
    """The language of a case, unless whoever reads chose another."""
    current = translation.get_language() or SOURCE
    with translation.override(current if chosen(request) else nearest(case.language)):
        yield


def menu(request: HttpRequest) -> list[dict[str, object]]:
    """The languages, each with the address of this page in it."""
    current, offered = translation.get_language(), organisation.current().languages
    return [
        {"code": one.code, "name": one.name, "url": f"{request.path}?{PARAMETER}={one.code}",
         "current": one.code == current}
        for one in LANGUAGES.values()
        if not offered or one.code in offered
    ]  # fmt: skip
