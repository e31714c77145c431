"""Pages link one style sheet, which holds every room in the order of the cascade."""

from __future__ import annotations

import re
from pathlib import Path

from django.contrib.staticfiles import finders
from django.test import Client

from governance import one_sheet

CSS = Path(__file__).parents[2] / "static" / "css"


def rules(text: str) -> list[str]:
    """What is not a comment, without white space."""
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).split()


def test_the_sheet_holds_every_room_whole_and_in_order() -> None:
    assert sorted(f"{name}.css" for name in one_sheet.ROOMS) == sorted(path.name for path in CSS.glob("*.css"))
    rooms = "\n".join((CSS / f"{name}.css").read_text() for name in one_sheet.ROOMS)
    assert rules(one_sheet.joined()) == rules(rooms)
    layers = re.findall(r"[\w]+", re.search(r"@layer ([^;{]+);", one_sheet.joined())[1])  # type: ignore[index]
    assert [name for name in one_sheet.ROOMS if name in layers] == layers


def test_it_is_found_as_it_is_now_and_nothing_else_is() -> None:
    place = Path(str(finders.find(one_sheet.SHEET)))
    assert place.read_text() == one_sheet.joined()
    place.write_text("old")
    assert Path(str(finders.find(one_sheet.SHEET))).read_text() == one_sheet.joined()
    assert one_sheet.OneSheetFinder().find("css/none.css") == []
    assert [path for path, _storage in one_sheet.OneSheetFinder().list(None)] == [one_sheet.SHEET]


def test_a_page_links_it_alone(client: Client) -> None:
    links = re.findall(r'<link rel="stylesheet" href="([^"]+)"', client.get("/").content.decode())
    assert links == [f"/static/{one_sheet.SHEET}"]
