"""Sign-in of staff: accounts are made by an administrator, never by a visitor."""

from __future__ import annotations

from typing import cast

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from governance.errors import NotAllowed
from governance.models import User
from governance.policies import Actor, Permission, may
from governance.web.context import ROOMS
from governance.web.guards import staff


class StaffAccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """allauth with registration closed."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody registers themselves."""
        return False


@staff(Permission.SEE_DESK)
def desk(request: HttpRequest) -> HttpResponseBase:
    """To the first room that this role may enter.

    Raises:
        NotAllowed: a role without a room, which no table of grants should hold.
    """
    actor = Actor.of(cast(User, request.user))
    for view, permission, _label in ROOMS:
        if may(actor, permission):
            return redirect(view)
    raise NotAllowed(_("No room of this house is open to your role yet."))
