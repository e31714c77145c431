"""Each person's key is fetched from the keyring once in a request, however many sealed texts it reads and writes."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from governance.models.vault import keys_held


class KeysHeldMiddleware:
    """Keys in the clear live as long as the request at most."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer with the keys held."""
        with keys_held():
            return self.get_response(request)
