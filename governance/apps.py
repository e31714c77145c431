"""The one Django app."""

from typing import Any

from django.apps import AppConfig
from django.core.checks import Error, register


class GovernanceConfig(AppConfig):
    """Requests, decisions, jobs and evidence."""

    name = "governance"
    verbose_name = "Lethe"

    def ready(self) -> None:
        """Make this installation's Celery application the current one."""
        import governance.celery  # noqa: F401


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
