"""The files of the project, as its version control lists them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("governance", "unlearning_engine", "lethe_verify")


def tracked() -> list[Path]:
    """Paths relative to the root; in an unpacked archive without history, every file of the known folders."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0:
        return [Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    folders = (*PACKAGES, "tests", "scripts", "docs", "templates", "static", ".ci")
    top = [path for path in ROOT.iterdir() if path.is_file()]
    inner = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    return [path.relative_to(ROOT) for path in top + inner if "__pycache__" not in path.parts]


def python_files() -> list[Path]:
    """All Python files that people write: migrations are Django's."""
    return [path for path in tracked() if path.suffix == ".py" and "migrations" not in path.parts]


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and length in lines, decorators left out, of every function in a file."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            yield node.name, node.end_lineno - node.lineno + 1


def imported(path: Path) -> set[str]:
    """Top-level names that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").partition(".")[0])
    return names
