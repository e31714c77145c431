"""What waits for a second signature ends without one: whoever proposed takes it back, whoever may sign refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import signatures
from governance.models import (
    Case,
    Decision,
    Erasure,
    LedgerOpening,
    Patch,
    PatchPublication,
    Relation,
    Role,
    Status,
    VersionOrder,
    WorksReturn,
)
from governance.policies import Actor
from governance.selectors import today
from governance.services import (
    abuse,
    children,
    decision,
    holds,
    order_signing,
    orders,
    patch_feed,
    planning,
    release,
    retention,
)
from tests.governance.conftest import file_case, run_house_jobs
from tests.governance.publishing import made
from tests.governance.staff import member, sign_in_to_decide
from tests.governance.test_retention import end

pytestmark = pytest.mark.database

People = dict[Role, Actor]
Walk = Callable[..., Case]
WHY = "The numbers of the last measurement are missing."


@pytest.fixture
def patch(walk: Walk, case: Case, people: People, catalogue: dict[str, Any], settings: Any, tmp_path: Path) -> Patch:
    """A public patch of a release, really made."""
    return made(walk, case, people, settings, tmp_path)


def body(action: str) -> dict[str, Any]:
    return dict(LedgerOpening.objects.filter(entry__action=action).latest("entry_id").body)


def waits(actor: Actor) -> list[str]:
    return [one.what for one in today.second_signatures(actor).rows]


def enter(client: Client, actor: Actor) -> None:
    assert actor.user
    sign_in_to_decide(client, actor.user)


class TestPublication:
    def test_it_is_refused_with_a_reason_and_proposed_anew(self, patch: Patch, people: People) -> None:
        row = patch_feed.publication_propose(patch=patch, actor=people[Role.ENGINEER])
        with pytest.raises(Unfit, match="full sentence"):
            patch_feed.publication_return(publication=row, actor=people[Role.LEGAL], reason="no")
        with pytest.raises(NotAllowed):
            patch_feed.publication_return(publication=row, actor=people[Role.RELEASE], reason=WHY)
        assert waits(people[Role.LEGAL]) == ["patch"]
        patch_feed.publication_return(publication=row, actor=people[Role.LEGAL], reason=WHY)
        assert waits(people[Role.LEGAL]) == []
        assert body("patch.publication_refused")["why"] == WHY and row.returned_why == WHY
        for step in (patch_feed.publication_approve, patch_feed.publication_return):
            with pytest.raises(Conflict):
                step(publication=row, actor=people[Role.ENGINEER if "return" in step.__name__ else Role.LEGAL])
        again = patch_feed.publication_propose(patch=patch, actor=people[Role.ENGINEER])
        with pytest.raises(Conflict):
            patch_feed.publication_propose(patch=patch, actor=people[Role.RELEASE])
        patch_feed.publication_return(publication=again, actor=people[Role.ENGINEER])
        assert "why" not in body("patch.publication_taken_back")
        last = patch_feed.publication_propose(patch=patch, actor=people[Role.RELEASE])
        patch_feed.publication_approve(publication=last, actor=people[Role.LEGAL])
        assert not [one for one in signatures.audit().findings if "ublication" in one]

    def test_the_database_approves_nothing_that_was_refused(self, patch: Patch, people: People) -> None:
        row = patch_feed.publication_propose(patch=patch, actor=people[Role.ENGINEER])
        patch_feed.publication_return(publication=row, actor=people[Role.LEGAL], reason=WHY)
        rows, now = PatchPublication.objects.filter(pk=row.pk), timezone.now()
        for change in (
            {"approved_by": people[Role.LEGAL].user, "approved_at": now},
            {"returned_at": None, "returned_by": None},
            {"returned_why": "For another reason than the one that was given."},
        ):
            with pytest.raises(IntegrityError), transaction.atomic():
                rows.update(**change)
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.delete()
        columns = {"patch": patch, "base": row.base, "result": row.result, "proposed_by": people[Role.ENGINEER].user}
        with pytest.raises(IntegrityError), transaction.atomic():
            PatchPublication.objects.create(**columns, returned_at=now)
        PatchPublication.objects.create(**columns)
        with pytest.raises(IntegrityError), transaction.atomic():
            PatchPublication.objects.create(**columns)

    def test_it_is_done_on_the_page(self, patch: Patch, people: People, client: Client) -> None:
        enter(client, people[Role.ENGINEER])
        client.post(reverse("patch_propose", args=[patch.pk]))
        assert "Take back the proposal to publish" in client.get(reverse("patches")).content.decode()
        enter(client, people[Role.LEGAL])
        no = reverse("patch_publish_return", args=[patch.pk])
        assert "Refuse to publish" in client.get(reverse("patches")).content.decode()
        assert client.post(no, {"reason": "no"}).status_code == 422
        assert client.post(no, {"reason": WHY}).status_code == 302
        page = client.get(reverse("patches")).content.decode()
        assert "publication refused by" in page and WHY in page
        enter(client, people[Role.ENGINEER])
        client.post(reverse("patch_propose", args=[patch.pk]))
        assert client.post(no).status_code == 302
        assert "proposal taken back by" in client.get(reverse("patches")).content.decode()


class TestErasure:
    def test_it_is_refused_with_a_reason_or_taken_back_and_asked_anew(self, case: Case, people: People) -> None:
        old = end(case)
        erasure = retention.erasure_ask(case=old, actor=people[Role.LEGAL])
        with pytest.raises(Unfit, match="full sentence"):
            retention.erasure_return(erasure=erasure, actor=people[Role.APPROVER])
        other = Actor.of(member("other.legal@house.example", role=Role.LEGAL))
        with pytest.raises(NotAllowed):
            retention.erasure_return(erasure=erasure, actor=other, reason=WHY)
        assert waits(people[Role.APPROVER]) == ["erasure"]
        retention.erasure_return(erasure=erasure, actor=people[Role.APPROVER], reason=WHY)
        assert waits(people[Role.APPROVER]) == [] and body("erasure.refused") == {"why": WHY}
        with pytest.raises(Conflict):
            retention.erasure_approve(erasure=erasure, actor=people[Role.APPROVER])
        again = retention.erasure_ask(case=old, actor=people[Role.LEGAL])
        retention.erasure_return(erasure=again, actor=people[Role.LEGAL])
        assert LedgerOpening.objects.filter(entry__action="erasure.taken_back", case=old).exists()
        last = retention.erasure_ask(case=old, actor=people[Role.LEGAL])
        assert retention.erasure_approve(erasure=last, actor=people[Role.APPROVER]).done_at
        with pytest.raises(Conflict):
            retention.erasure_return(erasure=last, actor=people[Role.LEGAL])

    def test_the_database_destroys_nothing_that_was_refused(self, case: Case, people: People) -> None:
        erasure = retention.erasure_ask(case=end(case), actor=people[Role.LEGAL])
        retention.erasure_return(erasure=erasure, actor=people[Role.APPROVER], reason=WHY)
        rows, now = Erasure.objects.filter(pk=erasure.pk), timezone.now()
        approved = {"approved_by": people[Role.APPROVER].user, "approved_at": now}
        for change in (approved, {**approved, "done_at": now}, {"returned_at": None}, {"done_at": now}):
            with pytest.raises(IntegrityError), transaction.atomic():
                rows.update(**change)
        columns = {"claimant": case.claimant, "mode": "people", "due_on": erasure.due_on, "rule": "house",
                   "asked_by": people[Role.LEGAL].user}  # fmt: skip
        with pytest.raises(IntegrityError), transaction.atomic():
            Erasure.objects.create(**columns, returned_at=now)
        Erasure.objects.create(**columns)
        with pytest.raises(IntegrityError), transaction.atomic():
            Erasure.objects.create(**columns)

    def test_it_is_done_on_the_page(self, case: Case, people: People, client: Client) -> None:
        old = end(case)
        enter(client, people[Role.LEGAL])
        client.post(reverse("erasure_ask"), {"case": old.number})
        no = reverse("erasure_return", args=[Erasure.objects.get().pk])
        assert "Take back that you asked" in client.get(reverse("retention")).content.decode()
        enter(client, people[Role.APPROVER])
        assert client.post(no, {"reason": "no"}).status_code == 422
        assert client.post(no, {"reason": WHY}).status_code == 302
        page = client.get(reverse("retention")).content.decode()
        assert "refused by" in page and WHY in page and "may go" in page


class TestCase:
    def act(self, client: Client, case: Case, name: str, **data: str) -> int:
        return client.post(reverse(f"case_{name}", args=[case.public_id]), data).status_code

    def test_a_decision_is_taken_back_by_whoever_proposed_it(self, walk: Walk, people: People, client: Client) -> None:
        case = walk(file_case(), Status.DECISION)
        erase = decision.Proposal(choice=Decision.Choice.ERASE, ground="policy")
        proposals = {match.pk: erase for match in case.matches.all()}
        decision.decision_propose(case=case, proposals=proposals, actor=people[Role.LEGAL])
        with pytest.raises(Conflict, match="Nothing that you proposed"):
            decision.decision_take_back(case=case, actor=people[Role.APPROVER])
        enter(client, people[Role.LEGAL])
        assert "Take back what you signed" in client.get(reverse("case", args=[case.public_id])).content.decode()
        assert self.act(client, case, "take_back") == 302
        case.refresh_from_db()
        assert case.proposed_by is None and not Decision.objects.exists() and body("decision.taken_back")["erase"] == 2
        decision.decision_propose(case=case, proposals=proposals, actor=people[Role.LEGAL])
        decision.decision_approve(case=case, shown=decision.mark(case), actor=people[Role.APPROVER])

    def test_a_plan_is_taken_back_by_the_engineer(self, walk: Walk, people: People, client: Client) -> None:
        case = walk(file_case(), Status.PLANNING)
        run_house_jobs(case)
        planning.plan_choose(case=case, actor=people[Role.ENGINEER])
        with pytest.raises(Conflict):
            planning.plan_take_back(case=case, actor=people[Role.APPROVER])
        enter(client, people[Role.ENGINEER])
        assert "Take back what you signed" in client.get(reverse("case", args=[case.public_id])).content.decode()
        assert self.act(client, case, "take_back") == 302
        assert case.plans.get().chosen_by is None and body("plan.taken_back") == {"attempt": 1}
        with pytest.raises(Conflict, match="waits for the engineer"):
            planning.plan_confirm(case=case, shown=planning.mark(case.plans.last()), actor=people[Role.APPROVER])

    def test_a_release_that_one_side_signed_is_refused_or_taken_back(
        self, walk: Walk, people: People, client: Client
    ) -> None:
        case = walk(file_case(), Status.RELEASE)
        with pytest.raises(Conflict):
            release.release_return(case=case, actor=people[Role.LEGAL], reason=WHY)
        release.release_sign(case=case, actor=people[Role.RELEASE])
        enter(client, people[Role.LEGAL])
        assert "Refuse what was signed first" in client.get(reverse("case", args=[case.public_id])).content.decode()
        assert self.act(client, case, "refuse", reason="no") == 422
        assert self.act(client, case, "refuse", reason=WHY) == 302
        assert body("release.refused")["why"] == WHY and body("release.refused")["side"] == "released"
        release.release_sign(case=case, actor=people[Role.LEGAL])
        with pytest.raises(NotAllowed):  # an approver signs for the same side
            release.release_return(case=case, actor=people[Role.APPROVER], reason=WHY)
        release.release_return(case=case, actor=people[Role.LEGAL])
        assert body("release.taken_back")["side"] == "legal"
        for role in (Role.LEGAL, Role.RELEASE):
            release.release_sign(case=Case.objects.get(pk=case.pk), actor=people[role])
        with pytest.raises(Conflict):
            release.release_return(case=case, actor=people[Role.LEGAL])
        assert not [one for one in signatures.audit().findings if "Release" in one]

    def test_giving_works_back_is_refused_or_taken_back(self, walk: Walk, people: People, client: Client) -> None:
        parent = walk(file_case(), Status.PLANNING)
        Case.objects.filter(pk=parent.pk).update(status="closed", disposition="excluded", closed_at=timezone.now())
        back = children.case_follow(
            case=Case.objects.get(pk=parent.pk), relation=Relation.RETURN, reason=WHY, actor=people[Role.LEGAL]
        )
        Case.objects.filter(pk=back.pk).update(status=Status.REVIEW)
        back.refresh_from_db()
        other = Actor.of(member("other.legal@house.example", role=Role.LEGAL))
        children.return_propose(case=back, actor=other)
        with pytest.raises(NotAllowed):
            children.return_end(case=back, actor=people[Role.LEGAL], reason=WHY)
        enter(client, people[Role.APPROVER])
        assert "Refuse what was signed first" in client.get(reverse("case", args=[back.public_id])).content.decode()
        assert self.act(client, back, "refuse", reason=WHY) == 302
        assert body("return.refused") == {"why": WHY}
        row = WorksReturn.objects.get()
        with pytest.raises(IntegrityError), transaction.atomic():
            WorksReturn.objects.filter(pk=row.pk).update(
                returned_at=None, approved_by=people[Role.APPROVER].user, approved_at=timezone.now()
            )
        back.refresh_from_db()
        children.return_propose(case=back, actor=other)
        children.return_end(case=back, actor=other)
        back.refresh_from_db()
        children.return_propose(case=back, actor=other)
        children.return_approve(case=back, actor=people[Role.APPROVER])
        assert not [one for one in signatures.audit().findings if "Works" in one]

    def test_lifting_a_hold_is_refused_in_a_note_or_taken_back(
        self, case: Case, people: People, client: Client
    ) -> None:
        legal, approver = people[Role.LEGAL], people[Role.APPROVER]
        holds.hold_set(case=case, reason=WHY, actor=legal)
        holds.hold_lift_ask(case=case, reason=WHY, actor=legal)
        shown = holds.lift_mark(holds.hold_of(case))
        with pytest.raises(Unfit):
            holds.hold_lift_end(case=case, actor=approver, shown=shown)
        enter(client, approver)
        assert "Leave the legal hold as it is" in client.get(reverse("case", args=[case.public_id])).content.decode()
        assert self.act(client, case, "lift_end", shown=shown, reason=WHY) == 302
        assert case.notes.get().text == WHY and set(body("hold.lift_refused")) == {"hold", "note"}
        holds.hold_lift_ask(case=case, reason=WHY, actor=legal)
        with pytest.raises(Conflict, match="asked anew"):
            holds.hold_lift(case=case, actor=approver, shown=shown)
        enter(client, legal)
        page = client.get(reverse("case", args=[case.public_id])).content.decode()
        assert "Take back that you asked" in page and "Why it stays" not in page
        assert self.act(client, case, "lift_end", shown=holds.lift_mark(holds.hold_of(case))) == 302
        assert "hold" in body("hold.lift_taken_back") and case.notes.count() == 1

    def test_a_finding_of_abuse_is_taken_back(self, case: Case, people: People, client: Client) -> None:
        abuse.abuse_propose(case=case, ground="flood", reasons=WHY, actor=people[Role.LEGAL])
        enter(client, people[Role.LEGAL])
        assert "Take back the proposal" in client.get(reverse("case", args=[case.public_id])).content.decode()
        assert self.act(client, case, "abuse_end") == 302
        assert abuse.finding_of(case) is None and "finding" in body("abuse.taken_back")


def test_an_order_is_taken_back_by_whoever_proposed_it(
    catalogue: dict[str, Any], people: People, client: Client
) -> None:
    version = catalogue["released"]
    order = orders.withdrawal_propose(version=version, reason=WHY, actor=people[Role.ENGINEER])
    order_signing.order_sign(order=order, actor=people[Role.LEGAL])
    enter(client, people[Role.RELEASE])
    no = reverse("order_refuse", args=[order.pk])
    assert client.post(no, {"reason": ""}).status_code == 422
    enter(client, people[Role.ENGINEER])
    assert "Take the order back" in client.get(reverse("versions")).content.decode()
    assert client.post(no).status_code == 302
    assert "taken back by" in client.get(reverse("versions")).content.decode()
    assert "why" not in body("order.taken_back") and not VersionOrder.objects.get().is_open
    with pytest.raises(IntegrityError), transaction.atomic():
        VersionOrder.objects.update(release_by=people[Role.RELEASE].user, release_at=timezone.now())
