"""What the database refuses, whoever holds the connection: raw SQL, bulk updates, a superuser, a race.

One list (`guards`) for SQLite and PostgreSQL, installed after every `migrate` (a table that SQLite rebuilds loses its
triggers).
The owner of the database can take them off; `selectors.signatures` finds that, and finds what was signed meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from governance.models.guards import EMPTIED, GUARDS, PREFIX

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

#: A grant is used once: giving the role notes it.
_USED = (
    "UPDATE governance_rolegrant SET applied_at = CURRENT_TIMESTAMP WHERE person_id = NEW.id AND role = NEW.role "
    "AND approved_by_id IS NOT NULL AND applied_at IS NULL"
)
USED = f"{PREFIX}user_role_used"

#: Changes that a figure of the dashboard depends on: (name, when, condition, the case), noted for `services.tallies`.
TALLIED = "tally_"
_FIGURED = ("kind", "law", "status", "disposition", "received_on", "due_on", "paused_on", "closed_at")
_MOVED = " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in _FIGURED)
TOUCHES = (
    ("case_new", "INSERT ON governance_case", "", "NEW.id"),
    ("case_moved", f"UPDATE OF {', '.join(_FIGURED)} ON governance_case", _MOVED, "NEW.id"),
    ("case_gone", "DELETE ON governance_case", "", "OLD.id"),
    ("clock_new", "INSERT ON governance_caseclock", "", "NEW.case_id"),
    ("clock_ended", "UPDATE OF ended_at, country ON governance_caseclock", "", "NEW.case_id"),
    ("report_new", "INSERT ON governance_report", "", "NEW.case_id"),
    ("run_ended", "UPDATE OF state ON governance_job", "NEW.state = 'succeeded' AND NEW.case_id IS NOT NULL",
     "NEW.case_id"),
)  # fmt: skip


def install(connection: BaseDatabaseWrapper) -> None:
    """Put every guard in place, also over an older one of the same name."""
    drop(connection)
    make = _postgresql if connection.vendor == "postgresql" else _sqlite
    with connection.cursor() as cursor:
        for statement in (*make(), *_touches(connection.vendor)):
            cursor.execute(statement)


def drop(connection: BaseDatabaseWrapper) -> None:
    """Take every guard off: SQLite cannot rebuild a table that a trigger of another one names."""
    with connection.cursor() as cursor:
        for name, table in (*found(connection), *found(connection, prefix=TALLIED)):
            cursor.execute(f"DROP TRIGGER {name}" + (f" ON {table}" if connection.vendor == "postgresql" else ""))


def found(connection: BaseDatabaseWrapper, *, enabled: bool = False, prefix: str = PREFIX) -> list[tuple[str, str]]:
    """Names and tables of the guards in the database; with `enabled` only those that are switched on."""
    like = prefix.replace("_", "\\_") + "%"
    rows: list[tuple[Any, ...]]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            query = "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE %s"
            cursor.execute(query + (" AND tgenabled <> 'D'" if enabled else ""), [like])
        else:
            cursor.execute(
                "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' AND name LIKE %s ESCAPE '\\'", [like]
            )
        rows = cursor.fetchall()
    return [(name, table) for name, table in rows]


def expected(vendor: str) -> set[str]:
    """Names of all guards of a database of this make."""
    emptied = {f"{PREFIX}{table}_truncate" for table in EMPTIED} if vendor == "postgresql" else set()
    return {guard.trigger for guard in GUARDS} | {USED} | emptied


def _sqlite() -> Iterator[str]:
    for guard in GUARDS:
        when = f"WHEN {guard.condition} " if guard.condition else ""
        yield (
            f"CREATE TRIGGER {guard.trigger} BEFORE {guard.event} ON {guard.table} FOR EACH ROW {when}"
            f"BEGIN SELECT RAISE(ABORT, '{guard.message}'); END"
        )
    when = "AFTER UPDATE ON governance_user FOR EACH ROW WHEN NEW.role <> OLD.role"
    yield f"CREATE TRIGGER {USED} {when} BEGIN {_USED}; END"


def _postgresql() -> Iterator[str]:
    """A function for each guard: the condition of a trigger itself may not look into other tables."""
    for guard in GUARDS:
        row = "OLD" if guard.event == "DELETE" else "NEW"
        refuse = f"RAISE EXCEPTION USING MESSAGE = '{guard.message}', ERRCODE = 'check_violation';"
        body = f"IF {guard.condition} THEN {refuse} END IF; RETURN {row};" if guard.condition else refuse
        yield from _function(guard.trigger, f"BEFORE {guard.event} ON {guard.table} FOR EACH ROW", body)
    body = f"IF NEW.role <> OLD.role THEN {_USED}; END IF; RETURN NEW;"
    yield from _function(USED, "AFTER UPDATE ON governance_user FOR EACH ROW", body)
    for table in EMPTIED:
        refuse = f"RAISE EXCEPTION USING MESSAGE = '{table} is never emptied', ERRCODE = 'check_violation';"
        yield from _function(f"{PREFIX}{table}_truncate", f"BEFORE TRUNCATE ON {table}", refuse)


def _touches(vendor: str) -> Iterator[str]:
    for name, when, condition, case in TOUCHES:
        note = f"INSERT INTO governance_tallytouch (case_id) VALUES ({case})"  # noqa: S608 - no value comes from outside
        guard = f" WHEN ({condition})" if condition else ""
        if vendor == "postgresql":
            body = f"{note}; RETURN NULL;"
            yield from _function(f"{TALLIED}{name}", f"AFTER {when} FOR EACH ROW{guard}", body)
        else:
            yield f"CREATE TRIGGER {TALLIED}{name} AFTER {when} FOR EACH ROW{guard} BEGIN {note}; END"


def _function(name: str, when: str, body: str) -> Iterator[str]:
    yield f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"
    yield f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION {name}()"
