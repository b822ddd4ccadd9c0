"""What --depth and the options beside it say, as depth over the photo."""

from __future__ import annotations

import numpy as np

from fnormal.arrays import F64, U8
from fnormal.enhancement.registration import OnPhoto, laid_over
from fnormal.errors import FNormalError
from fnormal.files.opening import INTRINSICS, read_json
from fnormal.geometry.depthfile import read_depth
from fnormal.geometry.intrinsics import Intrinsics, guessed_intrinsics, read_intrinsics, same_shape
from fnormal.options.enhance import DepthOptions

_FOCAL_WARNING = (
    "no --intrinsics: the focal length is taken for the picture's longer side, and may be off by a third"
)


def depth_on_photo(options: DepthOptions, picture: U8) -> tuple[OnPhoto, Intrinsics, list[str]]:
    """Depth over the photo, the photo's camera, and what the user should know.

    With --intrinsics alone the map is registered to the photo, and shows the same view. With
    --color-intrinsics or --extrinsics it is the depth camera's own view, and is drawn into the photo's.

    Raises:
        FNormalError: What is given cannot be read, or does not go together.
    """
    assert options.depth is not None, "the caller looked"
    height, width = picture.shape[:2]
    depth = read_depth(options.depth, options.depth_scale)
    warnings = list[str]()
    apart = options.color_intrinsics is not None or options.extrinsics is not None
    if depth.metres is None:
        source = options.color_intrinsics or options.intrinsics
        camera = _camera(source, width, height, warnings)
        to_photo = None if options.extrinsics is None else _extrinsics(options)
        return laid_over(depth, picture, None, camera, to_photo), camera, warnings
    rows, columns = depth.metres.shape
    if apart:
        if options.intrinsics is None or options.color_intrinsics is None:
            raise FNormalError(
                "a depth map that is not registered needs --intrinsics (its own camera), --color-intrinsics"
                " (the photo's) and --extrinsics (from the one to the other)"
            )
        camera = _camera(options.color_intrinsics, width, height, warnings)
        own = _camera(options.intrinsics, columns, rows, warnings)
        to_photo = np.eye(4) if options.extrinsics is None else _extrinsics(options)
        return laid_over(depth, picture, own, camera, to_photo), camera, warnings
    if not same_shape((width, height), (columns, rows)):
        raise FNormalError(
            f"{options.depth} is {columns}x{rows}, the photo {width}x{height}, another shape: it is not"
            " registered to the photo; give --intrinsics, --color-intrinsics and --extrinsics"
        )
    if options.intrinsics is None:
        camera = _camera(None, width, height, warnings)
    else:  # a preset is the depth camera's; registered to the photo, it is the photo's too
        camera = _camera(options.intrinsics, columns, rows, warnings).scaled(width, height)
    return laid_over(depth, picture, None, camera, None), camera, warnings


def _camera(source: str | None, width: int, height: int, warnings: list[str]) -> Intrinsics:
    if source is None:
        warnings.append(_FOCAL_WARNING)
        return guessed_intrinsics(width, height)
    camera = read_intrinsics(source, width, height)
    if camera.is_nominal:
        warnings.append(f"{source} are the maker's figures, not your camera's; its own calibration is better")
    return camera


def _extrinsics(options: DepthOptions) -> F64:
    """The 4x4 matrix from the depth camera to the photo's.

    Raises:
        FNormalError: The file has none.
    """
    assert options.extrinsics is not None, "the caller looked"
    stated = read_json(options.extrinsics, INTRINSICS)
    if isinstance(stated, dict):
        stated = next((stated[name] for name in ("extrinsics", "matrix", "T") if name in stated), None)
    try:
        matrix = np.asarray(stated, np.float64)
    except (TypeError, ValueError) as error:
        raise FNormalError(
            f"{options.extrinsics} holds no matrix ({error}); give 4 rows of 4 numbers"
        ) from error
    if matrix.shape == (3, 4):
        matrix = np.vstack([matrix, [0, 0, 0, 1]])
    turn = matrix[:3, :3] if matrix.shape == (4, 4) else np.zeros((3, 3))
    if not np.isfinite(matrix).all() or not np.allclose(turn @ turn.T, np.eye(3), atol=0.02):
        raise FNormalError(
            f"{options.extrinsics} holds no rotation and shift; give 4x4 numbers: metres, y down, z forward"
        )
    return matrix
