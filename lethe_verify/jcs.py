"""JSON in its canonical form (RFC 8785): read strictly, and written again to compare."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from lethe_verify.errors import Refused

SAFE = 2**53


def parse(data: bytes, what: str) -> dict[str, Any]:
    """The object that `data` is the canonical form of. Any other form of the same object is refused."""
    try:
        value = json.loads(data.decode(), object_pairs_hook=unique, parse_constant=_refuse)
        canonical = dump(value)
    except (ValueError, RecursionError, OverflowError) as error:
        raise Refused("json", f"{what} cannot be read.") from error
    if not isinstance(value, dict) or canonical != data:
        raise Refused("json", f"{what} is not in the canonical form in which it was made.")
    return value


def unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """An object; a name that stands in it twice is an error."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name} twice")
        found[name] = value
    return found


def _refuse(name: str) -> float:
    raise ValueError(name)


def dump(value: object) -> bytes:
    """RFC 8785 bytes.

    Raises:
        ValueError: the value has no such form.
    """
    return _text(value).encode()


def _text(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        if abs(value) >= SAFE:
            raise ValueError("a number beyond 2^53")
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list):
        return "[" + ",".join(_text(one) for one in value) + "]"
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{_text(name)}:{_text(value[name])}" for name in names) + "}"
    raise ValueError(type(value).__name__)


def _number(value: float) -> str:
    """As ECMAScript writes it (ECMA-262, Number::toString): shortest digits, exponent outside of 1e-7 .. 1e21."""
    if not math.isfinite(value):
        raise ValueError("not a number")
    if value == 0:
        return "0"
    sign, text = ("-", repr(-value)) if value < 0 else ("", repr(value))
    mantissa, _, exponent = text.partition("e")
    whole, _, part = mantissa.partition(".")
    part = "" if part == "0" else part
    point = len(whole) + int(exponent or 0)
    digits = (whole + part).lstrip("0")
    point -= len(whole + part) - len(digits)
    digits = digits.rstrip("0")
    if 0 < point <= 21:
        body = digits.ljust(point, "0") if len(digits) <= point else f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        body = f"0.{'0' * -point}{digits}"
    else:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        body = f"{digits[0]}{tail}e{point - 1:+d}"
    return sign + body
