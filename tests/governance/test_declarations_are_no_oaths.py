"""What is declared here is worded as a declaration; whoever looks for a form of the DMCA is led to the opt-out."""

from __future__ import annotations

from pathlib import Path

from django.test import Client

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("governance", "lethe_verify", "lethe_witness", "unlearning_engine", "templates", "locale", "docs", "static")
KINDS = {".py", ".html", ".txt", ".md", ".po", ".js", ".json"}


def test_no_text_of_the_product_speaks_of_perjury() -> None:
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*") if path.suffix in KINDS and path.is_file()]
    assert len(files) > 500
    assert not [str(path) for path in files if "perjur" in path.read_text(errors="replace").lower()]


def test_the_page_about_unlearning_says_why_there_is_no_form_for_such_a_notice(client: Client) -> None:
    page = client.get("/unlearning/").content.decode()
    assert "Can I send a notice under the DMCA?" in page and "File an opt-out: it reaches both" in page
    german = client.get("/unlearning/", headers={"Accept-Language": "de"}).content.decode()
    assert "DMCA" in german and "File an opt-out" not in german
