"""The interface for agents and collecting societies: their mandates, and batches of works in parts."""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from typing import Any

from django.conf import settings
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from governance.api.auth import caller
from governance.api.common import CURSOR, IDEMPOTENCY, ItemPages, Keyed, answer_once, page_of, paged, problems
from governance.api.parsers import JsonBody
from governance.clocks import LAWS
from governance.models import Batch, BatchItem, Kind, Mandate
from governance.services import batches, links
from governance.services.agents import mandate_of
from governance.services.batch_lines import FORMATS
from governance.validators import one_line

BATCH = OpenApiParameter("public_id", OpenApiTypes.UUID, OpenApiParameter.PATH)
_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")


class RawParser(BaseParser):
    """The bytes as they came; what they are is said by the batch, not by the header."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """Read one byte more than is taken, so that too much is noticed."""
        return bytes(stream.read(batches.MAX_PART_BYTES + 1))


class MandateSerializer(serializers.Serializer[Any]):
    """For whom the agent may ask."""

    id = serializers.UUIDField()
    principal = serializers.CharField()
    kinds = serializers.ListField(child=serializers.ChoiceField(choices=Kind.choices))
    valid_from = serializers.DateField()
    valid_until = serializers.DateField()
    revoked_at = serializers.DateTimeField(allow_null=True)


class NewBatchSerializer(serializers.Serializer[Any]):
    """A batch as it is begun."""

    mandate = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=[Kind.COPYRIGHT, Kind.SAFETY], default=Kind.COPYRIGHT)
    law = serializers.ChoiceField(choices=sorted(LAWS), required=False)
    format = serializers.ChoiceField(choices=list(FORMATS))
    label = serializers.CharField(max_length=80, required=False, validators=[one_line])  # type: ignore[assignment]


class BatchSerializer(serializers.Serializer[Any]):
    """Where a batch stands."""

    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=Batch.State.choices)
    kind = serializers.ChoiceField(choices=Kind.choices)
    format = serializers.CharField()
    label = serializers.CharField(allow_blank=True)  # type: ignore[assignment]
    parts = serializers.ListField(child=serializers.IntegerField(), help_text="numbers of the parts that are here")
    lines = serializers.IntegerField()
    done = serializers.IntegerField(help_text="lines that have their result")
    accepted = serializers.IntegerField()
    refused = serializers.IntegerField()
    doubled = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    progress_url = serializers.URLField(help_text="page that shows the progress: whoever has it can read it")
    progress_until = serializers.DateTimeField(
        help_text="until when; afterwards a look with the key brings another page"
    )


class PartSerializer(serializers.Serializer[Any]):
    """A part that was taken."""

    number = serializers.IntegerField()
    digest = serializers.CharField()
    size = serializers.IntegerField()
    lines = serializers.IntegerField()


class ResultSerializer(serializers.Serializer[Any]):
    """What became of one line."""

    position = serializers.IntegerField(help_text="from 1, over all parts")
    ref = serializers.CharField(allow_blank=True)
    state = serializers.ChoiceField(choices=BatchItem.State.choices)
    why = serializers.CharField(allow_blank=True)
    case = serializers.CharField(allow_blank=True, help_text="number of the case in which it was filed")


class Mandates(Keyed):
    """The agent's mandates."""

    throttle_scope = "status"

    @extend_schema(
        operation_id="list_mandates",
        parameters=CURSOR,
        responses={200: page_of(MandateSerializer), **problems(403, 404)},
    )
    def get(self, request: Request) -> Response:
        """For whom this agent may ask, the newest first."""
        return paged(request, caller(request).mandates.all(), self._row)

    @staticmethod
    def _row(row: Mandate) -> dict[str, Any]:
        names = ("principal", "kinds", "valid_from", "valid_until", "revoked_at")
        return dict(MandateSerializer({"id": row.public_id, **{name: getattr(row, name) for name in names}}).data)


def _batch(row: Batch) -> dict[str, Any]:
    names = ("state", "kind", "format", "label", "lines", "done", "accepted", "refused", "doubled", "created_at",
             "finished_at")  # fmt: skip
    page = settings.BASE_URL + reverse("batch_progress", args=[links.batch_token(row), row.public_id])
    facts = {name: getattr(row, name) for name in names}
    parts, until = list(row.parts.values_list("number", flat=True)), links.batch_open_until(row)
    more = {"parts": parts, "progress_url": page, "progress_until": until}
    return dict(BatchSerializer({"id": row.public_id, **more, **facts}).data)


def _own(request: Request, public_id: uuid.UUID) -> Batch:
    row = caller(request).batches.select_related("agent", "mandate").filter(public_id=public_id).first()
    if row is None:
        raise NotFound("You have no such batch.")
    return row


class Batches(Keyed):
    """The agent's batches."""

    throttle_scope = "status"
    scope = "bulk"
    parser_classes = (JsonBody,)

    @extend_schema(
        operation_id="open_batch", request=NewBatchSerializer, parameters=[IDEMPOTENCY],
        responses={201: BatchSerializer, **problems(400, 403, 409, 413, 415, 422)},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Begin a batch; then send its parts and close it."""
        form = NewBatchSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        data, agent = form.validated_data, caller(request)

        def do() -> tuple[int, Any]:
            kind = Kind(data["kind"])
            mandate = mandate_of(agent, str(data["mandate"]), kind)
            rest = {"format": data["format"], "label": data.get("label", ""), "law": data.get("law", "")}
            return 201, _batch(batches.batch_open(agent=agent, mandate=mandate, kind=kind, **rest))

        return answer_once(request, do)

    @extend_schema(
        operation_id="list_batches", parameters=CURSOR, responses={200: page_of(BatchSerializer), **problems(403, 404)}
    )
    def get(self, request: Request) -> Response:
        """Every batch, the newest first."""
        return paged(request, caller(request).batches.all(), _batch)


class OneBatch(Keyed):
    """One batch."""

    throttle_scope = "status"
    scope = "bulk"

    @extend_schema(
        operation_id="read_batch", parameters=[BATCH], responses={200: BatchSerializer, **problems(403, 404)}
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """How far it is, and which parts are here: whoever was cut off goes on from this."""
        return Response(_batch(_own(request, public_id)))


class CloseBatch(Keyed):
    """The end of the parts."""

    throttle_scope = "status"
    scope = "bulk"

    @extend_schema(
        operation_id="close_batch", parameters=[BATCH], request=None,
        responses={202: BatchSerializer, **problems(403, 404, 409, 422)},
    )  # fmt: skip
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """No more parts: it is filed from now on. Closing it again changes nothing."""
        return Response(_batch(batches.batch_close(batch=_own(request, public_id))), status=202)


class BatchLink(Keyed):
    """The private page of a batch."""

    throttle_scope = "links"
    scope = "bulk"

    @extend_schema(
        operation_id="replace_batch_link", parameters=[BATCH], request=None,
        responses={200: BatchSerializer, **problems(403, 404, 409)},
    )  # fmt: skip
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Another `progress_url`; the present one opens nothing from now on."""
        batch = _own(request, public_id)
        links.batch_link_rotate(batch=batch)
        return Response(_batch(batch))


class Part(Keyed):
    """One part of a batch."""

    throttle_scope = "uploads"
    scope = "bulk"
    parser_classes = (RawParser,)

    @extend_schema(
        operation_id="send_part",
        parameters=[
            BATCH,
            OpenApiParameter("number", int, OpenApiParameter.PATH),
            OpenApiParameter(
                "Content-Digest", str, OpenApiParameter.HEADER, required=True,
                description="RFC 9530: `sha-256=:BASE64:`; what was garbled on the way is refused",
            ),
        ],
        request=dict.fromkeys(FORMATS.values(), OpenApiTypes.BINARY),
        responses={200: PartSerializer, 201: PartSerializer, **problems(400, 403, 404, 409, 413, 415, 422)},
    )  # fmt: skip
    def put(self, request: Request, public_id: uuid.UUID, number: int) -> Response:
        """Send a part: 201 where it is new, 200 where the same bytes were here already."""
        batch = _own(request, public_id)
        data = request.data if isinstance(request.data, bytes) else b""
        digest = _digest(request.headers.get("Content-Digest", ""))
        row, new = batches.part_take(batch=batch, number=number, data=data, digest=digest)
        facts = {name: getattr(row, name) for name in ("number", "digest", "size", "lines")}
        return Response(PartSerializer(facts).data, status=201 if new else 200)


def _digest(header: str) -> str:
    """`sha256:<hex>` of a Content-Digest."""
    found = _DIGEST.search(header)
    if found is None:
        raise ParseError("Send the header Content-Digest: sha-256=:BASE64:")
    try:
        return "sha256:" + base64.b64decode(found[1], validate=True).hex()
    except binascii.Error as error:
        raise ParseError("The Content-Digest is no base64.") from error


class Results(Keyed):
    """Lines of a batch with their results."""

    throttle_scope = "status"
    scope = "bulk"

    @extend_schema(
        operation_id="list_results",
        parameters=[BATCH, *CURSOR, OpenApiParameter("state", str, enum=BatchItem.State.values)],
        responses={200: page_of(ResultSerializer), **problems(403, 404)},
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """What became of every line, in their order; `state` leaves only some."""
        rows = _own(request, public_id).items.select_related("case")
        state = request.query_params.get("state", "")
        rows = rows.filter(state=state) if state in BatchItem.State.values else rows
        return paged(request, rows, self._row, ItemPages)

    @staticmethod
    def _row(row: BatchItem) -> dict[str, Any]:
        facts = {name: getattr(row, name) for name in ("position", "ref", "state", "why")}
        return dict(ResultSerializer({**facts, "case": row.case.number if row.case else ""}).data)
