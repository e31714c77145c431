"""One account per role; passwords are random per installation and printed once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from governance.models import Role, User
from governance.policies import Actor
from governance.services import people

NAMES = {
    Role.LEGAL: ("Hanneke", "Okafor-Lind"),
    Role.APPROVER: ("Jonas", "Brandt-Iyer"),
    Role.ENGINEER: ("Imre", "Vasquez-Thorne"),
    Role.RELEASE: ("Noor", "Adeyemi-Falk"),
    Role.EXECUTIVE: ("Ruth", "Castellane-Oyelaran"),
    Role.AUDITOR: ("Pia", "Sørli-Matsuda"),
    Role.ADMINISTRATOR: ("Mateus", "Ferreira-Holt"),
}
SECOND = ("Ines", "Aalto-Reyes")


@dataclass(frozen=True)
class SignIn:
    """How somebody signs in; `password` is empty where the account existed before."""

    role: Role
    email: str
    password: str


def accounts() -> list[SignIn]:
    """Make the accounts that are missing: two administrators, then whom one of them proposes and the other signs."""
    first = _administrator(Role.ADMINISTRATOR.value, *NAMES[Role.ADMINISTRATOR])
    second = _administrator("administrator2", *SECOND)
    return [*(_given(role) for role in NAMES if role is not Role.ADMINISTRATOR), first, second]


def _administrator(name: str, first: str, last: str) -> SignIn:
    email, password = f"{name}@lethe.example", ""
    if not User.objects.filter(email=email).exists():
        password = secrets.token_urlsafe(12)
        User.objects.create_superuser(email, password, first_name=first, last_name=last)
    return SignIn(Role.ADMINISTRATOR, email, password)


def _given(role: Role) -> SignIn:
    email, (first, last) = f"{role.value}@lethe.example", NAMES[role]
    if User.objects.filter(email=email).exists():
        return SignIn(role, email, "")
    one, two = (
        Actor.of(User.objects.get(email=f"{name}@lethe.example")) for name in ("administrator", "administrator2")
    )
    made = people.person_create(first_name=first, last_name=last, email=email, role=role, actor=one)
    people.role_approve(person=made, actor=two, shown=str(made.grants.get().pk))
    made.refresh_from_db()
    password = secrets.token_urlsafe(12)
    made.set_password(password)
    made.save(update_fields=["password"])
    return SignIn(role, email, password)


def actor(role: Role) -> Actor:
    """The demonstration's person with this role."""
    return Actor.of(User.objects.get(email=f"{role.value}@lethe.example"))
