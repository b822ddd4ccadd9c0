"""What the terminal sees: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as Bar,
)
from rich.table import Table
from typer import Exit
from typer.core import TyperGroup

from fnormal.config import ERROR_THRESHOLDS_DEG
from fnormal.errors import FNormalError
from fnormal.progress import Progress

_LINES = 20  # plain lines that a long piece of work prints where there is no terminal


def warn(message: str) -> None:
    """Something a user should know, on stderr."""
    say(f"warning: {message}")


def say(message: str) -> None:
    """One line on stderr, whatever the message holds."""
    print(f"fnormal: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201


class FNormalGroup(TyperGroup):
    """Turns a user's error into one line and exit 1; a bug keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except FNormalError as error:
            say(str(error))
            raise Exit(1) from None
        except KeyboardInterrupt:
            say("stopped")
            raise Exit(130) from None
        except BrokenPipeError:
            sys.stderr.close()  # the reader has gone, as in `| head`: nothing is wrong
            raise Exit(0) from None


def emit(value: str | dict[str, Any], *, as_json: bool) -> None:
    """One result on stdout."""
    line = value if isinstance(value, str) else json.dumps(value)
    if as_json and isinstance(value, str):
        line = json.dumps({"path": value})
    print(line, flush=True)  # noqa: T201


def follow(steps: Iterable[Progress], *, as_json: bool = False, quiet: bool = False) -> None:
    """Run a workflow: draw its progress, print the files it writes, list what failed, exit 1 if any.

    ``quiet`` runs it and tells nothing: another process does.

    Raises:
        Exit: With 1 where a unit failed.
    """
    if quiet:
        for _ in steps:
            pass
        return
    console = Console(stderr=True)
    failures = []
    with Bar(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"), console=console, disable=not console.is_terminal,
    ) as bar:  # fmt: skip
        tasks: dict[str, Any] = {}
        for step in steps:
            if step.unit not in tasks:
                tasks[step.unit] = bar.add_task(step.unit, total=step.total, note="")
            bar.update(tasks[step.unit], completed=step.done, note=step.note)
            every = max(1, step.total // _LINES)
            if not console.is_terminal and step.note and step.total > 1 and step.done % every == 0:
                print(f"{step.unit} {step.done}/{step.total} {step.note}", file=sys.stderr)  # noqa: T201
            if step.failed:
                failures.append(step.failed)
                say(step.failed)
            for path in step.written:
                emit(str(path), as_json=as_json)
    if failures:
        if len(failures) > 1:
            say(f"{len(failures)} failed, see above")
        raise Exit(1)


def print_table(title: str, rows: dict[str, Any]) -> None:
    """The paper's table (Tables 1, 2) and the pooled figures, on stderr."""
    table = Table(title=title)
    for column in (
        "",
        "mean +- std",
        *(f"< {t:g}" for t in ERROR_THRESHOLDS_DEG),
        "pooled",
        "median",
        "rmse",
    ):
        table.add_column(column, justify="left" if column == "" else "right")
    for name, row in rows.items():
        below = [f"{value:.1f} %" for value in row.below_pct.values()]
        pooled = (row.pooled_mean_deg, row.pooled_median_deg, row.pooled_rmse_deg)
        table.add_row(name, f"{row.mean_deg:.2f} +- {row.std_deg:.2f}", *below, *(f"{v:.2f}" for v in pooled))
    Console(stderr=True).print(table)


def print_groups(title: str, groups: Iterable[Any]) -> None:
    """Errors by region, pose and light, on stderr."""
    table = Table(title=title)
    for column in ("by", "", "images", "mean"):
        table.add_column(column, justify="right" if column in ("images", "mean") else "left")
    for group in groups:
        table.add_row(group.by, group.name, str(group.images), f"{group.mean_deg:.2f}")
    Console(stderr=True).print(table)
