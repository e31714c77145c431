"""Many new rows of one table, as fast as the database takes them: COPY on PostgreSQL, one prepared statement on SQLite.

For rows that nobody needs as objects: a batch of works writes millions of them, and most of the time would go into
objects and a statement with thousands of placeholders. Constraints and triggers hold as for every other row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connections, models

#: What both databases take as it is.
_PLAIN = (str, int, bytes, type(None))


def rows_write(model: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows in the caller's transaction; `columns` are attribute names, sealed ones hold ciphertext.

    Columns that are not named get the field's default.
    """
    connection = connections["default"]
    fields = {field.attname: field for field in model._meta.concrete_fields if not field.primary_key}
    named = [fields.pop(column) for column in columns]
    rest = [field.get_db_prep_save(field.get_default(), connection) for field in fields.values()]
    ready = (
        [
            *(
                value if type(value) in _PLAIN else field.get_db_prep_save(value, connection)
                for field, value in zip(named, row, strict=True)
            ),
            *rest,
        ]
        for row in rows
    )
    quote = connection.ops.quote_name
    names = ", ".join(quote(str(field.column)) for field in (*named, *fields.values()))
    table = quote(model._meta.db_table)
    # A row that COPY cannot write is refused as by any other statement.
    with connection.wrap_database_errors, connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in ready:
                    copy.write_row(row)
        else:
            marks = ", ".join(["%s"] * (len(named) + len(rest)))
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(ready))  # noqa: S608 - names of our own
