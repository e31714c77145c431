"""E-mail: one letter through Django's mail back end, which may be a provider's (django-anymail)."""

from __future__ import annotations

import logging
import smtplib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.utils import parseaddr

from anymail.exceptions import AnymailError, AnymailRecipientsRefused
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.utils.html import escape, linebreaks, urlize

from governance.notifications.errors import SendFailed
from governance.notifications.languages import LANGUAGES, nearest

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Mail:
    """What is sent. `key` is the message's own id: the same on every try, so that mail programs show it once."""

    key: str
    to: str = field(repr=False)
    title: str = field(repr=False)
    body: str = field(repr=False)
    language: str = "en"


def send(mail: Mail) -> str:
    """Hand one letter over; returns the id under which the provider, or the mail server, knows it.

    Raises:
        SendFailed: nothing was taken; says whether to try again.
    """
    message = _message(mail)
    try:
        taken = message.send()
    except smtplib.SMTPRecipientsRefused as error:
        code = max((reply[0] for reply in error.recipients.values()), default=0)
        raise SendFailed(f"The receiver's server refused the address ({code}).", bounced=code >= 500) from error
    except smtplib.SMTPDataError as error:
        told = f"The mail server refused the letter ({error.smtp_code}): {error.smtp_error!r}"
        raise SendFailed(told, permanent=error.smtp_code >= 500) from error
    except AnymailRecipientsRefused as error:
        raise SendFailed("The provider refused the address.", bounced=True) from error
    except (OSError, AnymailError) as error:
        raise SendFailed(f"{type(error).__name__}: {error}") from error
    except ValueError as error:  # a header that cannot be written, text that cannot be encoded
        raise SendFailed(f"{type(error).__name__}: {error}", permanent=True) from error
    if not taken:
        raise SendFailed("The mail back end took nothing.")
    status = getattr(message, "anymail_status", None)
    return str(getattr(status, "message_id", None) or message.extra_headers["Message-ID"])


def send_each(addresses: Iterable[str], title: str, body: str, *, key: str = "") -> bool:
    """Mail to people of the house, to each their own; False where one was not taken now and may be on another try.

    With the same `key` a mail program shows it once to whoever had it already. What is refused for good is logged.
    """
    key, taken = key or str(uuid.uuid4()), True
    for address in addresses:
        one = Mail(key=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{key} {address}")), to=address, title=title, body=body)
        try:
            send(one)
        except SendFailed as error:
            log.warning("A mail to staff was not taken: %s", error.why)
            taken = taken and error.permanent
    return taken


def _message(mail: Mail) -> EmailMultiAlternatives:
    host = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    language = LANGUAGES[nearest(mail.language)]
    headers = {"Message-ID": f"<{mail.key}@{host}>", "Content-Language": language.code}
    message = EmailMultiAlternatives(mail.title, mail.body, settings.DEFAULT_FROM_EMAIL, [mail.to], headers=headers)
    if language.right_to_left:
        # Plain text has no direction of its own; some programs would set it from the left.
        message.attach_alternative(_html(mail.body, language.code), "text/html")
    # Comes back with the provider's events; plain SMTP knows nothing of it.
    message.metadata = {"message": mail.key}  # type: ignore[attr-defined]
    return message


def _html(body: str, code: str) -> str:
    text = linebreaks(urlize(escape(body))).replace("<p>", '<p dir="auto">')
    return f'<!doctype html><html lang="{code}" dir="rtl"><meta charset="utf-8"><body>{text}</body></html>'
