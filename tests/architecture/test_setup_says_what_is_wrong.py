"""The set-up's refusals: one clear sentence, what to do, and nothing half done."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.services.servers import free_port


class Clone:
    """A copy of what the set-up needs, with stand-ins for the programs that look at the machine."""

    def __init__(self, folder: Path) -> None:
        self.root, self.programs = folder / "clone", folder / "programs"
        shutil.copytree(ROOT / "scripts", self.root / "scripts")
        for name in ("requirements.txt", "requirements-dev.txt"):
            shutil.copy(ROOT / name, self.root / name)
        self.programs.mkdir()
        self.stand_in("ldconfig", "echo libpango-1.0.so.0 libpangoft2-1.0.so.0 libharfbuzz-subset.so.0")
        self.stand_in("fc-list", "echo one font")

    def stand_in(self, program: str, script: str) -> None:
        (self.programs / program).write_text(f"#!/bin/sh\n{script}\n")
        (self.programs / program).chmod(0o755)

    def set_up(self, **env: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.programs}:{os.environ['PATH']}"
        env = {"PATH": path, "HOME": str(self.root), "PIP_RETRIES": "0", **env}
        script = self.root / "scripts/setup.sh"
        return subprocess.run([script], env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_a_wrong_interpreter_is_named(clone: Clone) -> None:
    done = clone.set_up(PYTHON="no-such-python")
    assert done.returncode == 1
    assert "PYTHON=no-such-python: there is no such program." in done.stderr


def test_an_interpreter_of_another_version_is_refused(clone: Clone) -> None:
    clone.stand_in("python3.10", "exit 1")
    done = clone.set_up(PYTHON="python3.10")
    assert done.returncode == 1
    assert "is not a working Python 3.11, 3.12 or 3.13" in done.stderr


def test_a_full_disk_is_told_before_anything_is_made(clone: Clone) -> None:
    clone.stand_in("df", "echo head; echo 'disk 1 1 100 1% /'")
    done = clone.set_up()
    assert done.returncode == 1
    assert "Not enough disk space: 100 MB are free in this folder, the set-up needs 4096 MB." in done.stderr
    assert not (clone.root / ".venv").exists()


def test_missing_libraries_are_told_first_with_the_one_command_that_installs_them(clone: Clone) -> None:
    clone.stand_in("ldconfig", "true")
    clone.stand_in("id", "echo 1000")
    clone.stand_in("sudo", "exit 1")
    clone.stand_in("apt-get", "exit 1")
    done = clone.set_up(PYTHON="")
    assert done.returncode == 1
    assert "Missing on this machine: Pango (lays out the PDF reports)" in done.stdout
    assert "sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends libpango-1.0-0" in done.stderr
    assert "libharfbuzz-subset0" in done.stderr
    assert not (clone.root / ".venv").exists()


def test_passwordless_sudo_is_used(clone: Clone) -> None:
    clone.stand_in("ldconfig", "true")
    clone.stand_in("id", "echo 1000")
    clone.stand_in("sudo", f'echo "$@" >> {clone.root}/asked')
    clone.stand_in("apt-get", "exit 1")
    clone.stand_in("df", "echo head; echo 'disk 1 1 100 1% /'")
    done = clone.set_up()
    assert "Installing libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 ..." in done.stdout
    assert "apt-get install -y --no-install-recommends libpango-1.0-0" in (clone.root / "asked").read_text()


def test_without_a_network_the_sentence_says_so(clone: Clone) -> None:
    closed = "http://127.0.0.1:9/simple"
    done = clone.set_up(PIP_CONFIG_FILE="/dev/null", PIP_INDEX_URL=closed)
    assert done.returncode == 1, done.stdout
    assert "The Python package index cannot be reached" in done.stderr
    assert "Run the same command again" in done.stderr


def test_a_broken_environment_is_built_anew(clone: Clone) -> None:
    (clone.root / ".venv/bin").mkdir(parents=True)
    (clone.root / ".venv/bin/python").write_text("half a program")
    done = clone.set_up(PIP_CONFIG_FILE="/dev/null", PIP_INDEX_URL="http://127.0.0.1:9/simple")
    assert "The virtual environment .venv does not work" in done.stdout
    assert (clone.root / ".venv/bin/pip").exists()


def test_an_environment_behind_a_link_is_left_alone(clone: Clone, tmp_path: Path) -> None:
    """Once, one clone's set-up emptied the environment of another that its .venv was a link to."""
    other = tmp_path / "other"
    (other / "bin").mkdir(parents=True)
    (other / "bin/python").write_text("half a program")
    (clone.root / ".venv").symlink_to(other)
    done = clone.set_up(PIP_CONFIG_FILE="/dev/null", PIP_INDEX_URL="http://127.0.0.1:9/simple")
    assert done.returncode == 1
    assert f"The virtual environment .venv is a link to {other}: nothing there was touched." in done.stderr
    assert (other / "bin/python").read_text() == "half a program"
    assert not (other / "bin/pip").exists()


def serve(clone: Clone, python: str) -> subprocess.CompletedProcess[str]:
    """Serve an installation whose interpreter is this program of the shell."""
    (clone.root / "var/demo-1/secrets").mkdir(parents=True)
    (clone.root / "var/demo-1/secrets/django.key").write_text("x")
    (clone.root / ".venv/bin").mkdir(parents=True)
    program = clone.root / ".venv/bin/python"
    program.write_text(f"#!/bin/sh\n{python}\n")
    program.chmod(0o755)
    known = {"PATH": os.environ["PATH"], "HOME": str(clone.root)}
    command = [clone.root / "scripts/serve.sh", str(free_port()), "1"]
    return subprocess.run(command, env=known, capture_output=True, text=True, check=False)


def test_a_demonstration_is_served_under_its_own_name_without_a_switched_on_environment(clone: Clone) -> None:
    """Else its letters were suddenly another house's, and the processes' programs were not found."""
    done = serve(clone, 'echo "$LETHE_ORGANISATION, $LETHE_HOME, $PATH"')
    assert done.stdout.startswith(f"Meridian Loom, {clone.root}/var/demo-1, {clone.root}/.venv/bin:"), done


def test_newer_code_is_not_served_on_an_older_database(clone: Clone) -> None:
    """Else each page told only that the server has a fault."""
    done = serve(clone, '[ "$2 $3 $5" != "migrate --check default" ]')
    assert done.returncode == 1
    assert f"The database 'default' of {clone.root}/var/demo-1 lacks changes that this code needs" in done.stderr
    assert "manage.py bootstrap" in done.stderr
