"""Inputs that are read once, front to back: standard input (``-``), what ``mkfifo`` makes, ``<(command)``."""

from __future__ import annotations

import io
import os
import select
import stat
import sys
import time
from pathlib import Path
from typing import BinaryIO

from fnormal.errors import FNormalError
from fnormal.files.opening import Kind

_WRITER_S = 3.0  # a pipe that nobody has opened for writing by then is given up


def is_pipe(path: Path | str) -> bool:
    """Whether a path is a pipe."""
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def is_stream(source: Path | str) -> bool:
    """Whether an input can be read once only: ``-`` or a pipe."""
    return str(source) == "-" or is_pipe(source)


def open_stream(source: Path | str, kind: Kind) -> BinaryIO:
    """Standard input, or a pipe once somebody writes into it.

    Raises:
        FNormalError: As :func:`open_pipe`.
    """
    return sys.stdin.buffer if str(source) == "-" else open_pipe(source, kind)


def open_pipe(path: Path | str, kind: Kind) -> BinaryIO:
    """Open a pipe for reading, once somebody writes into it.

    Raises:
        FNormalError: It may not be opened, or nobody does: a plain ``open`` would wait for ever.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise FNormalError(f"cannot open {kind.name} {path} ({error.strerror}); {kind.remedy}") from error
    first, until = b"", time.monotonic() + _WRITER_S
    while True:
        try:
            first = os.read(handle, 1)
        except BlockingIOError:  # somebody will write
            select.select([handle], [], [])
            continue
        if first:
            break
        if time.monotonic() > until:
            os.close(handle)
            raise FNormalError(f"{path} is a pipe or a device into which nobody writes; {kind.remedy}")
        time.sleep(0.02)
    os.set_blocking(handle, True)
    return io.BufferedReader(_Rest(first, os.fdopen(handle, "rb", buffering=0)))


class _Rest(io.RawIOBase):
    """A pipe whose first byte has been read."""

    def __init__(self, first: bytes, pipe: io.FileIO) -> None:
        self._first, self._pipe = first, pipe

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        if self._first:
            buffer[:1], self._first = self._first, b""
            return 1
        return self._pipe.readinto(buffer)

    def close(self) -> None:
        self._pipe.close()
        super().close()
