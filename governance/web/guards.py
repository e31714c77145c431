"""Guards of staff views: signed in, allowed by the policy, and for decisions a second factor and a fresh sign-in."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate
from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from governance.models import Role, User
from governance.policies import GRANTS, Actor, Permission, may
from governance.selectors.people import SECOND_FACTORS

#: Where a session keeps what was asked for or sent before there was a second factor.
KEPT = "before_second_factor"
#: Characters of the largest form that is kept so: every later request reads the session.
KEPT_MOST = 200_000
View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def staff(*permissions: Permission, decide: bool = False) -> Callable[[View], View]:
    """A view for staff who hold at least one of the permissions.

    With `decide=True` the view changes something that counts: the person must have entered the password again within
    `ACCOUNT_REAUTHENTICATION_TIMEOUT` (else that page first; it leads back, and a form that was sent meanwhile is sent
    on) and needs an active second factor (else the page that sets one up; what was sent is kept meanwhile).
    `request.user` is a `User` inside.
    """
    if not permissions:
        raise TypeError("staff() takes at least one permission: what is not named is refused.")

    def guard(view: View) -> View:
        @never_cache
        @login_required
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            actor = Actor.of(request.user)
            if not any(may(actor, permission) for permission in permissions):
                return forbidden(request, *permissions)
            if decide:
                # The password first: the page that sets up a second factor asks for it too, and there the
                # sentence about the second factor would be read and gone.
                if not did_recently_reauthenticate(request):
                    raise ReauthenticationRequired
                if not has_second_factor(cast(User, request.user)):
                    _keep(request)
                    messages.warning(request, _("Decisions need a second factor. Set it up here, then go on."))
                    return redirect("mfa_activate_totp")
                if KEPT in request.session:
                    del request.session[KEPT]
            return view(request, *args, **kwargs)

        return cast(View, guarded)

    return guard


def _keep(request: HttpRequest) -> None:
    """What was asked for or sent stands in the (sealed) session; the page after the set-up offers to go on with it.

    A form of more than `KEPT_MOST` characters is not kept.
    """
    request.session.pop(KEPT, None)
    fields = [[name, one] for name, values in request.POST.lists() for one in values if name != "csrfmiddlewaretoken"]
    if sum(len(name) + len(one) for name, one in fields) > KEPT_MOST:
        return
    kept = {"path": request.get_full_path(), "sent": request.method == "POST", "fields": fields}
    request.session[KEPT] = kept | {"files": bool(request.FILES)}


def has_second_factor(user: User) -> bool:
    """Whether the person signs in with codes from an authenticator, or with a passkey or security key."""
    return bool(is_mfa_enabled(user, types=SECOND_FACTORS))


def roles_with(*permissions: Permission) -> list[str]:
    """The roles that hold one of the permissions, as words."""
    return [str(role.label) for role in Role if GRANTS[role].intersection(permissions)]


def forbidden(request: HttpRequest, *permissions: Permission) -> HttpResponseBase:
    """The page that says which roles may do this."""
    return render(request, "403.html", {"roles": roles_with(*permissions)}, status=403)
