"""What a workflow tells while it runs; the command line draws it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Progress:
    """One step of a workflow.

    Attributes:
        done: Units finished so far.
        total: Units in all.
        unit: What is counted, plural.
        note: A short line for the bar, such as the loss.
        failed: A user's error that cost this unit; the others go on.
        written: Files that this step finished.
    """

    done: int
    total: int
    unit: str
    note: str = ""
    failed: str = ""
    written: tuple[Path, ...] = field(default=())
