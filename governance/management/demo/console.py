"""What the user sees: one line per stage with a bar, its time and the page on which to look."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

Tick = Callable[[float, str], None]


class DemoError(Exception):
    """The demonstration cannot go on; the message says why and what to do."""


class Stages:
    """The list of stages, growing downwards."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self.live = self.console.is_terminal

    def say(self, text: str = "") -> None:
        """A line of its own."""
        self.console.print(text, markup=False)

    @contextmanager
    def stage(self, title: str, page: str = "") -> Iterator[Tick]:
        """One stage: the caller ticks `(share from 0 to 1, what is going on)`."""
        started = time.monotonic()
        if self.live:
            with self._bar(title) as (progress, task):
                yield lambda share, text: progress.update(task, completed=share, note=text)
                progress.update(task, completed=1.0, note="")
        else:
            yield lambda share, text: None
        self.say(f"  ✓ {title:<52} {time.monotonic() - started:6.1f} s  {page}")

    @contextmanager
    def _bar(self, title: str) -> Iterator[tuple[Progress, TaskID]]:
        columns = (
            TextColumn("  … {task.description:<44}"),
            BarColumn(24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            yield progress, progress.add_task(title, total=1.0, note="")
