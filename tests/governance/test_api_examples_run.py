"""Every example of docs/api.md and of the client, as it is printed, against a server: documentation never lies."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.core.cache import cache
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import WSGIRequestHandler, WSGIServer
from django.db import connections

from governance import proof_checks
from governance.api import views
from governance.models import Batch, BatchItem, Case, Role, Status, Upload
from governance.policies import Actor
from governance.services import batches, intake
from governance.tokens import link_token
from tests.architecture.tree import ROOT
from tests.governance.agents import Known, known, works

ISSUER = "https://lethe.example"
CLIENT = ROOT / "docs/examples/lethe_client.py"
#: A refusal ends the script, save that of a proof that is looked for and is not there: no record was ever set.
SHELL = """curl() { command curl --fail-with-body "$@" || { code=$?; [[ "$*" == *check/* ]] || return $code; }; }"""
#: What a shell needs for the examples.
PROGRAMS = ("bash", "curl", "jq", "openssl", "python3")


class Quiet(WSGIRequestHandler):
    """Calls are not logged."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def live(settings: Any) -> Iterator[str]:
    """Address of a server that answers one call after the other, within the transaction of the test.

    Not `live_server`: that empties every table at its end, which the guards of the database forbid.
    """
    shared = {connection.alias: connection for connection in connections.all()}
    server = WSGIServer(("127.0.0.1", 0), Quiet)
    server.set_app(WSGIHandler())

    def serve() -> None:
        for alias, connection in shared.items():
            connections[alias] = connection
        server.serve_forever(poll_interval=0.02)

    thread = threading.Thread(target=serve, daemon=True)
    for connection in shared.values():
        connection.inc_thread_sharing()
    thread.start()
    settings.BASE_URL = f"http://127.0.0.1:{server.server_port}"
    settings.WORK_BITS = 8
    try:
        yield settings.BASE_URL
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        for connection in shared.values():
            connection.dec_thread_sharing()


def blocks(text: str) -> list[str]:
    """The indented blocks of a page, each as it is copied out."""
    found = re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.MULTILINE)
    return [textwrap.dedent(block).strip("\n") for block in found]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where somebody tries the examples: a contract, and two lists of works."""
    (tmp_path / "contract.pdf").write_bytes(b"%PDF-1.7\n%%EOF\n")
    for name, first in (("works.jsonl", 0), ("works-1.jsonl", 3)):
        (tmp_path / name).write_text("\n".join(json.dumps(line) for line in works(first, 3)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plain_calls() -> int:
    """How many filings counted as those of somebody who computed nothing."""
    return len(cache.get("throttle_filing_plain_127.0.0.1") or [])


def filed_and_confirmed(**fields: Any) -> Case:
    """The claimant follows the link in the letter at once."""
    case = intake.case_file(**fields)
    return intake.email_confirm(token=link_token(case.public_id, "confirm"))


def test_the_examples_for_the_shell_run_as_they_are_printed(
    live: str, folder: Path, people: dict[Role, Actor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof_checks, "_txt", lambda *_a: [])
    monkeypatch.setattr(views, "case_file", filed_and_confirmed)
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        pytest.skip(f"service: not installed: {', '.join(missing)}")
    agent: Known = known(people[Role.LEGAL])
    printed = blocks((ROOT / "docs/api.md").read_text())
    assert [block[:5] for block in printed] == ["work=", "proof", "auth="]
    script = "\n".join(["set -euo pipefail", SHELL, *printed])
    known_here = {"LETHE_KEY": agent.text, "LETHE_MANDATE": str(agent.mandate.public_id)}
    done = subprocess.run(
        ["bash", "-c", script.replace(ISSUER, live)], env={**os.environ, **known_here}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"no_record"' in done.stdout
    case, batch = Case.objects.get(), Batch.objects.get()
    assert (case.status, case.disposition) == (Status.NOTIFICATION, "withdrawn") and plain_calls() == 1
    assert Upload.objects.get(case=case).kind == "pdf"
    assert (batch.state, batch.lines) == ("queued", 3)


@pytest.fixture
def library() -> ModuleType:
    """The client, loaded from where it is copied from."""
    spec = importlib.util.spec_from_file_location("lethe_client", CLIENT)
    assert spec and spec.loader
    found = importlib.util.module_from_spec(spec)
    sys.modules["lethe_client"] = found
    spec.loader.exec_module(found)
    return found


def test_the_examples_of_the_client_run_as_they_are_printed(
    live: str, folder: Path, people: dict[Role, Actor], library: ModuleType
) -> None:
    agent: Known = known(people[Role.LEGAL])
    mandate = str(agent.mandate.public_id)
    printed = blocks(library.__doc__ or "")
    assert len(printed) == 2
    for block in printed:
        text = block.replace(ISSUER, live).replace("lk_...", agent.text).replace('"..."', f'"{mandate}"')
        exec(text, {"Client": library.Client, "Path": Path})  # noqa: S102 - our own documentation
    assert Case.objects.count() == 2 and plain_calls() == 0
    assert [Case.objects.filter(filed_by__isnull=empty).count() for empty in (False, True)] == [1, 1]

    verbs = re.findall(r"`python lethe_client.py (.+?)`", library.__doc__ or "")
    assert [verb.split()[1] for verb in verbs] == ["send", "batch"]
    named = Batch.objects.get().public_id
    for verb in verbs:
        text = verb.replace(ISSUER, live).replace("MANDATE", mandate).replace("ID", str(named))
        command, kept = [sys.executable, str(CLIENT), *text.split()], {**os.environ, "LETHE_KEY": agent.text}
        done = subprocess.run(command, env=kept, capture_output=True, text=True)
        assert done.returncode == 0 and json.loads(done.stdout)["lines"] == 3, done.stderr
    for batch in Batch.objects.order_by("pk"):
        batches.batch_run(batch.pk)
    states = BatchItem.objects.order_by("batch_id", "position").values_list("state", flat=True)
    assert list(states) == ["accepted"] * 3 + ["accepted"] * 3
