"""Lighthouse over pages, as on a telephone: `python -m tests.bench.lighthouse [--home FOLDER --role ROLE] [PATH ...]`.

Alone it makes an installation of its own and measures every public page there. With `--home` it serves an installation
that exists, for example var/demo-1; with `--role legal` the pages are seen by a member of staff with that role (a
session is made for them, no password is needed). With `--cases 600` it fills a PostgreSQL with so many cases and
measures every list of the staff, each as a role that may enter. With `--objects` it measures every page about one
thing (a case, a run, a report ...) in a copy of the installation `--home`. With `--url` it measures a server that runs
already, with `--cookie sessionid=...` as whoever is signed in there. Needs Chromium and npx; npx fetches Lighthouse.

Prints a table in Markdown; ends with 1 where a page has less than 95 of 100 (accessibility: 100) or more than 250 kB.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from governance.secrets import BASE_DIR, ensure_secrets, secrets_folder
from tests.bench import object_pages
from tests.e2e.browser import ARGUMENTS, NAMES
from tests.services import servers
from tests.services.servers import free_port

VERSION = "13.5.0"
#: Points of 100, bytes of a first load in kB; how often a lost record is asked for again.
BARS, HEAVIEST, TURNS = {"performance": 95, "accessibility": 100, "best-practices": 95, "seo": 95}, 250, 3
#: Pages behind a private link, and the staff's, ask not to be found: their SEO is not judged.
#: A picture, and what follows a filing for a quarter of an hour.
NO_PAGES = ("logo", "receipt")
CATEGORIES = ("performance", "accessibility", "best-practices")


@dataclass(frozen=True)
class Score:
    """One page: points of 100 by category, bytes of its first load, and what cost points."""

    path: str
    points: dict[str, int]
    kilobytes: int
    #: Milliseconds for which the slowed processor let nobody do anything, and elements of the page.
    blocking: int
    elements: int
    costs: list[str]

    def below(self) -> list[str]:
        """What misses its bar."""
        heavy = ["weight"] if self.kilobytes > HEAVIEST else []
        return [name for name, points in self.points.items() if points < BARS[name]] + heavy


def measure(url: str, path: str, *, found: bool, cookie: str = "") -> Score:
    """Load a page in Lighthouse's telephone. `found`: whether search engines shall find it.

    Raises:
        RuntimeError: Lighthouse did not end well, or the page did not load.
    """
    program = next(filter(None, map(shutil.which, NAMES)), None)
    categories = (*CATEGORIES, "seo") if found else CATEGORIES
    flags = f"--chrome-flags=--headless=new {' '.join(ARGUMENTS[:2])}"
    command = ["npx", "--yes", f"lighthouse@{VERSION}", url + path, "--quiet", "--output=json", flags]
    command.append(f"--only-categories={','.join(categories)}")
    if cookie:
        command.append("--extra-headers=" + json.dumps({"Cookie": cookie}))
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "CHROME_PATH": program or ""}
    )
    told = json.loads(ended.stdout) if ended.returncode == 0 else {"runtimeError": {"message": ended.stderr[-1000:]}}
    if told.get("runtimeError"):
        raise RuntimeError(f"{path}: {told['runtimeError']['message']}")
    if told["finalDisplayedUrl"].rstrip("/") != (url + path).rstrip("/"):
        raise RuntimeError(f"{path} led to {told['finalDisplayedUrl']}; is the session's role allowed there?")
    points = {name: round(100 * told["categories"][name]["score"]) for name in categories}
    weight, blocking = (told["audits"][name]["numericValue"] for name in ("total-byte-weight", "total-blocking-time"))
    return Score(path, points, round(weight / 1000), round(blocking), _elements(told), _costs(told))


def retried(url: str, path: str, *, found: bool, cookie: str) -> Score:
    """The browser's record of a load is sometimes lost, above all on a busy machine: then again, four times at most."""
    for _turn in range(TURNS):
        try:
            return measure(url, path, found=found, cookie=cookie)
        except RuntimeError as error:
            sys.stderr.write(f"{error}\n")
    return measure(url, path, found=found, cookie=cookie)


def _elements(told: dict[str, Any]) -> int:
    """How many elements the page has."""
    items = told["audits"].get("dom-size-insight", {}).get("details", {}).get("debugData", {})
    return int(items.get("totalElements", 0))


def _costs(told: dict[str, Any]) -> list[str]:
    """What failed in a category that lacks points, the weightiest first."""
    costs = []
    for name, category in told["categories"].items():
        for ref in sorted(category["auditRefs"], key=lambda one: -one["weight"]):
            audit = told["audits"][ref["id"]]
            if ref["weight"] and audit["score"] is not None and audit["score"] < 0.9:
                costs.append(f"{name}: {audit['title']} {audit.get('displayValue', '')}".strip())
    return costs


@contextmanager
def served(home: Path) -> Iterator[str]:
    """The web process of an installation; its address."""
    port = free_port()
    os.environ.update(LETHE_HOME=str(home), PORT=str(port), LETHE_URL=f"http://127.0.0.1:{port}")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "governance.settings")
    ensure_secrets(secrets_folder())
    subprocess.run([sys.executable, "manage.py", "bootstrap"], cwd=BASE_DIR, check=True, stdout=subprocess.DEVNULL)
    command = [sys.executable, "-m", "gunicorn", "governance.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "8",
               "--log-level", "warning"]  # fmt: skip
    web = subprocess.Popen(command, cwd=BASE_DIR)
    try:
        url = f"http://127.0.0.1:{port}"
        for _second in range(60):
            try:
                urllib.request.urlopen(f"{url}/robots.txt", timeout=2).close()  # noqa: S310
                break
            except OSError:
                time.sleep(1)
        yield url
    finally:
        web.terminate()
        web.wait(timeout=30)


def filled(home: Path, cases: int) -> None:
    """A house at work in databases of its own: people, cases in every stage, figures of the dashboard."""
    from tests.bench import queue_at_a_million as bench

    bench.settle(home, servers.postgresql())
    import django

    django.setup()
    bench.house(cases)
    from governance.services import tallies

    tallies.tallies_recount()


def session(role: str, *, decide: bool = False) -> str:
    """The cookie of a session of somebody with this role; a member is made where the installation has none. With
    `decide` they have a second factor and gave their password a moment ago."""
    from django.test import Client

    from governance.models import User
    from tests.governance.staff import member, sign_in_to_decide

    client = Client()
    found = User.objects.filter(role=role, is_active=True).first()
    user = found or member(f"{role}@lighthouse.example", role=role)
    (sign_in_to_decide if decide else Client.force_login)(client, user)
    return f"sessionid={client.cookies['sessionid'].value}"


def public_pages() -> list[tuple[str, bool]]:
    """Every page for everybody, with whether it may be found: those without a private link, then those with one."""
    from governance import urls
    from governance.models import Kind
    from governance.services import drafts
    from governance.services.intake import Item, case_file
    from governance.tokens import link_token

    names = [one for one in urls.public if not getattr(one.pattern, "converters", {}) and one.name not in NO_PAGES]  # type: ignore[union-attr]
    open_ = [(f"/{one.pattern}", True) for one in names]
    who = {"who": {"name": "Ada Quill", "email": "ada@example.org", "capacity": "self"}}
    draft = drafts.draft_begin(kind=Kind.COPYRIGHT, step="who", answers=who["who"])
    item = Item(form="text", title="Tide", text="The tide came in and never left the harbour again.")
    drafts.works_add(draft=draft, items=[item])
    begun = f"/draft/{drafts.draft_token(draft)}"
    case = case_file(kind=Kind.COPYRIGHT, law="house", name="Ada Quill", email="ada@example.org", items=[item])
    status, confirm = (link_token(case.public_id, what) for what in ("status", "confirm"))
    private = [f"{begun}/works/", f"{begun}/check/", f"{begun}/save/", f"/confirm/{confirm}/", f"/status/{status}/",
               *(f"/status/{status}/{name}/" for name in ("files", "works", "proof", "withdraw"))]  # fmt: skip
    return [*open_, *((path, False) for path in private)]


def staff_pages() -> list[tuple[str, str]]:
    """(role, path) of every list of the staff."""
    from django.urls import reverse

    from tests.e2e.test_every_page_fits import NO_PAGES as FILES
    from tests.e2e.test_every_page_fits import PAGES, role_for
    from tests.governance.test_policy_urls import DOORS

    return [(role_for(name).value, reverse(name)) for name in PAGES if not DOORS[name].args and name not in FILES]


COLUMNS = ("Page", "Performance", "Accessibility", "Best practices", "SEO", "First load, kB", "Blocking, ms",
           "Elements", "Load")  # fmt: skip
HEAD = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|\n"


def named(path: str) -> str:
    """A path as tables name it, without tokens of private links and public names of things."""
    parts = [part if len(part) < 20 or part.startswith("?") else "…" for part in path.split("/")]
    return re.sub(r"job=[0-9a-f-]+", "job=…", "/".join(parts))


def line(score: Score) -> str:
    """A score in Markdown, with what else the machine did."""
    cells = [str(score.points.get(name, "")) for name in (*CATEGORIES, "seo")]
    cells += [str(score.kilobytes), str(score.blocking), str(score.elements), f"{os.getloadavg()[0]:.1f}"]
    return f"| `{named(score.path)}` | {' | '.join(cells)} |\n"


def run(options: argparse.Namespace, url: str) -> list[Score]:
    """Measure what was asked for; a page under the bar gets a second try, since other work on the machine costs it."""
    cookie, pages = options.cookie, [(path, False) for path in options.paths]
    roles: dict[str, str] = {}
    if not options.url:
        import django

        django.setup()
        cookie = session(options.role) if options.role else cookie
        if options.cases or options.objects:
            listed = object_pages.pages() if options.objects else staff_pages()
            roles = {path: role for role, path in listed if not pages or (path, False) in pages}
            pages = [(path, False) for path in roles]
        pages = pages or public_pages()
    scores = []
    sys.stdout.write(HEAD)
    for path, found in pages or [("/", True)]:
        cookie = session(roles[path], decide=True) if roles.get(path) else options.cookie if path in roles else cookie
        tries = [retried(url, path, found=found, cookie=cookie)]
        if tries[0].below() and not options.once:
            tries.append(retried(url, path, found=found, cookie=cookie))
        best = max(tries, key=lambda one: sum(one.points.values()))
        scores.append(best)
        sys.stdout.write(line(best))
        sys.stdout.flush()
        for cost in best.costs if best.below() else []:
            sys.stderr.write(f"{path}: {cost}\n")
    return scores


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path)
    parser.add_argument("--url", default="")
    parser.add_argument("--role", default="")
    parser.add_argument("--cookie", default="")
    parser.add_argument("--cases", type=int, default=0)
    parser.add_argument("--objects", action="store_true")
    parser.add_argument("--once", action="store_true", help="no second try of a page under its bar")
    parser.add_argument("paths", nargs="*")
    options = parser.parse_args()
    began = os.getloadavg()[0]
    if options.url:
        scores = run(options, options.url.rstrip("/"))
    else:
        with tempfile.TemporaryDirectory() as folder:
            home = (options.home or Path(folder)).resolve()
            if options.objects:
                home = object_pages.copied(home, Path(folder) / "home")
            if options.cases:
                filled(home, options.cases)
            with served(home) as url:
                scores = run(options, url)
    sys.stdout.write(f"\nLoad of the machine {began:.1f} before, {os.getloadavg()[0]:.1f} after.\n")
    return int(any(score.below() for score in scores))


if __name__ == "__main__":
    sys.exit(main())
