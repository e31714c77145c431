"""Processor time of a page's main thread in Chromium: `python -m tests.bench.page_threads [--cases 600] [PATH ...]`.

With `--home` the pages about one thing in a copy of that installation, else the lists of a house of so many cases.

Lighthouse measures wall time, which other work on the machine lengthens. Here each task of the main thread is
counted by the time that the processor gave it, as the browser's own trace says, in a window as large as a telephone.
Blocking is what Lighthouse would call so on a processor slowed four times: of each task what is beyond 50 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests.bench import lighthouse, object_pages
from tests.e2e.browser import ARGUMENTS, NAMES

SLOWED, LONG_MS = 4, 50
CATEGORIES = ["disabled-by-default-devtools.timeline", "devtools.timeline", "toplevel", "__metadata"]
SCRIPT = {"EvaluateScript", "FunctionCall", "v8.compile"}


def events(browser: Browser, url: str, cookie: str) -> list[dict[str, Any]]:
    """What the browser notes from the request of a page until it is quiet."""
    context = browser.new_context(viewport={"width": 412, "height": 823})
    name, _, value = cookie.partition("=")
    if name:
        context.add_cookies([{"name": name, "value": value, "url": url}])
    page = context.new_page()
    browser.start_tracing(page=page, categories=CATEGORIES)
    answer = page.goto(url)
    page.wait_for_load_state("networkidle")
    found = json.loads(browser.stop_tracing())["traceEvents"]
    assert answer and answer.status == 200 and answer.url == url, answer and (answer.status, answer.url)
    context.close()
    return list(found)


def measured(found: list[dict[str, Any]]) -> tuple[float, float, float]:
    """Milliseconds of the main thread, of its scripts, and of blocking on the slowed processor."""
    main = [one for one in found if one["name"] == "thread_name" and one["args"]["name"] == "CrRendererMain"]
    places = {(one["pid"], one["tid"]) for one in main}
    timed = [one for one in found if "tdur" in one and (one["pid"], one["tid"]) in places]
    work = Counter[tuple[int, int]]()
    for one in timed:
        work[one["pid"], one["tid"]] += one["tdur"]
    busiest = max(work, key=lambda place: work[place])
    mine = [one for one in timed if (one["pid"], one["tid"]) == busiest]
    tasks = [one["tdur"] / 1000 for one in mine if one["name"] == "RunTask"]
    scripts = [one["tdur"] / 1000 for one in mine if one["name"] in SCRIPT]
    return sum(tasks), sum(scripts), sum(max(0.0, SLOWED * task - LONG_MS) for task in tasks)


def main() -> None:
    """Measure every page twice, tell the better."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=600)
    parser.add_argument("--home", type=Path)
    parser.add_argument("paths", nargs="*")
    options = parser.parse_args()
    program = next(filter(None, map(shutil.which, NAMES)), None)
    sys.stdout.write("| Page | Main thread, ms | Scripts, ms | Blocking at a quarter, ms |\n|---|---|---|---|\n")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        if options.home:
            home = object_pages.copied(options.home.resolve(), home / "home")
        else:
            lighthouse.filled(home, options.cases)
        with lighthouse.served(home) as url:
            import django

            django.setup()
            listed = object_pages.pages() if options.home else lighthouse.staff_pages()
            pages = [(role, path) for role, path in listed if path in (options.paths or [path])]
            cookies = [lighthouse.session(role, decide=True) if role else "" for role, _path in pages]
            with sync_playwright() as play:
                browser = play.chromium.launch(executable_path=program, args=list(ARGUMENTS))
                for (_role, path), cookie in zip(pages, cookies, strict=True):
                    thread, script, blocking = min(measured(events(browser, url + path, cookie)) for _turn in range(2))
                    sys.stdout.write(f"| `{lighthouse.named(path)}` | {thread:.0f} | {script:.0f} | {blocking:.0f} |\n")
                    sys.stdout.flush()
                browser.close()
    sys.stdout.write(f"\nLoad of the machine {os.getloadavg()[0]:.1f}.\n")


if __name__ == "__main__":
    main()
