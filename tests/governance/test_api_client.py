"""The client of docs/examples: files, follows, takes back, sends batches that were cut off. Over HTTP: tests/bench."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pytest
from django.test import Client as Web

from governance.models import Batch, Case, Role
from governance.policies import Actor
from governance.services import batches
from tests.architecture.tree import ROOT
from tests.governance.agents import known, works


@pytest.fixture(scope="module")
def library() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lethe_client", ROOT / "docs/examples/lethe_client.py")
    assert spec and spec.loader
    found = importlib.util.module_from_spec(spec)
    sys.modules["lethe_client"] = found
    spec.loader.exec_module(found)
    return found


def through_django(
    self: Any, method: str, path: str, data: bytes | None, headers: Mapping[str, str]
) -> tuple[int, dict[str, str], bytes]:
    """The call without a network."""
    kind = headers.get("Content-Type", "application/json")
    answer = Web().generic(method, path, data or b"", kind, headers={**self._headers, **headers})
    return answer.status_code, {name.lower(): value for name, value in answer.items()}, answer.content


def test_the_client_files_follows_and_sends_batches(
    library: ModuleType, people: dict[Role, Actor], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    agent, address = known(people[Role.LEGAL]), "http://127.0.0.1:8000"
    monkeypatch.setattr(library.Client, "_once", through_django)
    client = library.Client(address, agent.text)
    mandate = next(client.mandates())["id"]
    request = {"kind": "copyright", "mandate": mandate, "declared": True,
               "items": [{"form": "url", "text": "https://a.example/1"}]}  # fmt: skip
    receipt = client.file(request, idempotency_key="mine-1")
    assert client.file(request, idempotency_key="mine-1") == receipt and Case.objects.count() == 1
    assert client.standing(receipt["status_api_url"])["status"] == "proof"
    assert [row["number"] for row in client.requests()] == [receipt["number"]]
    client.withdraw(receipt["status_api_url"])
    with pytest.raises(library.Refused) as caught:
        client.withdraw(receipt["status_api_url"])
    assert caught.value.status == 409

    parts = [json.dumps(line).encode() for line in works(0, 3)]
    begun = client._json("POST", "/api/v1/batches/", {"mandate": mandate, "format": "jsonl"})["id"]
    client.send_part(begun, 1, parts[0])
    sent = client.send_batch(mandate=mandate, parts=parts, batch=begun)
    assert (sent["state"], sent["parts"], sent["lines"]) == ("queued", [1, 2, 3], 3)
    batches.batch_run(Batch.objects.get().pk)
    assert client.batch(begun)["state"] == "done"
    assert [row["state"] for row in client.results(begun)] == ["accepted"] * 3

    file = tmp_path / "works.jsonl"
    file.write_bytes(b"\n".join(parts))
    monkeypatch.setenv("LETHE_KEY", agent.text)
    assert library.main([address, "send", mandate, str(file)]) == 0
    assert Batch.objects.count() == 2


def test_a_refusal_names_every_reason(library: ModuleType) -> None:
    error = library._refused(400, b'{"messages": ["a", "b"], "errors": [{"pointer": "#/x", "detail": "a"}]}')
    assert error.messages == ("a", "b") and error.errors[0]["pointer"] == "#/x"
    assert "<html>" in str(library._refused(502, b"<html>"))
    with pytest.raises(ValueError, match="no address"):
        library.Client("ftp://x")
