"""Pinhole cameras with lens distortion: presets of depth cameras, and files of anybody's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fnormal.arrays import F64, Array
from fnormal.errors import FNormalError
from fnormal.files.opening import INTRINSICS, check_file, decoding, read_text

_ASPECT = 0.02  # relative difference of two pictures' shapes that still show the same view


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera in OpenCV's convention: pixel centres are integers, y down.

    Attributes:
        width_px: Columns of the picture that the others belong to.
        height_px: Its rows.
        fx, fy: Focal lengths in pixels.
        cx, cy: Principal point in pixels.
        distortion: OpenCV's k1, k2, p1, p2, k3 and so on; empty for none.
        is_nominal: Not calibrated: the maker's figures, or a guess.
    """

    width_px: int
    height_px: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()
    is_nominal: bool = False

    def scaled(self, width_px: int, height_px: int) -> Intrinsics:
        """The same camera for a picture of another size that shows the same view.

        Raises:
            FNormalError: The shapes differ: it shows another view.
        """
        if not same_shape((self.width_px, self.height_px), (width_px, height_px)):
            raise FNormalError(
                f"the intrinsics are for {self.width_px}x{self.height_px} pixels, the picture has"
                f" {width_px}x{height_px}, which is another shape; give the camera's own"
            )
        x, y = width_px / self.width_px, height_px / self.height_px
        return replace(
            self, width_px=width_px, height_px=height_px, fx=self.fx * x, fy=self.fy * y,
            cx=(self.cx + 0.5) * x - 0.5, cy=(self.cy + 0.5) * y - 0.5,
        )  # fmt: skip

    def matrix(self) -> F64:
        """OpenCV's camera matrix. [3, 3]"""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]])

    def rays(self, pixels: Array) -> F64:
        """Where pixels [..., 2] lie on the plane one unit before the camera, y down. [..., 2]"""
        flat = np.asarray(pixels, np.float64).reshape(-1, 2)
        if self.distortion:
            import cv2

            bent = cv2.undistortPoints(flat[:, None], self.matrix(), np.array(self.distortion))
            return np.asarray(bent[:, 0], np.float64).reshape(np.shape(pixels))
        plain = (flat - (self.cx, self.cy)) / (self.fx, self.fy)
        return np.asarray(plain.reshape(np.shape(pixels)))

    def project(self, points: F64) -> F64:
        """Pixels [N, 2] of points in OpenCV's camera frame [N, 3]."""
        import cv2

        pixels, _ = cv2.projectPoints(
            points[:, None], np.zeros(3), np.zeros(3), self.matrix(), np.array(self.distortion or (0.0,) * 4)
        )
        return np.asarray(pixels[:, 0], np.float64)


def same_shape(one_px: tuple[int, int], other_px: tuple[int, int]) -> bool:
    """Whether pictures of these widths and heights may show the same view."""
    return abs((other_px[0] / one_px[0]) / (other_px[1] / one_px[1]) - 1) <= _ASPECT


PRESETS: Mapping[str, Intrinsics] = {
    "kinect-v1": Intrinsics(640, 480, 594.214, 591.041, 339.308, 242.740),
    "kinect-v2": Intrinsics(
        512, 424, 365.456, 365.456, 254.878, 205.395, (0.0905474, -0.26819, 0.0, 0.0, 0.0950862)
    ),
    "primesense": Intrinsics(640, 480, 525.0, 525.0, 319.5, 239.5, is_nominal=True),
    # the makers' nominal fields of view: 75 degrees for Azure's narrow mode, 65 for the D415
    "azure": Intrinsics(640, 576, 504.0, 504.0, 320.0, 288.0, is_nominal=True),
    "realsense": Intrinsics(1280, 720, 920.0, 920.0, 640.0, 360.0, is_nominal=True),
}


def read_intrinsics(source: str, width_px: int, height_px: int) -> Intrinsics:
    """A preset's or a file's camera, for a picture of this size.

    Args:
        source: A name in ``PRESETS``, or a JSON file with fx, fy, cx, cy or K, width and height (or size_wh)
            and OpenCV's dist, or OpenCV's YAML with camera_matrix and distortion_coefficients.
        width_px: Columns of the picture.
        height_px: Rows.

    Raises:
        FNormalError: Neither; what it lacks; or it is for another shape of picture.
    """
    if source in PRESETS:
        return PRESETS[source].scaled(width_px, height_px)
    path = Path(source)
    if not path.exists():
        raise FNormalError(f"--intrinsics {source}: give {', '.join(PRESETS)}, or a JSON or YAML file")
    check_file(path, INTRINSICS)
    with decoding(path, INTRINSICS):
        stated = _entries(path)
    try:
        found = _from_entries(stated, width_px, height_px)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise FNormalError(f"{path} has no camera ({error}); {INTRINSICS.remedy}") from error
    values = (found.fx, found.fy, found.cx, found.cy, *found.distortion)
    if not np.isfinite(values).all() or min(found.fx, found.fy) <= 1:
        raise FNormalError(
            f"{path}: focal lengths {found.fx:g} and {found.fy:g} are none; {INTRINSICS.remedy}"
        )
    scaled = found.scaled(width_px, height_px)
    inside = -0.5 < scaled.cx < width_px and -0.5 < scaled.cy < height_px
    if not inside or not 0.2 < scaled.fx / width_px < 20:
        raise FNormalError(
            f"{path}: a principal point of {scaled.cx:.0f}, {scaled.cy:.0f} and a focal length of"
            f" {scaled.fx:.0f} pixels cannot belong to {width_px}x{height_px} pixels; is it another camera's?"
        )
    return scaled


def guessed_intrinsics(width_px: int, height_px: int) -> Intrinsics:
    """A camera whose focal length is its picture's width, for who knows no better."""
    f = float(max(width_px, height_px))
    middle = (width_px - 1) / 2, (height_px - 1) / 2
    return Intrinsics(width_px, height_px, f, f, *middle, is_nominal=True)


def _entries(path: Path) -> Mapping[str, Any]:
    if path.suffix.lower() in (".yml", ".yaml", ".xml"):
        import cv2

        storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
        names = ("camera_matrix", "distortion_coefficients", "image_width", "image_height")
        nodes = {name: storage.getNode(name) for name in names}
        return {
            name: node.mat() if name in names[:2] else node.real()
            for name, node in nodes.items()
            if not node.empty()
        }
    stated = json.loads(read_text(path, INTRINSICS))
    if not isinstance(stated, dict):
        raise ValueError("it is no JSON object")
    return stated


def _from_entries(stated: Mapping[str, Any], width_px: int, height_px: int) -> Intrinsics:
    def first(*names: str) -> Any:
        return next((stated[name] for name in names if stated.get(name) is not None), None)

    matrix = first("K", "camera_matrix", "intrinsic_matrix")
    if matrix is not None:
        if isinstance(matrix, dict):
            matrix = matrix["data"]
        flat = np.asarray(matrix, np.float64).reshape(-1)
        k = flat.reshape(3, 3)
        if abs(k[2, 2] - 1) > 1e-6:
            k = k.T
        fx, fy, cx, cy = k[0, 0], k[1, 1], k[0, 2], k[1, 2]
        if cx == 0 and k[2, 0] != 0:  # column after column, as Open3D and Apple write it
            cx, cy = k[2, 0], k[2, 1]
    else:
        fx = float(stated["fx"])
        fy = float(stated.get("fy", fx))
        cx, cy = (float(first(a, b)) for a, b in (("cx", "ppx"), ("cy", "ppy")))
    size = first("size_wh", "size")
    width = int(size[0]) if size else int(first("width", "image_width", "w") or width_px)
    height = int(size[1]) if size else int(first("height", "image_height", "h") or height_px)
    bent = first("dist", "distortion", "distortion_coefficients", "coeffs")
    if isinstance(bent, dict):
        bent = bent["data"]
    bends = () if bent is None else tuple(float(v) for v in np.asarray(bent, np.float64).reshape(-1)[:8])
    if len(bends) in (1, 2, 3, 6, 7):  # OpenCV takes 4, 5 or 8
        bends = (*bends, *([0.0] * (next(n for n in (4, 5, 8) if n >= len(bends)) - len(bends))))
    plain = not any(bends)
    return Intrinsics(width, height, float(fx), float(fy), float(cx), float(cy), () if plain else bends)
