"""Environment variables, read once and loudly: a wrong value stops the start and says what is allowed."""

from __future__ import annotations

import ipaddress
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str = "") -> str:
    """A string; empty counts as absent."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, default: bool = False) -> bool:
    """A switch written 1/0, true/false, yes/no, on/off."""
    value = text(name).lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name}={value!r}: write 1 or 0.")


def number(name: str, default: int) -> int:
    """A whole number."""
    value = text(name, str(default))
    try:
        return int(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={value!r}: write a whole number.") from error


def fraction(name: str, default: float) -> float:
    """A number that is 0 or more."""
    value = text(name, str(default))
    try:
        found = float(value)
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise ImproperlyConfigured(f"{name}={value!r}: write a number, 0 or more.")
    return found


def choice(name: str, allowed: tuple[str, ...]) -> str:
    """One of some words, the first where nothing is said."""
    value = text(name, allowed[0])
    if value not in allowed:
        raise ImproperlyConfigured(f"{name}={value!r}: one of {', '.join(allowed)}.")
    return value


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def file_text(name: str) -> str:
    """The content of the file that the variable names; empty when it names none."""
    path = text(name)
    try:
        return Path(path).read_text().strip() if path else ""
    except OSError as error:
        raise ImproperlyConfigured(f"{name}={path!r} cannot be read: {error}") from error


#: Mail providers that django-anymail speaks to and that tell of delivery and bounce, by its names.
MAIL_PROVIDERS = ("amazon_ses", "brevo", "mailersend", "mailgun", "mailjet", "mandrill", "postal", "postmark", "resend",
                  "sendgrid", "sparkpost", "unisender_go")  # fmt: skip


def mail_provider(name: str, provider: str) -> dict[str, Any]:
    """A mail provider's settings, keys among them: django-anymail's, as JSON in the file that the variable names."""
    if not provider:
        return {}
    try:
        found = json.loads(file_text(name))
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: LETHE_EMAIL={provider} needs a JSON file with its settings.") from error
    if not isinstance(found, dict) or "WEBHOOK_SECRET" not in found:
        raise ImproperlyConfigured(f"{name}: the file must hold an object with WEBHOOK_SECRET, user:password.")
    return found


def contact(name: str) -> str:
    """An address to write to or to open; empty where none is named."""
    value = text(name)
    if value and not value.startswith(("mailto:", "https://")):
        raise ImproperlyConfigured(f"{name}={value!r}: begin with mailto: or https://.")
    return value


def socket_address(name: str) -> str:
    """`unix:/path` or `tcp://host:port`; empty where none is named."""
    value = text(name)
    if value and not value.startswith(("unix:/", "tcp://")):
        raise ImproperlyConfigured(f"{name}={value!r}: write unix:/path or tcp://host:port.")
    return value


def networks(name: str) -> list[str]:
    """A comma-separated list of networks, such as 10.1.0.0/16."""
    found = words(name)
    try:
        return [str(ipaddress.ip_network(part)) for part in found]
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}.") from error


SQLITE_OPTIONS: dict[str, Any] = {
    "timeout": 20,
    "transaction_mode": "IMMEDIATE",
    # The ledger is written in the transactions of the changes it records, so commits survive power loss.
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
}

POSTGRESQL_OPTIONS: dict[str, Any] = {
    "pool": True,
    # The ledger is written in the transactions of the changes it records: a commit is on the disk before it is told.
    # Pages ask for the first rows of long lists. What the whole list would cost makes PostgreSQL compile the query,
    # which takes ten times as long as running it (docs/performance.md).
    "options": "-c jit=off -c synchronous_commit=on",
}


def database(name: str, default_path: Path) -> dict[str, Any]:
    """A Django database from a URL (`sqlite:///PATH`, `postgres://USER:PASSWORD@HOST:PORT/NAME`)."""
    url = urlsplit(text(name, f"sqlite:///{default_path}"))
    if url.scheme == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": unquote(url.path[1:] if url.path.startswith("//") else url.path),
            "OPTIONS": dict(SQLITE_OPTIONS),
        }
    if url.scheme in {"postgres", "postgresql"}:
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(url.path.lstrip("/")),
            "USER": unquote(url.username or ""),
            "PASSWORD": unquote(url.password or ""),
            "HOST": url.hostname or "",
            "PORT": str(url.port or 5432),
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {**POSTGRESQL_OPTIONS, **dict(parse_qsl(url.query))},
        }
    raise ImproperlyConfigured(f"{name}: scheme {url.scheme!r} is not supported; use sqlite:///PATH or postgres://...")
