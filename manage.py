#!/usr/bin/env python
"""Django's command line. `bootstrap` makes the installation's secrets before settings are read."""

import argparse
import os
import sys


def prepare_demo(arguments: list[str]) -> None:
    """Each seed is an installation of its own, below `var/`; the address follows the port."""
    from governance.secrets import BASE_DIR

    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=8000)
    known, _ = parser.parse_known_args(arguments)
    os.environ["LETHE_HOME"] = os.environ.get("LETHE_HOME") or str(BASE_DIR / "var" / f"demo-{known.seed}")
    os.environ.setdefault("LETHE_ORGANISATION", "Meridian Loom")
    os.environ["LETHE_URL"] = f"http://127.0.0.1:{known.port}"
    os.environ["PORT"] = str(known.port)


def main() -> None:
    """Run a management command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "governance.settings")
    if sys.argv[1:2] == ["demo"]:
        prepare_demo(sys.argv[2:])
    if sys.argv[1:2] in (["bootstrap"], ["demo"]):
        from governance.secrets import ensure_secrets, secrets_folder

        ensure_secrets(secrets_folder())
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
