"""The clocks of a case: which law governs, what pauses and extends it, and what is refused with the citation."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from governance.clocks import rows
from governance.errors import Conflict, Unfit
from governance.models import Case, CaseClock, ClockExtension, Kind, LedgerOpening, Relation, Role, Status
from governance.services import clocks, review
from tests.governance.conftest import TODAY, file_case
from tests.governance.staff import sign_in_to_decide

pytestmark = pytest.mark.database

REASONS = "Three models are affected and each of them must be trained again."
WHY = "The claimant lives in California and the house does business there."


@pytest.fixture
def legal(people: Any) -> Any:
    return people[Role.LEGAL]


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """Let the house believe that it is this moment."""
    monkeypatch.setattr(timezone, "now", lambda: moment)


def filed(legal: Any, law: str = "gdpr", days: int = 3, kind: Kind = Kind.PRIVACY) -> Case:
    return file_case(kind=kind, law=law, actor=legal, received_on=TODAY - timedelta(days=days))


def test_a_case_keeps_law_version_place_and_why(legal: Any, settings: Any) -> None:
    settings.PLACE = "DE-BY"
    case = file_case(kind=Kind.PRIVACY)
    clock = case.clocks.get()
    assert (clock.law, clock.version, clock.country, clock.subdivision) == ("gdpr", 4, "DE", "BY")
    assert clock.zone == "Europe/Berlin" and clock.because == "Named by the claimant: GDPR."
    assert filed(legal).clocks.get().because == "Entered by staff: GDPR."
    assert case.due_on == clock.due == rows.worked(clock).due


def test_receipt_is_a_moment_in_the_zone_of_the_place(monkeypatch: Any, settings: Any) -> None:
    settings.PLACE = "DE"
    at(monkeypatch, datetime(2026, 3, 31, 22, 30, tzinfo=UTC))  # half past midnight on 1 April in Berlin
    case = file_case(kind=Kind.PRIVACY)
    assert case.received_on == date(2026, 4, 1)
    assert case.due_on == date(2026, 5, 4)  # 1 May is Labour Day, a Friday


def test_the_rule_in_force_on_receipt_governs_to_the_end(legal: Any) -> None:
    before = file_case(kind=Kind.PRIVACY, law="uk_gdpr", actor=legal, received_on=date(2026, 2, 4))
    after = file_case(kind=Kind.PRIVACY, law="uk_gdpr", actor=legal, received_on=date(2026, 2, 5))
    assert (before.clocks.get().version, after.clocks.get().version) == (1, 2)
    assert "until 4 February 2026" in rows.rule_of(before.clocks.get()).article
    with pytest.raises(Unfit, match="did not apply on 01 June 2023"):
        file_case(kind=Kind.PRIVACY, law="us_co", actor=legal, received_on=date(2023, 6, 1))


def test_the_earliest_of_several_laws_governs_and_all_stay(legal: Any) -> None:
    case = filed(legal, "ccpa")
    first = case.due_on
    clock = clocks.clock_add(case=case, actor=legal, law="gdpr", because=WHY, place="IE")
    case.refresh_from_db()
    assert case.due_on == clock.due < first and case.law == "ccpa"
    assert {one.law for one in rows.active(case)} == {"ccpa", "gdpr"} and clock.country == "IE"
    clocks.clock_end(clock=clock, actor=legal, because="The claimant does not live in the Union.")
    case.refresh_from_db()
    assert case.due_on == first and CaseClock.objects.get(pk=clock.pk).ended_because
    actions = LedgerOpening.objects.filter(case=case).values_list("entry__action", flat=True)
    assert {"clock.added", "clock.ended"} <= set(actions)


def test_a_law_is_added_with_a_reason_once_and_only_where_it_fits(legal: Any, people: Any) -> None:
    case = filed(legal)
    for law, because, words in (
        ("ccpa", "so", "one full sentence"),
        ("gdpr", WHY, "runs on this case already"),
        ("gpai", WHY, "covers no privacy request"),
        ("dmca", WHY, "not known"),
    ):
        with pytest.raises(Unfit, match=words):
            clocks.clock_add(case=case, actor=legal, law=law, because=because)
    with pytest.raises(Unfit, match="stays"):
        clocks.clock_end(clock=case.clocks.get(), actor=legal, because=WHY)
    with pytest.raises(Exception, match="may not"):
        clocks.clock_add(case=case, actor=people[Role.ENGINEER], law="ccpa", because=WHY)


def test_no_date_of_a_closed_case_moves(legal: Any) -> None:
    """Else a missed date could be made a kept one after the end."""
    case = filed(legal, "ccpa")
    other = clocks.clock_add(case=case, actor=legal, law="gdpr", because=WHY, place="IE")
    due = Case.objects.get(pk=case.pk).due_on
    Case.objects.filter(pk=case.pk).update(
        status=Status.CLOSED, disposition="refused", closed_at=timezone.now()
    )  # fmt: skip
    for moved in (
        lambda: clocks.clock_end(clock=other, actor=legal, because="The claimant does not live in the Union."),
        lambda: clocks.clock_add(case=case, actor=legal, law="uk_gdpr", because=WHY),
        lambda: clocks.clock_extend(case=case, actor=legal, reasons=WHY),
    ):
        with pytest.raises(Conflict, match="is closed"):
            moved()
    assert Case.objects.get(pk=case.pk).due_on == due and CaseClock.objects.get(pk=other.pk).ended_at is None


def ask(case: Case, legal: Any, walk: Any) -> Case:
    walk(case, Status.PROOF)
    return review.information_ask(case=case, actor=legal, question="Which account is yours?", pauses_clock=True)


def test_doubt_about_identity_stops_the_gdpr_and_the_days_are_added(legal: Any, walk: Any, monkeypatch: Any) -> None:
    at(monkeypatch, datetime(2026, 9, 1, 10, tzinfo=UTC))
    case = file_case(kind=Kind.PRIVACY)
    assert case.due_on == date(2026, 10, 1)
    at(monkeypatch, datetime(2026, 9, 3, 10, tzinfo=UTC))
    ask(case, legal, walk)
    assert case.paused_on == date(2026, 9, 3)
    at(monkeypatch, datetime(2026, 9, 10, 10, tzinfo=UTC))
    review.information_receive(case=case, actor=legal)
    case.refresh_from_db()
    assert (case.due_on, case.paused_days, case.paused_on) == (date(2026, 10, 8), 7, None)


def test_under_the_uk_gdpr_the_month_begins_when_identity_is_shown(legal: Any, walk: Any, monkeypatch: Any) -> None:
    at(monkeypatch, datetime(2026, 9, 1, 10, tzinfo=UTC))
    case = file_case(kind=Kind.PRIVACY, law="uk_gdpr")
    ask(case, legal, walk)
    at(monkeypatch, datetime(2026, 9, 10, 10, tzinfo=UTC))
    review.information_receive(case=case, actor=legal)
    case.refresh_from_db()
    assert case.due_on == date(2026, 10, 12) and case.paused_days == 0  # 10 October is a Saturday


def test_the_ccpa_runs_whatever_is_asked_and_says_where_that_stands(legal: Any, walk: Any) -> None:
    case = file_case(kind=Kind.PRIVACY, law="ccpa")
    with pytest.raises(Unfit, match=r"11 CCR § 7021\(b\)"):
        ask(case, legal, walk)
    case.refresh_from_db()
    assert case.status == Status.PROOF and case.paused_on is None


def test_a_clock_that_stands_still_leaves_the_date_to_one_that_runs(legal: Any, walk: Any) -> None:
    case = file_case(kind=Kind.PRIVACY)
    other = clocks.clock_add(case=case, actor=legal, law="ccpa", because=WHY)
    case.refresh_from_db()
    ask(case, legal, walk)
    case.refresh_from_db()
    assert case.due_on == other.due and case.paused_on is None  # one clock runs: the case is not paused
    assert case.clocks.get(law="gdpr").pauses.get().reasons == "Which account is yours?"


def test_an_extension_needs_reasons_in_time_and_happens_once(legal: Any) -> None:
    case = file_case(kind=Kind.PRIVACY)
    with pytest.raises(Unfit, match="reasons"):
        clocks.clock_extend(case=case, actor=legal, reasons="busy")
    first = case.due_on
    clocks.clock_extend(case=case, actor=legal, reasons=REASONS)
    assert case.due_on > first and case.extended_on and case.letters.filter(template="extended").exists()
    assert ClockExtension.objects.get().reasons == REASONS
    with pytest.raises(Unfit, match="Extended once"):
        clocks.clock_extend(case=case, actor=legal, reasons=REASONS)


@pytest.mark.parametrize(("law", "words"), [("lgpd", "Art. 19, II"), ("quebec", "s. 32")])
def test_a_law_without_an_extension_says_so_with_its_citation(legal: Any, law: str, words: str) -> None:
    case = file_case(kind=Kind.PRIVACY, law=law)
    with pytest.raises(Unfit, match="knows no extension") as refused:
        clocks.clock_extend(case=case, actor=legal, reasons=REASONS)
    assert words in str(refused.value)


def test_an_extension_after_the_deadline_is_refused_with_the_day_that_it_had(legal: Any) -> None:
    case = filed(legal, days=40)
    with pytest.raises(Unfit, match="deadline has passed") as refused:
        clocks.clock_extend(case=case, actor=legal, reasons=REASONS)
    assert "GDPR Art. 12(3)" in str(refused.value)


def test_of_several_clocks_those_are_extended_whose_law_allows_it(legal: Any) -> None:
    case = file_case(kind=Kind.PRIVACY)
    clocks.clock_add(case=case, actor=legal, law="lgpd", because=WHY)
    clocks.clock_extend(case=case, actor=legal, reasons=REASONS)
    case.refresh_from_db()
    assert case.clocks.get(law="gdpr").extended_due and not case.clocks.get(law="lgpd").extended_due
    assert case.due_on == case.clocks.get(law="lgpd").due


def test_a_request_whose_date_has_passed_is_taken_and_late_from_the_start(legal: Any) -> None:
    case = filed(legal, days=60)
    assert case.due_on < TODAY
    missed = LedgerOpening.objects.get(case=case, entry__action="deadline.missed")
    assert missed.body["law"] == "gdpr" and missed.body["due_on"] == case.due_on.isoformat()


def test_an_appeal_has_the_clock_that_its_law_gives_it() -> None:
    for law, relation, days in (("us_va", Relation.APPEAL, 60), ("us_co", Relation.APPEAL, 45)):
        child = Case(kind=Kind.PRIVACY, law=law, relation=relation)
        clock = rows.begin(child, received=date(2026, 9, 1), because="An appeal.")
        assert (clock.due - date(2026, 9, 1)).days == days and clock.relation == "appeal"
    child = Case(kind=Kind.PRIVACY, law="uk_gdpr", relation=Relation.COMPLAINT)
    clock = rows.begin(child, received=date(2026, 7, 1), because="A complaint.")
    assert clock.confirm_by == date(2026, 7, 31)


def test_a_case_from_before_there_were_clocks_gets_the_one_of_its_law(legal: Any) -> None:
    case = file_case(kind=Kind.PRIVACY)
    with connection.cursor() as cursor:  # as the load measurement and an import make them: without clocks
        cursor.execute("SELECT count(*) FROM governance_caseclock")
    bare = Case.objects.create(
        kind=Kind.PRIVACY, law="gdpr", channel="post", claimant=case.claimant, received_on=TODAY, due_on=case.due_on,
        status_token="a", confirm_token="b",
    )  # fmt: skip
    clocks.clock_extend(case=bare, actor=legal, reasons=REASONS)
    assert bare.clocks.get().extended_due == bare.due_on


def test_rows_of_clocks_hold_against_raw_changes(legal: Any, walk: Any) -> None:
    case = file_case(kind=Kind.PRIVACY)
    ask(case, legal, walk)
    review.information_receive(case=case, actor=legal)
    for sql in (
        "DELETE FROM governance_clockpause",
        "UPDATE governance_clockpause SET cause = 'clarification'",
        "DELETE FROM governance_caseclock",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
    with pytest.raises(Conflict, match="not waiting"):
        review.information_receive(case=case, actor=legal)


def test_the_page_shows_every_law_with_steps_citation_version_and_why(legal: Any, client: Any, settings: Any) -> None:
    settings.PLACE = "DE-BY"
    case = filed(legal, "ccpa")
    clocks.clock_add(case=case, actor=legal, law="gdpr", because=WHY)
    clocks.clock_extend(case=case, actor=legal, reasons=REASONS)
    client.force_login(legal.user)
    text = client.get(f"/cases/{case.public_id}/").content.decode()
    for words in (
        "2 laws run on this case. The earliest date governs", "11 CCR § 7021(b)", "GDPR Art. 12(3)", WHY,
        "rule set gdpr 4, in force since 25 May 2018", "rule set ccpa 2, in force since 29 March 2023",
        "Counted in DE-BY, Europe/Berlin", "Counted in US-CA, America/Los_Angeles", "regardless of the time required",
        "Extended with notice and reasons of", "Receipt to be confirmed by", "GPU queue",
    ):  # fmt: skip
        assert words in text, words


def test_the_page_says_that_a_request_was_late_from_the_start(legal: Any, client: Any) -> None:
    case = filed(legal, days=60)
    client.force_login(legal.user)
    assert "Late from the start: entered on" in client.get(f"/cases/{case.public_id}/").content.decode()


def test_forms_add_a_law_and_refuse_with_the_citation(legal: Any, client: Any, walk: Any) -> None:
    case = file_case(kind=Kind.PRIVACY, law="lgpd")
    sign_in_to_decide(client, legal.user)
    page = f"/cases/{case.public_id}/"
    sent = client.post(f"{page}add_law/", {"law": "gdpr", "because": WHY, "place": "IE"}, follow=True)
    assert "The clock of GDPR runs as well." in sent.content.decode() and case.clocks.count() == 2
    for data, words in (({"place": "XX"}, "is not known"), ({"place": "US"}, "does not count by the calendar of US")):
        case.clocks.filter(law="uk_gdpr").update(ended_at=timezone.now())
        answer = client.post(f"{page}add_law/", {"law": "uk_gdpr", "because": WHY, **data})
        assert answer.status_code == 422 and words in answer.content.decode()
    gdpr = case.clocks.get(law="gdpr")
    client.post(f"{page}end_law/", {"clock": gdpr.pk, "because": "Nobody in the Union is concerned by it."})
    gdpr.refresh_from_db()
    assert gdpr.ended_at
    refused = client.post(f"{page}extend/", {"reasons": REASONS})
    assert refused.status_code == 422 and "LGPD Art. 19, II" in refused.content.decode()
    walk(case, Status.PROOF)
    asked = {"choice": "ask", "text": "Which account is yours?", "pauses_clock": "on"}
    refused = client.post(f"{page}review/", asked)
    assert refused.status_code == 422 and "knows no pause" in refused.content.decode()


def test_staff_name_the_country_whose_holidays_count(legal: Any, client: Any) -> None:
    client.force_login(legal.user)
    data = {
        "channel": "post", "received_on": "2026-03-05", "asked": "privacy", "law": "gdpr", "place": "de-by",
        "name": "Ada Brenn", "email": "ada@brenn.example", "title": "Address", "text": "Lives at 4 Mill Lane.",
    }  # fmt: skip
    client.post("/cases/new/", data)
    clock = CaseClock.objects.get()
    assert (clock.country, clock.subdivision, clock.due) == ("DE", "BY", date(2026, 4, 7))
    assert client.post("/cases/new/", {**data, "place": "XX"}).status_code == 422
