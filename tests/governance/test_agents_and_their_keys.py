"""Agents: mandates with scope, end and revocation; keys that are hashed, scoped, revocable; what each opens."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance.errors import Conflict, NotAllowed, Unfit
from governance.models import ApiKey, Case, Mandate, Relation, Role
from governance.policies import CLAIMANT, Actor
from governance.services import agents, children, intake, links
from tests.governance.agents import Known, known
from tests.governance.staff import sign_in_to_decide

WORK: dict[str, Any] = {
    "kind": "copyright",
    "declared": True,
    "items": [{"form": "url", "text": "https://a.example/1"}],
}


@pytest.fixture
def legal(people: dict[Role, Actor]) -> Actor:
    return people[Role.LEGAL]


@pytest.fixture
def agent(legal: Actor) -> Known:
    return known(legal)


def file(agent: Known, **more: Any) -> Any:
    return agent.post("/api/v1/requests/", {**WORK, "mandate": str(agent.mandate.public_id), **more})


def test_an_agent_files_for_its_principal_and_needs_no_letter_to_confirm(agent: Known) -> None:
    answer = file(agent)
    assert answer.status_code == 201
    case = Case.objects.get()
    assert (case.claimant.name, case.claimant.principal, case.capacity) == ("Musica", "Vel Marun", "society")
    assert case.status == "proof" and case.proofs.get().level == 1


def test_after_its_mandate_is_revoked_an_agent_keeps_no_link_and_undoes_nothing(agent: Known, legal: Actor) -> None:
    link = urlsplit(file(agent).json()["status_api_url"]).path
    page = link.replace("/api/v1/requests/", "/status/")
    other = agents.mandate_record(
        agent=agent.agent, principal="Ada Brenn", evidence="Contract seen on paper.", kinds=["copyright"],
        until=timezone.localdate() + timedelta(days=9), actor=legal,
    )  # fmt: skip
    file(agent, mandate=str(other.public_id), items=[{"form": "url", "text": "https://a.example/2"}])
    agents.mandate_revoke(mandate=agent.mandate, actor=legal)
    rows = {row["mandate"]: row for row in agent.get("/api/v1/requests/").json()["results"]}
    assert not {"status_api_url", "proof_api_url"} & set(rows[str(agent.mandate.public_id)])
    kept = urlsplit(rows[str(other.public_id)]["status_api_url"]).path
    assert Client().get(kept).status_code == 200
    for path in (link, page):
        assert Client().get(path).status_code == 404
    assert Client().delete(link).status_code == 404
    # A later letter to the agent brings another link: it opens the page, and undoes nothing.
    case = Case.objects.get(filed_by__mandate=agent.mandate)
    present = f"/api/v1/requests/{case.private_token}/"
    assert present != link and Client().get(present).status_code == 200
    assert Client().delete(present).status_code == 403
    with pytest.raises(NotAllowed, match="revoked"):
        children.case_follow(case=case, relation=Relation.RETURN, reason="Take them all, they are free again.")
    with pytest.raises(NotAllowed, match="revoked"):
        links.link_rotate(case=case, actor=CLAIMANT)
    assert Client().delete(kept).status_code == 204
    intake.case_withdraw(case=case, actor=legal)


def test_an_agent_lists_what_it_filed_in_pages_and_nothing_of_others(agent: Known, legal: Actor) -> None:
    for n in range(3):
        file(agent, items=[{"form": "url", "text": f"https://a.example/{n}"}])
    other = known(legal)
    file(other)
    first = agent.get("/api/v1/requests/?page_size=2").json()
    second = agent.get(first["next"].removeprefix("http://testserver")).json()
    numbers = [row["number"] for row in first["results"] + second["results"]]
    assert len(set(numbers)) == 3 and second["next"] is None
    assert len(other.get("/api/v1/requests/").json()["results"]) == 1


@pytest.mark.parametrize("header", ["Bearer lk_wrong", "Bearer", "Basic eDp5", "Bearer é", "lk_x"])
def test_a_key_that_opens_nothing_is_refused_and_never_taken_for_nobody(client: Client, header: str) -> None:
    answer = client.post("/api/v1/requests/", WORK, content_type="application/json", headers={"Authorization": header})
    assert answer.status_code == 401 and answer["WWW-Authenticate"].startswith("Bearer")
    assert answer["Content-Type"] == "application/problem+json"


def test_a_revoked_and_an_expired_key_open_nothing(agent: Known, legal: Actor) -> None:
    agents.key_revoke(key=agent.key, actor=legal)
    assert agent.get("/api/v1/requests/").status_code == 401
    with pytest.raises(Conflict):
        agents.key_revoke(key=agent.key, actor=legal)
    old = agents.key_issue(agent=agent.agent, label="old", scopes=["read"], days=1, actor=legal)
    ApiKey.objects.filter(pk=old.key.pk).update(expires_on=timezone.localdate() - timedelta(days=1))
    headers = {"Authorization": f"Bearer {old.text}"}
    assert Client().get("/api/v1/requests/", headers=headers).status_code == 401


def test_a_key_opens_only_its_scopes(legal: Actor) -> None:
    reads = known(legal, scopes=("read",))
    assert reads.get("/api/v1/requests/").status_code == 200
    assert file(reads).status_code == 403
    assert reads.get("/api/v1/batches/").status_code == 403


def test_nothing_is_kept_of_a_key_but_its_hash(agent: Known) -> None:
    stored = "".join(str(value) for value in ApiKey.objects.values_list().get())
    assert agent.text not in stored and agent.text[:10] in stored


def test_a_mandate_bounds_what_is_filed(agent: Known, legal: Actor) -> None:
    assert file(agent, kind="safety", law="house").status_code == 422
    assert file(agent, mandate="00000000-0000-4000-8000-000000000000").status_code == 422
    Mandate.objects.update(valid_from="2020-01-01", valid_until=timezone.localdate() - timedelta(days=1))
    assert "ended" in file(agent).json()["detail"]
    Mandate.objects.update(valid_until=timezone.localdate())
    assert file(agent).status_code == 201
    agents.mandate_revoke(mandate=agent.mandate, actor=legal)
    assert "revoked" in file(agent).json()["detail"]


def test_a_mandate_of_somebody_else_and_one_without_a_key_file_nothing(agent: Known, legal: Actor) -> None:
    other = known(legal)
    assert file(agent, mandate=str(other.mandate.public_id)).status_code == 422
    body = {**WORK, "mandate": str(agent.mandate.public_id)}
    assert Client().post("/api/v1/requests/", body, content_type="application/json").status_code == 401


def test_every_problem_of_what_the_desk_enters_is_told_at_once(agent: Known, legal: Actor) -> None:
    today = timezone.localdate()
    with pytest.raises(Unfit) as caught:
        agents.agent_enter(what="club", name=" ", email="nobody", actor=legal)
    assert len(caught.value.messages) == 3
    with pytest.raises(Unfit) as caught:
        agents.mandate_record(
            agent=agent.agent, principal="", evidence="x", kinds=["dmca"], until=today - timedelta(days=1), actor=legal
        )
    assert len(caught.value.messages) == 4
    with pytest.raises(Unfit) as caught:
        agents.key_issue(agent=agent.agent, label="", scopes=["all"], days=4000, actor=legal)
    assert len(caught.value.messages) == 3


def test_only_the_legal_desk_enters_agents(people: dict[Role, Actor]) -> None:
    for role in set(Role) - {Role.LEGAL}:
        with pytest.raises(NotAllowed):
            agents.agent_enter(what="agent", name="x", email="x@y.example", actor=people[role])


def test_the_desks_pages_enter_issue_once_and_revoke(client: Client, legal: Actor, agent: Known) -> None:
    assert legal.user
    sign_in_to_decide(client, legal.user)
    sent = {"what": "agent", "name": "Ink Agency", "email": "post@ink.example"}
    assert "Ink Agency is entered" in client.post(reverse("agent_new"), sent, follow=True).content.decode()
    page, name = reverse("agent", args=[agent.agent.public_id]), agent.agent.public_id
    until = (timezone.localdate() + timedelta(days=30)).isoformat()
    mandate = {"principal": "Zoë", "evidence": "A power of attorney.", "kinds": ["copyright"], "until": until}
    client.post(reverse("mandate_new", args=[name]), mandate)
    assert "Zoë" in client.get(page).content.decode()
    answer = client.post(reverse("key_new", args=[name]), {"label": "shop", "scopes": ["file"], "days": "30"})
    text = next(word for word in re.findall(r"lk_[\w-]{43}", answer.content.decode()))
    assert agents.key_find(text).label == "shop"
    assert text not in client.get(page).content.decode()
    client.post(reverse("key_revoke", args=[name, agent.key.public_id]))
    client.post(reverse("mandate_revoke", args=[name, agent.mandate.public_id]))
    assert agent.get("/api/v1/requests/").status_code == 401
    assert client.get(page).content.decode().count("revoked") >= 2
    assert client.post(reverse("key_new", args=[name]), {"label": ""}).status_code == 422
    nobody = "00000000-0000-4000-8000-000000000000"
    assert client.post(reverse("key_revoke", args=[name, nobody])).status_code == 404
