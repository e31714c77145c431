"""Checks of what people type, the same for forms and for the interface."""

from __future__ import annotations

import re
import unicodedata

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

NAME_LENGTH = 200
#: The longest address that mail is delivered to (RFC 5321, 4.5.3.1.3).
EMAIL_LENGTH = 254
TITLE_LENGTH = 200
ADDRESS_LENGTH = 500
#: Control characters and marks that turn the direction of what follows (a title must not disguise itself).
_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]", re.ASCII)
web_address = URLValidator(
    schemes=["http", "https"], message=gettext_lazy("Write a whole address that begins with https:// or http://.")
)


def one_line(value: str) -> None:
    """Refuse line breaks, control characters and marks that turn the direction of writing.

    Raises:
        ValidationError: naming what to remove.
    """
    if _HIDDEN.search(value):
        raise ValidationError(_("Write this on one line, without control characters."))
    if "\ufffd" in value:
        raise ValidationError(_("Some letters did not arrive as they were written; write them again."))


def no_nul(value: str) -> None:
    """Refuse NUL: no database stores it in a text.

    Raises:
        ValidationError: with the reason.
    """
    if "\x00" in value:
        raise ValidationError(_("The text holds a NUL character, so it is no plain text. Paste it again."))


def number_in(text: str, digits: int = 18) -> int | None:
    """The number that an address or a hidden field names, in plain digits; None where it is none, or longer than any
    of ours."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= digits else None


def tidy(value: str) -> str:
    """A line without hidden characters, in composed form: for names that a file brings along."""
    return " ".join(unicodedata.normalize("NFC", _HIDDEN.sub(" ", value)).split())


def domain_name(value: str) -> str:
    """A domain as it is looked up: lower case, without scheme and path, an international name in its ASCII form.

    Raises:
        ValidationError: it is no domain with at least two parts.
    """
    text = value.strip().lower()
    text = re.sub(r"^[a-z]+://", "", text).strip("/").removesuffix(".")
    try:
        ascii_form = text.encode("idna").decode()
    except UnicodeError:
        ascii_form = ""
    if not _DOMAIN.fullmatch(ascii_form):
        raise ValidationError(_("Write the domain without a path, for example example.org"))
    return ascii_form
