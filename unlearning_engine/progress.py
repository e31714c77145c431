"""Progress of a job: one JSON object a line, on standard output and beside the results.

Events and their fields (seconds and counts are numbers; whatever else a verb measures may be added):

    start     verb, spec_digest, resumed
    progress  stage, step, total, and what is measured at that step: loss, learning_rate ...
    warning   stage, message
    end       seconds, reused
    error     type, retryable, messages

A verb is given a `Report` and calls `report({"event": "progress", "stage": "train", "step": 3, ...})`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from unlearning_engine.errors import ConfigError

Event = dict[str, Any]
Report = Callable[[Event], None]
EVENTS = ("start", "progress", "warning", "end", "error")
#: The file beside result.json in which every event of the job is kept, across resumptions.
LOG = "progress.jsonl"


def silent(event: Event) -> None:
    """A report that nobody reads."""


def to_line(event: Mapping[str, Any]) -> str:
    """One event as strict JSON. A number that is not finite becomes null: JSON has no word for it.

    Raises:
        ConfigError: the event's name is unknown.
    """
    if event.get("event") not in EVENTS:
        raise ConfigError(f"event {event.get('event')!r} is unknown; one of {', '.join(EVENTS)}")
    return json.dumps(_finite(dict(event)), ensure_ascii=False, allow_nan=False, default=_plain)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value


def _plain(value: object) -> Any:
    """Numbers of numpy and torch, and paths, as JSON knows them."""
    item = getattr(value, "item", None)
    return _finite(item()) if callable(item) else str(value)


class Lines:
    """Writes each event as a line to a stream, flushed at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: Event) -> None:
        """Write one event."""
        self._stream.write(to_line(event) + "\n")
        self._stream.flush()


def logged(folder: Path, report: Report) -> tuple[Report, Callable[[], None]]:
    """A report that also appends to the folder's log, and what closes it."""
    stream = (folder / LOG).open("a", encoding="utf-8")
    lines = Lines(stream)

    def tell(event: Event) -> None:
        lines(event)
        report(event)

    return tell, stream.close
