"""Triggers: the ledger is append-only, and an approved decision is final, whoever holds the connection."""

from django.db import migrations

#: (table, event, condition or None, message)
GUARDS = (
    ("governance_ledgerentry", "UPDATE", None, "the ledger is append-only"),
    ("governance_ledgerentry", "DELETE", None, "the ledger is append-only"),
    ("governance_ledgeropening", "UPDATE", None, "an opening is never changed"),
    ("governance_decision", "UPDATE", "OLD.approved_at IS NOT NULL", "an approved decision is final"),
    ("governance_decision", "DELETE", "OLD.approved_at IS NOT NULL", "an approved decision is final"),
)


def _name(table, event):
    return f"guard_{table}_{event.lower()}"


def add(apps, schema_editor):
    if schema_editor.connection.alias != "default":
        return
    postgresql = schema_editor.connection.vendor == "postgresql"
    if postgresql:
        schema_editor.execute(
            "CREATE FUNCTION lethe_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ "
            "BEGIN RAISE EXCEPTION USING MESSAGE = TG_ARGV[0], ERRCODE = 'check_violation'; END $$",
            params=None,
        )
    for table, event, condition, message in GUARDS:
        when = f"WHEN ({condition})" if condition else ""
        if postgresql:
            action = f"EXECUTE FUNCTION lethe_refuse('{message}')"
        else:
            action = f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        schema_editor.execute(
            f"CREATE TRIGGER {_name(table, event)} BEFORE {event} ON {table} FOR EACH ROW {when} {action}", params=None
        )
    if postgresql:
        schema_editor.execute(
            "CREATE TRIGGER guard_governance_ledgerentry_truncate BEFORE TRUNCATE ON governance_ledgerentry "
            "EXECUTE FUNCTION lethe_refuse('the ledger is append-only')",
            params=None,
        )


def remove(apps, schema_editor):
    if schema_editor.connection.alias != "default":
        return
    postgresql = schema_editor.connection.vendor == "postgresql"
    for table, event, _condition, _message in GUARDS:
        on = f" ON {table}" if postgresql else ""
        schema_editor.execute(f"DROP TRIGGER {_name(table, event)}{on}", params=None)
    if postgresql:
        schema_editor.execute("DROP TRIGGER guard_governance_ledgerentry_truncate ON governance_ledgerentry", params=None)
        schema_editor.execute("DROP FUNCTION lethe_refuse()", params=None)


class Migration(migrations.Migration):
    dependencies = [("governance", "0001_initial")]

    operations = [migrations.RunPython(add, remove)]
