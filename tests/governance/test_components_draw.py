"""Every component draws in every state: no inline style or script, every picture with its sentence."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from pathlib import Path

import pytest
from django.template import engines
from django.test import RequestFactory

from governance.templatetags.scales import Clock, clock_row
from tests.governance.guide import guide_context


@pytest.fixture
def page() -> str:
    template = engines["django"].from_string((Path(__file__).parent / "guide.html").read_text())
    return template.render(guide_context(), RequestFactory().get("/"))


def test_the_strict_content_policy_finds_nothing_inline(page):
    assert not re.search(r"\sstyle=|<script(?![^>]*\b(src|type=\"application/json\"))|\son\w+=", page)


def test_every_picture_has_its_sentence_or_is_decoration(page):
    # An svg at a place of another one only shifts its parts; the outer one speaks.
    pictures = [p for p in re.findall(r"<svg[^>]*>", page) if ' x="' not in p]
    assert len(pictures) > 20
    silent = [p for p in pictures if "aria-hidden" not in p and not ("role=" in p and "aria-label" in p)]
    assert not [p for p in silent if "aria-labelledby" not in p]


def test_every_canvas_has_a_table_twin(page):
    assert page.count("<canvas") == page.count("as a table") == 3


@pytest.mark.parametrize("word", ["At risk", "Inconclusive", "Fail", "Pass", "3 days late"])
def test_state_is_a_word_not_a_colour(page, word):
    assert word in page


def test_wrong_answers_are_summarised_linked_and_kept(page):
    assert "not an address" in page and re.search(r'href="#wrong_mail"', page)


def test_the_clock_says_its_day(page):
    assert "30 November" in page


def test_a_clock_is_a_handful_of_shapes_however_many_days_it_has():
    pause = (dt.date(2026, 2, 1), dt.date(2026, 2, 11))
    clock = Clock(received=dt.date(2025, 12, 1), due=dt.date(2026, 6, 30), today=dt.date(2026, 3, 1), pauses=(pause,))
    drawn = clock_row(clock, (dt.date(2026, 1, 11), dt.date(2026, 6, 30)))
    assert len(re.findall(r"<[a-z]", drawn)) == 7
    marks = re.findall(r"M([\d.]+) [\d.]+L([\d.]+) ", drawn)
    # 171 days are on the drawing, ten of them paused: those are hatched, a stroke for two days.
    assert Counter(start == end for start, end in marks) == {True: 161, False: 5}
    assert all(float(place) <= 1000 for mark in marks for place in mark)
