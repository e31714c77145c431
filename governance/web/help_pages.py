"""Help for the staff: how each task is done, those of one's own role first, and the words of the field."""

from __future__ import annotations

from typing import Any, cast

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from governance.glossary import TERMS
from governance.models import Role, User
from governance.policies import Actor, Permission, may
from governance.web.context import ROOMS
from governance.web.guards import staff
from governance.web.help_words import TOPICS, WORDS, HowTo, Topic

P = Permission
_ROOMS = {view: permission for view, permission, _label in ROOMS}


@require_safe
@staff(P.SEE_DESK)
def index(request: HttpRequest) -> HttpResponseBase:
    """Every topic with its tasks; those for the reader's role first."""
    role = Role(cast(User, request.user).role)
    own = [topic for topic in TOPICS if role in topic.roles]
    others = [topic for topic in TOPICS if role not in topic.roles]
    context = {
        "conclusion": _("How things are done here"),
        "groups": [(_("For your role"), own), (_("What others do"), others)],
        "terms": sorted((*TERMS, *WORDS), key=lambda term: str(term.word).casefold()),
    }
    return render(request, "help/index.html", context)


@require_safe
@staff(P.SEE_DESK)
def topic(request: HttpRequest, name: str) -> HttpResponseBase:
    """The tasks of one topic, step by step."""
    found = next((one for one in TOPICS if one.name == name), None)
    if found is None:
        raise Http404
    actor = Actor.of(request.user)
    return render(request, "help/topic.html", _topic(found, actor))


def _topic(found: Topic, actor: Actor) -> dict[str, Any]:
    return {
        "crumbs": [{"label": _("Help"), "url": reverse("help")}, {"label": found.title}],
        "conclusion": found.title,
        "roles": ", ".join(str(role.label) for role in found.roles if role != Role.NONE),
        "tasks": [{"title": task.title, "steps": task.steps, "url": _begins(task, actor)} for task in found.tasks],
    }


def _begins(task: HowTo, actor: Actor) -> str:
    """Where the task begins, for whoever may enter there."""
    needed = _ROOMS.get(task.begins)
    if not task.begins or (needed and not may(actor, needed)):
        return ""
    if task.begins == "recipients" and not may(actor, P.SEE_DUTIES):
        return ""
    return reverse(task.begins)
