"""Web server, workers and scheduler as one group under honcho, and the checks before anything is started."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import requests

from governance.management.demo.console import DemoError
from governance.secrets import BASE_DIR, home

FREE_BYTES = 2 * 2**30
START_SECONDS = 60.0
#: How long the group may take to end by itself.
STOP_SECONDS = 15.0


def check_machine(port: int) -> None:
    """Stop with a clear sentence when the port is taken or the disk is full."""
    free = shutil.disk_usage(home()).free
    if free < FREE_BYTES:
        raise DemoError(f"Only {free / 2**30:.1f} GiB are free for {home().name}/; free 2 GiB and start again.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DemoError(
                f"Port {port} is in use ({error.strerror}). Stop what uses it, or: make demo PORT={port + 1}"
            ) from error


class Group:
    """The supervised group; leaving the context ends every process."""

    def __init__(self, port: int, base_url: str) -> None:
        self.port, self.base_url = port, base_url
        self.log = home() / "log" / "processes.log"

    def __enter__(self) -> Group:
        self.log.parent.mkdir(exist_ok=True)
        environment = {**os.environ, "PORT": str(self.port), "LETHE_HOME": str(home()), "OMP_NUM_THREADS": "1"}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
        command = [sys.executable, "-m", "honcho", "start", "-f", str(BASE_DIR / "Procfile"), "-d", str(BASE_DIR)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own Procfile
                command, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        return self

    def wait_until_up(self) -> None:
        """Until the web server answers."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise DemoError("A process ended at once:\n" + self.tail())
            try:
                if requests.get(f"{self.base_url}/", timeout=2).ok:
                    return
            except (requests.ConnectionError, requests.Timeout):
                time.sleep(0.2)
        raise DemoError(f"The web server did not answer within {START_SECONDS:.0f} s:\n" + self.tail())

    def tail(self) -> str:
        """The last lines of the group's log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def serve(self) -> None:
        """Wait until the group ends or the user does."""
        self.process.wait()

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                left = _below(self.process.pid)
                os.killpg(self.process.pid, signal.SIGKILL)
                for pid in left:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                self.process.wait()


def _below(pid: int) -> list[int]:
    """Every process that descends from one. honcho gives each of its own a session: no signal to its group reaches
    them, and on a busy machine it is killed before it killed them."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            parent = int(stat.read_bytes().rpartition(b")")[2].split()[1])  # a name may hold any bytes
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = list(children.get(pid, ()))
    for one in found:
        found += children.get(one, ())
    return found
