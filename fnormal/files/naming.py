"""Names of outputs: they say what is written, are free, and are no inputs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from fnormal.errors import FNormalError


def check_suffix(path: Path, suffixes: Collection[str]) -> None:
    """See that a file's name says what is written into it.

    Raises:
        FNormalError: It has another ending.
    """
    if path.suffix.lower() not in suffixes:
        raise FNormalError(f"--out {path}: this file's name ends in {' or '.join(sorted(suffixes))}")


def refuse_existing(paths: Iterable[Path]) -> None:
    """See that nothing stands where a default name would write.

    Raises:
        FNormalError: Something does.
    """
    for path in paths:
        if path.exists():
            raise FNormalError(f"{path} exists already; name another place with --out, or remove it")


class Guard:
    """Keeps the files that a command reads from being written over, under whatever name or link.

    Args:
        inputs: Files, and folders whose files are read; None stands for an option that was not given.
    """

    def __init__(self, inputs: Iterable[Path | None]) -> None:
        self._read: dict[Path, Path] = {}
        for path in inputs:
            if path is not None and path.exists():
                files = path.rglob("*") if path.is_dir() else [path]
                self._read |= {file.resolve(): file for file in files}

    def check(self, outputs: Iterable[Path]) -> None:
        """See that no output is an input.

        Raises:
            FNormalError: One is.
        """
        for path in outputs:
            if path.resolve() in self._read:
                read = self._read[path.resolve()]
                raise FNormalError(f"{path} would overwrite the input {read}; choose another --out")


def unused(path: Path) -> Path:
    """``path``, or ``path-2`` and so on where something of that name exists."""
    number, candidate = 2, path
    while candidate.exists():
        candidate, number = path.with_name(f"{path.name}-{number}"), number + 1
    return candidate


def of_picture(place: Path, picture: str, endings: Sequence[str], what: str) -> Path:
    """The file that belongs to a picture: ``place`` itself, or the one of the picture's name in that folder.

    Args:
        place: A file, or a folder.
        picture: The picture's path.
        endings: What may follow its stem, such as ``_mask.png``, in the order of preference.
        what: What the file holds, for the message.

    Raises:
        FNormalError: The folder has none.
    """
    if not place.is_dir():
        return place
    stem = Path(picture).stem
    found = next((p for ending in endings if (p := place / f"{stem}{ending}").is_file()), None)
    if found is None:
        names = ", ".join(f"{stem}{ending}" for ending in endings[:6])
        raise FNormalError(f"{place} has no {what} for {picture}: looked for {names}")
    return found
