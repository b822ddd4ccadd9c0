"""The one way files are written: under a temporary name, put on disk, then renamed."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from fnormal.errors import FNormalError

PARTIAL = ".partial"  # ends the names of files that are still being written
_unfinished: set[Path] = set()  # files of this process that must not outlive it


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that becomes ``path`` when the block succeeds.

    Raises:
        FNormalError: The folder cannot be made or the file cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(partial_name(path)) as temporary:
            temporary.touch()
            yield temporary
            publish(temporary, path)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write ``path`` into one line with a remedy."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise FNormalError(
            f"cannot write {path} ({reason}); free some space, or choose another --out"
        ) from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def lines_into(path: Path) -> Iterator[Callable[[str], None]]:
    """Yield what adds a line to ``path``, which appears, whole, when the block succeeds; without lines not.

    Raises:
        FNormalError: The file cannot be written.
    """
    sweep(path)
    with unfinished(partial_name(path)) as temporary, ExitStack() as opened:
        handle: TextIO | None = None

        def add(line: str) -> None:
            nonlocal handle
            with writing(path):
                if handle is None:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    handle = opened.enter_context(temporary.open("w", encoding="utf-8"))
                handle.write(f"{line}\n")

        yield add
        if handle is not None:
            with writing(path):
                handle.close()
                publish(temporary, path)


def write_json(path: Path, value: object) -> None:
    """Write ``value`` as indented JSON, whole or not at all."""
    write_bytes(path, (json.dumps(value, indent=2) + "\n").encode())


def partial_name(path: Path) -> Path:
    """A temporary name beside ``path`` that no other process, of any machine, writes to."""
    return path.with_name(f"{path.name}.{socket.gethostname()}-{os.getpid()}{PARTIAL}")


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """Hold a file that is removed at the end of the block, or of a process that ends within it."""
    _unfinished.add(path)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        _unfinished.discard(path)


def discard_unfinished() -> None:
    """Remove what this process is still writing: for a process that ends at once."""
    for path in list(_unfinished):
        path.unlink(missing_ok=True)


def publish(temporary: Path, path: Path) -> None:
    """Put a file on disk, then give it its name: a power cut leaves the old or the new, whole."""
    with temporary.open("rb") as handle:
        os.fsync(handle.fileno())
    temporary.replace(path)


def sweep(path: Path) -> None:
    """Remove what killed processes of this machine left half-written of ``path``."""
    if path.parent.is_dir():
        for leftover in path.parent.iterdir():
            named = leftover.name.startswith(path.name + ".") and leftover.name.endswith(PARTIAL)
            if named and is_abandoned(leftover):
                leftover.unlink(missing_ok=True)


def sweep_folder(folder: Path) -> None:
    """Remove what killed processes of this machine left half-written anywhere in a folder."""
    for leftover in folder.rglob("*" + PARTIAL) if folder.is_dir() else ():
        if is_abandoned(leftover):
            leftover.unlink(missing_ok=True)


def is_abandoned(path: Path) -> bool:
    """Whether a file of :func:`partial_name` was begun on this machine by a process that is no more."""
    host, _, pid = path.name.removesuffix(PARTIAL).rpartition(".")[2].rpartition("-")
    if host != socket.gethostname().rpartition(".")[2] or not pid.isdecimal():
        return False
    return int(pid) == os.getpid() or not is_running(int(pid))


def is_running(pid: int) -> bool:
    """Whether a process of this machine has this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
