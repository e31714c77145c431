"""Errors of the engine. Each carries every message at once and says whether a retry can help."""

from __future__ import annotations

from collections.abc import Sequence


class EngineError(Exception):
    """Base of all engine errors.

    `messages` lists every problem found, each with where it is and what to do; `retryable` tells a
    queue whether the same spec may succeed on another try (a lost device) or never (a bad spec).
    """

    retryable: bool = False

    def __init__(self, messages: str | Sequence[str]) -> None:
        self.messages: tuple[str, ...] = (messages,) if isinstance(messages, str) else tuple(messages)
        super().__init__("\n".join(self.messages))


class ConfigError(EngineError):
    """The spec or a configuration is wrong."""


class DataError(EngineError):
    """A dataset, a record list or a checkpoint is wrong or damaged."""


class DeviceError(EngineError):
    """The device is missing, full or was lost."""

    retryable = True


class StorageError(EngineError):
    """The artefact store or the disk refused; nothing that was already stored is lost."""

    retryable = True


class DivergenceError(EngineError):
    """The loss became NaN or infinite; the last good checkpoint is kept."""
