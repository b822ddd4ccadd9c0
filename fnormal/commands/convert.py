"""convert: normal maps from one frame, coding and format to another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fnormal.errors import FNormalError
from fnormal.files.naming import Guard, refuse_existing
from fnormal.files.writing import write_bytes
from fnormal.geometry.normal_maps import NORMAL_FORMATS, encode_normals, frame_stated, list_maps, read_normals
from fnormal.geometry.normals import frame_matrix
from fnormal.options.maps import Convert
from fnormal.progress import Progress, Result, failure


def convert(options: Convert) -> Iterator[Progress]:
    """Convert every map; one that cannot be read fails alone.

    Raises:
        FNormalError: An unknown frame, or two maps of one name.
    """
    frame_matrix(options.to_frame)
    if options.from_frame is not None:
        frame_matrix(options.from_frame)
    paths = list_maps(options.maps)
    out = options.out or Path("converted")
    targets = [out / f"{path.stem}{NORMAL_FORMATS[options.format]}" for path in paths]
    if len(set(targets)) < len(targets):
        raise FNormalError("two maps have one name; convert them in separate runs")
    Guard(paths).check(targets)
    if options.out is None:
        refuse_existing(targets)
    for done, (path, target) in enumerate(zip(paths, targets, strict=True), 1):
        failed = ""
        try:
            results = (_convert_one(path, target, options),)
        except FNormalError as error:
            failed = str(error)
            results = (failure(path, failed),)
        yield Progress(done=done, total=len(paths), unit="maps", failed=failed, results=results)


def _convert_one(path: Path, target: Path, options: Convert) -> Result:
    source = options.from_frame or frame_stated(path)
    if source is None:
        raise FNormalError(f"{path} does not say its frame; give --from, or look with 'fnormal check {path}'")
    normals, mask = read_normals(path, source)
    encoded = encode_normals(normals, mask, frame=options.to_frame, format=options.format, note={})
    write_bytes(target, encoded)
    record = {
        "ok": True, "input": str(path), "path": str(target), "from": source, "to": options.to_frame,
        "pixels": int(np.count_nonzero(mask)),
    }  # fmt: skip
    return Result(str(target), record)
