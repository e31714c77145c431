"""Who calls: an agent with a key, or anybody. A key that opens nothing is refused, never taken for nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.views import APIView

from governance import work
from governance.errors import NotAllowed
from governance.models import Agent, ApiKey
from governance.services.agents import key_find


@dataclass(frozen=True)
class Caller:
    """An agent as the framework knows people: by this the throttles count."""

    pk: str
    agent: Agent
    is_authenticated: bool = True


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer lk_...`."""

    def authenticate(self, request: Request) -> tuple[Any, ApiKey] | None:
        """The agent and the key; None where no key is shown."""
        parts = get_authorization_header(request).split()
        if not parts:
            return None
        if len(parts) != 2 or parts[0].lower() != b"bearer":
            raise AuthenticationFailed("Show a key as: Authorization: Bearer lk_...")
        try:
            key = key_find(parts[1].decode("ascii", "replace"))
        except NotAllowed as error:
            raise AuthenticationFailed(error.messages[0]) from error
        return Caller(pk=f"agent-{key.agent_id}", agent=key.agent), key

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return 'Bearer realm="lethe"'


class HasScope(BasePermission):
    """A key is needed, with the scope that the view names."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Refuses with the scope that is missing."""
        if not isinstance(request.auth, ApiKey):
            return False
        scope = getattr(view, "scope", "")
        if scope not in request.auth.scopes:
            raise PermissionDenied(f"This key does not have the scope {scope}.")
        return True


class CallerThrottle(ScopedRateThrottle):
    """Agents count by their key's owner at a rate of their own, everybody else by address at the view's.

    Whoever files without a key and has computed nothing counts against a lower limit too, as on the pages.
    """

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Count one call."""
        if isinstance(request.auth, ApiKey):
            return self._count("agents", request, view)
        if not super().allow_request(request, view):
            return False
        files = request.method == "POST" and getattr(view, "throttle_scope", "") == "filing"
        # Work is spent last: whoever is told to come back later comes back with it.
        proven = not files or work.proven(request.headers.get(work.HEADER, ""))
        return proven or self._count("filing_plain", request, view)

    def _count(self, scope: str, request: Request, view: APIView) -> bool:
        self.scope = scope
        self.rate = self.get_rate()
        self.num_requests, self.duration = self.parse_rate(self.rate)
        return bool(super(ScopedRateThrottle, self).allow_request(request, view))


def caller(request: Request) -> Agent:
    """The agent of a call that showed a key."""
    return request.user.agent  # type: ignore[union-attr,no-any-return]


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How a key is shown, for the schema."""

    target_class = KeyAuthentication
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """A bearer token."""
        return {"type": "http", "scheme": "bearer", "description": "A key that the desk gives to an agent."}
