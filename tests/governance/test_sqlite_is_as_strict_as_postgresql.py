"""Rows are locked within transactions alone, on SQLite too: else a page works there and fails on PostgreSQL."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.db.transaction import TransactionManagementError
from django.test import Client

from governance.models import Case, Upload
from tests.governance.filing import PAGES, file

pytestmark = [pytest.mark.django_db(databases=["default", "keyring"]), pytest.mark.database]
GIVEN = {"name": "Ada Quill", "email": "ada@example.org", "title": "Tide", "text": "The tide.", "law": "gdpr",
         "facts": "Ada lives in Ardry.", "situation": "I am named in it.", "passages": "How to do harm.",
         "harm": "unsafe", "wrong_1": "Ada lives in Tarn.", "declared": "on"}  # fmt: skip


def test_a_lock_outside_of_a_transaction_is_refused() -> None:
    for waiting in (Case.objects.select_for_update(skip_locked=True), Upload.objects.select_for_update(of=("self",))):
        with pytest.raises(TransactionManagementError):
            list(waiting)
        with transaction.atomic():
            assert not list(waiting.all())


@pytest.mark.parametrize("kind", PAGES)
def test_a_request_is_filed_page_by_page(client: Client, kind: str) -> None:
    answer = file(client, kind, GIVEN)
    assert answer.status_code == 302, answer.content.decode()
    assert Case.objects.count() == 1
