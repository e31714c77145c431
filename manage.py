#!/usr/bin/env python
"""Django's command line. `bootstrap` makes the installation's secrets before settings are read."""

import argparse
import os
import sys


def prepare_demo(arguments: list[str]) -> None:
    """Each seed, with or without a lineage, is an installation below `var/`; the address follows the port."""
    from governance.secrets import BASE_DIR

    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--lineage", action="store_true")
    known, _ = parser.parse_known_args(arguments)
    name = f"demo-{known.seed}{'-lineage' if known.lineage else ''}"
    os.environ["LETHE_HOME"] = os.environ.get("LETHE_HOME") or str(BASE_DIR / "var" / name)
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
