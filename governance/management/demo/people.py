"""One account per role; passwords are random per installation and printed once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from governance.models import Role, User
from governance.policies import Actor

NAMES = {
    Role.LEGAL: ("Hanneke", "Okafor-Lind"),
    Role.APPROVER: ("Jonas", "Brandt-Iyer"),
    Role.ENGINEER: ("Imre", "Vasquez-Thorne"),
    Role.RELEASE: ("Noor", "Adeyemi-Falk"),
    Role.EXECUTIVE: ("Ruth", "Castellane-Oyelaran"),
    Role.AUDITOR: ("Pia", "Sørli-Matsuda"),
    Role.ADMINISTRATOR: ("Mateus", "Ferreira-Holt"),
}


@dataclass(frozen=True)
class SignIn:
    """How somebody signs in; `password` is empty where the account existed before."""

    role: Role
    email: str
    password: str


def accounts() -> list[SignIn]:
    """Make the accounts that are missing."""
    found = []
    for role, (first, last) in NAMES.items():
        email, password = f"{role.value}@lethe.example", ""
        if not User.objects.filter(email=email).exists():
            password = secrets.token_urlsafe(12)
            User.objects.create_user(email, password, role=role, first_name=first, last_name=last)
        found.append(SignIn(role, email, password))
    return found


def actor(role: Role) -> Actor:
    """The demonstration's person with this role."""
    return Actor.of(User.objects.get(email=f"{role.value}@lethe.example"))
