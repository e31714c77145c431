"""What is told about a running job, how often, and what a message may hold.

Messages carry ids, digests and numbers. An event's numbers pass, its texts do not, save the short names that
the engine itself gives to stages.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable
from typing import Any

from unlearning_engine.contracts import WATCH

_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.:() -]{0,39}")
_NAMES = ("event", "stage", "verb")
#: Points of a curve that one message holds at most; more are thinned, since the whole log is an output.
MOST = 200


def numbers_only(event: dict[str, Any]) -> dict[str, Any]:
    """The part of an event that may travel."""
    kept: dict[str, Any] = {}
    for key, value in event.items():
        if not _KEY.fullmatch(key):
            continue
        if key in _NAMES:
            if isinstance(value, str) and _NAME.fullmatch(value):
                kept[key] = value
        elif isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
            kept[key] = value
    return kept


def _is_point(event: dict[str, Any]) -> bool:
    """Whether an event belongs to a curve: a loss, or a look of the watch."""
    return "loss" in event or event.get("stage") == WATCH


class Pending:
    """Events that wait for the next message: every point of a curve, of all else the latest."""

    def __init__(self) -> None:
        self._events: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def add(self, event: dict[str, Any]) -> None:
        """Take one more event."""
        with self._lock:
            if self._events and not _is_point(self._events[-1]):
                self._events.pop()
            self._events.append(numbers_only(event))
            self._thin()

    def take(self) -> list[dict[str, Any]]:
        """All that waits, which waits no longer."""
        with self._lock:
            taken, self._events = self._events, []
        return taken

    def give_back(self, events: list[dict[str, Any]]) -> None:
        """Events that could not be sent wait again, before the newer ones."""
        with self._lock:
            self._events = [*events, *self._events]
            self._thin()

    def _thin(self) -> None:
        while len(self._events) > MOST:
            self._events = self._events[::-2][::-1]


class Beat(threading.Thread):
    """Calls `beat` twice a second until stopped, in a thread of its own, so that a slow store delays none."""

    def __init__(self, beat: Callable[[], None], seconds: float = 0.5) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._beat, self._seconds, self._over = beat, seconds, threading.Event()

    def run(self) -> None:
        """The thread's work."""
        while not self._over.wait(self._seconds):
            self._beat()

    def __enter__(self) -> Beat:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self.join()
