"""Import what the processes of the house import, so that a library that does not load is told by the set-up.

Usage: load_everything.py house|engine. Settings are read with throw-away secrets in a folder that is removed.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def house() -> None:
    """Web server, workers, scheduler and commands."""
    for name in [name for name in os.environ if name.startswith("LETHE_")]:
        del os.environ[name]  # no installation is touched
    with tempfile.TemporaryDirectory(prefix="lethe-load-") as folder:
        os.environ.update(LETHE_HOME=folder, DJANGO_SETTINGS_MODULE="governance.settings")
        from governance.secrets import ensure_secrets, secrets_folder

        ensure_secrets(secrets_folder())
        import django

        django.setup()
        everything("governance")


def engine() -> None:
    """The engine with its numerical libraries, and the classes of models that it loads by name."""
    everything("unlearning_engine")
    for name in ("llama", "gpt2", "gpt_neox"):
        importlib.import_module(f"transformers.models.{name}.modeling_{name}")


def everything(package: str) -> None:
    """Every module of a package that is imported as a part of a program, and no program itself."""
    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    {"house": house, "engine": engine}[sys.argv[1]]()
