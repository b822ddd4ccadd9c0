"""A video -> numbered normal maps and masks, and a line of JSON a frame; a killed run goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fnormal.errors import FNormalError
from fnormal.files.naming import Guard
from fnormal.files.writing import sweep_folder, write_bytes
from fnormal.geometry.normal_maps import NORMAL_FORMATS, encode_normals
from fnormal.geometry.picturefile import encode_png
from fnormal.geometry.videofile import count_frames, read_frames
from fnormal.options.faces import PredictOptions
from fnormal.prediction.outlines import BUILT_IN
from fnormal.prediction.predictor import Predictor
from fnormal.prediction.video import VideoFrame, VideoPredictor
from fnormal.progress import Progress, Result


def predict_video(
    source: Path, out: Path, predictor: Predictor, options: PredictOptions, guard: Guard
) -> Iterator[Progress]:
    """Write ``OUT/000000_normals.png`` and ``_mask.png`` for every frame with a face, and ``OUT.jsonl``.

    A frame whose files are there is not predicted again: the face is followed through all frames, so the
    results are those of a run that was never stopped.
    """
    if options.mask not in BUILT_IN:
        raise FNormalError(f"--mask {options.mask}: a video's mask is {' or '.join(BUILT_IN)}")
    outline = BUILT_IN[options.mask]
    follower = VideoPredictor(predictor, scale=options.scale, outline=outline, smooth=options.smooth)
    lines: list[str] = []
    flicker: list[float] = []
    told = out.with_name(out.name + ".jsonl")
    guard.check([told])
    out.mkdir(parents=True, exist_ok=True)
    sweep_folder(out)
    there = {int(p.name[:6]) for p in out.glob("??????_mask.png") if p.name[:6].isdecimal()}
    failed, found, total = "", 0, count_frames(source)
    try:
        pictures = read_frames(source, round(options.max_megapixels * 1e6))
        for frame in follower.follow(pictures, done=there, write=partial(_write, out, options)):
            paths = _paths(out, frame.number, options.format)
            if frame.flicker_deg is not None:
                flicker.append(frame.flicker_deg)
            record = _record(source, frame, paths)
            found += record["ok"]
            lines.append(json.dumps(record))
            results = (Result(str(paths["normals"]) if record["ok"] else "", record),)
            note = "no face" if frame.face is None else f"frame {frame.number}"
            yield Progress(
                done=frame.number + 1,
                total=max(total, frame.number + 1),
                unit="frames",
                note=note,
                results=results,
            )
    except FNormalError as error:
        failed = str(error)
    if lines:
        write_bytes(told, "".join(f"{line}\n" for line in lines).encode())
        yield Progress(results=(Result(str(told)),))
    if not failed and not found:
        failed = f"no face found in {source}"
    if flicker:
        yield Progress(
            says=f"{source}: {found} of {len(lines)} frames with a face; flicker {np.mean(flicker):.2f}"
            f" degrees between successive frames, at most {np.max(flicker):.2f}"
        )
    yield Progress(failed=failed)


def _paths(out: Path, number: int, format: str) -> dict[str, Path]:
    return {
        "normals": out / f"{number:06d}_normals{NORMAL_FORMATS[format]}",
        "mask": out / f"{number:06d}_mask.png",
    }


def _write(out: Path, options: PredictOptions, frame: VideoFrame) -> None:
    """The mask last: it says that a frame is done."""
    if (result := frame.normals) is None:
        return
    started, paths = time.monotonic(), _paths(out, frame.number, options.format)
    write_bytes(
        paths["normals"],
        encode_normals(
            result.part_normals, result.part_mask, frame=options.frame, format=options.format, note={},
            placed=result.whole,
        ),
    )  # fmt: skip
    write_bytes(paths["mask"], encode_png(result.whole(result.part_mask.astype(np.uint8) * 255)))
    frame.normals, frame.seconds["write"] = None, time.monotonic() - started


def _record(source: Path, frame: VideoFrame, paths: dict[str, Path]) -> dict[str, Any]:
    record: dict[str, Any] = {"ok": frame.face is not None, "input": str(source), "frame": frame.number}
    if frame.face is None:
        return {**record, "error": "no face"}
    return {
        **record, "score": round(frame.face.score, 4), "box": [round(v, 2) for v in frame.face.box],
        "landmarks": np.round(frame.face.landmarks, 2).tolist(),
        **{name: str(path) for name, path in paths.items()},
        "flicker_deg": None if frame.flicker_deg is None else round(frame.flicker_deg, 4),
        "seconds": {stage: round(value, 4) for stage, value in frame.seconds.items()},
    }  # fmt: skip
