"""The whole interface by its own schema: no server error, no undocumented status, answers of the documented shape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from rest_framework.throttling import SimpleRateThrottle
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from governance.models import Case, Role
from governance.policies import Actor
from governance.services import intake, proofs, uploads
from governance.tokens import link_token
from governance.wsgi import application
from tests.governance.agents import Known, known, works
from tests.governance.names import name_server

schema = schemathesis.openapi.from_wsgi("/api/schema/", application)
#: Status -> how often it was answered.
SEEN: Counter[int] = Counter()


@schemathesis.serializer("application/x-ndjson", "text/csv")
def raw(_context: Any, value: Any) -> bytes:
    """A part of a batch as it travels."""
    return value if isinstance(value, bytes) else str(value).encode()


CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture
def inside(
    people: dict[Role, Actor], case: Case, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> Iterator[dict[str, Any]]:
    """Something behind every address, and no throttle in the way."""
    monkeypatch.setattr(SimpleRateThrottle, "allow_request", lambda *_a: True)
    agent: Known = known(people[Role.LEGAL], kinds=("copyright", "safety"))
    batch = agent.batch(works(0, 2))
    file = uploads.upload_take(case=case, name="a.txt", data=b"a poem")
    intake.email_confirm(token=link_token(case.public_id, "confirm"))
    case.refresh_from_db()
    shown = proofs.challenge_begin(case=case, method="dns", target="vel-marun.example", declared=True)
    ids = {"batch": batch, "file": str(file.public_id), "challenge": str(shown.public_id)}
    with name_server({}) as server:
        settings.DNS_SERVERS = [server]
        yield {"agent": agent, "token": link_token(case.public_id, "status"), **ids}


#: Each operation is a test with a name of its own: pytest-xdist runs one of those that share a name.
OPERATIONS = [found.ok() for found in schema.get_all_operations()]


@pytest.mark.parametrize("operation", OPERATIONS, ids=[str(operation.label) for operation in OPERATIONS])
def test_no_call_breaks_the_interface(operation: Any, inside: dict[str, Any]) -> None:
    @given(case=operation.as_strategy())
    @limits(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    def calls(case: Any) -> None:
        _call(case, inside)

    calls()


def _call(case: Any, inside: dict[str, Any]) -> None:
    known_agent: Known = inside["agent"]
    if "token" in case.path_parameters and len(str(case.path_parameters["token"])) % 2:
        case.path_parameters["token"] = inside["token"]
    if "public_id" in case.path_parameters:
        path = case.operation.path
        what = "challenge" if "challenges" in path else "file" if "files" in path else "batch"
        case.path_parameters["public_id"] = inside[what]
    if isinstance(case.body, dict) and "mandate" in case.body:
        case.body["mandate"] = str(known_agent.mandate.public_id)
    if len(repr(case.body)) % 4:  # the others come without a key
        case.headers = {**(case.headers or {}), **known_agent.headers}
    response = case.call_and_validate(checks=CHECKS)
    SEEN[response.status_code] += 1


def test_the_calls_met_more_than_refusals() -> None:
    assert {200, 201, 400, 401, 404} <= set(SEEN), SEEN
