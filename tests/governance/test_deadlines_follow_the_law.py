"""Deadlines by the rule sets of the law: dates worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from governance.clocks import LAWS, due_date
from governance.errors import Unfit
from governance.models import Kind, LedgerOpening, Role
from governance.services import deadlines, review
from tests.governance.conftest import TODAY, file_case


@pytest.mark.parametrize(
    ("law", "received", "due"),
    [
        ("gdpr", date(2026, 3, 5), date(2026, 4, 7)),  # 5 Apr is Easter Sunday, 6 Apr Easter Monday
        ("gdpr", date(2026, 8, 31), date(2026, 9, 30)),  # no 31 September
        ("gdpr", date(2026, 10, 26), date(2026, 11, 26)),
        ("gdpr", date(2027, 1, 31), date(2027, 3, 1)),  # 28 February 2027 is a Sunday
        ("uk_gdpr", date(2026, 11, 25), date(2026, 12, 29)),  # Christmas and its substitute day
        ("ccpa", date(2026, 11, 1), date(2026, 12, 16)),
        ("lgpd", date(2026, 11, 1), date(2026, 11, 16)),
        ("copyright_policy", date(2026, 11, 2), date(2026, 12, 2)),
    ],
)
def test_the_last_lawful_day(law, received, due):
    assert due_date(law, received).due == due


def test_an_extension_counts_from_receipt():
    assert due_date("gdpr", date(2026, 10, 26), extended=True).due == date(2027, 1, 26)
    assert due_date("ccpa", date(2026, 11, 1), extended=True).due == date(2027, 1, 30)


def test_a_step_names_the_months_that_it_counts(monkeypatch):
    monkeypatch.setitem(LAWS, "longer", replace(LAWS["gdpr"], code="longer", months=3))
    worked = due_date("longer", date(2026, 10, 26))
    assert worked.due == date(2027, 1, 26) and worked.steps[1].startswith("3 months later, ")


def test_a_pause_moves_only_a_clock_that_knows_it():
    assert due_date("gdpr", date(2026, 10, 26), paused_days=4).due == date(2026, 11, 30)
    assert due_date("ccpa", date(2026, 11, 1), paused_days=4).due == date(2026, 12, 16)


@pytest.mark.parametrize("law", LAWS.values(), ids=lambda law: law.code)
def test_every_rule_is_cited_dated_and_versioned(law):
    assert law.citation and law.article and law.version >= 1 and law.applies_from <= TODAY
    assert due_date(law.code, TODAY).steps


def test_an_extension_needs_reasons_in_time_and_happens_once(people):
    case, legal = file_case(kind=Kind.PRIVACY), people[Role.LEGAL]
    with pytest.raises(Unfit, match="reasons"):
        review.clock_extend(case=case, actor=legal, reasons="busy")
    first = case.due_on
    review.clock_extend(case=case, actor=legal, reasons="Three models are affected and each must be trained again.")
    assert case.due_on > first and case.letters.filter(template="extended").exists()
    with pytest.raises(Unfit, match="Extended once"):
        review.clock_extend(case=case, actor=legal, reasons="Three models are affected and each must be trained again.")


def test_a_near_deadline_is_told_once_and_a_missed_one_again(people, django_capture_on_commit_callbacks, mailoutbox):
    case = file_case(actor=people[Role.LEGAL], received_on=TODAY - timedelta(days=26))
    with django_capture_on_commit_callbacks(execute=True):
        assert deadlines.deadlines_watch() == 1
        assert deadlines.deadlines_watch() == 0
    assert len(mailoutbox) == 1 and case.number in mailoutbox[0].subject
    type(case).objects.filter(pk=case.pk).update(due_on=TODAY - timedelta(days=1))
    assert deadlines.deadlines_watch() == 1
    assert LedgerOpening.objects.filter(case=case, entry__action="deadline.missed").count() == 1
