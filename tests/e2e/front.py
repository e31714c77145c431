"""The public pages alone: a web server over an empty installation, without workers and without a model."""

from __future__ import annotations

import email
import email.policy
import os
import re
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.e2e.house import ROOT
from tests.services.servers import free_port

START_SECONDS = 60


class Front:
    """Started in a folder of its own; style sheets and scripts go out compressed, as in service."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.home, self.port = folder / "home", free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LETHE_")}
        self._environment = {
            **kept, "LETHE_HOME": str(self.home), "LETHE_URL": self.url, "LETHE_ORGANISATION": "Meridian Loom",
            "PORT": str(self.port), "OMP_NUM_THREADS": "1", "LETHE_FILING_RATE": "1000/hour",
            **settings,
        }  # fmt: skip
        self._log = folder / "front.log"

    def __enter__(self) -> Front:
        self.home.mkdir()
        self.run("-c", "from governance.secrets import *; ensure_secrets(secrets_folder())")
        self.run("manage.py", "bootstrap")
        gunicorn = Path(sys.executable).parent / "gunicorn"
        command = [gunicorn, "governance.wsgi", "--threads", "4", "--bind", f"127.0.0.1:{self.port}"]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.process.poll() is None and time.monotonic() < deadline, self.said()
            time.sleep(0.2)
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.terminate()
        self.process.wait(30)

    def said(self) -> str:
        """The end of the server's log."""
        return self._log.read_text(errors="replace")[-3000:]

    def cases(self) -> list[tuple[str, int]]:
        """Number and count of works of every case."""
        query = (
            "SELECT c.number, (SELECT COUNT(*) FROM governance_claimeditem i WHERE i.case_id = c.id) "
            "FROM governance_case c ORDER BY c.id"
        )
        with sqlite3.connect(self.home / "lethe.sqlite3") as database:
            return list(database.execute(query))

    def link(self, purpose: str) -> str:
        """The newest link of one purpose in the mail."""
        found = []
        for path in sorted((self.home / "mail").glob("*.log"), key=lambda p: p.stat().st_mtime):
            for part in path.read_bytes().split(b"-" * 79):
                text = str(email.message_from_bytes(part.strip(), policy=email.policy.default).get_content())
                found += re.findall(rf"https?://\S+?/{purpose}/[a-z2-7]+/", text)
        return str(found[-1])

    def run(self, *arguments: str) -> None:
        """A Python program within the installation."""
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=self._environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url, timeout=5) as answer:  # noqa: S310 - our own address
                return bool(answer.status == 200)
        except OSError:
            return False
