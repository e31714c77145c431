"""SQLite refuses what PostgreSQL would: to lock rows outside of a transaction.

SQLite knows no row locks and Django leaves them out without a word, so that a page which works on the embedded database
fails on the other. Here the compiler takes SQLite for a database that has them and writes nothing for them (ADR 41).
"""

from __future__ import annotations

from typing import Any

#: What PostgreSQL's features say of row locks.
_ROW_LOCKS = ("", "_nowait", "_skip_locked", "_of")


def _no_words(**_options: Any) -> str:
    return ""


def refuse(sender: Any, connection: Any, **_: Any) -> None:
    """Receives `connection_created`."""
    if connection.vendor == "sqlite":
        for name in _ROW_LOCKS:
            setattr(connection.features, f"has_select_for_update{name}", True)
        connection.features.has_select_for_no_key_update = True
        connection.ops.for_update_sql = _no_words
