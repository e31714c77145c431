"""An auditor reads people, roles, the organisation, agents and webhooks; no secret, no address, nobody's principal."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from governance.models import Agent, ApiKey, Mandate, Role, Subscription, User
from governance.policies import Actor
from governance.services import organisation, people, webhooks
from tests.governance.agents import known
from tests.governance.staff import administrators, member

pytestmark = pytest.mark.database

PAGES = ("audit_people", "audit_organisation", "audit_agents", "audit_webhooks")


@pytest.fixture
def auditor(client: Client) -> User:
    user = member("reads@house.example", role=Role.AUDITOR)
    client.force_login(user)
    return user


def page(client: Client, name: str) -> str:
    answer = client.get(reverse(name))
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_the_pages_lie_behind_the_audit_and_lead_to_one_another(client: Client, auditor: User) -> None:
    for name in ("audit", *PAGES):
        text = page(client, name)
        assert all(f'href="{reverse(other)}"' in text for other in PAGES), name
        assert '<form method="post" action="/audit' not in text or name == "audit"


def test_people_are_told_by_whom_since_when_and_as_what(client: Client, auditor: User) -> None:
    first, second = (Actor.of(one) for one in administrators())
    made = people.person_create(
        first_name="Ada", last_name="Quill", email="ada.quill@house.example", role=Role.ENGINEER, actor=first
    )
    people.role_approve(person=made, shown=str(made.grants.last().pk), actor=second)
    people.role_propose(person=User.objects.get(pk=made.pk), role=Role.RELEASE, actor=first)
    people.role_return(person=made, actor=first)
    people.person_deactivate(person=made, actor=first)
    answer = client.get(reverse("audit_people"))
    accounts, grants = (part["rows"] for part in answer.context["parts"])
    row = next(row for row in accounts if row[1] == "Ada Quill")
    assert row[0] == str(made.pk) and row[2] == "ML engineer" and row[3]
    assert row[4]["note"] == str(first.user) and row[5]["text"] == "closed" and row[6]["text"] == "not set up"
    assert grants[0][3]["text"] == f"taken back by {first.user}" and grants[1][3]["text"] == str(second.user)
    text = answer.content.decode()
    assert "ada.quill@house.example" not in text and "password" not in text.lower()
    with CaptureQueriesContext(
        connection,
    ) as before:
        client.get(reverse("audit_people"))
    member("one.more@house.example", role=Role.LEGAL)
    with CaptureQueriesContext(connection) as after:
        client.get(reverse("audit_people"))
    assert len(after) == len(before)


def test_every_version_of_the_organisation_stands_with_who_signed_it(client: Client, auditor: User) -> None:
    first, second = (Actor.of(one) for one in administrators())
    assert "nobody has signed a version" in page(client, "audit_organisation")
    values = {"name": "House of Lumen", "contact": "dpo@lumen.example", "languages": ["en"], "place": "DE-BY"}
    one = organisation.profile_propose(values=values, actor=first)
    organisation.profile_approve(profile=one, actor=second)
    other = organisation.profile_propose(values={**values, "place": "FR"}, actor=second)
    organisation.profile_return(profile=other, actor=first)
    parts = client.get(reverse("audit_organisation")).context["parts"]
    refused, signed = parts[1]["rows"]
    assert "DE-BY" in signed[1]["note"] and signed[3]["text"] == str(second.user)
    assert "FR" in refused[1]["note"] and refused[3]["text"] == f"refused by {first.user}"


def test_agents_are_told_without_whom_their_mandates_are_for(client: Client, auditor: User) -> None:
    one = known(Actor.of(member("desk@house.example", role=Role.LEGAL)))
    text = page(client, "audit_agents")
    assert one.agent.name in text and one.key.prefix in text and one.mandate.recorded_by.email in text
    for secret in (one.mandate.principal, one.mandate.evidence, one.agent.email, one.key.hash):
        assert secret and secret not in text


def test_webhooks_are_told_by_their_host_alone(client: Client, auditor: User, settings: Any) -> None:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    made = webhooks.subscription_create(
        name="Tickets", url="https://127.0.0.1/hook/s3cr3t-path", events=["case.closed"],
        actor=Actor.of(administrators()[0]),
    )  # fmt: skip
    text = page(client, "audit_webhooks")
    assert "Tickets" in text and "127.0.0.1" in text and "case.closed" in text
    assert "s3cr3t-path" not in text and made.secret not in text


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.AUDITOR])
def test_nobody_else_reads_them(client: Client, role: Role) -> None:
    client.force_login(member("other@house.example", role=role))
    assert {client.get(reverse(name)).status_code for name in PAGES} == {403}


def test_an_auditor_changes_nothing_there(client: Client, auditor: User) -> None:
    for name in PAGES:
        assert client.post(reverse(name)).status_code == 405
    for name in ("people", "set_up", "agents", "webhooks"):
        assert client.get(reverse(name)).status_code == 403
    assert not any(one.objects.exists() for one in (Agent, ApiKey, Mandate, Subscription))
