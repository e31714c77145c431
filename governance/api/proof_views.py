"""The interface of proofs: what each way unlocks, begin one, look whether it is there. The rules are the pages' own."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.fields import Field
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from governance.api.common import CURSOR, IDEMPOTENCY, TOKEN, Spoken, answer_once, case_of, page_of, paged, problems
from governance.api.parsers import JsonBody
from governance.models import Case, Challenge
from governance.proof_words import (
    DECLARATION,
    NOTHING_THERE,
    UNLOCKS,
    WAYS,
    not_shown,
    place,
    signed_text,
    steps,
)
from governance.services import doubts, proofs
from governance.validators import no_nul

CHALLENGE = OpenApiParameter("public_id", OpenApiTypes.UUID, OpenApiParameter.PATH)
M, State = Challenge.Method, Challenge.State
#: Ways whose answer the caller brings; of the others we look ourselves.
_ANSWERED = (M.SIGNATURE, M.CHANNEL)


class LevelSerializer(serializers.Serializer[Any]):
    """A level, what it unlocks, and whether it was shown."""

    level = serializers.IntegerField(min_value=1, max_value=5)
    unlocks = serializers.CharField()
    shown = serializers.BooleanField()


class WaySerializer(serializers.Serializer[Any]):
    """A way of showing something, told before anything is asked."""

    method = serializers.ChoiceField(choices=M.choices)
    level = serializers.IntegerField(min_value=1, max_value=5)
    unlocks = serializers.CharField()
    title = serializers.CharField()
    takes = serializers.CharField(help_text="what it takes, in plain words")
    question = serializers.CharField(help_text="what `target` is")
    example = serializers.CharField(allow_blank=True)
    checked_by = serializers.ChoiceField(choices=["machine", "person"])
    declaration = serializers.CharField(
        allow_blank=True, help_text="what `declared` declares; where it is empty nothing is to be declared"
    )


class ProofSerializer(serializers.Serializer[Any]):
    """What was shown in a case, what it unlocks, and which ways there are."""

    enough = serializers.BooleanField(help_text="nothing more is to be shown for the most that this request can ask")
    levels = LevelSerializer(many=True)
    ways = WaySerializer(many=True, help_text="one suffices; empty where nothing is to be shown")
    document_url = serializers.URLField(
        allow_blank=True, help_text="page that says why a person doubts who asks; empty while nobody does"
    )


class NewChallengeSerializer(serializers.Serializer[Any]):
    """What is to be shown."""

    method = serializers.ChoiceField(choices=M.choices)
    target = serializers.CharField(
        max_length=proofs.MAX_TARGET,
        validators=[no_nul],
        help_text="page, domain, key's address, number, id of a file of the case, or channel: as the way asks",
    )
    declared = serializers.BooleanField(default=False, help_text="the declaration of the way, where it has one")


class StepSerializer(serializers.Serializer[Any]):
    """One thing to do."""

    say = serializers.CharField()
    copy = serializers.ListField(child=serializers.CharField(), help_text="to be taken over word for word")


class ChallengeSerializer(serializers.Serializer[Any]):
    """A proof that was begun."""

    id = serializers.UUIDField()
    method = serializers.ChoiceField(choices=M.choices)
    level = serializers.IntegerField(min_value=1, max_value=5)
    unlocks = serializers.CharField()
    state = serializers.ChoiceField(choices=State.choices)
    target = serializers.CharField()
    named_in_claim = serializers.BooleanField(help_text="whether the request itself names what is shown")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    expired = serializers.BooleanField()
    tries_left = serializers.IntegerField(min_value=0)
    place = serializers.CharField(
        allow_blank=True, help_text="where the code or key must stand: record's name, file, page"
    )
    code = serializers.CharField(allow_blank=True, help_text="empty where a person sends it, or none is needed")
    signed_text = serializers.CharField(allow_blank=True, help_text="what is signed, without a line break at its end")
    note = serializers.CharField(allow_blank=True, help_text="what we saw, where a person judges it")
    steps = StepSerializer(many=True, help_text="the same for people; empty once it is over")


class AnswerSerializer(serializers.Serializer[Any]):
    """What the caller brings: a signature in Base64 or of `ssh-keygen -Y sign`, or the code that was sent."""

    answer = serializers.CharField(
        max_length=proofs.MAX_ANSWER, required=False, allow_blank=True, default="", validators=[no_nul]
    )


class _Proof(Spoken):
    parser_classes = (JsonBody,)

    @property
    def throttle_scope(self) -> str:
        """To read costs what the private page costs; whatever makes or tries counts as a proof."""
        return "status" if self.request.method in SAFE_METHODS else "proof"


class Proof(_Proof):
    """What proof unlocks in a case."""

    @extend_schema(operation_id="read_proof", parameters=[TOKEN], responses={200: ProofSerializer, **problems(404)})
    def get(self, request: Request, token: str) -> Response:
        """What each level unlocks, what was shown, and the ways that this kind of request can use."""
        case = case_of(token)
        shown = set(case.proofs.counting().values_list("level", flat=True))
        ways = proofs.methods(case) if case.is_open else ()
        levels = sorted({1, *shown, *(proofs.LEVELS[method] for method in ways)})
        doubt = doubts.open_doubt(case)
        answer = {
            "enough": proofs.enough(case),
            "levels": [{"level": n, "unlocks": UNLOCKS[n], "shown": n in shown} for n in levels],
            "ways": [_way(method) for method in ways],
            "document_url": settings.BASE_URL + reverse("proof_document", args=[token]) if doubt else "",
        }
        return Response(ProofSerializer(answer).data)


def _way(method: Challenge.Method) -> dict[str, Any]:
    level = proofs.LEVELS[method]
    title, takes, question, example = WAYS[method]
    words = {"title": title, "takes": takes, "question": question, "example": example, "unlocks": UNLOCKS[level]}
    checked = "machine" if method in proofs.MACHINE else "person"
    declaration = DECLARATION if method in proofs.ON_WORKS else ""
    return {"method": method, "level": level, "checked_by": checked, "declaration": declaration, **words}


def _challenge(row: Challenge) -> dict[str, Any]:
    live = row.state == State.OPEN and not row.is_late
    names = ("method", "level", "state", "target", "created_at", "expires_at")
    facts = {
        **{name: getattr(row, name) for name in names},
        "id": row.public_id,
        "unlocks": UNLOCKS[row.level],
        "note": proofs.note_of(row),
        "named_in_claim": row.bound,
        "expired": row.state == State.OPEN and row.is_late,
        "tries_left": proofs.MAX_TRIES - row.tries if live else 0,
        "place": place(row),
        # The code of a channel is told through that channel alone.
        "code": row.code if live and row.method != M.CHANNEL else "",
        "signed_text": signed_text(row) if live else "",
        "steps": [{"say": one.say, "copy": list(one.copy)} for one in steps(row)] if live else [],
    }
    return dict(ChallengeSerializer(facts).data)


def _own(case: Case, public_id: uuid.UUID) -> Challenge:
    row = case.challenges.filter(public_id=public_id).first()
    if row is None:
        raise NotFound(NOTHING_THERE)
    row.case = case
    return row


class Challenges(_Proof):
    """Proofs that were begun in a case."""

    @extend_schema(
        operation_id="list_proof_challenges", parameters=[TOKEN, *CURSOR],
        responses={200: page_of(ChallengeSerializer), **problems(404, 410)},
    )  # fmt: skip
    def get(self, request: Request, token: str) -> Response:
        """Every proof that was begun, the newest first."""
        return paged(request, case_of(token).challenges.select_related("case"), _challenge)

    @extend_schema(
        operation_id="begin_proof_challenge", request=NewChallengeSerializer, parameters=[TOKEN, IDEMPOTENCY],
        responses={201: ChallengeSerializer, **problems(400, 404, 409, 410, 413, 415, 422)},
    )  # fmt: skip
    def post(self, request: Request, token: str) -> Response:
        """Begin one: the answer holds the code and the place where it must stand."""
        case = case_of(token)
        form = NewChallengeSerializer(data=request.data)
        form.is_valid(raise_exception=True)

        def do() -> tuple[int, Any]:
            return 201, _challenge(proofs.challenge_begin(case=case, **form.validated_data))

        return answer_once(request, do)


class OneChallenge(_Proof):
    """A proof that was begun."""

    @extend_schema(
        operation_id="read_proof_challenge", parameters=[TOKEN, CHALLENGE],
        responses={200: ChallengeSerializer, **problems(404, 410)},
    )  # fmt: skip
    def get(self, request: Request, token: str, public_id: uuid.UUID) -> Response:
        """Where it stands and what is to be done."""
        return Response(_challenge(_own(case_of(token), public_id)))

    @extend_schema(
        operation_id="end_proof_challenge", parameters=[TOKEN, CHALLENGE], request=None,
        responses={204: None, **problems(404, 409, 410)},
    )  # fmt: skip
    def delete(self, request: Request, token: str, public_id: uuid.UUID) -> Response:
        """Do not go on with it: its code serves no more."""
        proofs.challenge_end(challenge=_own(case_of(token), public_id))
        return Response(status=204)


class CheckChallenge(_Proof):
    """The look whether it is shown."""

    @extend_schema(
        operation_id="check_proof_challenge", parameters=[TOKEN, CHALLENGE], request=AnswerSerializer,
        responses={200: ChallengeSerializer, **problems(400, 404, 409, 410, 413, 415, 422)},
    )  # fmt: skip
    def post(self, request: Request, token: str, public_id: uuid.UUID) -> Response:
        """Look now. 422 with a `code` where nothing was shown: it counts as a try; the next is taken after a pause."""
        row = _own(case_of(token), public_id)
        form = AnswerSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        answer = form.validated_data["answer"]
        if row.method in _ANSWERED and not answer.strip():
            raise serializers.ValidationError({"answer": [Field.default_error_messages["required"]]})
        came = proofs.challenge_try(challenge=row, answer=answer)
        if not came.shown:
            raise not_shown(came.why, came.detail)
        return Response(_challenge(row))
