"""Sizes that a reader can hold in mind, and nothing in the tree that belongs to one machine."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from io import StringIO

import pytest
from django.core.management import call_command

from governance.management.commands.lifecycle import page
from governance.transitions import TRANSITIONS
from scripts.check_venv import normalised
from tests.architecture.tree import PACKAGES, ROOT, functions, imported, python_files, tracked

FILE_LINES, FUNCTION_LINES = 400, 50
TEXT = {".py", ".md", ".toml", ".txt", ".sh", ".html", ".css", ".js", ".json", ".cfg", ".yml", ".yaml", ""}
#: Libraries that a pinned one consists of, and whose version that one fixes.
PART_OF_A_PIN = {"asgiref", "asn1crypto", "botocore", "huggingface-hub", "kombu", "pyarrow"}
#: Spelled in pieces, so that this file does not find itself.
FOREIGN = {
    "a path of one machine": re.compile(r"(?<![\w.:/{}-])/(?:" + "home|root|work|Users|opt" + r")/\w"),
    "a registry's host": re.compile(
        "|".join(("files." + r"pythonhosted\.org", "py" + r"pi\.org/simple", r"download\." + r"pytorch\.org"))
        + r"|registry\."
        + r"npmjs\.org|--(?:extra-)?index"
        + r"-url"
    ),
}


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    long = {str(path): n for path in python_files() if (n := len((ROOT / path).read_text().splitlines())) > FILE_LINES}
    assert not long, f"files of more than {FILE_LINES} lines: {long}"


def test_no_function_is_longer_than_a_screen() -> None:
    long = [f"{path}:{name} {n}" for path in python_files() for name, n in functions(path) if n > FUNCTION_LINES]
    assert not long, f"functions of more than {FUNCTION_LINES} lines: {long}"


@pytest.mark.parametrize("what", FOREIGN)
def test_no_tracked_file_names(what: str) -> None:
    found = []
    for path in tracked():
        if path.suffix not in TEXT or "vendor" in path.parts:
            continue
        for number, line in enumerate((ROOT / path).read_text(errors="replace").splitlines(), start=1):
            if FOREIGN[what].search(line):
                found.append(f"{path}:{number}: {line.strip()[:100]}")
    assert not found, f"{what}:\n" + "\n".join(found)


def test_every_relative_link_of_the_manual_leads_somewhere() -> None:
    broken = []
    for path in tracked():
        if path.suffix == ".md":
            text = re.sub(r"```.*?```", "", (ROOT / path).read_text(), flags=re.S)
            for link in re.findall(r'\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"', text):
                target = "".join(link).partition("#")[0]
                if target and ":" not in target and not (ROOT / path.parent / target).exists():
                    broken.append(f"{path}: {target}")
    assert not broken


def test_every_dependency_is_explained() -> None:
    explained = (ROOT / "docs/adr/0002-dependencies.md").read_text()
    pins = re.findall(
        r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==",
        "".join((ROOT / name).read_text() for name in ("requirements.txt", "requirements-dev.txt")),
        flags=re.M,
    )
    assert [name for name in pins if f"`{name}`" not in explained] == []


def test_every_library_that_is_imported_is_pinned() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pinned = {normalised(match[1]) for line in lines if (match := re.match(r"([A-Za-z0-9._-]+)[^#]*==", line))}
    providers = metadata.packages_distributions()
    used = {
        normalised(provider)
        for path in python_files()
        if path.parts[0] in PACKAGES
        for name in imported(path) - set(sys.stdlib_module_names) - set(PACKAGES)
        for provider in providers.get(name, [name])
    }
    assert used - pinned - PART_OF_A_PIN == set()


def test_the_documented_life_of_a_case_is_that_of_the_table() -> None:
    assert (ROOT / "docs/lifecycle.md").read_text() == page() + "\n"


def test_the_evidence_that_the_table_names_is_written_somewhere() -> None:
    sources = "".join((ROOT / path).read_text() for path in tracked() if path.parts[0] == "governance")
    written = set(re.findall(r"\"([a-z_]+\.[a-z_]+)\"", sources.replace("evidence=", "")))
    named = {one for step in TRANSITIONS.values() for one in step.evidence}
    assert named <= written


def test_every_variable_of_the_environment_is_documented() -> None:
    sources = [p for p in tracked() if p.parts[0] in {"governance", "unlearning_engine", "scripts", "Procfile"}]
    used = {name for path in sources for name in re.findall(r"LETHE_[A-Z_]*[A-Z]", (ROOT / path).read_text())}
    documented = set(re.findall(r"LETHE_[A-Z_]*[A-Z]", (ROOT / "docs/operations.md").read_text()))
    assert used - documented == set()


@pytest.mark.database
@pytest.mark.django_db(databases="__all__")
def test_every_change_of_a_model_has_its_migration() -> None:
    output = StringIO()
    try:
        call_command("makemigrations", "--check", "--dry-run", stdout=output)
    except SystemExit:
        pytest.fail(f"run `python manage.py makemigrations`:\n{output.getvalue()}")
