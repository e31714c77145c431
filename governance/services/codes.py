"""Codes of a decision: on which ground a record is erased, and what stands against it, as each law has them.

A refusal is coded per item, not per case. A law without a table of its own takes the general codes.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from governance.clocks import LAWS
from governance.models import Decision


@dataclass(frozen=True, kw_only=True)
class Code:
    """One code: what stands in the database, the words, and where it is written."""

    code: str
    title: object
    citation: str = ""

    def __str__(self) -> str:
        return f"{self.citation}: {self.title}" if self.citation else str(self.title)


def _codes(*rows: tuple[str, object, str]) -> tuple[Code, ...]:
    return tuple(Code(code=code, title=title, citation=citation) for code, title, citation in rows)


_FACTS = _codes(
    ("other_person", _("The record is about somebody else"), ""),
    ("no_ground", _("No ground for erasure applies"), ""),
)


def _article_17_3(law: str) -> tuple[Code, ...]:
    """Regulation (EU) 2016/679 Art. 17(3)(a) to (e), which the UK GDPR keeps."""
    return (
        *_codes(
            ("17(3)(a)", _("Freedom of expression and information"), f"{law} Art. 17(3)(a)"),
            ("17(3)(b)", _("Legal obligation or public task"), f"{law} Art. 17(3)(b)"),
            ("17(3)(c)", _("Public health"), f"{law} Art. 17(3)(c)"),
            ("17(3)(d)", _("Archiving, research or statistics"), f"{law} Art. 17(3)(d)"),
            ("17(3)(e)", _("Legal claims"), f"{law} Art. 17(3)(e)"),
        ),
        *_FACTS,
    )


def _article_17_1(law: str) -> tuple[Code, ...]:
    """Regulation (EU) 2016/679 Art. 17(1)(a) to (f)."""
    letters = (
        ("a", _("No longer necessary")), ("b", _("Consent withdrawn")), ("c", _("Objection upheld")),
        ("d", _("Processed unlawfully")), ("e", _("Legal obligation to erase")), ("f", _("A child's data, online")),
    )  # fmt: skip
    return _codes(*((f"{law} Art. 17(1)({letter})", title, f"{law} Art. 17(1)({letter})") for letter, title in letters))


_WORKS = _codes(
    ("licensed", _("The house holds a licence for the record"), ""),
    ("public_domain", _("The work is in the public domain"), ""),
    ("other_work", _("The record is another work"), ""),
    ("research", _("Research organisation's mining"), "Directive (EU) 2019/790 Art. 3"),
)
_GENERAL = (*_codes(("law_exception", _("An exception of this law, named in the reasons"), "")), *_FACTS)

EXCEPTIONS: dict[str, tuple[Code, ...]] = {
    "house": _WORKS,
    "gdpr": _article_17_3("GDPR"),
    "uk_gdpr": _article_17_3("UK GDPR"),
}
GROUNDS: dict[str, tuple[Code, ...]] = {"gdpr": _article_17_1("GDPR"), "uk_gdpr": _article_17_1("UK GDPR")}


def exceptions(law: str) -> tuple[Code, ...]:
    """What can stand against erasure under this law."""
    return EXCEPTIONS.get(law, _GENERAL)


def grounds(law: str) -> tuple[Code, ...]:
    """On which grounds a record is erased under this law; the law's own words come first."""
    general = LAWS[law].erasure_ground
    return (Code(code=general, title=general), *GROUNDS.get(law, ()))


def exception_words(law: str, code: str) -> str:
    """A code as it is read; one that the law no longer lists stands as it was written."""
    return next((str(item) for item in exceptions(law) if item.code == code), code)


def exception_problem(law: str, choice: str, code: str) -> str:
    """Why a code does not fit the choice or the law; empty where it does."""
    if not code:
        return ""
    if choice == Decision.Choice.ERASE:
        return "what is erased has no exception; leave the code out."
    if code not in {item.code for item in exceptions(law)}:
        return f"“{code[:24]}” is no exception of {LAWS[law].title}."
    return ""
