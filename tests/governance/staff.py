"""Signing in as somebody who may decide: a second factor, and a password entered a moment ago."""

from __future__ import annotations

import time

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.mfa.models import Authenticator
from django.test import Client

from governance.models import User


def give_second_factor(user: User) -> None:
    """An authenticator app, as if it had been set up."""
    Authenticator.objects.get_or_create(user=user, type=Authenticator.Type.TOTP, defaults={"data": {"secret": "x"}})


def sign_in_to_decide(client: Client, user: User) -> None:
    """Signed in, with a second factor and a fresh password."""
    give_second_factor(user)
    client.force_login(user)
    session = client.session
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "password", "at": time.time(), "reauthenticated": True}]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
