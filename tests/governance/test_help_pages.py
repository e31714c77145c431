"""Help: every room leads to a topic, every task begins where its reader may enter; the logo in the head."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from governance.glossary import TERMS
from governance.models import HouseProfile, Role
from governance.selectors import organisation
from governance.web.context import ROOMS
from governance.web.help_words import TOPICS, topic_of
from tests.governance.staff import administrators, member

ROLES = [role for role in Role if role != Role.NONE]


@pytest.mark.parametrize("role", ROLES, ids=[role.value for role in ROLES])
def test_each_role_is_helped_and_every_link_opens(client: Client, role: Role) -> None:
    client.force_login(member(f"{role.value}.help@house.example", role=role))
    answer = client.get(reverse("help"))
    (_own, mine), (_others, rest) = answer.context["groups"]
    assert len(mine) >= 2 and len(mine) + len(rest) == len(TOPICS)
    text = answer.content.decode()
    assert all(f'id="word-{term.name}"' in text for term in TERMS)
    for topic in TOPICS:
        page = client.get(reverse("help_topic", args=[topic.name]))
        for task in page.context["tasks"]:
            assert task["steps"] and (not task["url"] or client.get(task["url"]).status_code == 200), task["url"]
    assert client.get("/help/nonsense/").status_code == 404


def test_what_the_help_quotes_stands_on_a_page() -> None:
    files = [*Path("templates").rglob("*.html"), *Path("governance").rglob("*.py")]
    pages = "".join(re.sub(r'"\s*"', "", one.read_text()) for one in files if one.name != "help_words.py").lower()
    said = " ".join(str(step) for topic in TOPICS for task in topic.tasks for step in task.steps)
    quoted = set(re.findall("“([^”]+)”", said)) - {"sessionid", "csrftoken"}  # cookies, named by others
    assert len(quoted) > 40
    assert [words for words in quoted if words.lower().rstrip(",") not in pages] == []


def test_the_foot_of_a_page_leads_to_its_topic(client: Client) -> None:
    assert {view: topic_of(view) for view, _permission, _label in ROOMS} == {
        "dashboard": "figures", "cases": "cases", "models": "models", "duties": "duties", "policies": "cases",
        "jobs": "runs", "reports": "evidence", "ledger": "evidence", "people": "set-up", "set_up": "set-up",
        "outbox": "duties", "today": "cases", "audit": "evidence",
    }  # fmt: skip
    client.force_login(member("foot@house.example", role=Role.ENGINEER))
    foot = re.search(r'<footer class="foot[^>]*>.*?<a href="([^"]+)">Help</a>', client.get("/jobs/").content.decode())
    assert foot and foot[1] == "/help/runs/"


def test_the_logo_that_two_signed_stands_in_the_head_of_every_page(client: Client) -> None:
    client.force_login(member("logo@house.example", role=Role.ENGINEER))
    assert "house-logo--head" not in client.get("/models/").content.decode()
    one, other = administrators()
    row = HouseProfile.objects.create(
        name="House of Lumen", contact="c@house.example", languages=["en"], logo=b"\x89PNG", proposed_by=one
    )
    HouseProfile.objects.filter(pk=row.pk).update(approved_by=other, approved_at=row.proposed_at)
    organisation.forget()
    head = client.get("/models/").content.decode()
    assert 'class="house-logo house-logo--head" src="/organisation/logo.png" alt="House of Lumen"' in head
