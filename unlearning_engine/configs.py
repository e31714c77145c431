"""Configurations as frozen dataclasses that refuse bad values when they are made, all of them at once."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from unlearning_engine.errors import ConfigError

T = TypeVar("T")


def number(default: float, low: float, high: float) -> Any:
    """A dataclass field of a number between `low` and `high`, both allowed."""
    return dataclasses.field(default=default, metadata={"low": low, "high": high})


def problems(config: object) -> list[str]:
    """What is wrong with the values of a configuration, one sentence per field."""
    found = []
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):  # type: ignore[arg-type]
        value: Any = getattr(config, field.name)
        kind = hints[field.name]
        wanted: tuple[type, ...] = (int, float) if kind is float else (typing.get_origin(kind) or kind,)
        if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
            found.append(f"{field.name}: {value!r} is not of type {getattr(kind, '__name__', kind)}")
        elif "low" in field.metadata:
            low, high = field.metadata["low"], field.metadata["high"]
            if not low <= value <= high:  # NaN is between nothing
                found.append(f"{field.name}: {value!r} is not between {low} and {high}")
    return found


class Checked:
    """Base of configurations: checks types and ranges when made.

    Raises:
        ConfigError: with one message per wrong field.
    """

    def __post_init__(self) -> None:
        found = problems(self) or self.conflicts()  # what is between fields is asked of fields that are right
        if found:
            raise ConfigError(found)

    def conflicts(self) -> list[str]:
        """Problems between fields; a subclass may add its own."""
        return []


def build(kind: type[T], data: Mapping[str, Any], where: str = "config") -> T:
    """A configuration from a JSON object.

    Raises:
        ConfigError: naming every unknown, missing and wrong field.
    """
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    takes = ", ".join(fields)
    found = [f"{where}.{name}: unknown field; {kind.__name__} takes {takes}" for name in data if name not in fields]
    for name, field in fields.items():
        needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if needed and name not in data:
            found.append(f"{where}.{name}: missing")
    known = {name: value for name, value in data.items() if name in fields}
    if any(message.endswith("missing") for message in found):
        raise ConfigError(found)
    try:
        made = kind(**known)
    except ConfigError as error:
        raise ConfigError([*found, *(f"{where}.{message}" for message in error.messages)]) from error
    if found:
        raise ConfigError(found)
    return made
