#!/usr/bin/env python
"""Django's command line. `bootstrap` makes the installation's secrets before settings are read."""

import os
import sys


def main() -> None:
    """Run a management command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "governance.settings")
    if sys.argv[1:2] in (["bootstrap"], ["demo"]):
        from governance.secrets import ensure_secrets, secrets_folder

        ensure_secrets(secrets_folder())
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
