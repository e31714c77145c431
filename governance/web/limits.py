"""How often one address may do something: the throttles of the interface, for pages. Both draw on one budget."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext_lazy
from rest_framework.throttling import ScopedRateThrottle

from governance import work

#: Said to whoever filled in what people do not see; a person whose program did it knows what to do.
TRAPPED = gettext_lazy("A field was filled in that people do not see; leave it empty, then send the form again.")
View = Callable[..., HttpResponseBase]


class PageThrottle(ScopedRateThrottle):
    """A throttle of the interface, asked without its views: same scopes, same counters."""

    def __init__(self, scope: str) -> None:
        self.scope = scope
        self.rate = self.get_rate()
        self.num_requests, self.duration = self.parse_rate(self.rate)

    def get_cache_key(self, request: Any, view: Any) -> str:
        """Anonymous callers count by address; a member of staff would by account, as in the interface."""
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}

    def spend(self, request: HttpRequest) -> bool:
        """Count one use; False when there is none left."""
        # The parent's `allow_request` reads the scope from a view; the one above it counts.
        return bool(super(ScopedRateThrottle, self).allow_request(cast(Any, request), cast(Any, None)))


class NamedThrottle(PageThrottle):
    """Counts by something that was named in the call, whoever calls; give a keyed hash, never the thing itself."""

    def __init__(self, scope: str, named: str) -> None:
        super().__init__(scope)
        self._named = named

    def get_cache_key(self, request: Any, view: Any) -> str:
        """By what was named."""
        return self.cache_format % {"scope": self.scope, "ident": self._named}


def spend(request: HttpRequest, scope: str) -> HttpResponse | None:
    """Count one use of a scope (`DEFAULT_THROTTLE_RATES`); the page to answer with when there is none left.

    Whoever files and has computed nothing counts against a lower limit too; what fills in the hidden field is told so.
    """
    if scope != "filing":
        return _count(request, scope)
    if request.POST.get(work.TRAP):
        return render(request, "refused.html", {"problems": [TRAPPED]}, status=422)
    # Work is spent last: whoever is told to come back later comes back with it.
    if refused := _count(request, scope):
        return refused
    return None if work.proven(request.POST.get(work.FIELD, "")) else _count(request, "filing_plain")


def _count(request: HttpRequest, scope: str) -> HttpResponse | None:
    throttle = PageThrottle(scope)
    if throttle.spend(request):
        return None
    wait = int(throttle.wait() or 60) + 1
    response = render(request, "429.html", {"minutes": -(-wait // 60)}, status=429)
    response["Retry-After"] = str(wait)
    return response


def limited(scope: str, *, methods: tuple[str, ...] = ("POST",)) -> Callable[[View], View]:
    """A view whose requests by these methods count against a scope."""

    def limit(view: View) -> View:
        @wraps(view)
        def counted(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            refused = spend(request, scope) if request.method in methods else None
            return refused or view(request, *args, **kwargs)

        return counted

    return limit
