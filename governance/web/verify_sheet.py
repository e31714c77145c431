"""A report on paper: its number and the code that it prints, compared with the register. A sheet proves no more."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance.evidence.printing import day
from governance.services import renewals
from governance.web import verify_sample

#: Hexadecimal digits of the evidence's SHA-256 that are asked for: 64 bits, more than anybody guesses at our rate.
DIGITS = 16


class SheetForm(forms.Form):
    """What stands on a printed report, certificate or letter."""

    number = forms.CharField(
        label=gettext_lazy("Number of the report, or of the case"),
        help_text=gettext_lazy("It begins with two letters and stands at the top of the sheet, like LR-WC2G9-9EK."),
        max_length=40,
        error_messages={"required": gettext_lazy("Type the number of the report or of the case.")},
    )
    code = forms.CharField(
        label=gettext_lazy("Code of its evidence"),
        help_text=gettext_lazy(
            "The 16 signs in the line “Evidence”, after “sha256”: digits and the letters a to f. Of more, the first 16."
        ),
        max_length=100,
        error_messages={"required": gettext_lazy("Type the 16 signs of the line “Evidence”.")},
    )

    def clean_number(self) -> str:
        """As the register writes it."""
        return str(self.cleaned_data["number"]).strip().upper()

    def clean_code(self) -> str:
        """The digits alone, in small letters."""
        code = re.sub(r"^sha-?256|[\s:.…]", "", str(self.cleaned_data["code"]).strip().lower())
        if not re.fullmatch(rf"[0-9a-f]{{{DIGITS},64}}", code):
            raise ValidationError(
                _("The code has at least 16 signs, digits and the letters a to f. Blanks do not matter.")
            )
        return code


def answer(number: str, code: str) -> dict[str, Any]:
    """What the register says, in the words of the page that checks files."""
    sample = verify_sample.number_of(number)
    if sample is not None:
        return _told(*verify_sample.known(sample, code))
    sealed_at = renewals.registered_sheet(number, code)
    if sealed_at is None:
        said = (
            _("Our register does not know this number with this code."),
            _("Compare both with the sheet once more. If they are typed right, do not rely on it: "
              "ask whoever gave it to you for the file."),
        )  # fmt: skip
    else:
        said = (
            _("Our register knows this number and this code."),
            _("We sealed a file with them on %(day)s. What else stands on the sheet was not compared: anybody can "
              "print other words around them. Ask for the PDF and upload it here.")
            % {"day": day(sealed_at.isoformat())},
        )  # fmt: skip
    return _told(*said, sealed_at)


def _told(conclusion: str, sentence: str, known_at: datetime | None) -> dict[str, Any]:
    """What is shown of a look-up: no more than that the register knows what was typed."""
    finding = {"state": "pass" if known_at else "fail", "title": conclusion, "detail": ""}
    return {"kind": "inconclusive", "conclusion": conclusion, "sentence": sentence, "checks": [finding]}
