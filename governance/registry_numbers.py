"""Registry numbers of works: ISBN, ISRC, ISWC, ISCC. Read as people write them, checked as far as each can be."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from stdnum import exceptions, isbn, isrc

_ISWC = re.compile(r"T[-. ]?(\d{3})[-. ]?(\d{3})[-. ]?(\d{3})[-. ]?(\d)")
#: Main types of ISO 24138 that stand in a unit or a composite code: meta, semantic, content, data, instance, ISCC.
_ISCC_TYPES = range(6)


@dataclass(frozen=True)
class RegistryNumber:
    """A number in its registry's own spelling."""

    scheme: str
    number: str

    def __str__(self) -> str:
        return f"{self.scheme} {self.number}"


def registry_number(line: str) -> RegistryNumber:
    """The number that a line holds; the registry's name may stand before it.

    Raises:
        ValidationError: no registry's number, or one whose check digit does not fit.
    """
    text = line.strip()
    named = re.match(r"(isbn|isrc|iswc|iscc)\b(?:-1[03])?[:\s]*", text, re.I)
    scheme, rest = (named.group(1).upper(), text[named.end() :].strip()) if named else ("", text)
    scheme = scheme or _guess(rest)
    if not scheme:
        raise ValidationError(_("“%(line)s” is no ISBN, ISRC, ISWC or ISCC.") % {"line": text[:60]})
    try:
        return RegistryNumber(scheme, _READERS[scheme](rest))
    except (exceptions.ValidationError, ValueError) as error:
        raise ValidationError(
            _("“%(line)s” is no valid %(scheme)s: a letter or digit is wrong or missing.")
            % {"line": text[:60], "scheme": scheme}
        ) from error


def _guess(text: str) -> str:
    compact = re.sub(r"[-. ]", "", text).upper()
    if re.fullmatch(r"T\d{10}", compact):
        return "ISWC"
    if re.fullmatch(r"[A-Z]{2}[A-Z0-9]{3}\d{7}", compact):
        return "ISRC"
    if re.fullmatch(r"(97[89])?\d{9}[\dX]", compact):
        return "ISBN"
    return "ISCC" if re.fullmatch(r"[A-Z2-7]{16,}", compact) else ""


def _isbn(text: str) -> str:
    number: str = isbn.validate(text)
    return str(isbn.format(isbn.to_isbn13(number)))


def _isrc(text: str) -> str:
    return str(isrc.format(isrc.validate(text)))


def _iswc(text: str) -> str:
    """CISAC's check digit: 1 + sum of place x digit + check digit is a multiple of 10 (ISO 15707)."""
    found = _ISWC.fullmatch(text.upper())
    if not found:
        raise ValueError(text)
    digits = "".join(found.groups())
    if (1 + sum(place * int(digit) for place, digit in enumerate(digits[:9], 1)) + int(digits[9])) % 10:
        raise ValueError(text)
    return "T-{}.{}.{}-{}".format(*found.groups())


def _iscc(text: str) -> str:
    """Base32 without padding, a known main type, version 0, and a body of whole 32-bit units (ISO 24138:2024)."""
    code = re.sub(r"[-\s]", "", text).upper()
    try:
        data = base64.b32decode(code + "=" * (-len(code) % 8))
    except binascii.Error as error:
        raise ValueError(text) from error
    if len(data) < 6 or data[0] >> 4 not in _ISCC_TYPES or data[1] >> 4 or (len(data) - 2) % 4:
        raise ValueError(text)
    return f"ISCC:{code}"


_READERS = {"ISBN": _isbn, "ISRC": _isrc, "ISWC": _iswc, "ISCC": _iscc}
