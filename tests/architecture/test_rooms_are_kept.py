"""Who may import whom, and what a web process loads."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, imported

MACHINE_LEARNING = {"torch", "transformers", "tokenizers", "datasets", "sklearn", "scipy"}


def test_every_import_rule_holds() -> None:
    checked = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-logo", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("module", ["governance.wsgi", "governance.celery"])
def test_a_process_of_governance_loads_no_machine_learning(module: str) -> None:
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", f"import {module}"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-2000:]
    loaded = {name.partition(".")[0] for name in re.findall(r"\|\s+(\S+)$", run.stderr, flags=re.M)}
    assert "django" in loaded
    assert not loaded & MACHINE_LEARNING


@pytest.mark.parametrize("name", ["contracts", "catalog", "errors", "leniency", "policy"])
def test_what_governance_reads_of_the_engine_needs_the_standard_library_only(name: str) -> None:
    found = imported(Path(f"unlearning_engine/{name}.py"))
    assert found <= set(sys.stdlib_module_names) | {"unlearning_engine"}


def test_the_engine_runs_where_django_is_not_installed() -> None:
    blocked = "import sys; sys.modules['django'] = None; sys.modules['governance'] = None; "
    run = subprocess.run(
        [sys.executable, "-c", blocked + "import unlearning_engine.runner, unlearning_engine.worker"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-2000:]
