"""An agent with a mandate and a key, as the desk enters them."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from governance.models import Agent, ApiKey, Mandate
from governance.policies import Actor
from governance.services import agents


@dataclass
class Known:
    """The agent's calls carry the key."""

    agent: Agent
    mandate: Mandate
    key: ApiKey
    text: str

    @property
    def headers(self) -> dict[str, str]:
        """For a call."""
        return {"Authorization": f"Bearer {self.text}"}

    def get(self, path: str) -> Any:
        """Read."""
        return Client().get(path, headers=self.headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """Send JSON."""
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return Client().post(path, body, content_type="application/json", headers=sent)

    def part(self, batch: str, number: int, data: bytes, digest: str = "") -> Any:
        """Send a part."""
        given = digest or f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"
        path = f"/api/v1/batches/{batch}/parts/{number}/"
        headers = {**self.headers, "Content-Digest": given}
        return Client().put(path, data, content_type="application/x-ndjson", headers=headers)

    def batch(self, *parts: list[dict[str, Any]]) -> str:
        """A batch with these parts, closed."""
        body = {"mandate": str(self.mandate.public_id), "format": "jsonl"}
        name = str(self.post("/api/v1/batches/", body).json()["id"])
        for number, lines in enumerate(parts, 1):
            data = "\n".join(json.dumps(line) for line in lines).encode()
            assert self.part(name, number, data).status_code == 201
        assert self.post(f"/api/v1/batches/{name}/close/").status_code == 202
        return name


def known(
    legal: Actor, *, kinds: tuple[str, ...] = ("copyright",), scopes: tuple[str, ...] = ("file", "read", "bulk")
) -> Known:
    """Entered a moment ago."""
    agent = agents.agent_enter(what="society", name="Musica", email="post@musica.example", actor=legal)
    until = timezone.localdate() + timedelta(days=100)
    mandate = agents.mandate_record(
        agent=agent, principal="Vel Marun", evidence="Contract seen on paper.", kinds=kinds, until=until, actor=legal
    )
    made = agents.key_issue(agent=agent, label="import", scopes=scopes, days=30, actor=legal)
    return Known(agent, mandate, made.key, made.text)


def works(first: int, count: int) -> list[dict[str, Any]]:
    """Lines of a batch."""
    return [{"ref": f"W{n}", "url": f"https://musica.example/{n}"} for n in range(first, first + count)]
