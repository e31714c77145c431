"""`manage.py bootstrap`: secrets (made before settings are read), databases, seal. Safe to repeat."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Prepare an installation."""

    help = "Make this installation's secrets and seal where they are missing, and bring its databases up to date."

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate both databases, collect static files, make the seal."""
        for alias in ("keyring", "default"):
            call_command("migrate", database=alias, verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
