"""Normal maps: files <-> arrays in fnormal's frame; the one place where axes are flipped."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fnormal.arrays import F32, Array, Bools, Floats
from fnormal.config import FRAME, MAX_PICTURE_PX
from fnormal.errors import FNormalError
from fnormal.files.opening import NORMAL_MAP, check_file, decoding, quiet_stderr, read_npy
from fnormal.files.writing import write_bytes
from fnormal.geometry import normals as nm
from fnormal.geometry.picturefile import check_picture_size, encode_png

NORMAL_FORMATS = {"png16": ".png", "png8": ".png", "npy": ".npy", "tiff": ".tiff"}


def write_normals(
    path: Path, normals: Floats, mask: Bools, *, frame: str, format: str, note: dict[str, str]
) -> None:
    """Write a normal map; its suffix should be that of ``NORMAL_FORMATS[format]``. See encode_normals()."""
    write_bytes(path, encode_normals(normals, mask, frame=frame, format=format, note=note))


def encode_normals(
    normals: Floats,
    mask: Bools,
    *,
    frame: str,
    format: str,
    note: dict[str, str],
    placed: Callable[[Array], Array] = lambda part: part,
) -> bytes:
    """A normal map in ``frame`` as the bytes of its file; a PNG carries the frame and ``note`` as text.

    Args:
        normals: Unit normals in fnormal's frame. [H, W, 3]
        mask: True on the face; 0 is written elsewhere. [H, W]
        frame: Frame of the file, see :func:`fnormal.geometry.normals.frame_matrix`.
        format: ``png16``, ``png8``, ``npy`` or ``tiff`` (the last two float32).
        note: More text for the PNG, such as the crop box.
        placed: Puts the encoded part [H, W, 3] into a larger picture.

    Raises:
        FNormalError: An unknown format or frame.
    """
    turned = nm.to_frame(normals, frame)
    turned[~mask] = 0
    if format in ("png16", "png8"):
        bits = 16 if format == "png16" else 8
        text = {"fnormal:frame": frame, "fnormal:space": "camera", **note}
        # blue first, as OpenCV writes it: turned about as a whole, a large picture would be copied
        code = placed(np.ascontiguousarray(nm.encode_rgb(turned, mask, bits)[..., ::-1]))
        return encode_png(code[..., ::-1], text)
    encoders = {"npy": _encode_npy, "tiff": _encode_tiff}
    if format not in encoders:
        raise FNormalError(f"unknown format '{format}': use {', '.join(NORMAL_FORMATS)}")
    return encoders[format](np.ascontiguousarray(placed(turned)))


def _encode_npy(array: F32) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _encode_tiff(array: F32) -> bytes:
    import tifffile

    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, photometric="rgb")
    return buffer.getvalue()


def read_normals(path: Path, frame: str | None = None) -> tuple[F32, Bools]:
    """Read a normal map into fnormal's frame.

    Args:
        path: PNG (8 or 16 bit), NPY or float TIFF.
        frame: Frame of the file; by default what the PNG says of itself, else ``opengl``.

    Returns:
        Unit normals [H, W, 3], 0 outside the mask, and the mask [H, W].

    Raises:
        FNormalError: Missing, unreadable, a JPEG (up to 7 degrees wrong), or not three channels.
    """
    import cv2

    check_file(path, NORMAL_MAP)
    suffix = path.suffix.lower()
    if suffix in (".jpg", ".jpeg"):
        raise FNormalError(f"{path} is a JPEG, which bends normals by up to 7 degrees; use PNG")
    with decoding(path, NORMAL_MAP):
        if suffix == ".npy":
            raw: Any = read_npy(path, NORMAL_MAP)
        elif suffix in (".tif", ".tiff"):
            raw = _read_tiff(path)
        else:
            check_picture_size(path, MAX_PICTURE_PX)
            frame = frame or png_frame(path)
            with quiet_stderr():
                raw = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            raw = raw if raw is None or raw.ndim == 2 else raw[..., 2::-1]
    if raw is None or raw.ndim != 3 or raw.shape[-1] != 3 or raw.dtype.kind not in "fui" or not raw.size:
        raise FNormalError(f"{path} is not a three-channel normal map; {NORMAL_MAP.remedy}")
    if raw.dtype in (np.uint8, np.uint16):
        value, mask = nm.decode_rgb(raw)
    else:
        raw = raw.astype(np.float32)
        finite = np.isfinite(raw).all(axis=-1)
        known = np.where(finite[..., None], raw, 0)
        mask = np.asarray(np.linalg.norm(known, axis=-1) > 0.5)
        value = nm.unit(known * mask[..., None])
    if not mask.any():
        raise FNormalError(f"{path} holds no normals: every pixel is 0 or no number; {NORMAL_MAP.remedy}")
    return nm.from_frame(value, frame or FRAME), mask


def _read_tiff(path: Path) -> Array:
    import tifffile

    with tifffile.TiffFile(path) as file:
        announced = max((page.nbytes for page in file.pages[:1]), default=0)
        if announced > NORMAL_MAP.most_bytes:
            raise FNormalError(f"{path} unpacks to {announced / 1e9:.0f} GB, too much; {NORMAL_MAP.remedy}")
        return np.asarray(file.pages[0].asarray())


def png_frame(path: Path) -> str | None:
    """The frame that a PNG says it is in, else None.

    Raises:
        FNormalError: It is not a picture.
    """
    from PIL import Image

    check_file(path, NORMAL_MAP)
    with decoding(path, NORMAL_MAP), Image.open(path) as picture:
        value = picture.info.get("fnormal:frame")
    return value if isinstance(value, str) else None
