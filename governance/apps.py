"""The one Django app."""

from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    """Requests, decisions, jobs and evidence."""

    name = "governance"
    verbose_name = "Lethe"

    def ready(self) -> None:
        """Make this installation's Celery application the current one."""
        import governance.celery  # noqa: F401
