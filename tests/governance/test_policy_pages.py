"""The policies as a page: what is in force, what waits, what changed and which way."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from governance import dispatch
from governance.models import Role, VerificationPolicy
from governance.policies import Actor
from governance.services import verification_policies as service
from tests.governance.staff import sign_in_to_decide

WHY = "The corpus of the spring release is small; the wider margin was measured on eight seeds of its own."


def filled(**changes: Any) -> dict[str, Any]:
    """The form as a browser sends it back, with changes."""
    policy = service.current()
    data: dict[str, Any] = {"reason": WHY, "attacks": policy["attacks"], "required_utility": policy["required_utility"]}
    for name, value in policy.items():
        if name == "margins":
            data |= {f"margins__{probe}": m for probe, m in {**dispatch.MARGINS, **value}.items()}
        elif isinstance(value, dict):
            data |= {f"{name}__{inner}": one for inner, one in value.items()}
        elif not isinstance(value, list) and name not in ("name", "version"):
            data[name] = value
    return {**data, **changes}


def enter(client: Client, people: dict[Role, Actor], role: Role) -> None:
    user = people[role].user
    assert user
    sign_in_to_decide(client, user)


def text(client: Client) -> str:
    return client.get(reverse("policies")).content.decode()


def test_the_engines_own_policy_is_told_until_there_is_another(client: Client, people: dict[Role, Actor]) -> None:
    enter(client, people, Role.AUDITOR)
    page = text(client)
    assert "New plans are judged by the engine&#x27;s own policy" in page or "engine's own policy" in page
    assert "Version 0" in page and "Propose other thresholds" not in page


def test_a_proposal_goes_through_two_pairs_of_eyes_and_says_which_way_it_points(
    client: Client, people: dict[Role, Actor]
) -> None:
    enter(client, people, Role.LEGAL)
    changes = {"margins__exact_value": "0.2", "confidence": "0.99"}
    answer = client.post(reverse("policy_propose"), filled(**changes))
    assert answer["Location"] == reverse("policies")
    page = text(client)
    assert "10 points, then 20 points" in page and "easier to pass" in page and "harder to pass" in page
    assert "You proposed this version" in page and reverse("policy_approve", args=[1]) not in page
    assert client.post(reverse("policy_approve", args=[1])).status_code == 403
    enter(client, people, Role.APPROVER)
    assert "waiting for you" in text(client)
    assert client.post(reverse("policy_approve", args=[1]))["Location"] == reverse("policies")
    page = text(client)
    assert "judged by policy 1, easier to pass at 1 point than the engine" in page
    assert WHY in page and "Version 0" in page


def test_an_attack_that_is_left_out_takes_its_margins_along(client: Client, people: dict[Role, Actor]) -> None:
    enter(client, people, Role.ENGINEER)
    left = [name for name in service.current()["attacks"] if name != "pruning"]
    client.post(reverse("policy_propose"), filled(attacks=left))
    made = VerificationPolicy.objects.get()
    assert made.policy["attacks"] == left and "pruning_value" not in made.policy["margins"]
    page = text(client)
    assert "Attack left out: small weights removed" in page


def test_an_unfit_value_keeps_the_input_and_says_what_is_wrong(client: Client, people: dict[Role, Actor]) -> None:
    enter(client, people, Role.ENGINEER)
    answer = client.post(reverse("policy_propose"), filled(utility_floor="7"))
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "utility_floor" in page and 'value="7"' in page.replace('value="7.0"', 'value="7"')
    assert not VerificationPolicy.objects.exists()


def test_a_return_needs_a_reason_and_stays_in_the_history(client: Client, people: dict[Role, Actor]) -> None:
    enter(client, people, Role.LEGAL)
    client.post(reverse("policy_propose"), filled(confidence="0.9"))
    enter(client, people, Role.APPROVER)
    assert client.post(reverse("policy_return", args=[1]), {"reason": ""}).status_code == 422
    assert client.post(reverse("policy_return", args=[1]), {"reason": "Measure first."}).status_code == 302
    page = text(client)
    assert "Measure first." in page and "waits for a second person" not in page


@pytest.mark.parametrize("role", [Role.APPROVER, Role.AUDITOR, Role.RELEASE, Role.EXECUTIVE, Role.ADMINISTRATOR])
def test_only_legal_and_engineers_see_the_form(client: Client, people: dict[Role, Actor], role: Role) -> None:
    enter(client, people, role)
    assert client.get(reverse("policy_propose")).status_code == 403


def test_a_proposal_without_a_second_factor_is_sent_to_set_it_up(client: Client, people: dict[Role, Actor]) -> None:
    user = people[Role.LEGAL].user
    assert user
    client.force_login(user)
    assert client.get(reverse("policy_propose")).status_code == 302


def test_a_version_that_does_not_exist_is_not_found(client: Client, people: dict[Role, Actor]) -> None:
    enter(client, people, Role.APPROVER)
    assert client.post(reverse("policy_approve", args=[4])).status_code == 404


def test_every_threshold_has_a_title_of_its_own() -> None:
    from governance.evidence import policy_words
    from governance.web.threshold_forms import PolicyForm

    form = PolicyForm(service.current())
    names = [name.replace("__", ".") for name in form.fields if name != "reason" and not name.startswith("margins")]
    assert set(names) <= set(policy_words.THRESHOLDS)
    assert len({policy_words.title(name) for name in names}) == len(names)
