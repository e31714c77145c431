"""For translators: `manage.py catalogues` brings the catalogues of everybody's pages up to the sources."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from governance import catalogues
from governance.notifications.languages import LANGUAGES, SOURCE


class Command(BaseCommand):
    """Add new texts to every catalogue and take out those that are gone."""

    help = (
        "Bring locale/*/LC_MESSAGES/django.po up to the texts of the pages for everybody; says how many are empty. "
        "Sets signs and spaces of catalogues and letters as each language has them."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """One line a language."""
        for language in LANGUAGES:
            if language != SOURCE:
                self.stdout.write(f"{language}: {catalogues.update(language)} texts to translate")
