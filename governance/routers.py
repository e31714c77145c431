"""Which database holds what: per-subject keys live in `keyring`, everything else in `default`."""

from __future__ import annotations

from typing import Any

from django.db import models

KEYRING_MODELS = {"subjectkey"}


class KeyringRouter:
    """Keeps keys and data apart, for queries and for migrations."""

    def _home(self, model: type[models.Model]) -> str:
        return "keyring" if model._meta.model_name in KEYRING_MODELS else "default"

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str:
        """The alias to read from."""
        return self._home(model)

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str:
        """The alias to write to."""
        return self._home(model)

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: Any) -> bool:
        """Operations without a model (triggers) belong to `default`."""
        return (db == "keyring") == (model_name in KEYRING_MODELS)
