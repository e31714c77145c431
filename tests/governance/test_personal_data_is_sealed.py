"""Personal data is unreadable without the subject's key, and gone when the key is."""

from __future__ import annotations

import json

import pytest
from django.db import connection

from governance.errors import KeyDestroyed
from governance.models import Case, Claimant, Job, LedgerEntry, LedgerOpening, Letter, Status, SubjectKey
from governance.models.vault import subject_destroy

pytestmark = pytest.mark.database
PRIVATE = ("Vel Marun", "vel@marun.example", "The Salt Orchard", "nobody remembers")


def _every_row() -> str:
    with connection.cursor() as cursor:
        text = ""
        for table in connection.introspection.table_names(cursor):
            if table.startswith("governance_"):
                cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608
                text += repr([tuple(bytes(c) if isinstance(c, memoryview) else c for c in row) for row in cursor])
    return text


def test_no_column_holds_personal_data_in_clear(walk, case):
    walk(case, Status.DECISION)
    rows = _every_row()
    assert not [private for private in PRIVATE if private in rows]


def test_it_reads_back_for_those_who_may(case):
    again = Case.objects.get(pk=case.pk)
    assert again.claimant.name == "Vel Marun"
    assert again.items.get().title == "The Salt Orchard"


def test_deferred_columns_are_fetched_not_shown_empty(case):
    assert Claimant.objects.defer("name").get(pk=case.claimant_id).name == "Vel Marun"


def test_saving_again_keeps_the_ciphertext(case):
    claimant = Claimant.objects.get(pk=case.claimant_id)
    claimant.save()
    assert Claimant.objects.get(pk=case.claimant_id).email == "vel@marun.example"


def test_a_value_cannot_be_moved_to_another_column(case):
    claimant = Claimant.objects.get(pk=case.claimant_id)
    Claimant.objects.filter(pk=claimant.pk).update(name=bytes(claimant.__dict__["email"]))
    with pytest.raises(Exception, match=""):
        _ = Claimant.objects.get(pk=claimant.pk).name


def test_destroying_the_key_destroys_the_data_and_keeps_the_ledger(case):
    leaves = LedgerEntry.objects.count()
    subject_destroy(case.claimant.subject)
    with pytest.raises(KeyDestroyed):
        _ = Case.objects.get(pk=case.pk).claimant.name
    with pytest.raises(KeyDestroyed):
        _ = Letter.objects.get(case=case).body
    assert LedgerEntry.objects.count() == leaves
    assert SubjectKey.objects.get(subject=case.claimant.subject).wrapped is None


def test_keys_live_in_another_database(case):
    assert SubjectKey.objects.db == "keyring"
    with connection.cursor() as cursor:
        assert "governance_subjectkey" not in connection.introspection.table_names(cursor)


def test_neither_jobs_nor_the_ledger_carry_personal_data(walk, case):
    walk(case, Status.RELEASE)
    carried = json.dumps([list(Job.objects.values("key", "spec", "progress", "summary", "error", "kind"))], default=str)
    carried += json.dumps(list(LedgerOpening.objects.values_list("body", flat=True)))
    assert not [private for private in PRIVATE if private in carried]
