"""Texts that a claimant sent: gone at their word when the case is closed, never while anything needs them."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from governance.errors import Conflict, NotAllowed
from governance.models import Case, Disposition, Kind, LedgerOpening, Relation, Role, Status
from governance.policies import CLAIMANT, Actor
from governance.services import children, fingerprints, texts
from governance.tokens import link_token
from tests.governance.conftest import file_case


def closed(kind: Kind = Kind.COPYRIGHT) -> Case:
    case = file_case(kind)
    fingerprints.take(case)
    Case.objects.filter(pk=case.pk).update(
        status=Status.CLOSED, disposition=Disposition.EXCLUDED, closed_at=timezone.now()
    )
    case.refresh_from_db()
    return case


def test_the_texts_of_a_closed_case_are_deleted_after_a_page_that_asks(client: Client) -> None:
    case = closed()
    kept = case.fingerprints.count()
    token = link_token(case.public_id, "status")
    door = f"/status/{token}/texts/delete/"
    assert door in client.get(f"/status/{token}/").content.decode()
    assert client.post(door, {}).status_code == 422 and texts.deletable(case)
    assert client.post(door, {"sure": "on"}).status_code == 302
    assert [item.text for item in case.items.all()] == ["" for _item in case.items.all()]
    assert case.fingerprints.count() == kept > 0 and all(item.title for item in case.items.all())
    assert client.get(door).status_code == 302
    row = LedgerOpening.objects.get(entry__action="texts.deleted")
    assert row.body == {"texts": case.items.count()}


def test_nothing_is_deleted_while_it_is_needed(people: dict[Role, Actor]) -> None:
    with pytest.raises(Conflict, match="no text that can be deleted now"):
        texts.texts_delete(case=file_case(), actor=CLAIMANT)
    held = closed()
    Case.objects.filter(pk=held.pk).update(held_at=timezone.now())
    followed = closed()
    children.case_follow(case=followed, relation=Relation.APPEAL, reason="The second edition was left out of it.")
    for case in (held, followed):
        case.refresh_from_db()
        with pytest.raises(Conflict):
            texts.texts_delete(case=case, actor=CLAIMANT)
        assert all(item.text for item in case.items.all())
    with pytest.raises(NotAllowed):
        texts.texts_delete(case=closed(), actor=people[Role.LEGAL])
