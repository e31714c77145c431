"""What a page of the staff weighs at first: itself, style sheets, scripts and letters, as they go out compressed."""

from __future__ import annotations

import gzip
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse

from governance.models import Case, Role
from governance.one_sheet import SHEET
from tests.architecture.tree import ROOT
from tests.governance.conftest import file_case
from tests.governance.test_policy_urls import DOORS, World, enter, world

__all__ = ["world"]
BYTES = 250_000
#: A page beyond this goes out compressed.
PLAIN = 25_000
#: The cuts that a page without foreign letters asks for. A script names the library of charts and fetches it later.
LETTERS = ("ibm-plex-sans-latin-wght-normal", "source-serif-4-latin-wght-normal", "ibm-plex-mono-latin-400-normal")


def weight(answer: Any) -> int:
    """Bytes over the wire. Every file that the page names counts, charts too."""
    packed = answer.headers.get("Content-Encoding") == "gzip"
    page = (gzip.decompress(answer.content) if packed else answer.content).decode()
    names = set(re.findall(r'"/static/([^"]+\.(?:css|js|svg))"', page))
    letters = sum((ROOT / f"static/fonts/{name}.woff2").stat().st_size for name in LETTERS)
    assert SHEET in names and (packed or len(page) < PLAIN), answer.request["PATH_INFO"]
    files = [Path(finders.find(name)) for name in names]
    return letters + len(answer.content) + sum(len(gzip.compress(file.read_bytes())) for file in files)


def test_no_page_of_the_staff_is_heavy(client: Client, world: World) -> None:
    for n in range(30):
        case = file_case()
        Case.objects.filter(pk=case.pk).update(
            received_on=date.today() - timedelta(days=60), due_on=date.today() + timedelta(days=n)
        )
    heavy = {}
    for role in (Role.LEGAL, Role.ENGINEER, Role.AUDITOR, Role.EXECUTIVE, Role.ADMINISTRATOR):
        enter(client, role)
        for name, door in DOORS.items():
            address = reverse(name, args=world[door.args])
            answer = None if door.post else client.get(address, headers={"Accept-Encoding": "gzip"})
            if answer and answer.status_code == 200 and answer["Content-Type"].startswith("text/html"):
                heavy[name] = max(heavy.get(name, 0), weight(answer))
    assert len(heavy) > 50
    assert not {name: found for name, found in heavy.items() if found > BYTES}


def test_no_script_fetches_the_heavy_cut_of_the_serif() -> None:
    """A chart's picture once did: 122 kB with each page that has a chart, and late, when nobody waited for it."""
    scripts = list((ROOT / "static/js").glob("*.js"))
    assert scripts and not [one.name for one in scripts if "'Source Serif 4'" in one.read_text()]
