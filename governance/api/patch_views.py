"""Acknowledgements of published patches, by whoever runs a model: the signature is the key, no account is needed."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from governance.api.common import Open, problems
from governance.evidence.acknowledged import KIND
from governance.models import PatchAcknowledgement
from governance.services.acknowledgements import acknowledge

DIGEST, KEY, SIGNATURE = r"^sha256:[0-9a-f]{64}\Z", r"^[A-Za-z0-9+/]{43}=\Z", r"^[A-Za-z0-9+/]{86}==\Z"


class StatementSerializer(serializers.Serializer[Any]):
    """What is signed, as canonical JSON (RFC 8785)."""

    kind = serializers.ChoiceField(choices=[KIND])
    feed = serializers.RegexField(KEY, help_text="key of the publisher's feed, as the feed names it")
    patch = serializers.RegexField(DIGEST)
    base = serializers.RegexField(DIGEST, help_text="digest of the weights before")
    result = serializers.RegexField(DIGEST, help_text="digest of the weights after")
    state = serializers.ChoiceField(choices=PatchAcknowledgement.State.choices)
    at = serializers.CharField(max_length=40, help_text="moment of signing, with its time zone")
    public_key = serializers.RegexField(KEY, help_text="Ed25519, 32 bytes in base64")


class SignedStatementSerializer(serializers.Serializer[Any]):
    """A statement with its Ed25519 signature in base64."""

    statement = StatementSerializer()
    signature = serializers.RegexField(SIGNATURE)


class TakenSerializer(serializers.Serializer[Any]):
    """What is on record now."""

    state = serializers.ChoiceField(choices=PatchAcknowledgement.State.choices)
    statement = serializers.RegexField(DIGEST, help_text="digest of the statement that is on record")
    stated_at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()


class Acknowledgements(Open):
    """State that a published patch was fetched or applied."""

    throttle_scope = "acknowledge"

    @extend_schema(
        operation_id="acknowledge_patch", request=SignedStatementSerializer,
        responses={200: TakenSerializer, 201: TakenSerializer, **problems(400, 403, 409, 413, 415, 422)},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Take it once (201). The same state stated anew changes nothing (200); the same bytes again are refused."""
        form = SignedStatementSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        # As it was sent: what is signed is not what a serializer makes of it.
        sent: Any = request.data
        row, new = acknowledge(statement=sent["statement"], signature=form.validated_data["signature"])
        told = {"state": row.state, "statement": row.digest, "stated_at": row.stated_at, "received_at": row.received_at}
        return Response(TakenSerializer(told).data, status=201 if new else 200)
