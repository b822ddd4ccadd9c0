"""Pictures: files <-> arrays, sizes and colour curves."""

from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path
from typing import IO

import numpy as np

from fnormal.arrays import F32, U8, Array
from fnormal.errors import FNormalError
from fnormal.files import write_bytes

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})


def read_image(path: Path | str) -> U8:
    """Read a picture, ``-`` for standard input, as RGB [H, W, 3], EXIF rotation applied.

    Raises:
        FNormalError: There is no such file, or it is not a picture.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    source: IO[bytes] | Path
    source = io.BytesIO(sys.stdin.buffer.read()) if str(path) == "-" else Path(path)
    try:
        with Image.open(source) as picture:
            return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    except FileNotFoundError as error:
        raise FNormalError(f"no such picture: {path}; check the path") from error
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise FNormalError(
            f"cannot read {path} as a picture ({first_line(error)}); give a PNG or JPEG file"
        ) from error


def check_picture_size(path: Path, most_px: int) -> None:
    """Look at a picture's header before its pixels are unpacked.

    Raises:
        FNormalError: Not a picture, empty, or of more than ``most_px`` pixels.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                width, height = picture.size
    except FileNotFoundError as error:
        raise FNormalError(f"no such picture: {path}; check the path") from error
    except Image.DecompressionBombError:
        width, height = most_px, most_px
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise FNormalError(f"cannot read {path} as a picture ({first_line(error)})") from error
    if width * height > most_px:
        raise FNormalError(
            f"{path} has over {most_px / 1e6:.0f} megapixels; shrink it, a view shows under one"
        )


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def list_images(path: Path) -> list[Path]:
    """Pictures named by ``path``: itself, or every picture under a folder, sorted."""
    if not path.is_dir():
        return [path]
    found = sorted(p for p in path.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise FNormalError(f"no pictures in {path}; looked for {', '.join(sorted(IMAGE_SUFFIXES))}")
    return found


def resize_image(image: Array, size_px: int, *, cubic: bool = False) -> Array:
    """Resize a square picture [S, S, ...] to [size, size, ...], averaging when it shrinks.

    Args:
        image: The picture, or any field of numbers.
        size_px: Its new side.
        cubic: Grow by cubic instead of linear interpolation. It may overshoot, so it is for fields without
            limits: a network's normals, which it brings 0.06 degrees nearer to the truth.
    """
    import cv2

    if image.shape[0] == size_px:
        return image
    grow = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    method = cv2.INTER_AREA if image.shape[0] > size_px else grow
    return np.asarray(cv2.resize(image, (size_px, size_px), interpolation=method))


def resize_points(points: Array, factor: float) -> F32:
    """Pixels [..., 2] of a picture, moved with it when its side grows by ``factor``; centres are integers."""
    return np.asarray((np.asarray(points) + 0.5) * factor - 0.5, np.float32)


def encode_png(pixels: Array, text: dict[str, str] | None = None) -> bytes:
    """uint8 or uint16 pixels [H, W] or [H, W, 3] (RGB) as PNG, with text chunks ``text``."""
    import cv2

    order = pixels if pixels.ndim == 2 else pixels[..., ::-1]  # OpenCV writes B, G, R
    done, data = cv2.imencode(".png", np.ascontiguousarray(order))
    if not done:
        raise RuntimeError(f"OpenCV could not encode {pixels.shape} {pixels.dtype} as PNG")
    return _with_text(bytes(data.tobytes()), text or {})


def write_image(path: Path, pixels: Array) -> None:
    """Write uint8 or uint16 pixels [H, W] or [H, W, 3] as PNG."""
    write_bytes(path, encode_png(pixels))


def srgb_to_linear(srgb: F32) -> F32:
    """Convert sRGB values in 0..1 to linear light (IEC 61966-2-1)."""
    low, high = srgb / 12.92, ((np.maximum(srgb, 0) + 0.055) / 1.055) ** 2.4
    return np.where(srgb <= 0.04045, low, high).astype(np.float32)


def linear_to_srgb(linear: F32) -> F32:
    """Convert linear light in 0..1 to sRGB values: the inverse of :func:`srgb_to_linear`."""
    high = 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, 12.92 * linear, high).astype(np.float32)


def _with_text(png: bytes, text: dict[str, str]) -> bytes:
    """Insert text chunks (tEXt, Latin-1) after the header of ``png``."""
    import zlib

    header_end = 8 + 25  # signature, then IHDR: 4 length + 4 name + 13 data + 4 check
    chunks = b""
    for key, value in text.items():
        body = b"tEXt" + key.encode("latin-1") + b"\0" + value.encode("latin-1", "replace")
        chunks += (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    return png[:header_end] + chunks + png[header_end:]
