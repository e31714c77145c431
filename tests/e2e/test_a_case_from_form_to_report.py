"""One case in the browser, as each of its people sees it: from the artist's telephone to a report that is checked.

Everything behind the pages is real: web server, workers, scheduler, a model that the engine trained. Each state of the
case is held to axe-core in light and dark at 1280 pixels (390 for the artist) and at 320; the pages of every house are
held to it in test_every_page_fits.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browser import PHONE, Inspector, chromium
from tests.e2e.house import House
from tests.e2e.pages import Claimant, Member

pytestmark = pytest.mark.browser

ROLES = ("legal", "approver", "engineer", "release", "executive", "auditor")
DONE = ("Fulfilled", "Partly fulfilled: suppressed, recoverable")


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def house(browser: Browser, tmp_path: Path) -> Iterator[House]:
    with House(tmp_path) as started:
        started.wait_until_built()
        yield started


class Walk:
    """The people of one case, and the case's number."""

    def __init__(self, house: House, browser: Browser) -> None:
        self.inspector = Inspector()
        self.artist = Claimant(house, browser, self.inspector, PHONE)
        self.staff = {role: Member(house, browser, self.inspector, role) for role in ROLES}
        self.number = self.case_url = ""

    def arrive(self, role: str) -> Member:
        """Sign in and open the case."""
        member = self.staff[role]
        member.sign_in()
        member.open_case(self.number)
        self.case_url = member.page.url.partition("?")[0]
        return member

    def complaints(self) -> list[str]:
        """What the pages were held to and missed, and what consoles said."""
        windows = [self.artist.window, *(member.window for member in self.staff.values())]
        return self.inspector.faults + [line for window in windows for line in window.complaints]


def test_a_case_from_form_to_report(house: House, browser: Browser, tmp_path: Path) -> None:
    walk = Walk(house, browser)
    file_and_confirm(walk)
    admit_and_propose(walk)
    approve(walk)
    unlearn_until_release(walk)
    release(walk)
    pdf = receive_report(walk, tmp_path)
    check_report(walk, pdf)
    look_on_when_all_is_done(walk)
    assert not walk.complaints(), "\n".join(walk.complaints())


def file_and_confirm(walk: Walk) -> None:
    """The artist files on a telephone, follows the link of the letter and sees where the case stands."""
    walk.number = walk.artist.file_opt_out()
    walk.artist.confirm()
    assert walk.artist.title() == "Your address is confirmed."
    walk.artist.reads(walk.number)
    walk.artist.look("status, after the confirmation")


def admit_and_propose(walk: Walk) -> None:
    """A legal officer: authenticator, proof, review, proposal; and no way to approve the own proposal."""
    legal = walk.staff["legal"]
    legal.sign_in()
    legal.open_case(walk.number)
    legal.look("case at proof")
    legal.decide(lambda: record_proof(legal))
    legal.reads("Proof accepted; the case is at review.")
    legal.look("case at review")
    legal.tick("Admissible", legal.panel)
    legal.decide(lambda: legal.press("Sign the review"))
    legal.reads("Admissible. The works are being looked for.")
    legal.wait_for(["Decision"])
    legal.look("case at decision")
    legal.decide(lambda: legal.press("Sign as first reviewer"))
    legal.reads("Signed. A second person now decides.")
    legal.reads("You signed the proposal, so the second signature has to be another person's.")
    assert legal.panel.get_by_role("button").count() == 0


def record_proof(legal: Member) -> None:
    """Fill in the proof and send it."""
    legal.panel.get_by_label("What was shown").select_option("3")
    legal.panel.get_by_label("How it was checked").fill("The nonce stood at the artist's own domain.")
    legal.press("Record", legal.panel)


def approve(walk: Walk) -> None:
    """The second person."""
    approver = walk.arrive("approver")
    approver.visit(f"{walk.case_url}?tab=request")
    approver.look("case that waits for a second person")
    approver.decide(lambda: approver.press("Sign as second reviewer"))
    approver.reads("Approved.")


def unlearn_until_release(walk: Walk) -> None:
    """The engineer confirms one plan after the other until a candidate stands its test."""
    engineer, approver = walk.arrive("engineer"), walk.staff["approver"]
    title, attempts = engineer.wait_for(["Plan 1"]), 0
    while title.startswith("Plan "):
        attempts += 1
        engineer.look("case at planning")
        engineer.decide(lambda: engineer.press("Sign the plan"))
        engineer.reads("is signed. A second person now confirms it.")
        approver.visit(walk.case_url)
        approver.look("plan that waits for a second person")
        approver.decide(lambda: approver.press("Sign as second person"))
        approver.reads("its thresholds stand in the ledger and the run is queued")
        engineer.visit(walk.case_url)
        if attempts == 1:
            engineer.watch_progress("unlearning")
            engineer.look("case while a model is changed")
            tour_while_machines_work(walk)
        title = engineer.wait_for(["Plan 2", "Release", "Report", *DONE, "Not fulfilled"])
        read_verification(engineer, attempts)
        engineer.visit(walk.case_url)
    assert title == "Release", f"after {attempts} plans the case stands at “{title}”"


def read_verification(engineer: Member, attempts: int) -> None:
    """Each plan with its outcome and its intervals."""
    engineer.follow("Verification")
    engineer.look(f"verification of {attempts} plans")
    assert engineer.page.locator(".plan").count() == attempts
    drawn = engineer.page.locator(".interval-cell svg")
    assert drawn.count() >= 8, f"{drawn.count()} intervals are drawn"


def tour_while_machines_work(walk: Walk) -> None:
    """Engineer, auditor and executive look around meanwhile; the executive may not read a case."""
    engineer = walk.staff["engineer"]
    for room in ("models", "datasets", "jobs"):
        engineer.visit(f"/{room}/")
    engineer.page.locator("main table a").first.click()
    engineer.look("job")
    engineer.visit(f"{walk.case_url}?tab=matches")
    engineer.look("hits that were decided")
    engineer.visit(walk.case_url)
    for role in ("auditor", "executive"):
        member = walk.staff[role]
        member.sign_in()
        member.visit("/dashboard/")
    walk.staff["auditor"].visit("/ledger/")
    walk.staff["executive"].visit(walk.case_url, status=403)
    walk.staff["executive"].reads("Your role may not do this.")


def release(walk: Walk) -> None:
    """Two signatures, every place of the old version recorded, everybody told who received it."""
    legal, manager = walk.staff["legal"], walk.arrive("release")
    manager.look("case at release")
    manager.decide(lambda: manager.press("Sign the release"))
    manager.reads("Signed. The release waits for the other signature.")
    legal.sign_out()
    legal.sign_in()
    legal.open_case(walk.number)
    legal.decide(lambda: legal.press("Sign the release"))
    legal.reads("Both signatures are there: the new version is released.")
    manager.page.reload()
    manager.look("places and recipients")
    manager.page.get_by_label("State of Reading-room terminal").select_option("replaced")
    manager.press("Record", manager.page.get_by_role("row", name=re.compile("Reading-room terminal")))
    manager.reads("Reading-room terminal is recorded as replaced.")
    manager.page.get_by_text("Tell a recipient", exact=True).click()
    manager.page.get_by_label("How").last.select_option("post")
    manager.press("Send or record")
    manager.look("recipients told")
    manager.decide(lambda: manager.press("Have the report written"))
    manager.reads("Every place is accounted for. The report is being written.")
    manager.wait_for(DONE)
    manager.look("closed case")


def receive_report(walk: Walk, folder: Path) -> Path:
    """The artist reads the outcome and takes the signed report home."""
    walk.artist.visit(walk.artist.house.link(walk.artist.house.email, "status"))
    assert re.fullmatch(r"Your request is (partly )?fulfilled\.", walk.artist.title())
    walk.artist.look("status of a closed case")
    pdf = walk.artist.download_report(folder)
    assert pdf.read_bytes().startswith(b"%PDF-")
    return pdf


def check_report(walk: Walk, pdf: Path) -> None:
    """Anybody's upload: genuine as it was sent, refused with one bit changed."""
    data = bytearray(pdf.read_bytes())
    assert walk.artist.check_report(pdf.name, bytes(data)) == "This report is genuine."
    walk.artist.look("genuine report")
    data[len(data) // 3] ^= 1
    assert walk.artist.check_report(pdf.name, bytes(data)) == "This file is not as it was sealed."
    walk.artist.look("altered report")


def look_on_when_all_is_done(walk: Walk) -> None:
    """The auditor finds the case's entries in the ledger and its report; the executive sees the outcome counted."""
    auditor, executive = walk.staff["auditor"], walk.staff["executive"]
    auditor.visit("/ledger/")
    expect(auditor.page.locator("main")).to_contain_text(walk.number)
    auditor.visit("/reports/")
    expect(auditor.page.locator("main")).to_contain_text(walk.number.replace("LT-", "LR-"))
    executive.visit("/dashboard/")
    executive.look("dashboard with an outcome")
