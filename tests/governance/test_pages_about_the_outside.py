"""Files, batches, agents and reservations in a browser: axe-clean, no sideways scroll, light and dark, at 320 px."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse

from governance.models import Batch, Case, Role
from governance.policies import Actor
from governance.services import abuse, batches, uploads
from governance.tokens import link_token
from tests.e2e.browser import PHONE, Inspector, Window, chromium
from tests.governance.agents import known, works
from tests.governance.duty_doors import reservations_world
from tests.governance.staff import sign_in_to_decide

HOUSE = "http://lethe.test"


def pages(case: Case, people: dict[Role, Actor], client: Client) -> dict[str, str]:
    """Address -> page, with something on each."""
    legal = people[Role.LEGAL]
    assert legal.user
    uploads.upload_take(case=case, name="poem.txt", data=b"nine white rows")
    uploads.upload_take(case=case, name="tool.exe", data=b"MZ\x90\x00")
    agent = known(legal)
    name = agent.batch([*works(0, 3), {"ref": "B1"}])
    batches.batch_run(Batch.objects.get().pk)
    progress = agent.get(f"/api/v1/batches/{name}/").json()["progress_url"]
    abuse.abuse_propose(case=case, ground="excessive", reasons="The same request came forty times.", actor=legal)
    world = reservations_world()
    sign_in_to_decide(client, legal.user)
    addresses = [
        reverse("status_files", args=[link_token(case.public_id, "status")]), urlsplit(progress).path,
        reverse("reservations"), reverse("reservation", args=world["reservation"]), reverse("uploads"),
        reverse("agents"), reverse("agent", args=[agent.agent.public_id]), reverse("case", args=[case.public_id]),
    ]  # fmt: skip
    return {address: client.get(address).content.decode() for address in addresses}


@pytest.mark.browser
def test_every_page_is_held_to_what_every_page_is_held_to(
    case: Case, people: dict[Role, Actor], client: Client
) -> None:
    found = pages(case, people, client)

    def serve(route: Any) -> None:
        path = urlsplit(route.request.url).path
        if path.startswith("/static/"):
            file = Path(finders.find(path.removeprefix("/static/")))
            route.fulfill(body=file.read_bytes(), content_type=mimetypes.guess_type(path)[0] or "text/plain")
        else:
            route.fulfill(body=found[path], content_type="text/html; charset=utf-8")

    inspector = Inspector()
    with chromium() as browser:
        window = Window(browser, PHONE)
        window.page.route("**/*", serve)
        for address in found:
            window.page.goto(HOUSE + address)
            inspector.look(window, address)
        assert window.complaints == [] and inspector.faults == []
