"""Codes of authenticator apps: late by a step is in time, twice is once."""

from __future__ import annotations

from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa import app_settings
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import forms
from allauth.mfa.totp.forms import ActivateTOTPForm
from django.core.cache import cache


class UsedOnce:
    """A code that was taken is not taken again (RFC 6238, section 5.2), however it is spaced.

    allauth remembers it for one step; with a tolerance it is right for `2 * tolerance + 1` of them.
    """

    def clean_code(self) -> str:
        """The code.

        Raises:
            ValidationError: it is wrong, or was used.
        """
        code: str = super().clean_code()  # type: ignore[misc]
        seconds = (2 * app_settings.TOTP_TOLERANCE + 1) * app_settings.TOTP_PERIOD
        used = f"second-factor:{self.user.pk}:{normalize_user_code(code)}"  # type: ignore[attr-defined]
        # A memory that does not answer knows of no code: nobody is locked out by it.
        if not cache.add(used, True, seconds) and cache.get(used) is not None:
            raise get_adapter().validation_error("incorrect_code")
        return code


class ActivateForm(UsedOnce, ActivateTOTPForm):  # type: ignore[misc]
    """The first code of an authenticator."""


class AuthenticateForm(UsedOnce, forms.AuthenticateForm):  # type: ignore[misc]
    """The second factor at sign-in."""


class ReauthenticateForm(UsedOnce, forms.ReauthenticateForm):  # type: ignore[misc]
    """The second factor before a decision."""
