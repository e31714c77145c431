"""What every page knows: the house's name, and for staff the rooms that their role may enter."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from governance.models import Role, User
from governance.policies import Actor, Permission, may
from governance.selectors import organisation
from governance.web import help_words, languages

#: View name, permission, label: in the order of the running head.
ROOMS = (
    ("dashboard", Permission.SEE_DASHBOARD, "Compliance"),
    ("today", Permission.SEE_TODAY, "Today"),
    ("cases", Permission.SEE_CASES, "Cases"),
    ("models", Permission.SEE_MODELS, "Models"),
    ("duties", Permission.SEE_DUTIES, "Duties"),
    ("policies", Permission.SEE_POLICIES, "Policies"),
    ("jobs", Permission.SEE_JOBS, "Jobs"),
    ("reports", Permission.SEE_REPORTS, "Reports"),
    ("ledger", Permission.SEE_LEDGER, "Ledger"),
    ("audit", Permission.AUDIT, "Audit"),
    ("people", Permission.MANAGE_USERS, "People"),
    ("set_up", Permission.MANAGE_USERS, "Set-up"),
    ("outbox", Permission.SEE_OUTBOX, "Messages"),
)


def role_words(user: User) -> str:
    """The role as it stands in a sentence: `legal officer`, `ML engineer`."""
    label = str(Role(user.role).label)
    return label if label[:2].isupper() else label[:1].lower() + label[1:]


def _within(path: str, room: str) -> bool:
    """Whether an address lies in a room; the register of datasets is entered from that of the models."""
    return path.startswith(reverse(room)) or (room == "models" and path.startswith(reverse("datasets")))


def _help(request: HttpRequest) -> str:
    """The topic of this page, else all of them."""
    found = getattr(request, "resolver_match", None)
    topic = help_words.topic_of(found.url_name or "") if found else ""
    return reverse("help_topic", args=[topic]) if topic else reverse("help")


def house(request: HttpRequest) -> dict[str, Any]:
    """Organisation, navigation by role, who is signed in."""
    who = organisation.current()
    context: dict[str, Any] = {"organisation": who.name}
    if languages.is_public(request):
        context["languages"] = languages.menu(request)
    user = getattr(request, "user", None)
    if isinstance(user, User):
        actor = Actor.of(user)
        context["nav"] = [
            {"label": pgettext("room", label), "url": reverse(view), "current": _within(request.path, view)}
            for view, permission, label in ROOMS
            if may(actor, permission)
        ]
        context["help_url"] = _help(request)
        context["head_logo"] = reverse("logo") if who.has_logo else ""
        context["user_label"] = _("%(name)s, %(role)s") % {"name": user, "role": role_words(user)}
        if may(actor, Permission.SEE_CASES):
            context["search_url"] = reverse("cases_find")
    return context
