"""What the mail provider tells of a letter, by django-anymail's signal: delivered, bounced, refused."""

from __future__ import annotations

from typing import Any

from anymail.signals import tracking
from anymail.urls import urlpatterns as provider_patterns
from django.conf import settings
from django.dispatch import receiver
from django.urls import URLPattern

from governance.services import outbox

_ARRIVED = "delivered"
#: Deferred is not among them: the provider goes on trying.
_CAME_BACK = frozenset({"bounced", "rejected", "failed"})


@receiver(tracking, dispatch_uid="lethe.mail.tracking")
def told(sender: Any, event: Any, esp_name: str, **_more: Any) -> None:
    """Keep the news. Addresses in it are not read."""
    if event.event_type == _ARRIVED or event.event_type in _CAME_BACK:
        outbox.tracked(
            key=str((event.metadata or {}).get("message", "")),
            provider_id=str(event.message_id or ""),
            arrived=event.event_type == _ARRIVED,
            why=f"{esp_name}: {event.event_type}" + (f", {event.reject_reason}" if event.reject_reason else ""),
        )


def patterns() -> list[URLPattern]:
    """Where the configured provider posts its events; nothing without one."""
    wanted = {f"{settings.MAIL_PROVIDER}_tracking_webhook"} if settings.MAIL_PROVIDER else set()
    return [pattern for pattern in provider_patterns if pattern.name in wanted]
