"""The interface: file a request, follow it. No account, no session; the private link is the key."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.api.serializers import FilingSerializer, ProblemSerializer, ReceiptSerializer, StandingSerializer
from governance.models import Case, Channel, Kind
from governance.services.intake import case_file
from governance.tokens import link_token, token_hash


def _problem(text: str) -> OpenApiResponse:
    return OpenApiResponse(ProblemSerializer, description=text)


PROBLEMS = {
    400: _problem("The request cannot be read, or fields of it are wrong."),
    401: _problem("Never for these two addresses: they ask for no credentials."),
    404: _problem("No case has this private link."),
    409: _problem("Somebody else changed the case in the meantime."),
    422: _problem("The request is readable, but cannot be filed as it is."),
    429: _problem("Too many from this address; see the header Retry-After."),
}


def _links(case: Case) -> dict[str, str]:
    token = link_token(case.public_id, "status")
    return {
        "status_url": settings.BASE_URL + reverse("status", args=[token]),
        "status_api_url": settings.BASE_URL + reverse("api_status", args=[token]),
    }


@method_decorator(never_cache, name="dispatch")
class Open(APIView):
    """For everybody: no session is read, so no CSRF token is needed and none could be misused."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


class Filing(Open):
    """File a request."""

    throttle_scope = "filing"

    @extend_schema(
        operation_id="file_request", request=FilingSerializer, responses={201: ReceiptSerializer, **PROBLEMS}
    )
    def post(self, request: Request) -> Response:
        """File a copyright opt-out or a privacy request. A letter with a link to confirm goes to the address given."""
        form = FilingSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        data = form.validated_data
        case = case_file(
            kind=Kind(data["kind"]),
            law=data["law"],
            name=data["name"],
            email=data["email"],
            items=form.claimed(),
            channel=Channel.API,
        )
        receipt = ReceiptSerializer({"number": case.number, "due_on": case.due_on, **_links(case)})
        return Response(receipt.data, status=201)


class Standing(Open):
    """Follow a request."""

    throttle_scope = "status"

    @extend_schema(operation_id="read_request", responses={200: StandingSerializer, **PROBLEMS})
    def get(self, request: Request, token: str) -> Response:
        """Where the case of this private link stands."""
        case = Case.objects.select_related("claimant", "report").filter(status_token=token_hash(token)).first()
        if case is None:
            raise NotFound("No case has this private link. Copy it whole from the letter.")
        answer = {
            **{name: getattr(case, name) for name in ("number", "kind", "status", "disposition", "received_on")},
            "due_on": case.due_on,
            "closed_at": case.closed_at,
            "email_confirmed": case.claimant.email_confirmed_at is not None,
            "report": case.report.number if hasattr(case, "report") else "",
            **_links(case),
        }
        return Response(StandingSerializer(answer).data)


@csrf_exempt
def unknown(request: HttpRequest, path: str) -> JsonResponse:
    """An address below `/api/` that does not exist: an answer for programs, not a page."""
    return JsonResponse({"messages": ["There is nothing at this address; see /api/schema/."]}, status=404)
