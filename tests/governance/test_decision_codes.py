"""Ground, exception and reason per item, as the law of the case has them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from governance.errors import Unfit
from governance.models import Case, Decision, Kind, Role, Status
from governance.policies import Actor
from governance.services import codes
from governance.services.decision import Proposal, decision_propose
from tests.governance.conftest import file_case
from tests.governance.staff import sign_in_to_decide

REASON = "It is a court notice, kept under a legal duty."


@pytest.fixture
def person(walk: Any) -> Case:
    case: Case = walk(file_case(kind=Kind.PRIVACY), Status.DECISION)
    return case


def refuse(case: Case, code: str, actor: Actor, choice: Decision.Choice = Decision.Choice.REFUSE) -> None:
    proposal = Proposal(choice=choice, ground="GDPR Art. 17(3)(b)", reason=REASON, exception=code)
    decision_propose(case=case, proposals={match.pk: proposal for match in case.matches.all()}, actor=actor)


def test_the_gdpr_has_its_five_exceptions_and_others_have_theirs(person: Case) -> None:
    cited = [one.citation for one in codes.exceptions(person)]
    assert [c for c in cited if "17(3)" in c] == [f"GDPR Art. 17(3)({letter})" for letter in "abcde"]
    assert not any("17(3)" in one.citation for one in codes.exceptions(file_case()))


def test_every_ground_fits_its_column_and_is_kept_once(person: Case) -> None:
    for kind in Kind:
        for law in ("gdpr", "ccpa", "lgpd", "uk_gdpr", "house"):
            kept = [value for value, _words in codes.grounds(Case(kind=kind, law=law))]
            assert len(kept) == len(set(kept)) and max(map(len, kept)) <= codes.GROUND_LENGTH


@pytest.mark.parametrize("code", ["licensed", "ccpa_105_d", "nonsense", "17_3_z"])
def test_a_code_of_another_law_is_refused(person: Case, people: dict[Role, Actor], code: str) -> None:
    with pytest.raises(Unfit, match="is no exception of GDPR"):
        refuse(person, code, people[Role.LEGAL])


def test_what_is_erased_has_no_exception(person: Case, people: dict[Role, Actor]) -> None:
    with pytest.raises(Unfit, match="has no exception"):
        refuse(person, "17_3_b", people[Role.LEGAL], Decision.Choice.ERASE)


def test_a_refusal_keeps_its_code_and_its_words(person: Case, people: dict[Role, Actor]) -> None:
    refuse(person, "17_3_b", people[Role.LEGAL])
    assert set(Decision.objects.values_list("exception", flat=True)) == {"17_3_b"}
    assert codes.exception_words(person, "17_3_b").startswith("GDPR Art. 17(3)(b): ")
    assert codes.exception_words(person, "gone") == "gone"


@pytest.fixture
def legal(client: Client, people: dict[Role, Actor]) -> Client:
    user = people[Role.LEGAL].user
    assert user
    sign_in_to_decide(client, user)
    return client


def propose(client: Client, case: Case, **sent: str) -> Any:
    return client.post(reverse("case_propose", args=[case.public_id]), sent)


def test_each_item_has_its_own_codes(legal: Client, person: Case) -> None:
    first, second = person.matches.order_by("id")
    sent = {
        "choice": "erase", "ground": "GDPR Art. 17(1)(b)", f"ground_{first.pk}": "GDPR Art. 17(1)(c)",
        f"hit_{second.pk}": "refuse", f"code_{second.pk}": "17_3_b", f"why_{second.pk}": REASON,
    }  # fmt: skip
    assert propose(legal, person, **sent).status_code == 302
    rows = Decision.objects.order_by("match_id")
    assert [(one.choice, one.ground, one.exception, one.reason) for one in rows] == [
        ("erase", "GDPR Art. 17(1)(c)", "", ""), ("refuse", "GDPR Art. 17(3)(b)", "17_3_b", REASON)
    ]  # fmt: skip
    text = legal.get(reverse("case", args=[person.public_id])).content.decode()
    assert "GDPR Art. 17(3)(b): a legal duty" in text


@pytest.mark.parametrize(
    "sent",
    [
        {"choice": "refuse", "ground": "GDPR Art. 17(1)(b)", "reason": REASON},
        {"choice": "refuse", "ground": "GDPR Art. 17(1)(b)", "reason": REASON, "exception": "licensed"},
        {"choice": "erase", "ground": "because"},
        {"choice": "erase", "ground": "GDPR Art. 17(1)(b)", "code_1": "licensed"},
        {"choice": "erase", "ground": "GDPR Art. 17(1)(b)", "hit_1": "destroy"},
        {"choice": "erase", "ground": "GDPR Art. 17(1)(b)", "ground_1": "mine"},
        {"choice": "erase", "ground": "GDPR Art. 17(1)(b)", "why_1": "x" * 4001},
    ],
)
def test_what_the_law_does_not_offer_comes_back(legal: Client, person: Case, sent: dict[str, str]) -> None:
    pk = person.matches.earliest("id").pk
    answer = propose(legal, person, **{name.replace("_1", f"_{pk}"): value for name, value in sent.items()})
    assert answer.status_code == 422 and not Decision.objects.exists()


def test_what_was_chosen_is_still_there_after_an_error(legal: Client, person: Case) -> None:
    pk = person.matches.earliest("id").pk
    sent = {f"hit_{pk}": "refuse", f"ground_{pk}": "GDPR Art. 17(1)(c)", f"why_{pk}": REASON}
    text = propose(legal, person, choice="erase", ground="GDPR Art. 17(1)(b)", **sent).content.decode()
    assert '<option value="refuse" selected>' in text and f'value="{REASON}"' in text
    assert '<option value="GDPR Art. 17(1)(c)" selected>' in text


def test_the_list_of_proposals_follows_what_was_signed(person: Case, people: dict[Role, Actor]) -> None:
    from governance.services.decision import decision_return, mark

    refuse(person, "17_3_b", people[Role.LEGAL])
    person.refresh_from_db()
    assert person.proposed_by == people[Role.LEGAL].user
    decision_return(case=person, shown=mark(person), actor=people[Role.APPROVER], reason="Look at the register again.")
    person.refresh_from_db()
    assert person.proposed_by is None


def test_a_proposal_for_some_hits_is_not_yet_complete(person: Case, people: dict[Role, Actor]) -> None:
    proposal = Proposal(choice=Decision.Choice.REFUSE, ground="x", reason=REASON, exception="17_3_b")
    decision_propose(case=person, proposals={person.matches.earliest("id").pk: proposal}, actor=people[Role.LEGAL])
    person.refresh_from_db()
    assert person.proposed_by is None
