"""Pictures: files <-> arrays, sizes and colour curves."""

from __future__ import annotations

import io
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from fnormal.arrays import F32, U8, Array
from fnormal.errors import FNormalError
from fnormal.files import check_suffix, write_bytes

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".heic", ".heif", ".avif"}
)
_HEIF_SUFFIXES = frozenset({".heic", ".heif", ".avif"})
WRITTEN_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})


def read_image(path: Path | str) -> U8:
    """Read a picture, ``-`` for standard input, as RGB [H, W, 3], EXIF rotation applied.

    Grey of 16 bits or in floats is scaled to 8 bits. HEIC and AVIF need the package pillow-heif.

    Raises:
        FNormalError: There is no such file, or it is not a picture.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    heif = Path(path).suffix.lower() in _HEIF_SUFFIXES
    if heif:
        _register_heif()
    source: IO[bytes] | Path
    source = io.BytesIO(sys.stdin.buffer.read()) if str(path) == "-" else Path(path)
    try:
        with Image.open(source) as picture:
            upright = ImageOps.exif_transpose(picture)
            if upright.mode.startswith(("I", "F")):
                return _grey_to_rgb(np.asarray(upright), path)
            return np.asarray(upright.convert("RGB"))
    except FileNotFoundError as error:
        raise FNormalError(f"no such picture: {path}; check the path") from error
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        remedy = (
            "pip install 'fnormal[heic]', or give a PNG or JPEG file" if heif else "give a PNG or JPEG file"
        )
        raise FNormalError(f"cannot read {path} as a picture ({first_line(error)}); {remedy}") from error


def _register_heif() -> None:
    """Let Pillow read HEIC, and AVIF where it cannot by itself, if the plugin is installed."""
    try:
        import pillow_heif
    except ImportError:
        return
    pillow_heif.register_heif_opener()


def _grey_to_rgb(grey: Array, path: Path | str) -> U8:
    """Deep grey [H, W] as 8-bit RGB [H, W, 3]; Pillow would cut off what is brighter than 255."""
    top = 65535.0 if np.issubdtype(grey.dtype, np.integer) else 1.0
    values = grey.astype(np.float64)
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > top:
        raise FNormalError(f"{path} has grey values outside 0 to {top:g}; convert it to 8 or 16 bits")
    return np.repeat(np.rint(values * (255 / top)).astype(np.uint8)[..., None], 3, axis=-1)


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


@dataclass(frozen=True)
class Listing:
    """The pictures of a folder, sorted, and a line about what was left out; empty where nothing was."""

    paths: list[Path]
    skipped: str


def find_images(path: Path, unwanted: Callable[[Path], bool] = lambda path: False) -> Listing:
    """Pictures named by ``path``: itself, or every picture under a folder.

    Args:
        path: A picture or a folder.
        unwanted: Says which pictures to leave out.

    Raises:
        FNormalError: The folder has none.
    """
    if not path.is_dir():
        return Listing([path], "")
    files = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
    pictures = [p for p in files if p.suffix.lower() in IMAGE_SUFFIXES]
    wanted = [p for p in pictures if not unwanted(p)]
    if not wanted:
        raise FNormalError(f"no pictures in {path}; looked for {', '.join(sorted(IMAGE_SUFFIXES))}")
    others = Counter(p.suffix.lower() or "no ending" for p in files if p not in set(pictures))
    notes = [f"{count} {ending}" for ending, count in others.most_common()]
    if len(wanted) < len(pictures):
        notes.insert(0, f"{len(pictures) - len(wanted)} results of fnormal")
    return Listing(wanted, f"{path}: left out {', '.join(notes)}" if notes else "")


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
    return _with_text(_encode(".png", pixels), text or {})


def _encode(ending: str, pixels: Array) -> bytes:
    import cv2

    order = pixels if pixels.ndim == 2 else pixels[..., ::-1]  # OpenCV writes B, G, R
    done, data = cv2.imencode(ending, np.ascontiguousarray(order))
    if not done:
        raise RuntimeError(f"OpenCV could not encode {pixels.shape} {pixels.dtype} as {ending}")
    return bytes(data.tobytes())


def check_picture_name(path: Path) -> None:
    """See that a picture can be written under this name.

    Raises:
        FNormalError: Its ending is not one of ``WRITTEN_SUFFIXES``.
    """
    check_suffix(path, WRITTEN_SUFFIXES)


def write_image(path: Path, pixels: Array) -> None:
    """Write uint8 or uint16 pixels [H, W] or [H, W, 3] in the format that the name's ending says.

    Raises:
        FNormalError: Another ending, or the file cannot be written.
    """
    check_picture_name(path)
    ending = path.suffix.lower()
    write_bytes(path, encode_png(pixels) if ending == ".png" else _encode(ending, pixels))


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
