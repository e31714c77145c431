"""Enough of Django for templates and translations where there is neither settings module nor database."""

from __future__ import annotations

import os

import django
from django.conf import settings

from governance.evidence.rendering import ROOT


def prepare() -> None:
    """Configures Django for rendering alone, unless it is configured already. No secret, no database, no app."""
    if settings.configured or os.environ.get("DJANGO_SETTINGS_MODULE"):
        return
    settings.configure(USE_I18N=True, USE_TZ=True, LANGUAGE_CODE="en", LOCALE_PATHS=[str(ROOT / "locale")])
    django.setup()
