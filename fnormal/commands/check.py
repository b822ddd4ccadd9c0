"""check: what a normal map seems to be, before anybody builds on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fnormal.arrays import F32
from fnormal.config import ENHANCE_CROP_SCALE, FRAME
from fnormal.errors import FNormalError
from fnormal.geometry.checks import MapFacts, check_map
from fnormal.geometry.normal_maps import decoded, frame_stated, list_maps, read_raw
from fnormal.geometry.normals import FRAMES, compose_frames, frame_matrix
from fnormal.geometry.picturefile import read_image
from fnormal.options.maps import Check
from fnormal.prediction.opened import open_predictor
from fnormal.progress import Progress, Result, failure

_FAR_DEG = 35.0  # no prediction of a face is further off
_LENGTH, _HOLES = 0.02, 0.005
_MANY = 20_000  # pixels; so many different normals have more than 256 values


def check(options: Check) -> Iterator[Progress]:
    """Look at every map; one that cannot be read fails alone.

    Raises:
        FNormalError: --photo with several maps, or a photo without a face.
    """
    paths = list_maps(options.maps)
    prior: F32 | None = None
    if options.photo is not None:
        if len(paths) > 1:
            raise FNormalError("--photo belongs to one map; give one")
        prior = _predicted(options, options.photo)
    for done, path in enumerate(paths, 1):
        failed = ""
        try:
            results = (_look(path, options.frame, prior),)
        except FNormalError as error:
            failed = str(error)
            results = (failure(path, failed),)
        yield Progress(done=done, total=len(paths), unit="maps", failed=failed, results=results)


def _predicted(options: Check, photo: Path) -> F32:
    predictor = open_predictor(options.weights, options.compute)
    picture = read_image(photo, most_px=round(options.max_megapixels * 1e6))
    face = predictor.find_faces(picture, str(photo))[0]
    return predictor.predict(picture, [face], scale=ENHANCE_CROP_SCALE, forehead=True)[0].normals


def _look(path: Path, frame: str | None, prior: F32 | None) -> Result:
    stated, raw = frame_stated(path), read_raw(path)
    normals, mask = decoded(raw, path, frame)
    if prior is not None and prior.shape != normals.shape:
        raise FNormalError(
            f"{path} is {normals.shape[1]}x{normals.shape[0]}, its photo {prior.shape[1]}x{prior.shape[0]};"
            " resize one"
        )
    facts = check_map(raw, normals, mask, prior)
    read_as = frame or stated or FRAME
    seems = _name(compose_frames(read_as, facts.seems))
    problems = _problems(facts, seems, _name(compose_frames(read_as, "x,y,z")))
    record = {
        "ok": True, "input": str(path), "stated": stated, "read_as": read_as,
        **facts.as_dict(), "seems": seems if facts.is_clear else None, "problems": problems,
    }  # fmt: skip
    said = f"seems {seems}" if facts.is_clear else "frame unclear"
    return Result(f"{path}\t{said}\t{'; '.join(problems) or 'nothing wrong'}", record)


def _problems(facts: MapFacts, seems: str, read_as: str) -> list[str]:
    found = []
    if facts.off_deg is not None and facts.off_deg > _FAR_DEG:
        found.append(f"not the photo's face in any frame ({facts.off_deg:.0f} degrees off at best)")
    elif not facts.is_clear:
        found.append("no frame is clearly the right one; give --photo")
    elif seems != read_as:
        found.append(f"read as {read_as}, but it seems to be {seems}; try that")
    if facts.length_off[1] > _LENGTH:
        found.append(f"vectors are not unit: off by {facts.length_off[1]:.2f} on average")
    if facts.holes > _HOLES:
        found.append(f"{facts.holes:.1%} of the face is missing")
    if facts.levels <= 256 and (facts.kind == "uint8" or facts.pixels > _MANY):
        found.append("8 bits: rounded by 0.17 degrees on average, seen as bands in reflections")
    return found


def _name(frame: str) -> str:
    """A frame by its name, where it has one."""
    for name in FRAMES:
        if (frame_matrix(name) == frame_matrix(frame)).all():
            return name
    return frame
