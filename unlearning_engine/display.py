"""What a person at a terminal sees of a job: a bar for each stage, then what was measured."""

from __future__ import annotations

from types import TracebackType
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from unlearning_engine.progress import Event


class Display:
    """A `Report` that draws. Use as a context manager."""

    def __init__(self, verb: str, stream: TextIO) -> None:
        self._verb = verb
        self._console = Console(file=stream, highlight=False)
        self._bars: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
        )

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        """Draw one event."""
        kind = event["event"]
        if kind == "progress":
            self._advance(**{name: value for name, value in event.items() if name != "event"})
        elif kind == "warning":
            self._progress.print(f"Note: {event.get('message')}")
        elif kind == "start" and event.get("resumed"):
            self._progress.print(f"{self._verb}: going on from what an earlier run left here")
        elif kind == "end":
            how = "was done before, reused" if event.get("reused") else "done"
            self._progress.print(f"{self._verb}: {how} ({event.get('seconds', 0):.1f} s)")

    def _advance(self, **fields: Any) -> None:
        stage = str(fields.pop("stage", self._verb))
        step, total = fields.pop("step", None), fields.pop("total", None)
        if stage not in self._bars:
            self._bars[stage] = self._progress.add_task(stage, total=total, note="")
        note = "  ".join(f"{k} {_short(v)}" for k, v in fields.items() if isinstance(v, int | float))
        self._progress.update(self._bars[stage], completed=step, total=total, note=note)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
