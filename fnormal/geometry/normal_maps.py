"""Normal maps: files <-> arrays in fnormal's frame; the one place where axes are flipped."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from fnormal.arrays import F32, Bools, Floats
from fnormal.config import FRAME
from fnormal.errors import FNormalError
from fnormal.files import write_bytes
from fnormal.geometry import normals as nm
from fnormal.geometry.images import encode_png, first_line

NORMAL_FORMATS = {"png16": ".png", "png8": ".png", "npy": ".npy", "tiff": ".tiff"}


def write_normals(
    path: Path, normals: Floats, mask: Bools, *, frame: str, format: str, note: dict[str, str]
) -> None:
    """Write a normal map; its suffix should be that of ``NORMAL_FORMATS[format]``. See encode_normals()."""
    write_bytes(path, encode_normals(normals, mask, frame=frame, format=format, note=note))


def encode_normals(normals: Floats, mask: Bools, *, frame: str, format: str, note: dict[str, str]) -> bytes:
    """A normal map in ``frame`` as the bytes of its file; a PNG carries the frame and ``note`` as text.

    Args:
        normals: Unit normals in fnormal's frame. [H, W, 3]
        mask: True on the face; 0 is written elsewhere. [H, W]
        frame: Frame of the file, see :func:`fnormal.geometry.normals.frame_matrix`.
        format: ``png16``, ``png8``, ``npy`` or ``tiff`` (the last two float32).
        note: More text for the PNG, such as the crop box.

    Raises:
        FNormalError: An unknown format or frame.
    """
    turned = nm.to_frame(normals, frame)
    turned[~mask] = 0
    if format in ("png16", "png8"):
        bits = 16 if format == "png16" else 8
        text = {"fnormal:frame": frame, "fnormal:space": "camera", **note}
        return encode_png(nm.encode_rgb(turned, mask, bits), text)
    encoders = {"npy": _encode_npy, "tiff": _encode_tiff}
    if format not in encoders:
        raise FNormalError(f"unknown format '{format}': use {', '.join(NORMAL_FORMATS)}")
    return encoders[format](turned)


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

    if not path.is_file():
        raise FNormalError(f"no such normal map: {path}; check the path")
    suffix = path.suffix.lower()
    if suffix in (".jpg", ".jpeg"):
        raise FNormalError(f"{path} is a JPEG, which bends normals by up to 7 degrees; use PNG")
    try:
        if suffix == ".npy":
            raw = np.load(path, allow_pickle=False)
        elif suffix in (".tif", ".tiff"):
            import tifffile

            raw = tifffile.imread(path)
        else:
            frame = frame or png_frame(path)
            raw = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            raw = raw if raw is None or raw.ndim == 2 else raw[..., 2::-1]
    except (ValueError, OSError) as error:
        raise FNormalError(f"cannot read {path}: {first_line(error)}") from error
    if raw is None or raw.ndim != 3 or raw.shape[-1] != 3:
        raise FNormalError(f"{path} is not a three-channel normal map; give PNG, NPY or TIFF")
    if raw.dtype in (np.uint8, np.uint16):
        value, mask = nm.decode_rgb(raw)
    else:
        value, mask = nm.unit(raw), np.asarray(np.linalg.norm(raw, axis=-1) > 0.5)
    return nm.from_frame(value, frame or FRAME), mask


def png_frame(path: Path) -> str | None:
    """The frame that a PNG says it is in, else None.

    Raises:
        FNormalError: It is not a picture.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            value = picture.info.get("fnormal:frame")
    except (UnidentifiedImageError, SyntaxError) as error:
        raise FNormalError(f"cannot read {path} as a picture ({first_line(error)})") from error
    return value if isinstance(value, str) else None
