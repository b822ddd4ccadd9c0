"""Ctrl-C: one line, no half-written file, and the end within two seconds."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from fnormal.errors import STOPPED
from fnormal.files.writing import discard_unfinished

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_PATIENCE_S = 1.2  # for the work to stop by itself
_asked = threading.Event()
told = threading.Event()  # the line is out


@contextmanager
def taken_over() -> Iterator[None]:
    """Handle Ctrl-C here while a command runs, where it runs in the main thread of its process.

    Even where a shell's script lets its background jobs ignore it: who sends the signal means it.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed, whatever a library has made of it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hook = sys.unraisablehook

    def lost(unraisable: UnraisableHookArgs) -> None:
        """Tell what was raised where nobody can catch it, but for Ctrl-C: `check` or `_end` see to that."""
        if unraisable.exc_type is not KeyboardInterrupt:
            hook(unraisable)

    before = signal.signal(signal.SIGINT, _stop)
    sys.unraisablehook = lost
    try:
        yield
    except Exception:
        if _asked.is_set():  # compiled code that it falls into answers with a SystemError
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, before)
        sys.unraisablehook = hook


def check() -> None:
    """Stop where an earlier KeyboardInterrupt was lost, as inside a callback of the garbage collector.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    if _asked.is_set():
        raise KeyboardInterrupt


def _stop(signum: int, frame: FrameType | None) -> None:
    del signum, frame
    if not _asked.is_set():
        _asked.set()
        timer = threading.Timer(_PATIENCE_S, _end)
        timer.daemon = True
        timer.start()
    raise KeyboardInterrupt


def _end() -> None:
    """End the process from beside: a library holds the main thread, or has swallowed the interrupt."""
    discard_unfinished()
    if not told.is_set():
        print("fnormal: stopped", file=sys.stderr, flush=True)  # noqa: T201
    os._exit(STOPPED)
