"""People of the organisation. Claimants have no account."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from governance.models.two_people import Proposal, by_two


class Role(models.TextChoices):
    """What somebody is here for; what each may do is in `policies`."""

    LEGAL = "legal", _("Legal officer")
    APPROVER = "approver", _("Approver")
    ENGINEER = "engineer", _("ML engineer")
    RELEASE = "release", _("Release manager")
    EXECUTIVE = "executive", _("Executive")
    AUDITOR = "auditor", _("Auditor")
    ADMINISTRATOR = "administrator", _("Administrator")
    NONE = "none", _("No role")


class UserManager(BaseUserManager["User"]):
    """Users are named by their e-mail address."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Make a user with a hashed password (unusable when None)."""
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """For `manage.py createsuperuser`: an administrator, where the installation has not yet two accounts."""
        return self.create_user(email, password, **{"role": Role.ADMINISTRATOR, **fields})


class User(AbstractUser):
    """A member of staff with exactly one role: duties stay separate."""

    username = None  # type: ignore[assignment]
    email = models.EmailField(_("e-mail address"), unique=True)
    role = models.CharField(_("role"), max_length=16, choices=Role.choices, default=Role.NONE)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()  # type: ignore[assignment,misc]

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(role__in=Role.values), name="user_role_known")]

    def __str__(self) -> str:
        return self.get_full_name() or self.email


class RoleGrant(Proposal):
    """A role that one administrator proposes for somebody and another signs.

    The database gives a role only where an approved grant waits for it, and notes when it was used (migration 0007);
    the first two accounts of an installation are administrators without one.
    """

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="grants")
    role = models.CharField(max_length=16, choices=Role.choices)
    before = models.CharField(max_length=16, choices=Role.choices)
    applied_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            *by_two("grant"),
            models.CheckConstraint(
                condition=~Q(proposed_by=F("person")) & (Q(approved_by=None) | ~Q(approved_by=F("person"))),
                name="grant_not_to_oneself",
            ),
            models.UniqueConstraint(
                fields=["person"], condition=Q(approved_at=None, returned_at=None), name="grant_one_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} for {self.person_id}"
