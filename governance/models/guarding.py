"""How a guard is written: its shape, who may hold which signature, and the conditions that many of them share."""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = "guard_"
#: Who may hold which signature: the roles of `policies.GRANTS`; a test compares both.
SIGNERS = {
    "proposal": ("legal",),
    "approval": ("approver",),
    "plan": ("engineer",),
    "plan_approval": ("approver", "engineer"),
    "release": ("release",),
    "release_legal": ("legal", "approver"),
    "policy": ("legal", "approver", "engineer"),
    "grant": ("administrator",),
    "publication": ("engineer", "release"),
    "erasure": ("legal",),
    "erasure_approval": ("approver",),
    "lift": ("legal",),
    "lift_approval": ("approver",),
    "abuse": ("legal",),
    "abuse_approval": ("approver",),
}


@dataclass(frozen=True)
class Guard:
    """Before `event` on `table`, where `condition` holds (always, if empty), the statement is refused by `message`."""

    name: str
    table: str
    event: str
    condition: str
    message: str

    @property
    def trigger(self) -> str:
        """Its name in the database."""
        return f"{PREFIX}{self.name}"


def signed(who: str, signature: str) -> str:
    """An active account with a role that may hold this signature."""
    roles = ", ".join(f"'{role}'" for role in SIGNERS[signature])
    return f"EXISTS (SELECT 1 FROM governance_user u WHERE u.id = {who} AND u.is_active AND u.role IN ({roles}))"  # noqa: S608 - no value comes from outside


def changed(*columns: str) -> str:
    """One of these columns is not what it was."""
    return "(" + " OR ".join(f"NEW.{column} <> OLD.{column}" for column in columns) + ")"


def set_now(column: str) -> str:
    """The column is filled by this statement."""
    return f"OLD.{column} IS NULL AND NEW.{column} IS NOT NULL"


def set_out(column: str) -> str:
    """The column is emptied by this statement."""
    return f"OLD.{column} IS NOT NULL AND NEW.{column} IS NULL"


def moved(column: str) -> str:
    """The number changes, or comes, or goes."""
    return f"COALESCE(NEW.{column}, 0) <> COALESCE(OLD.{column}, 0)"


def filer(who: str, case: str) -> str:
    """This person entered the request of the case, or works of it."""
    return (
        f"({who} = (SELECT c.entered_by_id FROM governance_case c WHERE c.id = {case}) OR EXISTS (SELECT 1 "  # noqa: S608
        f"FROM governance_claimeditem i WHERE i.case_id = {case} AND i.entered_by_id = {who}))"
    )
