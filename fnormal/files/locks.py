"""One writer at a time: a lock file that says who holds it, and outlives nobody."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fnormal.errors import FNormalError
from fnormal.files.writing import is_running, partial_name, unfinished, writing

_TRIES = 5  # to take the lock of somebody who has died


@contextmanager
def locked(path: Path, what: Path) -> Iterator[None]:
    """Hold the lock file ``path`` while ``what`` is written.

    A lock is stale where its process ran on this machine and is no more.

    Raises:
        FNormalError: Another process holds it.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(_TRIES):
        try:
            _take(path)
        except FileExistsError:
            _clear_stale(path, what)
            continue
        except OSError as error:
            raise FNormalError(f"cannot write {path} ({error.strerror}); choose another --out") from error
        break
    else:
        raise FNormalError(f"{what} is being written by others; try again")
    with unfinished(path):
        yield


def _take(path: Path) -> None:
    """Make the lock file, whole at once: whoever is killed in between leaves no empty one.

    Raises:
        FileExistsError: Somebody has it.
    """
    note = json.dumps({"pid": os.getpid(), "host": socket.gethostname()})
    with unfinished(partial_name(path)) as written:
        written.write_text(note)
        try:
            os.link(written, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
            with os.fdopen(handle, "w") as file:
                file.write(note)


def _clear_stale(path: Path, what: Path) -> None:
    """Remove a lock whose holder has died.

    Raises:
        FNormalError: Its holder lives, or may live on another machine.
    """
    try:
        holder = json.loads(path.read_text())
        pid, host = int(holder["pid"]), str(holder["host"])
    except FileNotFoundError:
        return  # it has just been given back
    except (OSError, ValueError, KeyError, TypeError):
        pid, host = 0, "unknown"
    if host == socket.gethostname() and pid > 0 and not is_running(pid):
        path.unlink(missing_ok=True)
        return
    raise FNormalError(
        f"{what} is being written by process {pid} on {host}; wait for it, or remove {path} if it is gone"
    )
