"""The interface: file a request, follow it, take it back, add files. No account; the private link is the key."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.exceptions import NotAuthenticated, NotFound, PermissionDenied
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from governance import work
from governance.api import drp
from governance.api.auth import HasScope, caller
from governance.api.common import (
    CURSOR,
    IDEMPOTENCY,
    TOKEN,
    WORK,
    Open,
    answer_once,
    case_of,
    links,
    page_of,
    paged,
    problems,
)
from governance.api.errors import CONTENT_TYPE, problem
from governance.api.parsers import JsonBody
from governance.api.serializers import (
    AddedSerializer,
    AddWorksSerializer,
    FiledSerializer,
    FileSerializer,
    FilingSerializer,
    ReceiptSerializer,
    SendFileSerializer,
    StandingSerializer,
    WorkSerializer,
)
from governance.file_words import words
from governance.models import AgentCase, ApiKey, Case, Channel, Kind, Status, Upload
from governance.policies import CLAIMANT, TELLING, disposition_told, findings_told
from governance.services import sharing, uploads
from governance.services.additions import Source, works_add
from governance.services.agents import mandate_of
from governance.services.batches import file_for
from governance.services.intake import case_file, case_withdraw

EXAMPLE = OpenApiExample(
    "An opt-out",
    value={
        "kind": "copyright",
        "name": "Zoë Ængström",
        "email": "zoe@example.org",
        "declared": True,
        "items": [{"form": "url", "text": "https://example.org/poems/tide"}],
    },
    request_only=True,
)


class Challenge(Open):
    """Proof of work for whoever files without a key."""

    throttle_scope = "pages"

    @extend_schema(operation_id="read_challenge", responses={200: WorkSerializer, **problems()})
    def get(self, request: Request) -> Response:
        """A fresh challenge. Its answer goes with one filing, in the header `Lethe-Work`."""
        text = work.challenge()
        bits, end = work.asked_of(text)
        return Response(WorkSerializer({"challenge": text, "bits": bits, "expires_at": end}).data)


class Filing(Open):
    """File a request; an agent's list of those that it filed."""

    throttle_scope = "filing"
    scope = "read"
    parser_classes = (JsonBody,)

    @extend_schema(
        operation_id="file_request", request=FilingSerializer, parameters=[IDEMPOTENCY, WORK], examples=[EXAMPLE],
        responses={201: ReceiptSerializer, **problems(400, 403, 409, 413, 415, 422)},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """File a request. Without a mandate a letter with a link to confirm goes to the address given."""
        form = FilingSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        return answer_once(request, lambda: (201, self._file(request, form)))

    def _file(self, request: Request, form: FilingSerializer) -> dict[str, Any]:
        data = form.validated_data
        kind, items = Kind(data["kind"]), form.claimed()
        if "mandate" not in data:
            case = case_file(
                kind=kind, law=data["law"], name=data["name"], email=data["email"], items=items, channel=Channel.API,
                share=data["share_fingerprints"],
            )  # fmt: skip
        else:
            if not isinstance(request.auth, ApiKey):
                raise NotAuthenticated("A mandate is used with the key of its agent.")
            if ApiKey.Scope.FILE not in request.auth.scopes:
                raise PermissionDenied("This key does not have the scope file.")
            agent = caller(request)
            mandate = mandate_of(agent, str(data["mandate"]), kind)
            share = data["share_fingerprints"]
            case = file_for(agent=agent, mandate=mandate, kind=kind, law=data["law"], items=items, share=share)
        return dict(ReceiptSerializer({"number": case.number, "due_on": case.due_on, **links(case)}).data)

    @extend_schema(
        operation_id="list_requests",
        parameters=CURSOR,
        responses={200: page_of(FiledSerializer), **problems(403, 404)},
    )
    def get(self, request: Request) -> Response:
        """What this agent filed, the newest first."""
        if not HasScope().has_permission(request, self):
            raise NotAuthenticated
        rows = AgentCase.objects.filter(agent=caller(request)).select_related("case__claimant", "mandate")
        return paged(request, rows, self._row)

    @staticmethod
    def _row(row: AgentCase) -> dict[str, Any]:
        names = ("number", "kind", "status", "disposition", "received_on", "due_on")
        facts = {name: getattr(row.case, name) for name in names} | _told(row.case)
        open_ = {} if row.mandate.revoked_at else links(row.case)
        return dict(FiledSerializer({**facts, "mandate": row.mandate.public_id, **open_}).data)


def _told(case: Case) -> dict[str, Any]:
    """Status, outcome and report as far as they may be told: see `policies.findings_told`."""
    told, ended = findings_told(case), disposition_told(case)
    signed = case.report.number if told and hasattr(case, "report") else ""
    status = case.status if told or case.status not in TELLING else str(Status.DECISION)
    return {"status": status, "disposition": ended, "report": signed, "findings_told": told}


def _drp(case: Case) -> dict[str, str]:
    status, reason = drp.state_of(case)
    page = settings.BASE_URL + reverse("proof", args=[case.private_token]) if case.is_open else ""
    return {"status": status, "reason": reason, "user_verification_url": page}


class Standing(Open):
    """Follow a request; take it back."""

    throttle_scope = "status"

    @extend_schema(
        operation_id="read_request", parameters=[TOKEN], responses={200: StandingSerializer, **problems(404)}
    )
    def get(self, request: Request, token: str) -> Response:
        """Where the case of this private link stands."""
        case = case_of(token)
        answer = {
            **{name: getattr(case, name) for name in ("number", "kind", "status", "disposition", "received_on")},
            "due_on": case.due_on,
            "closed_at": case.closed_at,
            "email_confirmed": case.claimant.email_confirmed_at is not None,
            "fingerprints_shared": sharing.consent_of(case) is not None,
            "drp": _drp(case),
            **_told(case),
            **links(case),
        }
        return Response(StandingSerializer(answer).data)

    @extend_schema(
        operation_id="withdraw_request", parameters=[TOKEN], request=None,
        responses={204: None, **problems(403, 404, 409, 410, 422)},
    )  # fmt: skip
    def delete(self, request: Request, token: str) -> Response:
        """Take the request back, while nothing that cannot be undone was done."""
        case_withdraw(case=case_of(token), actor=CLAIMANT, reason="Withdrawn by the claimant")
        return Response(status=204)


class Works(Open):
    """Works that are added to a request."""

    throttle_scope = "filing"

    @extend_schema(
        operation_id="add_works", parameters=[TOKEN, WORK], request=AddWorksSerializer,
        responses={201: AddedSerializer, **problems(400, 404, 409, 410, 413, 415, 422)},
    )  # fmt: skip
    def post(self, request: Request, token: str) -> Response:
        """Add works to an opt-out. Once its decision is signed they become a request of its own, which is told here."""
        case = case_of(token)
        form = AddWorksSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        added = works_add(case=case, items=form.claimed(), source=Source(channel=Channel.API))
        told = {"number": added.case.number, "due_on": added.case.due_on, "added": len(added.items)}
        return Response(AddedSerializer({**told, **links(added.case)}).data, status=201)


class Sharing(Open):
    """The consent to give fingerprints to others."""

    throttle_scope = "status"

    @extend_schema(
        operation_id="end_sharing", parameters=[TOKEN], request=None, responses={204: None, **problems(404, 409, 410)}
    )
    def delete(self, request: Request, token: str) -> Response:
        """Take it back: the fingerprints leave the public feed at once. Who read it before may have kept them."""
        sharing.consent_end(case=case_of(token), actor=CLAIMANT)
        return Response(status=204)


class Files(Open):
    """Files of a case."""

    throttle_scope = "uploads"
    parser_classes = (MultiPartParser,)

    @extend_schema(
        operation_id="list_files",
        parameters=[TOKEN, *CURSOR],
        responses={200: page_of(FileSerializer), **problems(404)},
    )
    def get(self, request: Request, token: str) -> Response:
        """Every file that was sent, with what became of it."""
        return paged(request, case_of(token).uploads.all(), _file)

    @extend_schema(
        operation_id="send_file", parameters=[TOKEN], request={"multipart/form-data": SendFileSerializer},
        responses={201: FileSerializer, **problems(400, 404, 409, 410, 413, 415, 422)},
    )  # fmt: skip
    def post(self, request: Request, token: str) -> Response:
        """Add a file. One that is not taken is answered with the reason; the same bytes again are the same file."""
        case = case_of(token)
        form = SendFileSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        sent = form.validated_data["file"]
        row = uploads.upload_take(case=case, name=sent.name or "", data=sent.read())
        return Response(_file(row), status=201)


class OneFile(Open):
    """One file of a case."""

    throttle_scope = "uploads"

    @extend_schema(
        operation_id="delete_file",
        parameters=[TOKEN, OpenApiParameter("public_id", OpenApiTypes.UUID, OpenApiParameter.PATH)],
        request=None,
        responses={204: None, **problems(404, 409, 410)},
    )
    def delete(self, request: Request, token: str, public_id: uuid.UUID) -> Response:
        """Delete its bytes; that it was there stays in the record."""
        row = case_of(token).uploads.filter(public_id=public_id).first()
        if row is None:
            raise NotFound("This case has no such file.")
        uploads.upload_delete(upload=row, actor=CLAIMANT)
        return Response(status=204)


def _file(row: Upload) -> dict[str, Any]:
    names = ("state", "kind", "size", "digest", "received_at")
    told = {"id": row.public_id, "code": row.why.partition(":")[0], "why": words(row.why)}
    return dict(FileSerializer({**told, **{name: getattr(row, name) for name in names}}).data)


@csrf_exempt
def unknown(request: HttpRequest, path: str) -> JsonResponse:
    """An address below `/api/` that does not exist: an answer for programs, not a page."""
    told = ["There is nothing at this address; see /api/schema/."]
    return JsonResponse(problem(404, told), status=404, content_type=CONTENT_TYPE)
