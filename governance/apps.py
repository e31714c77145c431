"""The one Django app."""

from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    """Requests, decisions, jobs and evidence."""

    name = "governance"
    verbose_name = "Lethe"
