"""Progress on stderr: a bar while a stage works on a terminal, one line per stage when it ends, nothing in a pipe."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

__all__ = ["Progress"]

_DOES = {
    "sample": "drawing units",
    "label": "reading answers",
    "features": "computing features",
    "train": "training",
    "evaluate": "asking gold",
    "ship": "passing the gate",
    "serve": "rehearsing over HTTP",
    "experiment": "comparing with the promise",
    "iterate": "measuring what next",
}


class Progress:
    """Listen to a run and show it on stderr, if that is a terminal.

    Parameters
    ----------
    is_wanted
        False keeps it silent even on a terminal.
    """

    def __init__(self, *, is_wanted: bool = True) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._word = ""
        self._is_wanted = is_wanted and sys.stderr.isatty()

    def __enter__(self) -> Progress:
        if self._is_wanted:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("  {task.description:<34}"),
                BarColumn(bar_width=20),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def started(self, word: str) -> None:
        """A stage begins."""
        self._word = word
        if self._bar is not None:
            self._task = self._bar.add_task(f"{word:<11} {_DOES[word]}", total=None)

    def advanced(self, done: int, total: int) -> None:
        """A stage has done some of its steps."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total)

    def finished(self, word: str, seconds: float, *, was_kept: bool) -> None:
        """A stage is done, or stood already."""
        if self._bar is None:
            return
        self._bar.remove_task(self._task)
        time = "stands" if was_kept else f"{seconds:.1f} s"
        self._bar.console.print(f"  [green]✓[/green] {word:<11} {_DOES[word]:<28} {time:>8}", highlight=False)
