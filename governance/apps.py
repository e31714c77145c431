"""The one Django app."""

from typing import Any

from django.apps import AppConfig
from django.core.checks import Error, register
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, pre_migrate


class GovernanceConfig(AppConfig):
    """Requests, decisions, jobs and evidence."""

    name = "governance"
    verbose_name = "Lethe"

    def ready(self) -> None:
        """Make this installation's Celery application the current one; keep the database's guards in place."""
        import governance.celery  # noqa: F401
        from governance import strict_sqlite

        connection_created.connect(strict_sqlite.refuse)
        pre_migrate.connect(_guards_off, sender=self)
        post_migrate.connect(_guards_on, sender=self)


def _guards_off(using: str, **_: Any) -> None:
    """SQLite rebuilds the tables that a migration changes, and cannot while a trigger elsewhere names them."""
    from django.db import connections

    from governance.models import triggers

    if using == "default" and connections[using].vendor == "sqlite":
        triggers.drop(connections[using])


def _guards_on(using: str, **_: Any) -> None:
    from django.db import connections

    from governance.models import triggers

    if using == "default" and "governance_tallytouch" in connections[using].introspection.table_names():
        triggers.install(connections[using])


@register
def place_is_known(**kwargs: Any) -> list[Error]:
    """`LETHE_PLACE` names a country whose holidays are known; a wrong one would move every date."""
    from django.conf import settings

    from governance.clocks import place_of
    from governance.errors import Unfit

    try:
        if settings.PLACE:
            place_of(settings.PLACE)
    except Unfit as error:
        return [Error(f"LETHE_PLACE: {error}", id="lethe.E001")]
    return []
