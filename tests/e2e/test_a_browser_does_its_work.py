"""The script of the proof of work in a real browser: it begins when somebody begins to write, and its answer counts."""

from __future__ import annotations

from typing import Any

import pytest

from governance import work
from tests.architecture.tree import ROOT
from tests.e2e.browser import Window, chromium

PAGE = """<!doctype html><html lang="en"><title>x</title><form><input name="name">
<input type="hidden" name="work" value="" data-work="{0}"></form><script src="/work.js" defer></script></html>"""


@pytest.mark.browser
def test_the_answer_of_the_browser_is_accepted_once(settings: Any) -> None:
    settings.WORK_BITS = 16
    script = (ROOT / "static/js/work.js").read_text()
    with chromium() as browser:
        window = Window(browser)
        page = window.page
        html = PAGE.format(work.challenge())
        page.route("http://lethe.test/work.js", lambda r: r.fulfill(body=script, content_type="text/javascript"))
        page.route("http://lethe.test/", lambda r: r.fulfill(body=html, content_type="text/html"))
        page.goto("http://lethe.test/")
        page.wait_for_timeout(200)
        assert page.input_value("[name=work]") == ""
        page.focus("[name=name]")
        page.wait_for_function("document.querySelector('[name=work]').value !== ''", timeout=30_000)
        answer = page.input_value("[name=work]")
        assert window.complaints == []
    assert work.proven(answer)
    assert not work.proven(answer)
