"""How much the answer depends on the frame around the face, on pictures without truth.

    python -m benchmarks.agreement PHOTOS [WEIGHTS ...] [--count 42]

The mean angle inside the hull between the prediction at crop scale 1.2 and others of the same photo: wider
and narrower crops, a crop shifted by 12 % of its side, linear instead of sRGB pixels; and what `predict`
makes of each: of the photo with `--scale`, with `--no-crop` of the crop alone, without the photo around, and
of the face alone, cut out along the hull, on black and on white.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from fnormal.arrays import F32, U8
from fnormal.faces.crop import Crop, crop_around
from fnormal.faces.detect import FaceBox
from fnormal.faces.masks import hull_mask
from fnormal.geometry.images import srgb_to_linear
from fnormal.geometry.normals import angular_error_deg
from fnormal.geometry.picturefile import find_images, read_image
from fnormal.prediction.predictor import Predictor

SCALES, SHIFT = (1.0, 1.45, 1.8), 0.12


def normals(predictor: Predictor, picture: U8 | F32, crop: Crop, face: FaceBox) -> F32:
    """Normals of a crop of a face in the full frame. [H, W, 3]"""
    ones = np.ones((crop.side_px, crop.side_px), bool)
    return predictor.predict_crop(picture, crop, ones, face).normals


def as_a_picture(predictor: Predictor, picture: U8, crop: Crop) -> F32:
    """What `predict --no-crop` says to a crop that is cut out of a photo, in the photo's frame. [H, W, 3]"""
    whole = np.zeros(picture.shape, np.float32)
    crop.part(whole)[:] = predictor.predict_whole(np.ascontiguousarray(crop.part(picture))).normals
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("weights", type=Path, nargs="*")
    parser.add_argument("--count", type=int, default=42)
    options = parser.parse_args()
    torch.set_num_threads(1)
    paths = find_images(options.photos).paths
    chosen = [paths[i] for i in np.linspace(0, len(paths) - 1, options.count).astype(int)]
    pictures = [(read_image(path), path) for path in chosen]
    for weights in options.weights or [None]:
        predictor = Predictor(weights)
        angles: dict[str, list[float]] = {}
        for picture, _ in pictures:
            faces = predictor.detect(picture)
            if not faces:
                continue
            face, (height, width) = faces[0], picture.shape[:2]
            points = face.landmarks
            usual = crop_around(points, height, width, size_px=predictor.size_px)
            mask, base = hull_mask(points, height, width), normals(predictor, picture, usual, face)
            others = {f"scale {s:g}": crop_around(points, height, width, scale=s, size_px=predictor.size_px)
                      for s in SCALES}  # fmt: skip
            step = round(SHIFT * usual.side_px)
            others["shift"] = replace(usual, x_px=max(0, usual.x_px - step), y_px=max(0, usual.y_px - step))
            found = {name: normals(predictor, picture, crop, face) for name, crop in others.items()}
            for scale in SCALES:
                (asked,) = predictor.predict(picture, faces[:1], scale=scale)
                found[f"predict {scale:g}"] = asked.normals
            found |= {f"cut, {name}": as_a_picture(predictor, picture, crop) for name, crop in others.items()}
            for name, code in (("black", 0), ("white", 255)):
                alone = np.where(mask[..., None], picture, np.uint8(code))
                found[f"alone, {name}"] = predictor.predict(alone, faces[:1])[0].normals
            linear = srgb_to_linear(picture.astype(np.float32) / np.float32(255))
            found["linear"] = normals(predictor, linear, usual, face)
            for name, other in found.items():
                both = mask & base.any(axis=-1) & other.any(axis=-1)
                angles.setdefault(name, []).append(float(angular_error_deg(base, other)[both].mean()))
        means = "\t".join(f"{name} {np.mean(values):.2f}" for name, values in angles.items())
        print(f"{weights or 'default'}\t{len(angles['shift'])} faces\t{means}")


if __name__ == "__main__":
    main()
