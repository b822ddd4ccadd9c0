"""What the terminal sees: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.table import Column
from rich.table import Table as RichTable
from rich.text import Text
from typer import Exit

from fnormal.cli import interrupt
from fnormal.files.opening import stderr_in_use
from fnormal.progress import Progress, Result, Table

_LINES = 20  # plain lines that a long piece of work prints where there is no terminal


class _Rate(ProgressColumn):
    """Units a second."""

    def render(self, task: Task) -> Text:
        """Text of a task."""
        return Text("" if task.speed is None else f"{task.speed:.3g}/s")


def warn(message: str) -> None:
    """Something a user should know, on stderr."""
    say(f"warning: {message}")


def say(message: str) -> None:
    """One line on stderr, whatever the message holds."""
    with stderr_in_use:  # by another thread, for what a library prints of a broken file
        print(f"fnormal: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201


class Follower:
    """Runs a workflow: draws its progress, prints its results, lists what failed.

    Args:
        as_json: One JSON object a line instead of text.
        quiet: Only errors and results.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self._as_json, self._quiet = as_json, quiet
        self._console = Console(stderr=True)
        self._draws = self._console.is_terminal and not quiet
        self._failures = 0
        self._tasks: dict[str, TaskID] = {}
        self._printed: dict[str, int] = {}  # how many of its lines a unit has had

    def follow(self, steps: Iterable[Progress]) -> None:
        """Go through the steps.

        Raises:
            Exit: With 1 where a unit failed.
        """
        rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")  # what is left of the line
        bar = Bar(
            TextColumn("{task.description}"), BarColumn(bar_width=16), MofNCompleteColumn(), _Rate(),
            TimeRemainingColumn(compact=True), TextColumn("{task.fields[note]}", table_column=rest),
            console=self._console, disable=not self._draws, expand=True,
        )  # fmt: skip
        with bar:
            for step in steps:
                interrupt.check()
                self._tell(step, bar)
        if self._failures:
            if self._failures > 1:
                say(f"{self._failures} failed, see above")
            raise Exit(1)

    def _tell(self, step: Progress, bar: Bar) -> None:
        if step.total:
            self._advance(step, bar)
        if step.failed:
            self._failures += 1
            say(step.failed)
        if step.warning and not self._quiet:
            warn(step.warning)
        if step.says and not self._quiet:
            say(step.says)
        if step.table is not None and not self._quiet:
            self._console.print(_drawn(step.table, plain=not self._console.is_terminal))
        for path in step.written:
            self._emit(Result(str(path), {"path": str(path)}))
        for result in step.results:
            self._emit(result)
        if step.stream:
            sys.stdout.buffer.write(step.stream)
            sys.stdout.buffer.flush()

    def _advance(self, step: Progress, bar: Bar) -> None:
        if self._draws:
            if step.unit not in self._tasks:
                self._tasks[step.unit] = bar.add_task(step.unit, total=step.total, note="")
            bar.update(self._tasks[step.unit], completed=step.done, note=step.note)
        elif step.note and step.total > 1 and not self._quiet:
            due = step.done * _LINES // step.total
            if due > self._printed.get(step.unit, 0):
                self._printed[step.unit] = due
                with stderr_in_use:
                    print(f"{step.unit} {step.done}/{step.total} {step.note}", file=sys.stderr)  # noqa: T201

    def _emit(self, result: Result) -> None:
        """One result on stdout."""
        if self._as_json:
            if result.record is not None:
                print(json.dumps(result.record, default=_plain, allow_nan=False), flush=True)  # noqa: T201
        elif result.text:
            print(result.text, flush=True)  # noqa: T201


def _plain(value: Any) -> Any:
    """What JSON has no word for."""
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _drawn(table: Table, *, plain: bool) -> RichTable:
    drawn = RichTable(title=table.title, box=None if plain else box.SIMPLE_HEAD, title_justify="left")
    for i, column in enumerate(table.columns):
        drawn.add_column(column, justify="right" if i else "left", overflow="fold")
    for row in table.rows:
        drawn.add_row(*row)
    return drawn
