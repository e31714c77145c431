"""The claimant's page in Arabic on a small telephone: marks beside the words, each date under its end of the ruler."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.e2e.browser import NARROW, Window
from tests.e2e.test_cases_are_decided_by_keyboard import address, browser, shared
from tests.governance.conftest import file_case, house

__all__ = ["address", "browser", "house", "shared"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(databases=["default", "keyring"])]

#: Of each step of the way: where the mark begins and where its words end, which in Arabic lie at its left.
STEPS = """[...document.querySelectorAll('.path > li')].map(step => {
  const words = document.createRange();
  words.selectNodeContents(step.querySelector('.path__what').firstChild);
  return [step.querySelector('.path__mark').getBoundingClientRect().left, words.getBoundingClientRect().right];
})"""
#: The middle of the word at today and of the day of receipt, which is today.
CLOCK = """['.clock-block svg text', '.clock-ends span'].map(place => {
  const box = document.querySelector(place).getBoundingClientRect();
  return [box.left, box.right];
})"""


def test_marks_stand_beside_the_words_and_dates_under_their_ends(browser: Browser, address: str) -> None:
    case: Any = file_case(language="ar")
    window = Window(browser, NARROW)
    window.page.goto(f"{address}/status/{case.private_token}/?language=ar")
    assert window.page.locator("html[dir=rtl]").count() == 1
    steps = window.page.evaluate(STEPS)
    assert len(steps) > 4
    assert all(mark >= words for mark, words in steps), steps
    today, received = window.page.evaluate(CLOCK)
    assert today[0] >= 0 and today[1] <= NARROW[0], "the word is cut off"
    assert abs(sum(today) - sum(received)) < NARROW[0], "today stands at the other end"
