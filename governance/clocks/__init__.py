"""Law as code: dated, cited, versioned rules for statutory deadlines."""

from governance.clocks.rules import LAWS, Law, Worked, due_date, laws_for

__all__ = ["LAWS", "Law", "Worked", "due_date", "laws_for"]
