"""What every view of the interface has: who calls, how refusals look, pages of lists, and the same call once."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, inline_serializer
from rest_framework.exceptions import ErrorDetail, NotFound, Throttled
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer, URLField
from rest_framework.views import APIView

from governance import work
from governance.api.auth import Caller, CallerThrottle, HasScope, KeyAuthentication
from governance.api.serializers import ProblemSerializer
from governance.models import Case
from governance.services import links as links_service
from governance.services.idempotency import once
from governance.validators import number_in

_WORDS = {
    400: "The request cannot be read, or fields of it are wrong.",
    401: "The key opens nothing, or one is needed.",
    403: "The key does not have the scope that this takes.",
    404: "There is nothing at this address.",
    406: "Answers are JSON.",
    409: "Somebody else changed it in the meantime, or it is over.",
    410: "The person's data was destroyed at the end of its time.",
    413: "More was sent than is taken.",
    415: "The content type is none that is read here.",
    422: "It can be read, but not done as it is.",
    429: "Too many calls; see the header Retry-After.",
}


def problems(*statuses: int) -> Mapping[Any, OpenApiResponse]:
    """The refusals of a view for the schema; those that every view knows are added."""
    return {
        (status, "application/problem+json"): OpenApiResponse(ProblemSerializer, description=_WORDS[status])
        for status in sorted({401, 406, 429, *statuses})
    }


TOKEN = OpenApiParameter("token", str, OpenApiParameter.PATH, description="the secret part of the private link")
IDEMPOTENCY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="The same call under the same key gets the same answer for 24 hours; at most 255 characters.",
)

WORK = OpenApiParameter(
    work.HEADER,
    str,
    OpenApiParameter.HEADER,
    description="Without a key: `challenge:number`, the answer to a challenge of `/api/v1/work/`. Each counts once; "
    "without one fewer requests an hour are taken from an address.",
)


CURSOR = [
    OpenApiParameter("cursor", str, description="from the address of the next page"),
    OpenApiParameter("page_size", int, description="at most 1000"),
]


def page_of(serializer: type[Serializer[Any]]) -> Serializer[Any]:
    """One page of a list, with the addresses of those beside it."""
    fields = {
        "next": URLField(allow_null=True),
        "previous": URLField(allow_null=True),
        "results": serializer(many=True),
    }
    return inline_serializer(name=serializer.__name__.removesuffix("Serializer") + "Page", fields=fields)


class Json(DefaultContentNegotiation):
    """Answers are JSON; problems are JSON too, whatever was asked for."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        """A caller who asks for problems alone is answered in JSON."""
        if "application/problem+json" in request.headers.get("Accept", ""):
            return renderers[0], renderers[0].media_type
        return super().select_renderer(request, renderers, format_suffix)


@method_decorator(never_cache, name="dispatch")
class Open(APIView):
    """For everybody: no session is read, so no CSRF token is needed and none could be misused."""

    authentication_classes = (KeyAuthentication,)
    permission_classes = (AllowAny,)
    content_negotiation_class = Json
    throttle_classes = (CallerThrottle,)

    def throttled(self, request: Request, wait: float | None) -> NoReturn:
        """Says when to call again, and what a caller without a key can do meanwhile."""
        seconds = math.ceil(wait or 60)
        told = f"Too many calls; call again in {seconds} seconds."
        if getattr(self, "throttle_scope", "") == "filing" and request.auth is None:
            told += f" Without a key more is taken with a solved proof of work: see {reverse('api_work')}."
        error = Throttled(seconds)
        error.detail = ErrorDetail(told, "throttled")  # the seconds once, in our own words
        raise error


class Spoken(Open):
    """Sentences for people are in the language that `Accept-Language` asks for."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer in that language."""
        language = translation.get_language_from_request(request)
        with translation.override(language):
            response = super().dispatch(request, *args, **kwargs)
        response.headers["Content-Language"] = language
        patch_vary_headers(response, ("Accept-Language", "Cookie"))
        return response


class Keyed(Open):
    """For agents whose key has the scope that the view names."""

    permission_classes = (HasScope,)  # type: ignore[assignment]
    scope = "read"


class Pages(CursorPagination):
    """Newest first; the address of the next page is in the answer and stays right while things are added."""

    page_size = 100
    ordering = "-id"
    page_size_query_param = "page_size"
    max_page_size = 1000

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Where the page begins: every list here is ordered by numbers.

        Raises:
            NotFound: a cursor of nobody's making.
        """
        cursor: Cursor | None = super().decode_cursor(request)
        if cursor and cursor.position is not None and number_in(str(cursor.position)) is None:
            raise NotFound(self.invalid_cursor_message)
        return cursor


class ItemPages(Pages):
    """Lines of a batch in their order."""

    ordering = "position"


def paged(request: Request, rows: Any, draw: Callable[[Any], dict[str, Any]], pages: type[Pages] = Pages) -> Response:
    """One page of a list."""
    paginator = pages()
    found: list[Any] = paginator.paginate_queryset(rows, request) or []
    return paginator.get_paginated_response([draw(row) for row in found])


def answer_once(request: Request, do: Callable[[], tuple[int, Any]]) -> Response:
    """Do it, once where the call has an idempotency key."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        status, body = do()
        return Response(body, status=status)
    who = request.user.pk if isinstance(request.user, Caller) else f"address:{CallerThrottle().get_ident(request)}"
    sent = json.dumps(request.data, sort_keys=True, default=str).encode()
    call = f"{request.method} {request.path}\n".encode() + hashlib.sha256(sent).digest()
    told = once(caller=str(who), key=key, call=call, do=do)
    response = Response(told.body, status=told.status)
    if told.replayed:
        response["Idempotent-Replay"] = "true"
    return response


def case_of(token: str) -> Case:
    """The case behind a private link.

    Raises:
        NotFound: the link opens none.
    """
    case = links_service.case_of(token)
    if case is None:
        raise NotFound("This private link opens no case. Copy it whole from the newest letter, or ask for a new one.")
    return case


def links(case: Case) -> dict[str, str]:
    """The private addresses of a case."""
    token = case.private_token
    return {
        "status_url": settings.BASE_URL + reverse("status", args=[token]),
        "status_api_url": settings.BASE_URL + reverse("api_status", args=[token]),
        "proof_api_url": settings.BASE_URL + reverse("api_proof", args=[token]),
    }
