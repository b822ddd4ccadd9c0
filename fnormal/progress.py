"""What a workflow tells while it runs; the command line prints it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Result:
    """One result for stdout.

    Attributes:
        text: What is printed without ``--json``; empty prints nothing.
        record: What is printed with ``--json``; None prints nothing.
    """

    text: str
    record: Mapping[str, Any] | None = None


def failure(source: object, error: str) -> Result:
    """The line of JSON for an input that failed; nothing without ``--json``."""
    return Result("", {"ok": False, "input": str(source), "error": error})


@dataclass(frozen=True)
class Table:
    """A table for people to read, on stderr.

    Attributes:
        title: What it is about.
        columns: Their names; the first is left-aligned.
        rows: One cell a column.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One step of a workflow.

    Attributes:
        done: Units finished so far.
        total: Units in all; 0 where nothing is counted.
        unit: What is counted, plural.
        note: A short line for the bar, such as the loss.
        failed: A user's error that cost this unit; the others continue.
        warning: Something that the user should know.
        says: A line for people, neither a result nor a warning.
        written: Files that this step finished.
        results: Other results.
        table: A table for people.
        stream: Bytes for stdout.
    """

    done: int = 0
    total: int = 0
    unit: str = ""
    note: str = ""
    failed: str = ""
    warning: str = ""
    says: str = ""
    written: tuple[Path, ...] = ()
    results: tuple[Result, ...] = ()
    table: Table | None = None
    stream: bytes = b""
