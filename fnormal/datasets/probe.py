"""Looks at a data set in a process of its own first: HDF5's library can loop or crash on a broken file."""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from fnormal.errors import FNormalError
from fnormal.files.opening import DATASET

_PATIENCE_S = 6.0
_PAUSE_S = 0.002


def probe(path: Path, look: Callable[[], object]) -> None:
    """Do ``look`` in a child; what it raises there it will raise here again.

    Raises:
        FNormalError: The child crashed, or did not come to an end.
    """
    if not hasattr(os, "fork"):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child starts no threads and ends
        pid = os.fork()
    if pid == 0:
        try:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            look()
        except BaseException:
            pass
        finally:
            os._exit(0)
    status = _wait(pid)
    if status is None or os.WIFSIGNALED(status):
        how = "does not come to an end" if status is None else "crashes"
        raise FNormalError(f"reading {path} {how}: it is damaged; {DATASET.remedy}")


def _wait(pid: int) -> int | None:
    """How a child ended; None where it had to be ended."""
    end = time.monotonic() + _PATIENCE_S
    try:
        while time.monotonic() < end:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return status
            time.sleep(_PAUSE_S)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None
