"""The program that checks without us has an address of its own, with its digest; it is packed at set-up."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from governance.evidence import bundle
from governance.web import trust_pages
from scripts import verifier

pytestmark = pytest.mark.django_db
PATH = "/.well-known/lethe-verify.pyz"


def test_what_is_served_is_what_the_source_gives(client: Client, settings: Any, tmp_path: Path) -> None:
    settings.VERIFIER = verifier.build(tmp_path / "at set-up")
    served = client.get(PATH)
    assert served.content == verifier.build(tmp_path / "by a stranger").read_bytes()
    assert served["X-Content-Type-Options"] == "nosniff"
    digest = hashlib.sha256(served.content).hexdigest()
    assert client.get(f"{PATH}.sha256").content.decode() == f"{digest}  lethe-verify.pyz\n"
    assert trust_pages.verifier_told() == digest
    program = [sys.executable, str(settings.VERIFIER), "--help"]
    assert subprocess.run(program, capture_output=True, check=False).returncode == 0


def test_where_none_was_packed_none_is_offered(client: Client, settings: Any, tmp_path: Path) -> None:
    settings.VERIFIER = tmp_path / "lethe-verify.pyz"
    assert client.get(PATH).status_code == client.get(f"{PATH}.sha256").status_code == 404
    assert "lethe-verify.pyz" not in client.get("/verify/").content.decode()


def test_the_bundle_says_where_to_get_it_and_why_from_elsewhere() -> None:
    report = {"number": "LR-1", "issuer": "Lumen", "verify_at": "https://lumen.example/verify/"}
    words = bundle.readme({"report": report}).decode()
    assert "lethe-verify.pyz" in words and "If you do not trust us, do not take it from us" in words
