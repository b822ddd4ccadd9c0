"""Pictures and normal maps: files <-> arrays, written to a temporary name and renamed."""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from fnormal import normals as nm
from fnormal.config import FRAME
from fnormal.errors import FNormalError

RGB = npt.NDArray[np.uint8]
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
NORMAL_FORMATS = {"png16": ".png", "png8": ".png", "npy": ".npy", "tiff": ".tiff"}


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that becomes ``path`` when the block succeeds.

    Raises:
        FNormalError: The folder cannot be made or the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
        os.close(handle)
    except OSError as error:
        raise FNormalError(f"cannot write {path}: {error.strerror or error}; choose another --out") from error
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise FNormalError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: object) -> None:
    """Write ``value`` as indented JSON, whole or not at all."""
    write_bytes(path, (json.dumps(value, indent=2) + "\n").encode())


def read_image(path: Path | str) -> RGB:
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
            f"cannot read {path} as a picture ({_first_line(error)}); give a PNG or JPEG file"
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
        raise FNormalError(f"cannot read {path} as a picture ({_first_line(error)})") from error
    if width * height > most_px:
        raise FNormalError(
            f"{path} has over {most_px / 1e6:.0f} megapixels; shrink it, a view shows under one"
        )


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def list_images(path: Path) -> list[Path]:
    """Pictures named by ``path``: itself, or every picture under a folder, sorted."""
    if not path.is_dir():
        return [path]
    found = sorted(p for p in path.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise FNormalError(f"no pictures in {path}; looked for {', '.join(sorted(IMAGE_SUFFIXES))}")
    return found


def resize_image(image: npt.NDArray[Any], size_px: int, *, cubic: bool = False) -> npt.NDArray[Any]:
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


def resize_points(points: npt.NDArray[Any], factor: float) -> npt.NDArray[np.float32]:
    """Pixels [..., 2] of a picture, moved with it when its side grows by ``factor``; centres are integers."""
    return np.asarray((np.asarray(points) + 0.5) * factor - 0.5, np.float32)


def encode_png(pixels: npt.NDArray[Any]) -> bytes:
    """uint8 or uint16 pixels [H, W] or [H, W, 3] (RGB) as PNG."""
    import cv2

    order = pixels if pixels.ndim == 2 else pixels[..., ::-1]  # OpenCV writes B, G, R
    done, data = cv2.imencode(".png", np.ascontiguousarray(order))
    if not done:
        raise RuntimeError(f"OpenCV could not encode {pixels.shape} {pixels.dtype} as PNG")
    return bytes(data.tobytes())


def write_image(path: Path, pixels: npt.NDArray[Any], text: dict[str, str] | None = None) -> None:
    """Write uint8 or uint16 pixels [H, W] or [H, W, 3] as PNG, with text chunks ``text``."""
    write_bytes(path, _with_text(encode_png(pixels), text or {}))


def srgb_to_linear(srgb: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Convert sRGB values in 0..1 to linear light (IEC 61966-2-1)."""
    low, high = srgb / 12.92, ((np.maximum(srgb, 0) + 0.055) / 1.055) ** 2.4
    return np.where(srgb <= 0.04045, low, high).astype(np.float32)


def linear_to_srgb(linear: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
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


def write_normals(
    path: Path, normals: nm.Floats, mask: nm.Bools, *, frame: str, format: str, note: dict[str, str]
) -> None:
    """Write a normal map in ``frame``; PNG files carry the frame and ``note`` as text chunks.

    Args:
        path: Where; its suffix should be that of ``NORMAL_FORMATS[format]``.
        normals: Unit normals in fnormal's frame. [H, W, 3]
        mask: True on the face; 0 is written elsewhere. [H, W]
        frame: Frame of the file, see :func:`fnormal.normals.frame_matrix`.
        format: ``png16``, ``png8``, ``npy`` or ``tiff`` (the last two float32).
        note: More text for the PNG, such as the crop box.
    """
    turned = nm.to_frame(normals, frame)
    turned[~mask] = 0
    if format in ("png16", "png8"):
        bits = 16 if format == "png16" else 8
        text = {"fnormal:frame": frame, "fnormal:space": "camera", **note}
        write_image(path, nm.encode_rgb(turned, mask, bits), text)
        return
    writers = {"npy": _save_npy, "tiff": _save_tiff}
    if format not in writers:
        raise FNormalError(f"unknown format '{format}': use {', '.join(NORMAL_FORMATS)}")
    with atomic(path) as temporary:
        writers[format](temporary, turned)


def _save_npy(path: Path, array: nm.Floats) -> None:
    with path.open("wb") as handle:
        np.save(handle, array)


def _save_tiff(path: Path, array: nm.Floats) -> None:
    import tifffile

    tifffile.imwrite(path, array, photometric="rgb")


def read_normals(path: Path, frame: str | None = None) -> tuple[npt.NDArray[np.float32], nm.Bools]:
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
            frame = frame or _png_frame(path)
            raw = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            raw = raw if raw is None or raw.ndim == 2 else raw[..., 2::-1]
    except (ValueError, OSError) as error:
        raise FNormalError(f"cannot read {path}: {_first_line(error)}") from error
    if raw is None or raw.ndim != 3 or raw.shape[-1] != 3:
        raise FNormalError(f"{path} is not a three-channel normal map; give PNG, NPY or TIFF")
    if raw.dtype in (np.uint8, np.uint16):
        value, mask = nm.decode_rgb(raw)
    else:
        value, mask = nm.unit(raw), np.asarray(np.linalg.norm(raw, axis=-1) > 0.5)
    return nm.from_frame(value, frame or FRAME), mask


def _png_frame(path: Path) -> str | None:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            value = picture.info.get("fnormal:frame")
    except (UnidentifiedImageError, SyntaxError) as error:
        raise FNormalError(f"cannot read {path} as a picture ({_first_line(error)})") from error
    return value if isinstance(value, str) else None
