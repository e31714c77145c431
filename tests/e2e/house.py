"""The installation as a test holds it: started in a folder of its own, asked, ended with all its processes."""

from __future__ import annotations

import email
import email.policy
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.e2e.installation import MARK
from tests.services.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
END_SECONDS = 30


class House:
    """Processes, accounts and mail of one installation.

    `people` maps a role to (address, password); `artist`, `email` and `works` are those of the person who files.
    """

    def __init__(self, folder: Path, *, artists: int = 3, persons: int = 4) -> None:
        self.home, self.port = folder / "home", free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / "installation.log"
        self._sizes = ["--artists", str(artists), "--persons", str(persons)]

    def __enter__(self) -> House:
        """Start it; `wait_until_built` tells when there is a model."""
        self.home.mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LETHE_")}
        environment = {
            **kept,
            "LETHE_HOME": str(self.home),
            "LETHE_URL": self.url,
            "LETHE_ORGANISATION": "Meridian Loom",
            "PORT": str(self.port),
            "OMP_NUM_THREADS": "1",
        }
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.e2e.installation", *self._sizes],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        return self

    def wait_until_built(self) -> None:
        """Until the model is trained and registered, and the others' cases are filed."""
        facts = self._hear()
        self.people: dict[str, tuple[str, str]] = {role: (a, p) for role, (a, p) in facts["people"].items()}
        self.artist, self.email = facts["artist"], facts["email"]
        self.works = sorted(Path(facts["works"]).iterdir())

    def ask(self, question: str) -> Any:
        """The answer of the installation's own database."""
        assert self.process.stdin
        self.process.stdin.write(f"{question}\n")
        self.process.stdin.flush()
        return self._hear()

    def _hear(self) -> Any:
        """The next line of JSON; what else is printed tells how far the set-up is."""
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith(MARK):
                return json.loads(line.removeprefix(MARK))
        raise AssertionError(f"the installation ended:\n{self._log.read_text()[-2000:]}\n{self.said()}")

    def said(self) -> str:
        """The end of what its processes logged."""
        log = self.home / "log" / "processes.log"
        return log.read_text(errors="replace")[-4000:] if log.exists() else ""

    def letters(self, to: str) -> list[str]:
        """The texts of all letters to an address, oldest first."""
        found = []
        for path in sorted((self.home / "mail").glob("*.log"), key=lambda place: place.stat().st_mtime):
            for part in path.read_bytes().split(b"-" * 79):
                letter = email.message_from_bytes(part.strip(), policy=email.policy.default)
                if to in str(letter["To"]):
                    found.append(str(letter.get_content()))
        return found

    def link(self, to: str, purpose: str, seconds: float = 30) -> str:
        """The newest link of a purpose (`confirm`, `status`) in the letters to an address."""
        deadline = time.monotonic() + seconds
        while True:
            links = re.findall(rf"{self.url}/{purpose}/[a-z2-7]+/", "\n".join(self.letters(to)))
            if links:
                return str(links[-1])
            assert time.monotonic() < deadline, f"no letter with a link to {purpose} came to {to}\n{self.said()}"
            time.sleep(0.2)

    def kill_engine(self, verb: str, seconds: float = 120) -> str:
        """Wait for an engine of this installation that has a checkpoint, and end it like a crash; returns its job."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for number, job in self._engines(verb):
                if list((self.home / "engine" / job).glob("out/checkpoints/step-*")):
                    os.kill(number, signal.SIGKILL)
                    return job
            time.sleep(0.05)
        raise AssertionError(f"no {verb} with a checkpoint within {seconds:.0f} s\n{self.said()}")

    def _engines(self, verb: str) -> Iterator[tuple[int, str]]:
        """Process number and job of the engines that work here."""
        wanted = re.compile(rf"unlearning_engine\0{verb}\0{re.escape(str(self.home))}/engine/([^/]+)/")
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(FileNotFoundError, ProcessLookupError):
                if match := wanted.search((place / "cmdline").read_text(errors="replace")):
                    yield int(place.name), match.group(1)

    def __exit__(self, *_: object) -> None:
        """End every process."""
        assert self.process.stdin
        self.process.stdin.close()
        try:
            self.process.wait(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
