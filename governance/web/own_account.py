"""One's own account: role, what guards it, sessions, and everything that the house keeps about its owner."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from governance.models import Role, User
from governance.selectors import people as select
from governance.selectors.people import Own


@require_safe
@never_cache
@login_required
def page(request: HttpRequest) -> HttpResponse:
    """What is kept about the reader, and where to change it."""
    own = select.own(cast(User, request.user))
    return render(request, "account/own.html", _context(own))


@require_safe
@never_cache
@login_required
def data(request: HttpRequest) -> HttpResponse:
    """The same as a file that machines read (GDPR Art. 15(3))."""
    own = select.own(cast(User, request.user))
    answer = JsonResponse(own.as_data(), json_dumps_params={"indent": 1, "ensure_ascii": False})
    answer["Content-Disposition"] = 'attachment; filename="own-data.json"'
    return answer


def _context(own: Own) -> dict[str, Any]:
    user = own.user
    guarded = own.authenticator or own.keys
    return {
        "conclusion": _("You are signed in as %(name)s, %(role)s") % {"name": user, "role": Role(user.role).label},
        "sentence": (
            _("Your account has a second factor: you can read and, where your role allows, decide.")
            if guarded
            else _("Your account has no second factor yet: you can read but not decide.")
        ),
        "facts": [
            (_("Name"), str(user)),
            (_("E-mail"), user.email),
            (_("Role"), Role(user.role).label),
            (_("Made"), _moment(user.date_joined)),
            (_("Last sign-in"), _moment(user.last_login)),
        ],
        "factors": [
            {"label": _("Authenticator app"), "value": _on(own.authenticator), "state": _state(own.authenticator)},
            {
                "label": _("Passkeys and security keys"),
                "value": str(own.keys) if own.keys else _("none"),
                "state": _state(own.keys > 0),
            },
            (_("Recovery codes left"), str(own.codes)),
            (_("Running sessions"), str(len(own.sessions))),
        ],
        "ways": [
            (reverse("mfa_index"), _("Authenticator and recovery codes")),
            (reverse("mfa_list_webauthn"), _("Passkeys and security keys")),
            (reverse("account_change_password"), _("Change the password")),
            (reverse("usersessions_list"), _("Your sessions")),
        ],
        "role_columns": [_("Role"), _("Proposed by"), _("Signed by"), _("On")],
        "roles": [
            [
                Role(grant.role).label,
                str(grant.proposed_by),
                str(grant.approved_by or "") or _("not yet"),
                _moment(grant.approved_at),
            ]
            for grant in own.grants
        ],
        "kept": _kept(own),
    }


def _kept(own: Own) -> list[tuple[str, str]]:
    return [
        (_("Name and address"), _("They stand under what you sign. No entry of the ledger holds them.")),
        (_("Password"), _("A digest (Argon2), never the password.")),
        (_("Second factors"), _("Public halves of passkeys, the authenticator's secret, unused recovery codes.")),
        (_("Sessions"), _("Time, address and browser of each, until it ends.")),
        (
            _("Ledger"),
            ngettext(
                "%(n)s entry that you caused, under your role and the number of your account.",
                "%(n)s entries that you caused, under your role and the number of your account.",
                own.entries,
            )
            % {"n": own.entries},
        ),
    ]


def _on(there: bool) -> str:
    return _("active") if there else _("not set up")


def _state(there: bool) -> str:
    return "pass" if there else "waiting"


def _moment(at: Any) -> str:
    return date_format(timezone.localtime(at), "j M Y, H:i") if at else _("never")
